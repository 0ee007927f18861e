/** The streams this process runs: by id, and by the caller's own name inside its account. */
export interface StoppableStream {
  readonly id: string;
  readonly accountId: string;
  readonly alias: string | null;
  /** Ends the stream as stopped. False when it was ending already. */
  stop(): boolean;
  /** The server goes down: ends the stream typed and settled. */
  shutDown(): void;
}

export interface Streams {
  add(stream: StoppableStream): void;
  remove(stream: StoppableStream): void;
  /** False when this process runs no such stream of that account. */
  stop(accountId: string, idOrAlias: string): boolean;
  /** For ids read from the store, whose owner was checked there. */
  stopById(id: string): boolean;
  readonly size: number;
  shutDown(): void;
  /** Resolves when none is left. */
  drained(): Promise<void>;
}

export function createStreams(): Streams {
  const byId = new Map<string, StoppableStream>();
  const byAlias = new Map<string, StoppableStream>();
  let waiters: (() => void)[] = [];
  const aliasKey = (accountId: string, alias: string): string => `${accountId}\n${alias}`;

  return {
    add(stream) {
      byId.set(stream.id, stream);
      if (stream.alias !== null) byAlias.set(aliasKey(stream.accountId, stream.alias), stream);
    },
    remove(stream) {
      byId.delete(stream.id);
      if (stream.alias !== null) {
        const key = aliasKey(stream.accountId, stream.alias);
        if (byAlias.get(key) === stream) byAlias.delete(key);
      }
      if (byId.size > 0) return;
      for (const resolve of waiters) resolve();
      waiters = [];
    },
    stop(accountId, idOrAlias) {
      const stream = byId.get(idOrAlias) ?? byAlias.get(aliasKey(accountId, idOrAlias));
      return stream !== undefined && stream.accountId === accountId && stream.stop();
    },
    stopById: (id) => byId.get(id)?.stop() ?? false,
    get size() {
      return byId.size;
    },
    shutDown() {
      for (const stream of byId.values()) stream.shutDown();
    },
    drained: () => (byId.size === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
