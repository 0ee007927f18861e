import { describe, expect, it } from 'vitest';
import { admitOf, creditOf, extendOf, settleOf } from './conformance-fixtures.ts';
import { packOperations, packResults, unpackOperations, unpackResults } from './sqlite-packing.ts';
import { WordReader, WordWriter } from './sqlite-words.ts';
import type { AnyLedgerResult, LedgerOperation } from './storage.ts';

const full = admitOf('account', 9_007_199_254_740_993n, {
  budgets: ['account', 'key:k'],
  idempotency: { key: 'once', fingerprint: 'f' },
  alias: 'mine',
  limits: [
    { id: 'k:rpm', max: 60, windowMs: 60_000, cost: 1 },
    { id: 'k:tpm', max: 1e9, windowMs: 60_000, cost: 512.5 },
  ],
});
const answer = { status: 200, contentType: 'application/json', body: `{"a":"ü🎈${'x'.repeat(500)}"}` };
const operations: readonly LedgerOperation[] = [
  full,
  admitOf('account', 0n, { hard: false, limits: [] }),
  extendOf(full.id, 5n),
  settleOf(full, 123n, { firstByteMs: 0, sessionId: 's', errorCode: 'e', finishReason: 'stop' }, answer),
  { ...settleOf(full, null, { units: { unit: 'images', quantity: 3 }, listNano: 7n }), maxChargeNano: -1n },
  creditOf('account', 5n),
];

describe('words between the threads', () => {
  it('bring every operation over as it was, the first time and when its texts are known', () => {
    const [writer, reader] = [new WordWriter(), new WordReader()];
    const first = packOperations(writer, operations);
    expect(unpackOperations(reader, structuredClone(first))).toEqual(operations);
    const second = packOperations(writer, operations);
    expect(second.learned).toEqual([]);
    expect(unpackOperations(reader, structuredClone(second))).toEqual(operations);
  });

  it('bring results back', () => {
    const results: readonly AnyLedgerResult[] = [
      {
        status: 'admitted',
        heldNano: 9_007_199_254_740_993n,
        limits: full.limits.map(({ id, max }) => ({ id, max, remaining: 3, resetAtMs: 1_764_000_000_123 })),
      },
      { status: 'in_progress', id: 'x' },
      { status: 'extended', addedNano: 1n },
      { status: 'settled', chargedNano: -5n, overNano: 2n ** 62n },
      { status: 'already', chargedNano: 1n, overNano: 0n },
      { status: 'booked' },
    ];
    const packed = structuredClone(packResults(new WordWriter(), results));
    expect(unpackResults(new WordReader(), packed, operations)).toEqual(results);
    expect(unpackResults(new WordReader(), packResults(new WordWriter(), []), [])).toEqual([]);
  });

  it('say so when a call that was admitted before comes back without limits', () => {
    const result = { status: 'admitted', heldNano: 1n, limits: [] } as const;
    const packed = packResults(new WordWriter(), [result]);
    expect(unpackResults(new WordReader(), packed, [full])).toEqual([result]);
  });

  it('remember a bounded number of texts, and no long ones', () => {
    const [writer, reader] = [new WordWriter(), new WordReader()];
    let restarts = 0;
    for (let round = 0; round < 30; round++) {
      const models = Array.from({ length: 1000 }, (_, each) => `model-${round}-${each}`);
      for (const model of models) writer.text(model);
      const message = writer.take();
      if (message.restart) restarts++;
      reader.open(message);
      expect(models.map(() => reader.text())).toEqual(models);
    }
    expect(restarts).toBeGreaterThanOrEqual(3);
    writer.text('y'.repeat(1000));
    expect(writer.take()).toMatchObject({ learned: [], texts: ['y'.repeat(1000)] });
  });

  it('start again after a message that never arrived', () => {
    const [writer, reader] = [new WordWriter(), new WordReader()];
    reader.open(packOperations(writer, [full]));
    packOperations(writer, [admitOf('another account', 1n)]);
    writer.forget();
    const call = admitOf('another account', 2n);
    expect(unpackOperations(reader, packOperations(writer, [call]))).toEqual([call]);
  });

  it('refuse what does not fit into 64 bits, and carry on with the next message', () => {
    const [writer, reader] = [new WordWriter(), new WordReader()];
    expect(() => packOperations(writer, [full, admitOf('account', 2n ** 63n)])).toThrow('does not fit');
    expect(unpackOperations(reader, packOperations(writer, operations))).toEqual(operations);
  });

  it('end with an error where they were cut off', () => {
    const { words, ...rest } = packOperations(new WordWriter(), [full]);
    expect(() => unpackOperations(new WordReader(), { ...rest, words: words.slice(0, -1) })).toThrow(
      'beyond the end',
    );
    expect(() => unpackOperations(new WordReader(), { ...rest, words, texts: [] })).toThrow('does not bring');
  });
});
