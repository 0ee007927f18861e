/** Where the bytes of generated media are kept: a directory, or a bucket (media-bucket.ts). */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorageUnavailable } from './storage.ts';

/** There is a store, but no room in it. */
export class MediaStoreFull extends StorageUnavailable {}

/** Too much was written; nothing of it stays. */
export class MediaTooLarge extends Error {}

export interface WrittenMedia {
  readonly bytes: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

export interface MediaFiles {
  /** false: nothing can ever be written, because nobody said where. */
  readonly isConfigured: boolean;
  /** For people: `directory /srv/media`. */
  readonly where: string;
  /**
   * Writes all of it or nothing. Throws MediaTooLarge beyond `maxBytes`, StorageUnavailable when the place is full or
   * cannot be reached, and what `source` throws.
   */
  write(id: string, source: Buffer | AsyncIterable<Buffer>, maxBytes: number): Promise<WrittenMedia>;
  /** The bytes from `start` up to and including `end`. Null when there are none of that id. */
  read(id: string, start: number, end: number): Promise<AsyncIterable<Buffer> | null>;
  /** Also when it is gone already. */
  remove(id: string): Promise<void>;
  /** Ids of what was written before `beforeMs`. Deletes what broken writes of that time left; sees nothing but its own. */
  list(beforeMs: number): AsyncIterable<string>;
  /** Writes a probe, reads it back and deletes it. Throws StorageUnavailable, with a sentence, where that cannot be done. */
  check(): Promise<void>;
}

export interface MediaCheck {
  readonly ok: boolean;
  readonly configured: boolean;
  readonly where: string;
  /** What is wrong, in a sentence. */
  readonly problem: string | null;
}

/** Could a file be stored and read now? Throws for nothing but bugs. */
export async function checkMedia(files: MediaFiles): Promise<MediaCheck> {
  const { isConfigured: configured, where } = files;
  try {
    await files.check();
    return { ok: true, configured, where, problem: null };
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    return { ok: false, configured, where, problem: error.message };
  }
}

/** Names that are ours. Everything else is somebody's file, however old, and is never listed nor removed. */
const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
export const mediaId = new RegExp(`^${uuid}$`);
const unfinished = new RegExp(`^(${uuid})\\.[0-9a-f]{12}\\.part$`);
export const probeName = /^\.check-[0-9a-f]{12}$/;

/** For `check`: written, read and removed. */
export const probeText = 'indoxhub';
export const newProbe = (): string => `.check-${randomBytes(6).toString('hex')}`;

/** A new name outlives a power cut once its directory is on the disk; so do the directories `made` for it, from there up. */
async function syncNames(directory: string, made: string | undefined): Promise<void> {
  // Windows opens no directory.
  if (process.platform === 'win32') return;
  const last = made === undefined ? directory : dirname(made);
  for (let each = directory; ; each = dirname(each)) {
    const handle = await open(each, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (each === last || each === dirname(each)) return;
  }
}

async function probe(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const place = join(root, newProbe());
  try {
    await writeFile(place, probeText, { flag: 'wx', mode: 0o600, flush: true });
    if ((await readFile(place, 'utf8')) !== probeText)
      throw new StorageUnavailable(`media in ${root} does not read as it was written`);
  } finally {
    await rm(place, { force: true });
  }
}

/** Files below `root`, two levels of folders deep by the first characters of their ids. */
export function mediaDirectory(root: string): MediaFiles {
  const placeOf = (id: string): string => join(root, id.slice(0, 2), id.slice(2, 4), id);
  const unavailable = (cause: unknown): unknown => {
    const { code } = cause as NodeJS.ErrnoException;
    // The source's own errors have codes of other kinds.
    if (code === undefined || !/^E[A-Z]/.test(code)) return cause;
    const sentence = `media cannot be written to ${root}: `;
    return code === 'ENOSPC' || code === 'EDQUOT'
      ? new MediaStoreFull(`${sentence}the disk is full`, { cause })
      : new StorageUnavailable(sentence + code, { cause });
  };

  return {
    isConfigured: true,
    where: `directory ${root}`,
    async write(id, source, maxBytes) {
      const place = placeOf(id);
      const part = `${place}.${randomBytes(6).toString('hex')}.part`;
      const hash = createHash('sha256');
      let bytes = 0;
      try {
        const made = await mkdir(dirname(place), { recursive: true, mode: 0o700 });
        const file = await open(part, 'wx', 0o600);
        try {
          for await (const chunk of source instanceof Uint8Array ? [source] : source) {
            bytes += chunk.length;
            if (bytes > maxBytes) throw new MediaTooLarge(`more than ${maxBytes} bytes`);
            hash.update(chunk);
            await file.writeFile(chunk);
          }
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(part, place);
        await syncNames(dirname(place), made);
      } catch (cause) {
        await rm(part, { force: true }).catch(() => {});
        throw unavailable(cause);
      }
      return { bytes, sha256: hash.digest('hex') };
    },
    async read(id, start, end) {
      const place = placeOf(id);
      const found = await stat(place).catch(() => null);
      return found === null ? null : createReadStream(place, { start, end });
    },
    async remove(id) {
      await rm(placeOf(id), { force: true });
    },
    async *list(beforeMs) {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (!entry.isFile()) continue;
        const place = join(entry.parentPath, entry.name);
        const id = unfinished.exec(entry.name)?.[1] ?? (mediaId.test(entry.name) ? entry.name : null);
        const isProbe = entry.parentPath === root && probeName.test(entry.name);
        if (!isProbe && (id === null || entry.parentPath !== dirname(placeOf(id)))) continue;
        const found = await stat(place).catch(() => null);
        if (found === null || found.mtimeMs >= beforeMs) continue;
        if (id === entry.name) yield id;
        else await rm(place, { force: true });
      }
    },
    async check() {
      try {
        await probe(root);
      } catch (cause) {
        throw unavailable(cause);
      }
    },
  };
}
