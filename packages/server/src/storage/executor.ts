/** How the ordinary statements reach an engine, and Kysely as their writer: it compiles, the executor runs. */
import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  type RawBuilder,
} from 'kysely';
import type { Engine } from './migrate.ts';
import type { Tables } from './schema.ts';

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type Rows = readonly Record<string, unknown>[];

/** Every method throws StorageUnavailable when the engine cannot be used now; integers come and go as bigint. */
export interface Executor {
  readonly engine: Engine;
  query(statement: Statement): Promise<{ rows: Rows; changes: bigint }>;
  /** All in one transaction, none of them when the first changes no row. Answers the rows the first changed. */
  transaction(statements: readonly Statement[]): Promise<bigint>;
  /** The rows of each statement, all of one moment. */
  read(statements: readonly Statement[]): Promise<readonly Rows[]>;
}

/** The engine's own clock, Unix milliseconds: replicas' clocks differ, the database's counts. */
export function clock(engine: Engine): RawBuilder<bigint> {
  return engine === 'postgres'
    ? sql<bigint>`indoxhub.now_ms()`
    : sql<bigint>`cast(${BigInt(Date.now())} as integer)`;
}

/** A table by its name in raw SQL. */
export function tableOf(engine: Engine, name: keyof Tables): RawBuilder<unknown> {
  return engine === 'postgres' ? sql.table(`indoxhub.${name}`) : sql.table(name);
}

const refuse = (what: string) => async (): Promise<never> => {
  throw new Error(`${what} is not used: statements go to Executor.transaction`);
};

/** Kysely over the executor, one statement at a time. */
export function queryBuilder(executor: Executor): Kysely<Tables> {
  const connection: DatabaseConnection = {
    async executeQuery<R>(query: Statement): Promise<QueryResult<R>> {
      const { rows, changes } = await executor.query(query);
      return { rows: rows as R[], numAffectedRows: changes };
    },
    async *streamQuery() {
      throw new Error('streaming is not used');
    },
  };
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: refuse('a transaction'),
    commitTransaction: refuse('a transaction'),
    rollbackTransaction: refuse('a transaction'),
    releaseConnection: async () => {},
    destroy: async () => {},
  };
  const postgres = executor.engine === 'postgres';
  const database = new Kysely<Tables>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => (postgres ? new PostgresAdapter() : new SqliteAdapter()),
      createIntrospector: (db) => (postgres ? new PostgresIntrospector(db) : new SqliteIntrospector(db)),
      createQueryCompiler: () => (postgres ? new PostgresQueryCompiler() : new SqliteQueryCompiler()),
    },
  });
  return postgres ? database.withSchema('indoxhub') : database;
}
