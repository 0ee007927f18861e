/**
 * Connections to PostgreSQL. Nothing here depends on a session (no LISTEN, no SET, no named statement), so PgBouncer in
 * transaction mode may stand between. A database that is slow or away costs a bounded wait and a StorageUnavailable.
 */
import { Pool, types as parsers, type CustomTypesConfig, type PoolClient } from 'pg';
import { bindable } from './bindable.ts';
import type { Rows, Statement } from './executor.ts';
import { storable } from './postgres-codec.ts';
import { StorageUnavailable } from './storage.ts';

const poolSize = 10;
/** Callers waiting for a connection, at most. */
const maxWaiting = 200;

/** Milliseconds. */
export interface Patience {
  /** For a free connection, or a new one. */
  readonly connectMs: number;
  /** For the answer of an ordinary statement; the connection is dropped when it takes longer. */
  readonly answerMs: number;
}

const usualPatience: Patience = { connectMs: 3000, answerMs: 8000 };

const retryAfterMs = [20, 100, 300];

const int8 = 20;

/** Integers come as bigint on this pool; the process's other users of pg keep their parsers. */
const parserOf = parsers.getTypeParser as (oid: number, format?: string) => unknown;
const types = {
  getTypeParser: (oid: number, format?: string) => (oid === int8 ? BigInt : parserOf(oid, format)),
} as CustomTypesConfig;

export interface Session {
  query(statement: Statement): Promise<{ rows: Rows; changes: bigint }>;
}

export interface Postgres {
  /**
   * Runs the work on one connection. Tried again, three times at most, when the connection or the transaction was lost:
   * the work must be safe to repeat. `timeoutMs` bounds each statement's answer.
   */
  run<T>(work: (session: Session) => Promise<T>, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** Serialization failure, deadlock: the transaction is undone and may be repeated at once. */
const repeatable = new Set(['40001', '40P01']);
/** Connection errors, out of resources, being shut down, I/O: by class, the first two characters. */
const awayClasses = new Set(['08', '53', '57', '58']);
/** Read-only after a failover; a lock not obtained in time. */
const away = new Set(['25006', '55P03']);

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether the database itself answered: SQLSTATE codes are five characters, Node's are words. */
function isAnswer(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code);
}

/** Errors without a code that pg raises when its connection is lost or slow. */
const lost = /timeout|terminated|not queryable|connection|ended/i;

function isAway(error: unknown): boolean {
  const code = codeOf(error);
  if (isAnswer(code)) return away.has(code) || awayClasses.has(code.slice(0, 2));
  return code !== '' || (error instanceof Error && !(error instanceof TypeError) && lost.test(error.message));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function sessionOf(client: PoolClient, timeoutMs: number): Session {
  return {
    async query({ sql, parameters }) {
      const values = parameters
        .map(bindable)
        .map((value) => (typeof value === 'string' ? storable(value) : value));
      // query_timeout is honoured for a single query, though only the client's type declares it.
      const config = { text: sql, values, query_timeout: timeoutMs };
      const { rows, rowCount } = await client.query<Record<string, unknown>>(config);
      return { rows, changes: BigInt(rowCount ?? 0) };
    },
  };
}

export function connectPostgres(url: string, patience: Patience = usualPatience): Postgres {
  const pool = new Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: patience.connectMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'indoxhub',
    types,
  });
  // A connection lost while idle: the pool has already dropped it.
  pool.on('error', () => {});

  const once = async <T>(work: (session: Session) => Promise<T>, timeoutMs: number): Promise<T> => {
    if (pool.waitingCount >= maxWaiting)
      throw new StorageUnavailable('PostgreSQL: too many callers wait for a connection');
    const client = await pool.connect();
    let broken = false;
    // The pool listens only while a client is idle; unheard, a connection's error would end the process.
    const onError = (): void => {
      broken = true;
    };
    client.on('error', onError);
    try {
      return await work(sessionOf(client, timeoutMs));
    } catch (error) {
      // Unless the database said so itself, nobody knows what state this connection is in.
      broken ||= !isAnswer(codeOf(error)) || isAway(error);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  };

  return {
    async run(work, timeoutMs = patience.answerMs) {
      for (let attempt = 0; ; attempt++) {
        try {
          return await once(work, timeoutMs);
        } catch (error) {
          if (error instanceof StorageUnavailable) throw error;
          const again = repeatable.has(codeOf(error));
          if (!again && !isAway(error)) throw error;
          const wait = retryAfterMs[attempt];
          const slow =
            codeOf(error) === '55P03' || (error instanceof Error && /timeout/i.test(error.message));
          if (wait === undefined || slow) {
            const reason = error instanceof Error ? error.message : String(error);
            throw new StorageUnavailable(`PostgreSQL: ${reason}`, { cause: error });
          }
          await pause(wait * (0.5 + Math.random()));
        }
      }
    },
    close: () => pool.end(),
  };
}
