/**
 * What the ledger must still be told: calls that ended while the store was away, and admissions whose answer was lost.
 * Tried again until it is done; what this process cannot do before it ends, the sweep does.
 */
import type { Logger } from 'pino';
import { GatewayError } from '../contract/errors.ts';
import type { SettleOperation } from '../storage/storage.ts';
import type { Ledger } from './ledger.ts';

/** Undone admissions kept, at most: in a long outage the first are the ones that may have reached the store. */
const maxUndos = 20_000;
/** A statement given up here may still run there for a while, so a hold not found is looked for once more. */
const lookAgainMs = 20_000;

interface Waiting {
  readonly operation: SettleOperation;
  readonly undo: boolean;
  dueAt: number;
  looked: boolean;
}

export interface Unsettled {
  /** Settles it as soon as the store answers. */
  settle(operation: SettleOperation): void;
  /** Closes whatever the admission of this call opened, if it opened anything. */
  undo(operation: SettleOperation): void;
  /** Tries what is due. Throws `ledger_unavailable` when the store is still away. */
  retry(): Promise<void>;
}

export function createUnsettled(ledger: Pick<Ledger, 'run'>, log: Logger): Unsettled {
  const waiting = new Map<string, Waiting>();

  const one = async (id: string, each: Waiting): Promise<void> => {
    try {
      const { status } = await ledger.run(each.operation);
      if (each.undo && status === 'already' && !each.looked) {
        each.looked = true;
        each.dueAt = performance.now() + lookAgainMs;
      } else waiting.delete(id);
    } catch (error) {
      if (error instanceof GatewayError && error.status === 503) throw error;
      log.error({ err: error, request_id: id }, 'a call could not be settled');
      waiting.delete(id);
    }
  };
  const add = (operation: SettleOperation, undo: boolean): void => {
    waiting.set(operation.record.id, { operation, undo, dueAt: 0, looked: false });
  };

  return {
    settle: (operation) => add(operation, false),
    undo(operation) {
      if (waiting.size < maxUndos) add(operation, true);
    },
    async retry() {
      const now = performance.now();
      const [first, ...rest] = [...waiting].filter(([, { dueAt }]) => dueAt <= now);
      if (first === undefined) return;
      // Alone, so that a store still away costs one try.
      await one(...first);
      await Promise.all(rest.map((each) => one(...each)));
    },
  };
}
