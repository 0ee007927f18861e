/**
 * What a call costs: token buckets times prices, exact. A price is held in pico-USD per million tokens, so the twelve
 * places the catalogue may write are all kept; a cost is nano-USD, rounded once, half up.
 */
import { createHash } from 'node:crypto';
import type { PriceTier, TokenPrices, UnitPrices } from '../contract/catalogue.ts';
import { inputTokens, type TokenUsage, type UnitCount } from '../contract/usage.ts';
import { scaledUnits, unitBook, type Traits, type UnitBook } from './unit-prices.ts';

/** Pico-USD per million tokens of each class, the absent ones filled in; `webSearch`: of one search times a million. */
interface Rates {
  readonly input: bigint;
  readonly cacheRead: bigint;
  readonly cacheWrite: bigint;
  readonly cacheWriteLong: bigint;
  readonly audioInput: bigint;
  readonly imageInput: bigint;
  readonly output: bigint;
  readonly reasoning: bigint;
  readonly audioOutput: bigint;
  readonly imageOutput: bigint;
  readonly webSearch: bigint;
  /** The dearest class a token may turn out to be of. */
  readonly worst: {
    readonly output: bigint;
    /** Read from the cache or not at all in it. */
    readonly plainInput: bigint;
    /** Written to the cache as well. */
    readonly input: bigint;
  };
}

interface Tier {
  readonly overInputTokens: number;
  readonly rates: Rates;
}

/** A model's prices, ready to multiply. Made by `priceBook`. */
export interface PriceBook {
  /** Names this price row on usage rows: the same prices give the same version, any change another. */
  readonly version: string;
  readonly base: Rates;
  /** By rising threshold. */
  readonly tiers: readonly Tier[];
  /** Of what is not counted in tokens; null when nothing else is billed. */
  readonly units: UnitBook | null;
}

/** Nano-USD by part, as `cost_breakdown` names them; they add up to the cost to the nano. */
export interface CostBreakdown {
  readonly input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly cache_read: bigint;
  readonly cache_write: bigint;
  readonly reasoning: bigint;
  readonly web_search: bigint;
  readonly request: bigint;
}

/** The most a call may use. */
export interface Bound {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly webSearches?: number;
  /** false: the call writes nothing to the provider's cache, so no token costs more for it. Default true. */
  readonly cacheWrites?: boolean;
  /**
   * false: the caller sends no audio. Default true. Speech and images that come out always count: whether a model makes
   * them is its own choice.
   */
  readonly media?: boolean;
}

const largest = (values: readonly bigint[]): bigint => values.reduce((a, b) => (a > b ? a : b));

const pricePattern = /^(\d{1,9})(?:\.(\d{1,12}))?$/;
/** Token × pico-USD per million tokens → nano-USD. */
const divisor = 1_000_000_000n;
const perMillion = 1_000_000n;

function pico(price: string): bigint {
  const match = pricePattern.exec(price);
  if (match === null) throw new TypeError(`not a price in US dollars: ${price}`);
  const [, whole = '0', fraction = ''] = match;
  return BigInt(whole) * 1_000_000_000_000n + BigInt(fraction.padEnd(12, '0'));
}

function ratesOf(prices: TokenPrices): Rates {
  const or = (price: string | undefined, plain: bigint): bigint =>
    price === undefined ? plain : pico(price);
  const input = pico(prices.input);
  const output = pico(prices.output);
  const cacheWrite = or(prices.cache_write, input);
  const cacheRead = or(prices.cache_read, input);
  const cacheWriteLong = or(prices.cache_write_long, cacheWrite);
  const reasoning = or(prices.reasoning, output);
  const audioOutput = or(prices.audio_output, output);
  const imageOutput = or(prices.image_output, output);
  return {
    input,
    cacheRead,
    cacheWrite,
    cacheWriteLong,
    audioInput: or(prices.audio_input, input),
    imageInput: or(prices.image_input, input),
    output,
    reasoning,
    audioOutput,
    imageOutput,
    webSearch: or(prices.web_search, 0n) * perMillion,
    worst: {
      output: largest([output, reasoning, audioOutput, imageOutput]),
      plainInput: largest([input, cacheRead]),
      input: largest([input, cacheRead, cacheWrite, cacheWriteLong]),
    },
  };
}

function versionOf(prices: TokenPrices, tiers: readonly PriceTier[], units: UnitPrices | undefined): string {
  const row: unknown[] = [prices, ...tiers].map((each) =>
    Object.entries(each)
      .filter(([, price]) => price !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  if (units !== undefined) row.push(units);
  return createHash('sha256').update(JSON.stringify(row)).digest('hex').slice(0, 12);
}

/** A model that is billed by units only. */
const noTokenPrices: TokenPrices = { input: '0', output: '0' };

/** What a model costs; null when nothing is known. Throws TypeError when a price is not a decimal of at most twelve places. */
export function bookOf(model: {
  readonly prices?: TokenPrices | undefined;
  readonly tiers?: readonly PriceTier[] | undefined;
  readonly unit_prices?: UnitPrices | undefined;
}): PriceBook | null {
  const { prices, tiers, unit_prices: units } = model;
  return prices === undefined && units === undefined
    ? null
    : priceBook(prices ?? noTokenPrices, tiers, units);
}

/** Throws TypeError when a price is not a decimal of at most twelve places. */
export function priceBook(
  prices: TokenPrices,
  tiers: readonly PriceTier[] = [],
  units?: UnitPrices,
): PriceBook {
  const rising = [...tiers].sort((a, b) => a.over_input_tokens - b.over_input_tokens);
  return {
    version: versionOf(prices, rising, units),
    base: ratesOf(prices),
    tiers: rising.map((tier) => ({ overInputTokens: tier.over_input_tokens, rates: ratesOf(tier) })),
    units: units === undefined ? null : unitBook(units, pico),
  };
}

const round = (scaled: bigint): bigint => (scaled + divisor / 2n) / divisor;

const part = (count: number, rate: bigint): bigint => (count === 0 ? 0n : BigInt(count) * rate);

function ratesFor(usage: TokenUsage, book: PriceBook): Rates {
  if (book.tiers.length === 0) return book.base;
  const input = inputTokens(usage);
  let rates = book.base;
  for (const tier of book.tiers) if (input > tier.overInputTokens) rates = tier.rates;
  return rates;
}

interface ScaledParts {
  readonly input: bigint;
  readonly output: bigint;
  readonly cacheRead: bigint;
  readonly cacheWrite: bigint;
  readonly reasoning: bigint;
  readonly webSearch: bigint;
}

function partsOf(usage: TokenUsage, rates: Rates): ScaledParts {
  return {
    input:
      part(usage.input, rates.input) +
      part(usage.audioInput, rates.audioInput) +
      part(usage.imageInput, rates.imageInput),
    output:
      part(usage.output, rates.output) +
      part(usage.audioOutput, rates.audioOutput) +
      part(usage.imageOutput, rates.imageOutput),
    cacheRead: part(usage.cacheRead, rates.cacheRead),
    cacheWrite: part(usage.cacheWrite, rates.cacheWrite) + part(usage.cacheWriteLong, rates.cacheWriteLong),
    reasoning: part(usage.reasoning, rates.reasoning),
    webSearch: part(usage.webSearches, rates.webSearch),
  };
}

/** Nano-USD. The buckets are disjoint, so nothing is paid twice. */
export function costOf(usage: TokenUsage, book: PriceBook): bigint {
  return round(scaledTokens(usage, book));
}

/** Nano-USD of tokens and units together, rounded once; null where these units have no known price. */
export function costOfUnits(
  usage: TokenUsage,
  units: UnitCount | null,
  traits: Traits,
  book: PriceBook,
): bigint | null {
  if (units === null || book.units === null) return costOf(usage, book);
  const scaled = scaledUnits(book.units, units, traits);
  return scaled === null ? null : round(scaledTokens(usage, book) + scaled);
}

function scaledTokens(usage: TokenUsage, book: PriceBook): bigint {
  const rates = ratesFor(usage, book);
  return (
    part(usage.input, rates.input) +
    part(usage.output, rates.output) +
    part(usage.cacheRead, rates.cacheRead) +
    part(usage.cacheWrite, rates.cacheWrite) +
    part(usage.cacheWriteLong, rates.cacheWriteLong) +
    part(usage.audioInput, rates.audioInput) +
    part(usage.imageInput, rates.imageInput) +
    part(usage.reasoning, rates.reasoning) +
    part(usage.audioOutput, rates.audioOutput) +
    part(usage.imageOutput, rates.imageOutput) +
    part(usage.webSearches, rates.webSearch)
  );
}

/**
 * A cost by part. Each is rounded against the running total, so that the parts add up; what is not for tokens is
 * `request`.
 */
export function breakdown(
  usage: TokenUsage,
  book: PriceBook,
  costNano: bigint = costOf(usage, book),
): CostBreakdown {
  const parts = partsOf(usage, ratesFor(usage, book));
  let scaled = 0n;
  let rounded = 0n;
  const next = (value: bigint): bigint => {
    scaled += value;
    const total = round(scaled);
    const share = total - rounded;
    rounded = total;
    return share;
  };
  const tokens = {
    input_tokens: next(parts.input),
    output_tokens: next(parts.output),
    cache_read: next(parts.cacheRead),
    cache_write: next(parts.cacheWrite),
    reasoning: next(parts.reasoning),
    web_search: next(parts.webSearch),
  };
  return { ...tokens, request: costNano - rounded };
}

/** What the input and the searches of a call cost at worst under `rates`, scaled. */
function worstInput(bound: Omit<Bound, 'outputTokens'>, rates: Rates): bigint {
  const { cacheWrites = true, media = true, webSearches = 0, inputTokens: tokens } = bound;
  let rate = cacheWrites ? rates.worst.input : rates.worst.plainInput;
  if (media && rates.audioInput > rate) rate = rates.audioInput;
  if (media && rates.imageInput > rate) rate = rates.imageInput;
  return part(tokens, rate) + part(webSearches, rates.webSearch);
}

/** The rates that may apply: the base, and every tier the input may reach. */
function reachable(inputBound: number, book: PriceBook): readonly Rates[] {
  const all = [book.base];
  for (const tier of book.tiers) if (inputBound > tier.overInputTokens) all.push(tier.rates);
  return all;
}

/** Nano-USD no call within `bound` can exceed, however its tokens fall into classes and tiers. */
export function worstCase(bound: Bound, book: PriceBook): bigint {
  let most = 0n;
  for (const rates of reachable(bound.inputTokens, book)) {
    const cost = worstInput(bound, rates) + part(bound.outputTokens, rates.worst.output);
    if (cost > most) most = cost;
  }
  return round(most);
}

/** The most output tokens with which the worst case of `bound` still is at most `nano`; negative when none is. */
export function mostOutput(nano: bigint, bound: Omit<Bound, 'outputTokens'>, book: PriceBook): number {
  let most = Number.MAX_SAFE_INTEGER;
  for (const rates of reachable(bound.inputTokens, book)) {
    const left = (nano + 1n) * divisor - divisor / 2n - 1n - worstInput(bound, rates);
    if (left < 0n) return -1;
    if (rates.worst.output > 0n) most = Math.min(most, Number(left / rates.worst.output));
  }
  return most;
}
