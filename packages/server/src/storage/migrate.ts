/** Brings a database to this release's schema. Safe when many replicas start at once: one migrates, the rest wait. */
import { Migrator, sql, type Kysely, type Migration } from 'kysely';
import * as initial from './migrations/0001-initial.ts';
import type { Tables } from './schema.ts';

export type Engine = 'sqlite' | 'postgres';

/** In order; never edited after a release, only appended to. */
const migrations: Readonly<Record<string, { readonly [E in Engine]: readonly string[] }>> = {
  '0001-initial': initial,
};

function migrationOf(statements: readonly string[]): Migration {
  return {
    async up(database) {
      for (const statement of statements) await sql.raw(statement).execute(database);
    },
  };
}

/** Answers the names of the migrations it ran. Throws when the database is of a later release than this code. */
export async function migrate(database: Kysely<Tables>, engine: Engine): Promise<string[]> {
  const migrator = new Migrator({
    db: database,
    migrationTableName: 'schema_migration',
    migrationLockTableName: 'schema_migration_lock',
    ...(engine === 'postgres' ? { migrationTableSchema: 'indoxhub' } : {}),
    provider: {
      getMigrations: async () =>
        Object.fromEntries(
          Object.entries(migrations).map(([name, statements]) => [name, migrationOf(statements[engine])]),
        ),
    },
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the database could not be migrated: ${reason}`, { cause: error });
  }
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName);
}
