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
  const byId = new Map<string, StoppableStream>();
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
      byId.set(stream.id, stream);
      if (stream.alias !== null) byAlias.set(aliasKey(stream.accountId, stream.alias), stream);
      if (shut) stream.shutDown();
    },
    remove(stream) {
      byId.delete(stream.id);
      if (stream.alias === null) return;
      const key = aliasKey(stream.accountId, stream.alias);
      if (byAlias.get(key) === stream) byAlias.delete(key);
    },
    stop(accountId, idOrAlias) {
      const byName = byId.get(idOrAlias);
      const stream = byName?.accountId === accountId ? byName : byAlias.get(aliasKey(accountId, idOrAlias));
      return stream?.stop() ?? null;
    },
    stopById: (id) => byId.get(id)?.stop() ?? false,
    get size() {
      return byId.size;
    },
    shutDown() {
      shut = true;
      for (const stream of byId.values()) stream.shutDown();
    },
    drained: () => (calls === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
