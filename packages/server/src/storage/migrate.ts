/**
 * Brings a database to this release's schema, in one transaction. The caller opens it and locks out other replicas, so
 * that when many start at once one migrates and the rest find it done.
 */
import { createHash } from 'node:crypto';
import { migrations, type SchemaMigration } from './migrations/migrations.ts';

export type Engine = 'sqlite' | 'postgres';

/** Runs one statement in the migration's transaction. */
export type RunSql = (
  sql: string,
  parameters?: readonly string[],
) => Promise<readonly Record<string, unknown>[]>;

function checksum(statements: readonly string[]): string {
  return createHash('sha256').update(statements.join('\0')).digest('hex');
}

/** Throws when the database is of a later release, or a migration it has run is not the one this release knows. */
function pending(known: ReadonlyMap<string, string>, engine: Engine): SchemaMigration[] {
  const names = new Set(migrations.map((migration) => migration.name));
  const later = [...known.keys()].filter((name) => !names.has(name));
  if (later.length > 0) {
    throw new Error(
      `the database is of a later release of IndoxHub (it has ${later.join(', ')}): upgrade the gateway`,
    );
  }
  for (const migration of migrations) {
    const was = known.get(migration.name);
    if (was !== undefined && was !== checksum(migration[engine])) {
      throw new Error(`migration ${migration.name} in the database is not the one of this release`);
    }
  }
  return migrations.filter((migration) => migration[engine].length > 0 && !known.has(migration.name));
}

/** Answers the names of the migrations it ran. */
export async function migrate(run: RunSql, engine: Engine, now: () => number = Date.now): Promise<string[]> {
  const table = engine === 'postgres' ? 'indoxhub.schema_migration' : 'schema_migration';
  const mark = engine === 'postgres' ? (place: number) => `$${place}` : () => '?';
  await run(
    `CREATE TABLE IF NOT EXISTS ${table} (name text PRIMARY KEY, checksum text NOT NULL, run_at text NOT NULL)`,
  );
  const rows = await run(`SELECT name, checksum FROM ${table}`);
  const known = new Map(rows.map((row) => [String(row['name']), String(row['checksum'])]));
  const missing = pending(known, engine);
  for (const migration of missing) {
    for (const statement of migration[engine]) await run(statement);
    await run(`INSERT INTO ${table} (name, checksum, run_at) VALUES (${mark(1)}, ${mark(2)}, ${mark(3)})`, [
      migration.name,
      checksum(migration[engine]),
      new Date(now()).toISOString(),
    ]);
  }
  return missing.map((migration) => migration.name);
}
