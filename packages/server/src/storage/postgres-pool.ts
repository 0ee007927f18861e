/**
 * Connections to PostgreSQL. Nothing here depends on a session (no LISTEN, no SET, no named statement), so PgBouncer in
 * transaction mode may stand between. A database that is slow or away costs a bounded wait and a StorageUnavailable.
 */
import { DatabaseError, Pool, types as parsers, type CustomTypesConfig, type PoolClient } from 'pg';
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
/** Read-only after a failover. */
const readOnly = '25006';
/** A lock not obtained in time, a statement cancelled: trying again would only wait again. */
const slow = new Set(['55P03', '57014']);

/** What the driver says when the database did not answer: the connection's state is unknown. */
export class Unanswered extends Error {
  readonly slow: boolean;

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause });
    this.slow = /timeout/i.test(this.message);
  }
}

/** The SQLSTATE of an error the database answered with, else null. */
function answered(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && error instanceof DatabaseError
    ? code
    : null;
}

/** Fails with the database's own error, or with Unanswered. */
async function asking<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw answered(error) === null ? new Unanswered(error) : error;
  }
}

/** Whether the work may succeed when tried again at once; null when the error is the work's own. */
function outlook(error: unknown): 'again' | 'give up' | null {
  if (error instanceof Unanswered) return error.slow ? 'give up' : 'again';
  const code = answered(error);
  if (code === null) return null;
  if (slow.has(code)) return 'give up';
  return repeatable.has(code) || awayClasses.has(code.slice(0, 2)) || code === readOnly ? 'again' : null;
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
      const { rows, rowCount } = await asking(client.query<Record<string, unknown>>(config));
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
    if (pool.waitingCount >= maxWaiting) {
      throw new StorageUnavailable('PostgreSQL: too many callers wait for a connection');
    }
    const client = await asking(pool.connect());
    let broken = false;
    // The pool listens only while a client is idle; unheard, a connection's error would end the process.
    const onError = (): void => {
      broken = true;
    };
    client.on('error', onError);
    try {
      return await work(sessionOf(client, timeoutMs));
    } catch (error) {
      broken ||= outlook(error) !== null || error instanceof StorageUnavailable;
      throw error;
    } finally {
      // A broken one is ended, and may complain once more while it is.
      if (!broken) client.off('error', onError);
      client.release(broken);
    }
  };

  return {
    async run(work, timeoutMs = patience.answerMs) {
      for (let attempt = 0; ; attempt++) {
        try {
          return await once(work, timeoutMs);
        } catch (error) {
          const hope = outlook(error);
          if (hope === null) throw error;
          const wait = retryAfterMs[attempt];
          if (wait === undefined || hope === 'give up') {
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
