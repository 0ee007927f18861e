/**
 * Group commit: everything that wants the ledger while one transaction runs goes into the next. Under load that is many
 * calls a transaction, so exact and durable accounting costs microseconds; alone, a call waits for nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../contract/errors.ts';
import {
  StorageUnavailable,
  type AnyLedgerResult,
  type LedgerOperation,
  type LedgerResult,
  type Storage,
} from '../storage/storage.ts';

/** Operations a transaction, at most: keeps one commit short. */
const maxBatch = 256;
/**
 * Where so many come at once, transactions begin this far apart: most of what one costs is its fsync and its messages, so
 * fewer and larger ones leave the machine to the calls.
 */
const busyBatch = 16;
const busyPeriodMs = 6;
/** Operations waiting, at most: beyond it calls are refused rather than queued for seconds. */
const maxQueue = 20_000;

export interface Ledger {
  /** Durable when it resolves. Throws `ledger_unavailable` when the store does not answer. */
  run<O extends LedgerOperation>(operation: O): Promise<LedgerResult<O>>;
  /** Resolves once nothing is waiting. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly operation: LedgerOperation;
  readonly resolve: (result: AnyLedgerResult) => void;
  readonly reject: (error: Error) => void;
}

const unavailable = (cause: unknown): GatewayError =>
  new GatewayError('ledger_unavailable', undefined, { retryAfterMs: 1000, cause });

export function createLedger(storage: Pick<Storage, 'commit'>): Ledger {
  let queue: Waiting[] = [];
  let running = false;
  let idleWaiters: (() => void)[] = [];

  const settle = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const results = await storage.commit(batch.map((each) => each.operation));
      let index = 0;
      for (const each of batch) {
        const result = results[index++];
        if (result === undefined) each.reject(new Error('the store answered too few results'));
        else each.resolve(result);
      }
    } catch (error) {
      if (error instanceof StorageUnavailable) {
        for (const each of batch) each.reject(unavailable(error));
        return;
      }
      if (batch.length === 1) {
        batch[0]?.reject(error as Error);
        return;
      }
      // One operation of the batch cannot be done: halves find it, and its neighbours are committed.
      const middle = batch.length >> 1;
      await settle(batch.slice(0, middle));
      await settle(batch.slice(middle));
    }
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.length <= maxBatch ? queue : queue.slice(0, maxBatch);
      queue = queue.length <= maxBatch ? [] : queue.slice(maxBatch);
      const startedAt = performance.now();
      await settle(batch);
      const wait = batch.length < busyBatch ? 0 : startedAt + busyPeriodMs - performance.now();
      if (wait > 0.5) await sleep(wait);
    }
    running = false;
    for (const resolve of idleWaiters) resolve();
    idleWaiters = [];
  };

  return {
    run<O extends LedgerOperation>(operation: O): Promise<LedgerResult<O>> {
      if (queue.length >= maxQueue) {
        return Promise.reject(new GatewayError('overloaded', undefined, { retryAfterMs: 1000 }));
      }
      return new Promise<AnyLedgerResult>((resolve, reject) => {
        queue.push({ operation, resolve, reject });
        if (running) return;
        running = true;
        // The rest of this tick's calls join the same transaction.
        setImmediate(() => void drain());
      }) as Promise<LedgerResult<O>>;
    },
    idle: () => (running ? new Promise((resolve) => idleWaiters.push(resolve)) : Promise.resolve()),
  };
}
