/** The streams this process runs: by id, and by the caller's own name inside its account. */
import { SlotList, type Slotted } from './slot-list.ts';

export interface StoppableStream extends Slotted {
  readonly id: string;
  readonly accountId: string;
  readonly alias: string | null;
  /** Ends the stream as stopped. False when it was ending already. */
  stop(): boolean;
  /** The server goes down: ends the stream typed and settled. */
  shutDown(): void;
}

export interface Streams {
  /** A call begins, not yet admitted. Call what it answers when the call is over. */
  enter(): () => void;
  /** After `shutDown` it is shut down at once. */
  add(stream: StoppableStream): void;
  remove(stream: StoppableStream): void;
  /** False when the call cannot be stopped, or is ending already; null when this process runs none of that name for that account. */
  stop(accountId: string, idOrAlias: string): boolean | null;
  /** For ids read from the store, whose owner was checked there. */
  stopById(id: string): boolean;
  readonly size: number;
  shutDown(): void;
  /** Resolves when no call is left. */
  drained(): Promise<void>;
}

export function createStreams(): Streams {
  /** By id one is looked for when somebody stops a stream. */
  const running = new SlotList<StoppableStream>();
  const byId = (id: string): StoppableStream | undefined => running.find((each) => each.id === id);
  const byAlias = new Map<string, StoppableStream>();
  let waiters: (() => void)[] = [];
  let calls = 0;
  let shut = false;
  const aliasKey = (accountId: string, alias: string): string => `${accountId}\n${alias}`;

  return {
    enter() {
      calls++;
      return () => {
        calls--;
        if (calls > 0) return;
        for (const resolve of waiters) resolve();
        waiters = [];
      };
    },
    add(stream) {
      running.add(stream);
      if (stream.alias !== null) byAlias.set(aliasKey(stream.accountId, stream.alias), stream);
      if (shut) stream.shutDown();
    },
    remove(stream) {
      if (!running.remove(stream) || stream.alias === null) return;
      const key = aliasKey(stream.accountId, stream.alias);
      if (byAlias.get(key) === stream) byAlias.delete(key);
    },
    stop(accountId, idOrAlias) {
      const byName = byId(idOrAlias);
      const stream = byName?.accountId === accountId ? byName : byAlias.get(aliasKey(accountId, idOrAlias));
      return stream?.stop() ?? null;
    },
    stopById: (id) => byId(id)?.stop() ?? false,
    get size() {
      return running.size;
    },
    shutDown() {
      shut = true;
      for (const stream of running.values()) stream.shutDown();
    },
    drained: () => (calls === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
