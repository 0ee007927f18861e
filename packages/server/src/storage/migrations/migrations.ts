/**
 * Every migration, in order. Append-only: a released one is never edited, because databases remember its checksum and
 * refuse to open when it differs. Until the first release 0001 may still change.
 * One without statements is not for that engine.
 */
import { initialPostgres } from './0001-initial.postgres.ts';
import { initialSqlite } from './0001-initial.sqlite.ts';
import { ledgerPostgres } from './0001-ledger.postgres.ts';
import { videoJobsPostgres, videoJobsSqlite } from './0003-video-jobs.ts';
import { mediaPostgres, mediaSqlite } from './0004-media.ts';
import { holdSlotsSqlite } from './0005-sqlite-hold-slots.ts';
import { webhookDeliveriesPostgres, webhookDeliveriesSqlite } from './0006-webhook-deliveries.ts';
import { videoKeyOwnerPostgres, videoKeyOwnerSqlite } from './0007-video-key-owner.ts';
import { holdPacksSqlite } from './0008-sqlite-hold-packs.ts';
import { usageUnitsPostgres, usageUnitsSqlite } from './0002-usage-units.ts';

export interface SchemaMigration {
  readonly name: string;
  readonly sqlite: readonly string[];
  readonly postgres: readonly string[];
}

export const migrations: readonly SchemaMigration[] = [
  { name: '0001-initial', sqlite: initialSqlite, postgres: [...initialPostgres, ...ledgerPostgres] },
  { name: '0002-usage-units', sqlite: usageUnitsSqlite, postgres: usageUnitsPostgres },
  { name: '0003-video-jobs', sqlite: videoJobsSqlite, postgres: videoJobsPostgres },
  { name: '0004-media', sqlite: mediaSqlite, postgres: mediaPostgres },
  { name: '0005-sqlite-hold-slots', sqlite: holdSlotsSqlite, postgres: [] },
  { name: '0006-webhook-deliveries', sqlite: webhookDeliveriesSqlite, postgres: webhookDeliveriesPostgres },
  { name: '0007-video-key-owner', sqlite: videoKeyOwnerSqlite, postgres: videoKeyOwnerPostgres },
  { name: '0008-sqlite-hold-packs', sqlite: holdPacksSqlite, postgres: [] },
];
