import { describe, expect, it } from 'vitest';
import { noUsage } from '../contract/usage.ts';
import { bookOf, breakdown, costOfUnits } from './pricing.ts';

const book = (unitPrices: Parameters<typeof bookOf>[0]['unit_prices']) => {
  const made = bookOf({ unit_prices: unitPrices });
  if (made === null) throw new Error('no book');
  return made;
};

describe('unit prices', () => {
  it('charge characters, images and the exact millisecond', () => {
    const speech = book({ unit: 'character', price: '0.000015' });
    expect(costOfUnits(noUsage, { unit: 'characters', quantity: 1_000 }, {}, speech)).toBe(15_000_000n);
    const whisper = book({ unit: 'audio_second', price: '0.0001' });
    expect(costOfUnits(noUsage, { unit: 'audio_ms', quantity: 4_505 }, {}, whisper)).toBe(450_500n);
  });

  it('take the first row that fits, else the plain price, else none', () => {
    const rows = [
      { size: '1024x1024', quality: 'hd', price: '0.08' },
      { size: '1024x1024', price: '0.04' },
    ];
    const images = { unit: 'images', quantity: 2 } as const;
    expect(
      costOfUnits(noUsage, images, { size: '1024x1024', quality: 'hd' }, book({ unit: 'image', rows })),
    ).toBe(160_000_000n);
    expect(costOfUnits(noUsage, images, { size: '1024x1024' }, book({ unit: 'image', rows }))).toBe(
      80_000_000n,
    );
    expect(costOfUnits(noUsage, images, { size: '9x9' }, book({ unit: 'image', rows }))).toBeNull();
    expect(costOfUnits(noUsage, images, { size: '9x9' }, book({ unit: 'image', rows, price: '0.01' }))).toBe(
      20_000_000n,
    );
  });

  it('bill a minimum and whole steps', () => {
    const groq = book({ unit: 'audio_second', price: '0.001', minimum: 10 });
    expect(costOfUnits(noUsage, { unit: 'audio_ms', quantity: 900 }, {}, groq)).toBe(10_000_000n);
    const stepped = book({ unit: 'audio_second', price: '0.001', step: 15 });
    expect(costOfUnits(noUsage, { unit: 'audio_ms', quantity: 15_001 }, {}, stepped)).toBe(30_000_000n);
  });

  it('add to tokens, rounded once, and stand in the breakdown as the request', () => {
    const both = bookOf({
      prices: { input: '1', output: '2' },
      unit_prices: { unit: 'image', price: '0.00000000055' },
    });
    if (both === null) throw new Error('no book');
    const usage = { ...noUsage, input: 1_000 };
    const cost = costOfUnits(usage, { unit: 'images', quantity: 1 }, {}, both);
    expect(cost).toBe(1_000_001n);
    expect(breakdown(usage, both, cost ?? 0n)).toMatchObject({ input_tokens: 1_000_000n, request: 1n });
  });

  it('of another unit than the price speaks of are unknown', () => {
    expect(
      costOfUnits(noUsage, { unit: 'images', quantity: 1 }, {}, book({ unit: 'character', price: '1' })),
    ).toBeNull();
  });
});
