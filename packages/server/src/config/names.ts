/**
 * Every plain setting in one table: its name in each source, how its text is read, its default. Flags of the command
 * line, variables, members of the file, docs/configuration.md and the JSON Schema are all held against it.
 */
import type { Settings, Timeouts } from '../contract/settings.ts';
import {
  duration,
  host,
  longSecret,
  onOff,
  oneOf,
  origin,
  plainText,
  postgresUrl,
  size,
  wholeNumber,
  type Read,
} from './values.ts';

/** The settings that are one value each. */
export type Plain = Omit<
  Settings,
  'timeouts' | 'providers' | 'models' | 'aliases' | 'defaults' | 'configPath'
> &
  Timeouts;

export interface Name<T> {
  /** First wins. */
  readonly env: readonly string[];
  /** Without the dashes; null: a secret, which a process list would show. */
  readonly flag: string | null;
  /** Members from the file's root. */
  readonly file: readonly string[];
  readonly read: Read<T>;
  readonly fallback: T;
  /** Taken at start only: a change in the file needs a restart. */
  readonly fixed?: boolean;
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const day = 86_400_000;
const port = wholeNumber(1, 65_535);

export const names: { readonly [K in keyof Plain]: Name<Plain[K]> } = {
  host: {
    env: ['INDOXHUB_HOST'],
    flag: 'host',
    file: ['host'],
    read: host,
    fallback: '127.0.0.1',
    fixed: true,
  },
  port: {
    env: ['INDOXHUB_PORT', 'PORT'],
    flag: 'port',
    file: ['port'],
    read: wholeNumber(0, 65_535),
    fallback: 8100,
    fixed: true,
  },
  adminPort: {
    env: ['INDOXHUB_ADMIN_PORT'],
    flag: 'admin-port',
    file: ['admin_port'],
    read: port,
    fallback: null,
    fixed: true,
  },
  dataDir: {
    env: ['INDOXHUB_DATA_DIR'],
    flag: 'data-dir',
    file: ['data_dir'],
    read: plainText,
    fallback: './.indoxhub',
    fixed: true,
  },
  databaseUrl: {
    env: ['INDOXHUB_DATABASE_URL', 'DATABASE_URL'],
    flag: null,
    file: ['database_url'],
    read: postgresUrl,
    fallback: null,
    fixed: true,
  },
  adminKey: {
    env: ['INDOXHUB_ADMIN_KEY'],
    flag: null,
    file: ['admin_key'],
    read: longSecret(16),
    fallback: null,
    fixed: true,
  },
  encryptionKey: {
    env: ['INDOXHUB_ENCRYPTION_KEY'],
    flag: null,
    file: ['encryption_key'],
    read: longSecret(32),
    fallback: null,
    fixed: true,
  },
  logLevel: {
    env: ['INDOXHUB_LOG_LEVEL'],
    flag: 'log-level',
    file: ['log_level'],
    read: oneOf(...logLevels),
    fallback: 'info',
  },
  publicUrl: {
    env: ['INDOXHUB_PUBLIC_URL'],
    flag: 'public-url',
    file: ['public_url'],
    read: origin,
    fallback: null,
  },
  localDiscovery: {
    env: ['INDOXHUB_LOCAL_DISCOVERY'],
    flag: 'local-discovery',
    file: ['local_discovery'],
    read: onOff,
    fallback: true,
  },
  connectMs: {
    env: ['INDOXHUB_CONNECT_TIMEOUT'],
    flag: 'connect-timeout',
    file: ['timeouts', 'connect'],
    read: duration(1, day),
    fallback: 5_000,
  },
  firstByteMs: {
    env: ['INDOXHUB_FIRST_BYTE_TIMEOUT'],
    flag: 'first-byte-timeout',
    file: ['timeouts', 'first_byte'],
    read: duration(1, day),
    fallback: 60_000,
  },
  idleMs: {
    env: ['INDOXHUB_IDLE_TIMEOUT'],
    flag: 'idle-timeout',
    file: ['timeouts', 'idle'],
    read: duration(1, day),
    fallback: 120_000,
  },
  totalMs: {
    env: ['INDOXHUB_TOTAL_TIMEOUT'],
    flag: 'total-timeout',
    file: ['timeouts', 'total'],
    read: duration(1, day),
    fallback: 900_000,
  },
  maxRetries: {
    env: ['INDOXHUB_MAX_RETRIES'],
    flag: 'max-retries',
    file: ['max_retries'],
    read: wholeNumber(0, 10),
    fallback: 2,
  },
  drainMs: {
    env: ['INDOXHUB_DRAIN_TIMEOUT'],
    flag: 'drain-timeout',
    file: ['timeouts', 'drain'],
    read: duration(0, day),
    fallback: 120_000,
  },
  budgetWaitMs: {
    env: ['INDOXHUB_BUDGET_WAIT'],
    flag: 'budget-wait',
    file: ['timeouts', 'budget_wait'],
    read: duration(0, 600_000),
    fallback: 5_000,
  },
  heartbeatMs: {
    env: ['INDOXHUB_HEARTBEAT'],
    flag: 'heartbeat',
    file: ['timeouts', 'heartbeat'],
    read: duration(100, 600_000),
    fallback: 15_000,
  },
  allowPrivateUrls: {
    env: ['INDOXHUB_ALLOW_PRIVATE_URLS'],
    flag: 'allow-private-urls',
    file: ['allow_private_urls'],
    read: onOff,
    fallback: false,
  },
  mediaRetentionMs: {
    env: ['INDOXHUB_MEDIA_RETENTION'],
    flag: 'media-retention',
    file: ['media', 'retention'],
    read: duration(60_000, 3650 * day),
    fallback: 7 * day,
  },
  maxMediaBytes: {
    env: ['INDOXHUB_MEDIA_MAX_SIZE'],
    flag: 'media-max-size',
    file: ['media', 'max_size'],
    read: size(1024, 2 ** 40),
    fallback: 2 ** 30,
  },
  mediaDir: {
    env: ['INDOXHUB_MEDIA_DIR'],
    flag: 'media-dir',
    file: ['media', 'dir'],
    read: plainText,
    fallback: null,
    fixed: true,
  },
  mediaShared: {
    env: ['INDOXHUB_MEDIA_SHARED'],
    flag: 'media-shared',
    file: ['media', 'shared'],
    read: onOff,
    fallback: false,
    fixed: true,
  },
  translationModel: {
    env: ['INDOXHUB_TRANSLATION_MODEL'],
    flag: 'translation-model',
    file: ['translation_model'],
    read: plainText,
    fallback: null,
  },
  videoPollMs: {
    env: ['INDOXHUB_VIDEO_POLL'],
    flag: 'video-poll',
    file: ['video', 'poll'],
    read: duration(10, 600_000),
    fallback: 2_000,
  },
  videoDeadlineMs: {
    env: ['INDOXHUB_VIDEO_DEADLINE'],
    flag: 'video-deadline',
    file: ['video', 'deadline'],
    read: duration(1_000, 7 * day),
    fallback: 7_200_000,
  },
  maxUploadBytes: {
    env: ['INDOXHUB_MAX_UPLOAD'],
    flag: 'max-upload',
    file: ['max_upload'],
    read: size(1024, 2 ** 40),
    fallback: 100 * 2 ** 20,
  },
  s3Bucket: {
    env: ['INDOXHUB_S3_BUCKET'],
    flag: 's3-bucket',
    file: ['s3', 'bucket'],
    read: plainText,
    fallback: null,
    fixed: true,
  },
  s3Endpoint: {
    env: ['INDOXHUB_S3_ENDPOINT'],
    flag: 's3-endpoint',
    file: ['s3', 'endpoint'],
    read: origin,
    fallback: null,
    fixed: true,
  },
  s3Region: {
    env: ['INDOXHUB_S3_REGION'],
    flag: 's3-region',
    file: ['s3', 'region'],
    read: plainText,
    fallback: 'us-east-1',
    fixed: true,
  },
  s3AccessKeyId: {
    env: ['INDOXHUB_S3_ACCESS_KEY_ID'],
    flag: null,
    file: ['s3', 'access_key_id'],
    read: longSecret(1),
    fallback: null,
    fixed: true,
  },
  s3SecretAccessKey: {
    env: ['INDOXHUB_S3_SECRET_ACCESS_KEY'],
    flag: null,
    file: ['s3', 'secret_access_key'],
    read: longSecret(1),
    fallback: null,
    fixed: true,
  },
  s3Prefix: {
    env: ['INDOXHUB_S3_PREFIX'],
    flag: 's3-prefix',
    file: ['s3', 'prefix'],
    read: plainText,
    fallback: 'indoxhub/',
    fixed: true,
  },
  s3PathStyle: {
    env: ['INDOXHUB_S3_PATH_STYLE'],
    flag: 's3-path-style',
    file: ['s3', 'path_style'],
    read: onOff,
    fallback: true,
    fixed: true,
  },
  maxBodyBytes: {
    env: ['INDOXHUB_MAX_BODY'],
    flag: 'max-body',
    file: ['max_body'],
    read: size(1024, 2 ** 30),
    fallback: 32 * 2 ** 20,
  },
};

export const plainKeys = Object.keys(names) as (keyof Plain)[];

/** Names of ours that are read elsewhere or later, so that they are not called unknown. */
const otherEnvNames = ['INDOXHUB_CONFIG', 'INDOXHUB_API_KEY', 'INDOXHUB_BASE_URL', 'INDOXHUB_LOG'];

/** Every variable with our prefix that means something. `INDOXHUB_S3_*` is accepted as a whole. */
export const knownEnvNames: ReadonlySet<string> = new Set([
  ...otherEnvNames,
  ...Object.values(names).flatMap((name) => name.env),
]);
