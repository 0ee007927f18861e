/** Where generated media goes, by the settings. */
import { join } from 'node:path';
import { mediaDirectory, type MediaFiles } from './media-files.ts';
import { StorageUnavailable } from './storage.ts';

interface Place {
  readonly dataDir: string;
  readonly databaseUrl: unknown;
  readonly mediaDir: string | null;
}

/** A directory named in the settings, else one in the data directory where one process owns that. */
export function mediaFiles({ dataDir, databaseUrl, mediaDir }: Place): MediaFiles {
  if (mediaDir !== null) return mediaDirectory(mediaDir);
  return databaseUrl === null ? mediaDirectory(join(dataDir, 'media')) : nowhere;
}

/** Gateways that share a database must share their media, and nobody said how. */
const refuse = async (): Promise<never> => {
  throw new StorageUnavailable(
    'no place for media: set INDOXHUB_MEDIA_DIR to a directory that all gateways share',
  );
};

const nowhere: MediaFiles = {
  isConfigured: false,
  write: refuse,
  read: async () => null,
  remove: async () => {},
  async *list() {},
  check: refuse,
};
