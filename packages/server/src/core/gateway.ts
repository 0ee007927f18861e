/** Everything a request may need, built once by main.ts and handed down; there are no other globals. */
import type { Logger } from 'pino';
import type { Settings } from '../contract/settings.ts';
import type { Storage } from '../storage/storage.ts';
import type { AccessLog } from './access-log.ts';
import type { Accounts } from './accounts.ts';
import type { Keys } from './keys.ts';
import type { Ledger } from './ledger.ts';
import type { Media } from './media.ts';
import type { Metrics } from './metrics.ts';
import type { Models } from './models.ts';
import type { Streams } from './streams.ts';
import type { Targets } from './targets.ts';
import type { Tokens } from './tokens.ts';
import type { Transport } from './transport.ts';
import type { VideoWorker } from './video-worker.ts';
import type { Unsettled } from './unsettled.ts';

export interface Gateway {
  /** Changes as a whole when the file is edited: read it once per request. */
  readonly settings: Settings;
  readonly version: string;
  readonly log: Logger;
  /** Writes the line of a call; null when such lines are not wanted. */
  readonly accessLog: AccessLog | null;
  readonly storage: Storage;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly ledger: Ledger;
  readonly unsettled: Unsettled;
  readonly models: Models;
  readonly targets: Targets;
  readonly transport: Transport;
  readonly streams: Streams;
  readonly media: Media;
  readonly videos: VideoWorker;
  readonly metrics: Metrics;
  /** SHA-256 digests of what opens admin routes: the admin key, and this run's own token for the command line. */
  readonly adminKeyHashes: readonly Buffer[];
  /** Names this process in holds. */
  readonly owner: string;
  /** Set once SIGTERM came: new calls are refused, /readyz says so. */
  readonly draining: boolean;
}
