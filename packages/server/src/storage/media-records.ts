/** The rows of generated media. */
import type { Kysely, Selectable } from 'kysely';
import { clock, type Executor } from './executor.ts';
import type { MediaTable, Tables } from './schema.ts';

export type MediaKind = 'image' | 'audio' | 'video';

export interface MediaRow {
  readonly id: string;
  readonly accountId: string;
  readonly kind: MediaKind;
  readonly contentType: string;
  /** With its extension, for the link and for saving. */
  readonly fileName: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly createdAtMs: number;
  /** After this moment nobody can open it, and it is deleted. */
  readonly expiresAtMs: number;
}

export interface MediaRows {
  add(row: Omit<MediaRow, 'createdAtMs'>): Promise<void>;
  /** Null for one that is expired, too. */
  find(id: string): Promise<MediaRow | null>;
  remove(id: string): Promise<void>;
  /** Ids of what has expired, oldest first. */
  expired(limit: number): Promise<string[]>;
  /** Which of these ids have a row. */
  known(ids: readonly string[]): Promise<Set<string>>;
}

function decode(row: Selectable<MediaTable>): MediaRow {
  return {
    id: row.id,
    accountId: row.account_id,
    kind: row.kind as MediaKind,
    contentType: row.content_type,
    fileName: row.file_name,
    bytes: Number(row.bytes),
    sha256: row.sha256,
    createdAtMs: Number(row.created_at),
    expiresAtMs: Number(row.expires_at),
  };
}

export function mediaRecords(database: Kysely<Tables>, { engine }: Executor): MediaRows {
  return {
    async add(row) {
      await database
        .insertInto('media')
        .values({
          id: row.id,
          account_id: row.accountId,
          kind: row.kind,
          content_type: row.contentType,
          file_name: row.fileName,
          bytes: BigInt(row.bytes),
          sha256: row.sha256,
          created_at: clock(engine),
          expires_at: BigInt(Math.round(row.expiresAtMs)),
        })
        .execute();
    },
    async find(id) {
      const row = await database
        .selectFrom('media')
        .selectAll()
        .where('id', '=', id)
        .where('expires_at', '>', clock(engine))
        .executeTakeFirst();
      return row === undefined ? null : decode(row);
    },
    async remove(id) {
      await database.deleteFrom('media').where('id', '=', id).execute();
    },
    async expired(limit) {
      const rows = await database
        .selectFrom('media')
        .select('id')
        .where('expires_at', '<=', clock(engine))
        .orderBy('expires_at')
        .limit(BigInt(limit))
        .execute();
      return rows.map(({ id }) => id);
    },
    async known(ids) {
      if (ids.length === 0) return new Set();
      const rows = await database.selectFrom('media').select('id').where('id', 'in', ids).execute();
      return new Set(rows.map(({ id }) => id));
    },
  };
}
