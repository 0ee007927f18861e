import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { GatewayError } from '../contract/errors.ts';
import { noUsage } from '../contract/usage.ts';
import type { LedgerOperation, LedgerResult, SettleOperation, SettleResult } from '../storage/storage.ts';
import { createUnsettled } from './unsettled.ts';

const log = pino({ level: 'silent' });
const away = (): Error => new GatewayError('ledger_unavailable');

afterEach(() => {
  vi.useRealTimers();
});

const operationOf = (id: string): SettleOperation => ({
  op: 'settle',
  record: {
    id,
    accountId: 'a',
    keyId: 'k',
    endpoint: 'chat',
    provider: 'openai',
    model: 'm',
    requestedModel: 'm',
    stream: false,
    byok: false,
    startedAtMs: 1,
    ending: 'completed',
    httpStatus: 200,
    errorCode: null,
    finishReason: 'stop',
    usage: noUsage,
    source: 'none',
    costNano: 0n,
    listNano: 0n,
    priceVersion: null,
    latencyMs: 1,
    firstByteMs: null,
    attempts: 1,
    sessionId: null,
    units: null,
  },
  maxChargeNano: null,
  response: null,
});

/** A ledger that answers what `answer` says, and remembers whom it was asked for. */
function ledgerThat(answer: (id: string) => SettleResult['status'] | Error) {
  const asked: string[] = [];
  return {
    asked,
    run<O extends LedgerOperation>(operation: O): Promise<LedgerResult<O>> {
      const id = operation.op === 'settle' ? operation.record.id : '';
      asked.push(id);
      const status = answer(id);
      if (status instanceof Error) return Promise.reject(status);
      const result: SettleResult = { status, chargedNano: 0n, overNano: 0n };
      return Promise.resolve(result as LedgerResult<O>);
    },
  };
}

test('an away store costs one try a round; what waits is kept, then done once', async () => {
  let isAway = true;
  const ledger = ledgerThat(() => (isAway ? away() : 'settled'));
  const unsettled = createUnsettled(ledger, log);
  await unsettled.retry();
  expect(ledger.asked).toEqual([]);
  for (const id of ['1', '2', '3']) unsettled.settle(operationOf(id));
  await expect(unsettled.retry()).rejects.toMatchObject({ code: 'ledger_unavailable' });
  await expect(unsettled.retry()).rejects.toMatchObject({ code: 'ledger_unavailable' });
  expect(ledger.asked).toEqual(['1', '1']);
  isAway = false;
  await unsettled.retry();
  await unsettled.retry();
  expect(ledger.asked).toEqual(['1', '1', '1', '2', '3']);
});

test('one that the ledger cannot do at all is dropped, its neighbours are done', async () => {
  const ledger = ledgerThat((id) => (id === '1' ? new Error('of another account') : 'settled'));
  const unsettled = createUnsettled(ledger, log);
  for (const id of ['1', '2']) unsettled.settle(operationOf(id));
  await unsettled.retry();
  await unsettled.retry();
  expect(ledger.asked).toEqual(['1', '2']);
});

test('an admission that left nothing is looked for once more, later; a settlement is not', async () => {
  vi.useFakeTimers();
  const ledger = ledgerThat(() => 'already');
  const unsettled = createUnsettled(ledger, log);
  unsettled.undo(operationOf('undo'));
  unsettled.settle(operationOf('settle'));
  await unsettled.retry();
  await unsettled.retry();
  expect(ledger.asked).toEqual(['undo', 'settle']);
  vi.advanceTimersByTime(20_000);
  await unsettled.retry();
  vi.advanceTimersByTime(60_000);
  await unsettled.retry();
  expect(ledger.asked).toEqual(['undo', 'settle', 'undo']);
});
