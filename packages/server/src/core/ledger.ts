/**
 * Group commit: everything that wants the ledger while one transaction runs goes into the next. Under load that is many
 * calls a transaction, so exact and durable accounting costs microseconds; alone, a call waits for nobody.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
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
 * A transaction waits while turns of the loop bring more operations, until so many brought none, or for so long: most of
 * what it costs is its fsync, its messages and the change of threads, and does not grow with it.
 */
const quietTurns = 3;
const gatherMs = 2;
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

  const gather = async (): Promise<void> => {
    const latest = performance.now() + gatherMs;
    for (let seen = 0, quiet = 0; quiet < quietTurns; quiet = queue.length > seen ? 0 : quiet + 1) {
      if (queue.length >= maxBatch || performance.now() > latest) return;
      seen = queue.length;
      await nextTurn();
    }
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      await gather();
      const batch = queue.length <= maxBatch ? queue : queue.slice(0, maxBatch);
      queue = queue.length <= maxBatch ? [] : queue.slice(maxBatch);
      await settle(batch);
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
        void drain();
      }) as Promise<LedgerResult<O>>;
    },
    idle: () => (running ? new Promise((resolve) => idleWaiters.push(resolve)) : Promise.resolve()),
  };
}
