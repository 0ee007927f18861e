/** Where generated media goes, by the settings. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Settings } from '../contract/settings.ts';
import { mediaBucket } from './media-bucket.ts';
import { mediaDirectory, type MediaFiles } from './media-files.ts';
import { StorageUnavailable, type Storage } from './storage.ts';

type Place = Pick<
  Settings,
  | 'dataDir'
  | 'databaseUrl'
  | 'mediaDir'
  | 'mediaShared'
  | 's3Bucket'
  | 's3Endpoint'
  | 's3Region'
  | 's3AccessKeyId'
  | 's3SecretAccessKey'
  | 's3Prefix'
  | 's3PathStyle'
>;

/**
 * A bucket, a directory named in the settings, else one in the data directory. Gateways that share a database take a
 * directory only if it is declared to be the same for all of them. `store` is the
 * database's own name: what several databases may share has a folder for each, so that none sweeps the files of another.
 */
export function mediaFiles(place: Place, store: string): MediaFiles {
  const { dataDir, databaseUrl, mediaDir, mediaShared, s3Bucket: bucket, s3Region: region } = place;
  if (bucket !== null)
    return mediaBucket({
      bucket,
      region,
      endpoint: place.s3Endpoint ?? `https://s3.${region}.amazonaws.com`,
      accessKeyId: place.s3AccessKeyId?.reveal() ?? '',
      secretAccessKey: place.s3SecretAccessKey?.reveal() ?? '',
      prefix: `${place.s3Prefix}${store}/`,
      pathStyle: place.s3PathStyle,
    });
  if (databaseUrl !== null && !mediaShared) return nowhere;
  if (mediaDir !== null) return mediaDirectory(join(mediaDir, store));
  return mediaDirectory(databaseUrl === null ? join(dataDir, 'media') : join(dataDir, 'media', store));
}

/** Those of the gateways on this database. */
export async function openMediaFiles(place: Place, storage: Storage): Promise<MediaFiles> {
  return mediaFiles(place, await storage.settleSetting('media_store', randomBytes(8).toString('hex')));
}

/** Gateways that share a database must share their media, and nobody said how. */
const refuse = async (): Promise<never> => {
  throw new StorageUnavailable(
    'no place for media: set INDOXHUB_S3_BUCKET, or INDOXHUB_MEDIA_DIR to a directory that all gateways share and ' +
      'INDOXHUB_MEDIA_SHARED=on to say that they do',
  );
};

const nowhere: MediaFiles = {
  isConfigured: false,
  where: 'nowhere',
  write: refuse,
  read: async () => null,
  remove: async () => {},
  async *list() {},
  check: refuse,
};
