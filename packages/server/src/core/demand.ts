/** Stage 3 for calls beside chat: what one can cost at most, known before it begins. */
import type { UnitCount } from '../contract/usage.ts';
import { aboveMaxCost, capOf, priceUnknown, unbounded, type AdmitInput, type Bounds } from './admission.ts';
import { costOfUnits, worstCase, type PriceBook } from './pricing.ts';
import { noUsage } from '../contract/usage.ts';
import { dearest, type Traits } from './unit-prices.ts';

/** The most a call can use. */
export interface Demand {
  /** Tokens of any class. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Beside tokens; null when nothing else is billed. */
  readonly units: UnitCount | null;
  /** What the price of the units depends on; null = not known before the vendor has chosen. */
  readonly traits: Traits | null;
}

/** Nano-USD; null = unknown. */
function mostCost({ inputTokens, outputTokens, units, traits }: Demand, book: PriceBook): bigint | null {
  const tokens = worstCase({ inputTokens, outputTokens }, book);
  if (units === null || book.units === null) return tokens;
  const known = traits ?? dearest(book.units);
  const beside = known === null ? null : costOfUnits(noUsage, units, known, book);
  return beside === null ? null : tokens + beside;
}

/** What to hold: all of it, for such a call cannot be cut short. Throws `price_unknown` and `max_cost_exceeded`. */
export function boundsOf(input: Pick<AdmitInput, 'call' | 'request' | 'resolved'>, demand: Demand): Bounds {
  const { request, resolved } = input;
  if (request.byokKey !== null) return unbounded;
  const cap = capOf(input);
  const worstNano = resolved.prices === null ? null : mostCost(demand, resolved.prices);
  if (worstNano === null) {
    if (cap !== null) throw priceUnknown(resolved);
    return unbounded;
  }
  if (cap === null) return { ...unbounded, floorNano: worstNano };
  const { hard, ceilingNano } = cap;
  if (ceilingNano !== null && worstNano > ceilingNano) throw aboveMaxCost(worstNano, ceilingNano, null);
  return {
    ...unbounded,
    holdNano: worstNano,
    leastNano: worstNano,
    worstNano,
    floorNano: worstNano,
    hard: hard || ceilingNano !== null,
    ceilingNano,
  };
}
