import { getHeapStatistics } from 'node:v8';
import { array, assert, boolean, constantFrom, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { IdTable } from './id-table.ts';

/** "Aa" and "BB" have one hash, and so have all words of the same number of them. */
const id = array(constantFrom('Aa', 'BB', 'x'), { maxLength: 4 }).map((parts) => parts.join(''));

test('holds what a Map of the ids would, among ids of one hash too', () => {
  assert(
    property(array(record({ id, add: boolean() })), (steps) => {
      const table = new IdTable<{ readonly id: string }>();
      const map = new Map<string, { readonly id: string }>();
      for (const step of steps) {
        if (!step.add) {
          table.delete(step.id);
          map.delete(step.id);
        } else if (!map.has(step.id)) {
          table.add(step);
          map.set(step.id, step);
        }
        expect(table.get(step.id)).toBe(map.get(step.id) ?? null);
      }
      expect(new Set(table.values())).toEqual(new Set(map.values()));
    }),
  );
});

test('leaves no id behind among the strings V8 keeps as unique', () => {
  const table = new IdTable<{ readonly id: string }>();
  const bytes = Buffer.alloc(32, 'a');
  const before = getHeapStatistics().malloced_memory;
  for (let at = 0; at < 200_000; at++) {
    bytes.write(String(at));
    const value = { id: bytes.toString('latin1') };
    table.add(value);
    table.delete(value.id);
  }
  // With a Map of the ids their table alone is 4 MiB.
  expect(getHeapStatistics().malloced_memory - before).toBeLessThan(2 ** 20);
});
