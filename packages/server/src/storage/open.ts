/** Chooses the engine: PostgreSQL where a URL is given, else the SQLite file of the data dir. */
import { join } from 'node:path';
import type { Storage } from './storage.ts';

/**
 * Opens the store and brings it to this release's schema. Each engine's driver is loaded only when it is used. Throws
 * StorageUnavailable when it cannot be reached, and an Error saying why when it must not be used.
 */
export async function openStorage(where: { databaseUrl: string | null; dataDir: string }): Promise<Storage> {
  if (where.databaseUrl === null) {
    const { openSqlite } = await import('./sqlite.ts');
    return openSqlite(join(where.dataDir, 'indoxhub.db'));
  }
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres(where.databaseUrl);
}
