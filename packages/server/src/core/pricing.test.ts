import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PriceTier, TokenPrices } from '../contract/catalogue.ts';
import { inputTokens, noUsage, outputTokens, type TokenUsage } from '../contract/usage.ts';
import { breakdown, costOf, priceBook, worstCase } from './pricing.ts';

const mini: TokenPrices = { input: '0.15', output: '0.6', cache_read: '0.075' };
const claude: TokenPrices = {
  input: '3',
  output: '15',
  cache_read: '0.3',
  cache_write: '3.75',
  cache_write_long: '6',
  web_search: '0.01',
};
const usage = (part: Partial<TokenUsage>): TokenUsage => ({ ...noUsage, ...part });

describe('costOf', () => {
  it('prices each bucket by its own class', () => {
    expect(costOf(usage({ input: 1000, output: 500 }), priceBook(mini))).toBe(450_000n);
    expect(costOf(usage({ cacheRead: 1000 }), priceBook(mini))).toBe(75_000n);
    const all = usage({
      input: 10,
      cacheRead: 100,
      cacheWrite: 1000,
      cacheWriteLong: 10_000,
      output: 7,
      webSearches: 2,
    });
    expect(costOf(all, priceBook(claude))).toBe(
      30_000n + 30_000n + 3_750_000n + 60_000_000n + 105_000n + 20_000_000n,
    );
  });

  it('prices an absent class as its plain one', () => {
    const plain = priceBook({ input: '1', output: '2' });
    expect(costOf(usage({ cacheRead: 1, cacheWrite: 1, cacheWriteLong: 1, audioInput: 1 }), plain)).toBe(
      4000n,
    );
    expect(costOf(usage({ reasoning: 1, audioOutput: 1, imageOutput: 1 }), plain)).toBe(6000n);
    const written = priceBook({ input: '1', output: '2', cache_write: '3' });
    expect(costOf(usage({ cacheWriteLong: 1 }), written)).toBe(3000n);
  });

  it('rounds once, half up', () => {
    const half = priceBook({ input: '0.0005', output: '0.0004' });
    expect(costOf(usage({ input: 1 }), half)).toBe(1n);
    expect(costOf(usage({ output: 1 }), half)).toBe(0n);
    expect(costOf(usage({ input: 1, output: 1 }), half)).toBe(1n);
    expect(costOf(usage({ input: 3 }), half)).toBe(2n);
  });

  it('prices the whole call at the tier its input exceeds', () => {
    const tiers: PriceTier[] = [
      { over_input_tokens: 272_000, input: '5', output: '22.5', cache_read: '0.5' },
      { over_input_tokens: 100, input: '3', output: '16' },
    ];
    const book = priceBook({ input: '2.5', output: '15', cache_read: '0.25' }, tiers);
    expect(costOf(usage({ input: 100, output: 1 }), book)).toBe(250_000n + 15_000n);
    expect(costOf(usage({ input: 100, cacheRead: 1 }), book)).toBe(303_000n);
    expect(costOf(usage({ input: 272_000, output: 10 }), book)).toBe(816_000_000n + 160_000n);
    expect(costOf(usage({ input: 1, cacheRead: 272_000, output: 10 }), book)).toBe(
      5_000n + 136_000_000n + 225_000n,
    );
  });

  it('keeps twelve places and refuses what is no price', () => {
    const tiny = priceBook({ input: '0.000000000001', output: '0' });
    expect(costOf(usage({ input: 1_000_000_000 }), tiny)).toBe(1n);
    expect(() => priceBook({ input: '1e-3', output: '1' })).toThrow(TypeError);
    expect(() => priceBook({ input: '-1', output: '1' })).toThrow(TypeError);
  });
});

describe('price version', () => {
  it('is the same for the same prices however they are ordered, and another for any change', () => {
    const version = priceBook(mini).version;
    expect(priceBook({ output: '0.6', cache_read: '0.075', input: '0.15' }).version).toBe(version);
    expect(priceBook({ ...mini, cache_read: '0.076' }).version).not.toBe(version);
    expect(priceBook(mini, [{ over_input_tokens: 1, input: '1', output: '1' }]).version).not.toBe(version);
    expect(version).toMatch(/^[0-9a-f]{12}$/);
  });
});

const price = fc
  .tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 999_999_999_999 }))
  .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(12, '0')}`);
const optional = fc.option(price, { nil: undefined });
const prices = fc.record({
  input: price,
  output: price,
  cache_read: optional,
  cache_write: optional,
  cache_write_long: optional,
  audio_input: optional,
  image_input: optional,
  audio_output: optional,
  image_output: optional,
  reasoning: optional,
  web_search: optional,
}) as fc.Arbitrary<TokenPrices>;
const tokens = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2_000_000 }));
const anyUsage: fc.Arbitrary<TokenUsage> = fc.record({
  input: tokens,
  cacheRead: tokens,
  cacheWrite: tokens,
  cacheWriteLong: tokens,
  audioInput: tokens,
  imageInput: tokens,
  output: tokens,
  reasoning: tokens,
  audioOutput: tokens,
  imageOutput: tokens,
  webSearches: fc.integer({ min: 0, max: 20 }),
});
const tiersOf = fc.array(
  fc.tuple(prices, fc.integer({ min: 1, max: 3_000_000 })).map(([row, over]) => ({
    ...row,
    over_input_tokens: over,
  })),
  { maxLength: 3 },
);

/** A fraction of two bigints, in lowest terms nowhere: slow, and obviously right. */
interface Rational {
  readonly top: bigint;
  readonly bottom: bigint;
}
const rational = (text: string): Rational => {
  const [whole = '0', fraction = ''] = text.split('.');
  return { top: BigInt(whole + fraction), bottom: 10n ** BigInt(fraction.length) };
};
const plus = (a: Rational, b: Rational): Rational => ({
  top: a.top * b.bottom + b.top * a.bottom,
  bottom: a.bottom * b.bottom,
});
const times = (a: Rational, count: number, over: bigint): Rational => ({
  top: a.top * BigInt(count),
  bottom: a.bottom * over,
});

function exactNano(use: TokenUsage, row: TokenPrices): bigint {
  const perToken = (text: string, count: number): Rational => times(rational(text), count, 1_000_000n);
  const sum = [
    perToken(row.input, use.input),
    perToken(row.cache_read ?? row.input, use.cacheRead),
    perToken(row.cache_write ?? row.input, use.cacheWrite),
    perToken(row.cache_write_long ?? row.cache_write ?? row.input, use.cacheWriteLong),
    perToken(row.audio_input ?? row.input, use.audioInput),
    perToken(row.image_input ?? row.input, use.imageInput),
    perToken(row.output, use.output),
    perToken(row.reasoning ?? row.output, use.reasoning),
    perToken(row.audio_output ?? row.output, use.audioOutput),
    perToken(row.image_output ?? row.output, use.imageOutput),
    times(rational(row.web_search ?? '0'), use.webSearches, 1n),
  ].reduce(plus);
  const nano = { top: sum.top * 1_000_000_000n, bottom: sum.bottom };
  return (2n * nano.top + nano.bottom) / (2n * nano.bottom);
}

describe('properties', () => {
  it('a cost is the exact rational sum, rounded half up', () => {
    fc.assert(
      fc.property(anyUsage, prices, (use, row) => {
        expect(costOf(use, priceBook(row))).toBe(exactNano(use, row));
      }),
      { numRuns: 300 },
    );
  });

  it('a tiered cost is that of the highest tier exceeded', () => {
    fc.assert(
      fc.property(anyUsage, prices, tiersOf, (use, row, tiers) => {
        const exceeded = tiers.filter((tier) => inputTokens(use) > tier.over_input_tokens);
        const highest = Math.max(...exceeded.map((tier) => tier.over_input_tokens));
        const candidates = exceeded.filter((tier) => tier.over_input_tokens === highest);
        const expected = (candidates.length === 0 ? [row] : candidates).map((each) => exactNano(use, each));
        expect(expected).toContain(costOf(use, priceBook(row, tiers)));
      }),
      { numRuns: 200 },
    );
  });

  it('the parts add up to the cost', () => {
    fc.assert(
      fc.property(anyUsage, prices, tiersOf, (use, row, tiers) => {
        const book = priceBook(row, tiers);
        const parts = Object.values(breakdown(use, book)) as bigint[];
        expect(parts.reduce((a, b) => a + b)).toBe(costOf(use, book));
        expect(parts.every((part) => part >= 0n)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('no call costs more than its worst case', () => {
    fc.assert(
      fc.property(anyUsage, prices, tiersOf, tokens, (use, row, tiers, slack) => {
        const book = priceBook(row, tiers);
        const bound = {
          inputTokens: inputTokens(use) + slack,
          outputTokens: outputTokens(use),
          webSearches: use.webSearches,
        };
        expect(costOf(use, book) <= worstCase(bound, book)).toBe(true);
        const text = { ...use, cacheWrite: 0, cacheWriteLong: 0, audioInput: 0, imageInput: 0 };
        const narrow = worstCase({ ...bound, cacheWrites: false, media: false }, book);
        expect(costOf(text, book) <= narrow).toBe(true);
        expect(narrow <= worstCase(bound, book)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('worstCase', () => {
  it('takes the dearest class: a long cache write costs more than plain input', () => {
    const bound = { inputTokens: 1000, outputTokens: 100 };
    expect(worstCase(bound, priceBook(claude))).toBe(6_000_000n + 1_500_000n);
    expect(worstCase({ ...bound, cacheWrites: false }, priceBook(claude))).toBe(3_000_000n + 1_500_000n);
  });

  it('takes a cheaper tier into account only where it can be reached', () => {
    const book = priceBook({ input: '2', output: '2' }, [{ over_input_tokens: 10, input: '1', output: '1' }]);
    expect(worstCase({ inputTokens: 1000, outputTokens: 0 }, book)).toBe(2_000_000n);
  });
});

describe('breakdown', () => {
  it('names the parts as cost_breakdown does', () => {
    const use = usage({
      input: 10,
      cacheRead: 100,
      cacheWrite: 10,
      output: 5,
      reasoning: 20,
      webSearches: 1,
    });
    expect(breakdown(use, priceBook(claude))).toEqual({
      input_tokens: 30_000n,
      output_tokens: 75_000n,
      cache_read: 30_000n,
      cache_write: 37_500n,
      reasoning: 300_000n,
      web_search: 10_000_000n,
      request: 0n,
    });
  });
});
