import { assert, bigInt, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from './errors.ts';
import { formatUsd, parseUsd } from './money.ts';

describe('money', () => {
  it.each([
    ['0', 0n, '0.00'],
    ['5', 5_000_000_000n, '5.00'],
    ['5.00', 5_000_000_000n, '5.00'],
    ['0.1', 100_000_000n, '0.10'],
    ['0.000000001', 1n, '0.000000001'],
    ['-1.5', -1_500_000_000n, '-1.50'],
    ['-0.000123', -123_000n, '-0.000123'],
    ['999999999.999999999', 999_999_999_999_999_999n, '999999999.999999999'],
  ])('reads %s and writes it back', (text, nano, written) => {
    expect(parseUsd(text)).toBe(nano);
    expect(formatUsd(nano)).toBe(written);
  });

  it.each(['', '5.', '.5', '1e3', ' 5', '5,00', '0.0000000001', '1000000000', '+5', 'NaN'])(
    'refuses %j',
    (text) => {
      const attempt = (): bigint => parseUsd(text, 'credits');
      expect(attempt).toThrow(GatewayError);
      expect(attempt).toThrow("'credits'");
    },
  );

  it('loses nothing of any amount', () => {
    const limit = 999_999_999_999_999_999n;
    assert(property(bigInt({ min: -limit, max: limit }), (nano) => parseUsd(formatUsd(nano)) === nano));
  });
});
