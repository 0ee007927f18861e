/**
 * PostgreSQL, the engine of a fleet: any number of replicas on one database, in a schema of its own. A ledger batch is
 * one call of indoxhub.ledger_commit (migrations/0001-ledger.postgres.ts), one round trip and one transaction.
 */
import type { Executor, Statement } from './executor.ts';
import { migrate } from './migrate.ts';
import { decodeResults, encodeOperations } from './postgres-codec.ts';
import { connectPostgres, Unanswered, type Patience, type Postgres, type Session } from './postgres-pool.ts';
import { createRecords } from './records.ts';
import { StorageUnavailable, type Storage } from './storage.ts';

const oldestVersion = 150_000;
/** Migrations of a large database, waiting for another replica's included. */
const migrateMs = 600_000;
/** verify reads whole tables. */
const readMs = 120_000;
const pingMs = 2000;

const plain = (sql: string): Statement => ({ sql, parameters: [] });

/**
 * BEGIN … COMMIT round the work; ROLLBACK when it throws or answers null. A COMMIT without answer is not tried again: the
 * work may have been done.
 */
async function transaction<T>(
  session: Session,
  begin: string,
  work: () => Promise<T | null>,
): Promise<T | null> {
  await session.query(plain(begin));
  let result: T | null;
  try {
    result = await work();
  } catch (error) {
    if (!(error instanceof Unanswered)) await session.query(plain('ROLLBACK')).catch(() => {});
    throw error;
  }
  try {
    await session.query(plain(result === null ? 'ROLLBACK' : 'COMMIT'));
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    throw new StorageUnavailable(`PostgreSQL: the outcome is unknown: ${error.message}`, { cause: error });
  }
  return result;
}

function executorOf(postgres: Postgres): Executor {
  return {
    engine: 'postgres',
    query: (statement) => postgres.run((session) => session.query(statement)),
    async transaction(statements) {
      const first = await postgres.run((session) =>
        transaction(session, 'BEGIN', async () => {
          let changed: bigint | null = null;
          for (const statement of statements) {
            const { changes } = await session.query(statement);
            changed ??= changes;
            if (changed === 0n) return null;
          }
          return changed;
        }),
      );
      return first ?? 0n;
    },
    async read(statements) {
      const sets = await postgres.run(
        (session) =>
          transaction(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', async () => {
            const rows = [];
            for (const statement of statements) rows.push((await session.query(statement)).rows);
            return rows;
          }),
        readMs,
      );
      return sets ?? [];
    },
  };
}

/** Tables in the schema that no release of IndoxHub made. */
const foreignTables = `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'indoxhub' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND c.relname !~ '^usage_(default|[0-9]{4}_[0-9]{2})$'
    AND c.relname <> ALL (string_to_array($1, ','))
  ORDER BY c.relname LIMIT 5`;

const ownTables =
  'account,budget,api_key,hold,ledger_entry,usage,usage_daily,rate_window,idempotency,swept_hold,setting,instance,audit,video_job,video_event,webhook_delivery,media,schema_migration';

/** One replica migrates, the others wait for its lock and find it done. */
async function prepare(session: Session): Promise<null | true> {
  const run = async (sql: string, parameters: readonly string[] = []) =>
    (await session.query({ sql, parameters })).rows;
  await run('SELECT pg_advisory_xact_lock(1768842863, 1)');
  const [server] = await run(`SELECT current_setting('server_version_num')::int8 AS version`);
  if (Number(server?.['version']) < oldestVersion) {
    throw new Error(
      `PostgreSQL 15 or later is needed; this one is ${String(server?.['version']).slice(0, 2)}`,
    );
  }
  const [known] = await run(`SELECT to_regnamespace('indoxhub') IS NOT NULL AS there`);
  if (known?.['there'] !== true) await run('CREATE SCHEMA indoxhub');
  const foreign = await run(foreignTables, [ownTables]);
  const [own] = await run(`SELECT to_regclass('indoxhub.schema_migration') IS NOT NULL AS there`);
  const strangers = foreign.map((row) => String(row['name']));
  if (own?.['there'] === true) await migrate(run, 'postgres');
  if (strangers.length > 0) {
    throw new Error(
      `the schema indoxhub of this database holds tables that are not IndoxHub's: ${strangers.join(', ')}`,
    );
  }
  if (own?.['there'] !== true) await migrate(run, 'postgres');
  return true;
}

/** Connects, migrates and opens. Throws StorageUnavailable when the database does not answer. */
export async function openPostgres(url: string, patience?: Patience): Promise<Storage> {
  const postgres = connectPostgres(url, patience);
  try {
    await postgres.run((session) => transaction(session, 'BEGIN', () => prepare(session)), migrateMs);
  } catch (error) {
    await postgres.close();
    throw error;
  }
  return {
    ...createRecords(executorOf(postgres)),
    engine: 'postgres',
    async commit(operations) {
      if (operations.length === 0) return [];
      const parameters = encodeOperations(operations);
      const { rows } = await postgres.run((session) =>
        session.query({ sql: 'SELECT indoxhub.ledger_commit($1::jsonb, $2::jsonb) AS results', parameters }),
      );
      return decodeResults(operations, rows[0]?.['results']);
    },
    async ping() {
      await postgres.run((session) => session.query(plain('SELECT 1')), pingMs);
    },
    close: () => postgres.close(),
  };
}
