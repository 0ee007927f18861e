/** Both engines, held to one meaning. */
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { freshDatabase, postgresUrl, runSql } from '../../test/storage/databases.ts';
import type { Place } from './conformance-fixtures.ts';
import { propertyConformance } from './conformance-property.ts';
import { jobsConformance } from './conformance-jobs.ts';
import { mediaConformance } from './conformance-media.ts';
import { recordsConformance } from './conformance-records.ts';
import { ledgerConformance } from './conformance.ts';
import { openStorage } from './open.ts';

async function sqlitePlace(): Promise<Place> {
  const dataDir = mkdtempSync(join(tmpdir(), 'indoxhub-storage-'));
  return {
    engine: 'sqlite',
    open: () => openStorage({ databaseUrl: null, dataDir }),
    async tamper(sql) {
      const database = new DatabaseSync(join(dataDir, 'indoxhub.db'));
      database.exec(sql);
      database.close();
    },
    async remove() {
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function postgresPlace(): Promise<Place> {
  const database = await freshDatabase();
  return {
    engine: 'postgres',
    open: () => openStorage({ databaseUrl: database.url, dataDir: '/nonexistent' }),
    async tamper(sql) {
      await runSql(`SET search_path TO indoxhub; ${sql}`, database.url);
    },
    remove: () => database.drop(),
  };
}

describe('SQLite', () => {
  ledgerConformance(sqlitePlace);
  recordsConformance(sqlitePlace);
  jobsConformance(sqlitePlace);
  mediaConformance(sqlitePlace);
  propertyConformance(sqlitePlace, 30);
});

describe.skipIf(postgresUrl === null)('PostgreSQL', () => {
  ledgerConformance(postgresPlace);
  recordsConformance(postgresPlace);
  jobsConformance(postgresPlace);
  mediaConformance(postgresPlace);
  propertyConformance(postgresPlace, 15);
});
