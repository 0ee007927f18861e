import { expect, it } from 'vitest';
import { isObject, parseExact } from '../../src/providers/exact-json.ts';

it.each([
  '{"id":12345678901234567890}',
  '[0.12345678901234567890,-98765432109876543210]',
  '{"text":"12345678901234567890","n":1}',
  '[1e400000000000000000]',
])('%s comes back as it was', (text) => {
  expect(JSON.stringify(parseExact(text))).toBe(text);
});

it('numbers that JavaScript holds stay numbers', () => {
  expect(parseExact('[1234567890123456, 1, 12345678901234567890]')).toMatchObject([1234567890123456, 1, {}]);
});

it('is strict about JSON', () => {
  expect(() => parseExact('{"id":12345678901234567890')).toThrow(SyntaxError);
  expect([{}, [], null, 'a', 1].map(isObject)).toEqual([true, false, false, false, false]);
});
