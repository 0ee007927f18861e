/**
 * The gateway's settings after every source was merged (flag > environment > file > default): one frozen object, made
 * by config.ts, the only reader of process.env. docs/configuration.md explains each.
 */
import type { Capability, TokenPrices, UnitPrices } from './catalogue.ts';
import type { Secret } from './secret.ts';

/** A configured provider: a vendor of the registry under its own id, or another deployment of one under a chosen id. */
export interface ProviderSettings {
  /** As in `provider/model`. */
  readonly id: string;
  /** The registry's vendor whose codec serves it; equal to `id` unless the file says `type`. */
  readonly vendor: string;
  readonly apiKey: Secret | null;
  /** Without trailing slash; null = the vendor's own. */
  readonly baseUrl: string | null;
  /** Vendor settings such as Azure's `api_version`. */
  readonly options: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TargetSettings {
  /** Id of a configured provider. */
  readonly provider: string;
  /** The id that provider's API takes. */
  readonly model: string;
  /** Lower is tried first. */
  readonly order: number;
  /** Share among targets of one order, > 0. */
  readonly weight: number;
}

/** A model the file defines or overrides, by its public id `provider/model` or a bare name. */
export interface ModelSettings {
  readonly id: string;
  /** Empty = the catalogue's own provider serves it. */
  readonly targets: readonly TargetSettings[];
  /** Where either of the two is given, none of the catalogue's prices counts. */
  readonly prices: TokenPrices | null;
  readonly unitPrices: UnitPrices | null;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
}

/** Milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  /** Until the first byte of a streamed answer. */
  readonly firstByteMs: number;
  /** Between two chunks of a stream. */
  readonly idleMs: number;
  /** The whole call, streamed or not. */
  readonly totalMs: number;
}

export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Admin routes and metrics move here when set. */
  readonly adminPort: number | null;
  readonly dataDir: string;
  /** postgres://…; null = SQLite in the data dir. */
  readonly databaseUrl: Secret | null;
  /** null = generated at the first start and printed once. */
  readonly adminKey: Secret | null;
  readonly encryptionKey: Secret | null;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** The origin callers see, for links. */
  readonly publicUrl: string | null;
  /** The file these settings came from, to be watched. */
  readonly configPath: string | null;
  /** Look for Ollama, LM Studio, vLLM and the like on loopback. */
  readonly localDiscovery: boolean;
  readonly providers: readonly ProviderSettings[];
  readonly models: readonly ModelSettings[];
  /** Another name → model id. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Modality → model id. */
  readonly defaults: Readonly<Partial<Record<Capability, string>>>;
  readonly timeouts: Timeouts;
  /** Attempts after the first, before the first byte. */
  readonly maxRetries: number;
  /** Between SIGTERM and cutting what still runs. */
  readonly drainMs: number;
  /** How long a call waits for money that calls in flight hold, before it is refused. */
  readonly budgetWaitMs: number;
  readonly heartbeatMs: number;
  /** Upstreams that data routes reach by caller-given URL may be on these networks although they are private. */
  readonly allowPrivateUrls: boolean;
  readonly maxBodyBytes: number;
  /** The chat model that puts transcripts into English; null: the default chat model. */
  readonly translationModel: string | null;
  /** The shortest time between two questions to a provider about a video. */
  readonly videoPollMs: number;
  /** A video that is not done by then has failed. */
  readonly videoDeadlineMs: number;
  /** The largest file of a form. */
  readonly maxUploadBytes: number;
  /** How long generated media is kept and its links open. */
  readonly mediaRetentionMs: number;
  /** The largest file that is stored. */
  readonly maxMediaBytes: number;
  /** null: `media` in the data directory. */
  readonly mediaDir: string | null;
  /** That directory is the same for every gateway on the database; without this, PostgreSQL needs a bucket. */
  readonly mediaShared: boolean;
  /** Media goes to this bucket instead. */
  readonly s3Bucket: string | null;
  /** null: AWS's own of the region. */
  readonly s3Endpoint: string | null;
  readonly s3Region: string;
  readonly s3AccessKeyId: Secret | null;
  readonly s3SecretAccessKey: Secret | null;
  /** Before every key. Below it each database has a folder of its own. */
  readonly s3Prefix: string;
  /** `endpoint/bucket/key`, as servers of one's own want it. */
  readonly s3PathStyle: boolean;
}
