/**
 * Generated media: bytes in, a link out that a plain GET opens until it expires. The signature in the link is the proof;
 * an id alone opens nothing.
 */
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../contract/errors.ts';
import {
  checkMedia,
  MediaStoreFull,
  MediaTooLarge,
  type MediaCheck,
  type MediaFiles,
} from '../storage/media-files.ts';
import type { MediaKind, MediaRow, MediaRows } from '../storage/media-records.ts';
import { StorageUnavailable, type Storage } from '../storage/storage.ts';
import type { MediaMetrics, MediaOutcome } from './media-metrics.ts';

/** A file that is stored; make its link with `link`. */
export type StoredMedia = Omit<MediaRow, 'createdAtMs'>;

export interface NewMedia {
  readonly accountId: string;
  readonly kind: MediaKind;
  readonly contentType: string;
  readonly source: Buffer | AsyncIterable<Buffer>;
}

export interface Media {
  /** There is a place to store at all. */
  readonly isConfigured: boolean;
  /** Throws 503 `media_store_unavailable`, 502 `upstream_malformed` for none or too many bytes, and what the source throws. */
  put(media: NewMedia): Promise<StoredMedia>;
  /** `origin`: where this gateway answers, as its caller knows it; a configured public URL wins. */
  link(media: StoredMedia, origin: string): string;
  /** What a link points at, or null: tampered with, expired, deleted. */
  open(id: string, expires: string, signature: string): Promise<MediaRow | null>;
  /** The bytes of `[start, end]`; null when they are gone. */
  read(media: MediaRow, start: number, end: number): Promise<AsyncIterable<Buffer> | null>;
  remove(id: string): Promise<void>;
  /** Deletes what has expired, and files nobody knows of. */
  sweep(): Promise<void>;
  /** Writes, reads and deletes a probe. */
  check(): Promise<MediaCheck>;
}

export interface MediaInput {
  readonly storage: Storage;
  readonly files: MediaFiles;
  readonly settings: () => {
    readonly mediaRetentionMs: number;
    readonly maxMediaBytes: number;
    readonly publicUrl: string | null;
  };
  readonly metrics: MediaMetrics;
}

const extensions: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/svg+xml': 'svg',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/ogg': 'ogg',
  'audio/opus': 'opus',
  'audio/aac': 'aac',
  'audio/flac': 'flac',
  'audio/pcm': 'pcm',
  'video/mp4': 'mp4',
  'video/webm': 'webm',
  'video/quicktime': 'mov',
};

/** A file without a row may be one whose row is being written: it is left alone this long. */
const orphanAgeMs = 3_600_000;
const sweepBatch = 500;

const unavailable = (cause: unknown): unknown =>
  cause instanceof StorageUnavailable
    ? new GatewayError('media_store_unavailable', undefined, { retryAfterMs: 5_000, cause })
    : cause;

function outcomeOf(error: unknown): MediaOutcome {
  if (error instanceof MediaStoreFull) return 'full';
  if (error instanceof StorageUnavailable) return 'unavailable';
  return error instanceof MediaTooLarge || error instanceof EmptyFile ? 'refused' : 'broken';
}

class EmptyFile extends GatewayError {
  constructor() {
    super('upstream_malformed', 'The provider sent an empty file.');
  }
}

/** Links are signed with a key kept in the database, so every replica opens every link. */
export async function createMedia({ storage, files, settings, metrics }: MediaInput): Promise<Media> {
  const { media: rows } = storage;
  const fresh = randomBytes(32).toString('base64url');
  const key = Buffer.from(await storage.settleSetting('media_key', fresh), 'base64url');
  const sign = (id: string, expires: string): string =>
    createHmac('sha256', key).update(`${id}\n${expires}`).digest('base64url');

  const discard = async (id: string): Promise<void> => {
    try {
      await files.remove(id);
      metrics.operation('delete', 'ok');
    } catch (error) {
      metrics.operation('delete', outcomeOf(error));
      throw error;
    }
  };

  return {
    isConfigured: files.isConfigured,
    async put({ accountId, kind, contentType, source }) {
      const id = randomUUID();
      const plain = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
      const { mediaRetentionMs, maxMediaBytes } = settings();
      try {
        const { bytes, sha256 } = await files.write(id, source, maxMediaBytes);
        if (bytes === 0) throw new EmptyFile();
        const fileName = `${kind}.${extensions[plain] ?? 'bin'}`;
        const expiresAtMs = Date.now() + mediaRetentionMs;
        const media = { id, accountId, kind, contentType, fileName, bytes, sha256, expiresAtMs };
        await rows.add(media);
        metrics.operation('write', 'ok');
        metrics.written(kind, bytes);
        return media;
      } catch (cause) {
        metrics.operation('write', outcomeOf(cause));
        if (cause instanceof MediaTooLarge)
          throw new GatewayError(
            'upstream_malformed',
            `The provider sent more than the ${maxMediaBytes} bytes that are stored of one file.`,
            { details: { reason: 'too_large' } },
          );
        await files.remove(id).catch(() => {});
        throw unavailable(cause);
      }
    },
    link({ id, fileName, expiresAtMs }, origin) {
      const expires = String(Math.floor(expiresAtMs / 1000));
      const base = settings().publicUrl ?? origin;
      return `${base}/media/${id}/${fileName}?expires=${expires}&signature=${sign(id, expires)}`;
    },
    async open(id, expires, signature) {
      const wanted = Buffer.from(sign(id, expires));
      const given = Buffer.from(signature);
      if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return null;
      if (Number(expires) * 1000 <= Date.now()) return null;
      return rows.find(id);
    },
    async read(media, start, end) {
      try {
        const bytes = await files.read(media.id, start, end);
        if (bytes !== null) return counted(bytes, media, metrics);
        metrics.operation('read', 'missing');
        return null;
      } catch (cause) {
        metrics.operation('read', outcomeOf(cause));
        throw unavailable(cause);
      }
    },
    async remove(id) {
      await rows.remove(id);
      await discard(id);
    },
    sweep: () => sweep(rows, files, discard, metrics),
    check: () => checkMedia(files),
  };
}

async function* counted(
  bytes: AsyncIterable<Buffer>,
  { kind }: MediaRow,
  metrics: MediaMetrics,
): AsyncGenerator<Buffer> {
  let outcome: MediaOutcome = 'broken';
  try {
    for await (const chunk of bytes) {
      metrics.read(kind, chunk.length);
      yield chunk;
    }
    outcome = 'ok';
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    metrics.operation('read', outcome);
  }
}

/** Deletes what has expired, and files no row knows. */
async function sweep(
  rows: MediaRows,
  files: MediaFiles,
  discard: (id: string) => Promise<void>,
  metrics: MediaMetrics,
): Promise<void> {
  for (;;) {
    const ids = await rows.expired(sweepBatch);
    for (const id of ids) {
      // The file first: a row without its file is found again, a file without its row only by the search below.
      await discard(id);
      await rows.remove(id);
      metrics.swept('expired');
    }
    if (ids.length < sweepBatch) break;
  }
  let batch: string[] = [];
  const orphans = async (): Promise<void> => {
    const known = await rows.known(batch);
    for (const id of batch) {
      if (known.has(id)) continue;
      await discard(id);
      metrics.swept('orphan');
    }
    batch = [];
  };
  for await (const id of files.list(Date.now() - orphanAgeMs)) {
    batch.push(id);
    if (batch.length === sweepBatch) await orphans();
  }
  await orphans();
}
