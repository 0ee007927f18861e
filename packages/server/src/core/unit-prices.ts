/**
 * Prices of what is not counted in tokens: characters, images, seconds of audio or video. One unit's price may depend on
 * what was asked for (size, quality, resolution, sound). Held in pico-USD like token prices.
 */
import type { UnitPrices } from '../contract/catalogue.ts';
import type { Unit, UnitCount } from '../contract/usage.ts';

/** What a unit's price may depend on, as the catalogue spells it; an absent one matches no row that names it. */
export interface Traits {
  readonly size?: string | undefined;
  readonly quality?: string | undefined;
  readonly resolution?: string | undefined;
  readonly audio?: boolean | undefined;
}

interface Row {
  readonly when: Traits;
  readonly pico: bigint;
}

export interface UnitBook {
  readonly unit: Unit;
  /** Of one unit where no row fits; null = only the rows are known. */
  readonly pico: bigint | null;
  readonly rows: readonly Row[];
  /** In `unit`: less is billed as this much. */
  readonly minimum: number;
  /** In `unit`: billed in whole steps of this. */
  readonly step: number;
}

const units = {
  character: { unit: 'characters', per: 1 },
  image: { unit: 'images', per: 1 },
  audio_second: { unit: 'audio_ms', per: 1000 },
  video_second: { unit: 'video_ms', per: 1000 },
} as const satisfies Record<UnitPrices['unit'], { unit: Unit; per: number }>;

export function unitBook(prices: UnitPrices, pico: (price: string) => bigint): UnitBook {
  const { unit, per } = units[prices.unit];
  return {
    unit,
    pico: prices.price === undefined ? null : pico(prices.price),
    rows: (prices.rows ?? []).map(({ price, ...when }) => ({ when, pico: pico(price) })),
    minimum: (prices.minimum ?? 0) * per,
    step: (prices.step ?? 0) * per || 1,
  };
}

const fits = (when: Traits, traits: Traits): boolean =>
  Object.entries(when).every(
    ([name, value]) => value === undefined || traits[name as keyof Traits] === value,
  );

/** Pico-USD of one unit (of a second for durations); null = unknown for these traits. */
export function unitPico(book: UnitBook, traits: Traits): bigint | null {
  return book.rows.find(({ when }) => fits(when, traits))?.pico ?? book.pico;
}

/** The traits of the dearest unit, for a call whose traits the vendor chooses; null when no price is known at all. */
export function dearest(book: UnitBook): Traits | null {
  let most: Row | null = book.pico === null ? null : { when: {}, pico: book.pico };
  for (const row of book.rows) if (most === null || row.pico > most.pico) most = row;
  return most?.when ?? null;
}

/** What is billed of `count`, in its own unit. */
export function billable(book: UnitBook, { quantity }: UnitCount): number {
  const least = Math.max(quantity, quantity > 0 ? book.minimum : 0);
  return Math.ceil(least / book.step) * book.step;
}

/** Pico-USD times a million, as token costs are summed before they are rounded; null = unknown. */
export function scaledUnits(book: UnitBook, count: UnitCount, traits: Traits): bigint | null {
  const pico = unitPico(book, traits);
  if (pico === null || count.unit !== book.unit) return null;
  const scale = book.unit === 'audio_ms' || book.unit === 'video_ms' ? 1_000n : 1_000_000n;
  return BigInt(billable(book, count)) * pico * scale;
}
