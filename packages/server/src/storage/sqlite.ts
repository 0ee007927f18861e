/**
 * SQLite, the engine of a single process: a worker thread owns the file, this side posts to it. Ledger
 * batches and ordinary statements go to it as messages.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Executor, Statement } from './executor.ts';
import { migrate } from './migrate.ts';
import { createRecords } from './records.ts';
import { packOperations, unpackResults } from './sqlite-packing.ts';
import { WordReader, WordWriter } from './sqlite-words.ts';
import type { WorkerRequest, WorkerResponse } from './sqlite-messages.ts';
import { StorageUnavailable, type Storage } from './storage.ts';

type Unsent = WorkerRequest extends infer R ? (R extends WorkerRequest ? Omit<R, 'id'> : never) : never;

interface Waiter {
  readonly id: number;
  readonly resolve: (response: WorkerResponse) => void;
  readonly reject: (error: Error) => void;
}

/** A request and answer channel to the worker; rejects everything once the worker is gone. */
class Channel {
  private readonly worker: Worker;
  /** Oldest first: the worker answers in order. A list for the reason `SlotList` gives. */
  private readonly waiting: Waiter[] = [];
  private next = 1;
  private gone: Error | null = null;

  constructor(path: string) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.worker = new Worker(new URL(`./sqlite-worker.${extension}`, import.meta.url), {
      workerData: { path },
    });
    this.worker.on('message', (response: WorkerResponse) => {
      const [waiter] = this.waiting;
      // Threads lose no messages. If one were lost, no answer may go to another's question.
      if (waiter?.id !== response.id) return this.fail(new Error('the store answered out of order'));
      this.waiting.shift();
      if (response.error === undefined) waiter.resolve(response);
      else waiter.reject(failure(path, response));
    });
    this.worker.on('error', (error) => this.fail(error instanceof Error ? error : new Error(String(error))));
    this.worker.on('exit', () => this.fail(new Error('the store is closed')));
    this.worker.unref();
  }

  send(request: Unsent): Promise<WorkerResponse> {
    if (this.gone !== null)
      return Promise.reject(new StorageUnavailable(this.gone.message, { cause: this.gone }));
    const id = this.next++;
    return new Promise<WorkerResponse>((resolve, reject) => {
      // Throws for what cannot be sent, and then nothing waits.
      this.worker.postMessage({ ...request, id }, []);
      this.waiting.push({ id, resolve, reject });
      if (this.waiting.length === 1) this.worker.ref();
    }).finally(() => {
      if (this.waiting.length === 0) this.worker.unref();
    });
  }

  async close(): Promise<void> {
    if (this.gone !== null) return;
    await this.send({ kind: 'close' });
    await this.worker.terminate();
  }

  private fail(error: Error): void {
    this.gone ??= error;
    for (const { reject } of this.waiting.splice(0))
      reject(new StorageUnavailable(error.message, { cause: error }));
  }
}

function failure(path: string, response: WorkerResponse): Error {
  if (response.code === 5) {
    return new StorageUnavailable(
      `${path} is in use by another process: one gateway owns a SQLite file; use INDOXHUB_DATABASE_URL for several`,
    );
  }
  const message = `SQLite: ${response.error ?? 'unknown error'}`;
  return response.unavailable === true ? new StorageUnavailable(message) : new Error(message);
}

function executorOf(channel: Channel): Executor {
  return {
    engine: 'sqlite',
    async query({ sql, parameters }) {
      const response = await channel.send({ kind: 'query', sql, parameters });
      return { rows: response.rows ?? [], changes: response.changes ?? 0n };
    },
    async transaction(statements) {
      return (await channel.send({ kind: 'transaction', statements: plain(statements) })).changes ?? 0n;
    },
    async read(statements) {
      return (await channel.send({ kind: 'read', statements: plain(statements) })).sets ?? [];
    },
  };
}

/** Only what a message to the worker can carry. */
function plain(statements: readonly Statement[]): Statement[] {
  return statements.map(({ sql, parameters }) => ({ sql, parameters }));
}

/**
 * Makes the file before SQLite does: it holds the key that signs tokens, so it is its owner's alone. A file that exists is
 * not opened: closing it again would drop the locks this process may have on it.
 */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Opens the file, creating and migrating it. Throws StorageUnavailable when another process owns it. */
export async function openSqlite(path: string): Promise<Storage> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  makePrivate(path);
  const channel = new Channel(path);
  try {
    await channel.send({ kind: 'open' });
    const executor = executorOf(channel);
    const run = async (sql: string, parameters: readonly string[] = []) =>
      (await executor.query({ sql, parameters })).rows;
    await run('BEGIN IMMEDIATE');
    await migrate(run, 'sqlite');
    await run('COMMIT');
    const words = new WordWriter();
    const reader = new WordReader();
    return {
      ...createRecords(executor),
      engine: 'sqlite',
      async commit(operations) {
        try {
          const { results } = await channel.send({
            kind: 'commit',
            operations: packOperations(words, operations),
          });
          return results === undefined ? [] : unpackResults(reader, results, operations);
        } catch (error) {
          // Perhaps it never arrived: the worker cannot be thought to remember the texts it brought.
          words.forget();
          throw error;
        }
      },
      async ping() {
        await run('SELECT 1');
      },
      close: () => channel.close(),
    };
  } catch (error) {
    await channel.close().catch(() => {});
    throw error;
  }
}
