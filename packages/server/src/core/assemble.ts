/** Puts a gateway together; main.ts runs it. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pino, type Logger } from 'pino';
import type { Settings } from '../contract/settings.ts';
import { vendors } from '../providers/registry.ts';
import { openMediaFiles } from '../storage/media-place.ts';
import type { Storage } from '../storage/storage.ts';
import { createAccessLog, type AccessLog } from './access-log.ts';
import { createAccounts } from './accounts.ts';
import { loadCatalogue } from './catalogue.ts';
import { createFoundModels, type FoundModels } from './found.ts';
import type { Gateway } from './gateway.ts';
import { createKeys } from './keys.ts';
import { createLedger } from './ledger.ts';
import { createMedia } from './media.ts';
import { createMetrics } from './metrics.ts';
import { createModels } from './models.ts';
import { createStreams } from './streams.ts';
import { createTargets } from './targets.ts';
import { createTokens } from './tokens.ts';
import { createTransport } from './transport.ts';
import { createVideoWorker } from './video-worker.ts';
import { createUnsettled } from './unsettled.ts';

function packageVersion(): string {
  return String(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version);
}

/** JSON lines on stdout. */
function createLogs(level: Settings['logLevel']): { log: Logger; accessLog: AccessLog | null } {
  const destination = pino.destination({ dest: 1, sync: false, maxWrite: 256 * 1024 });
  const log = pino({ level, base: null, serializers: { err: pino.stdSerializers.err } }, destination);
  const accessLog = log.isLevelEnabled('info') ? createAccessLog((lines) => destination.write(lines)) : null;
  process.once('exit', () => {
    accessLog?.flush();
    destination.flushSync();
  });
  return { log, accessLog };
}

export interface Assembled {
  readonly gateway: Gateway;
  /** Filled by discovery. */
  readonly found: FoundModels;
  /** Other settings from now on, as a whole. */
  readonly swap: (next: Settings) => void;
  /** New calls are refused from now on. */
  readonly drain: () => void;
}

export async function assemble(
  settings: Settings,
  storage: Storage,
  adminKeyHashes: readonly Buffer[],
): Promise<Assembled> {
  let current = settings;
  let draining = false;
  const { log, accessLog } = createLogs(settings.logLevel);
  const catalogue = loadCatalogue(fileURLToPath(new URL('../../catalogue', import.meta.url)));
  const found = createFoundModels();
  const vendorMap = new Map(vendors.map((vendor) => [vendor.id, vendor]));
  const modelsOf = (from: Settings) => createModels({ catalogue, settings: from, vendors: vendorMap, found });
  let models = modelsOf(settings);
  const ledger = createLedger(storage);
  const targets = createTargets();
  const accounts = createAccounts(storage, (operation) => ledger.run(operation));
  const metrics = createMetrics(() => targets.states());
  const gateway: Gateway = {
    get settings() {
      return current;
    },
    get models() {
      return models;
    },
    get draining() {
      return draining;
    },
    version: packageVersion(),
    log,
    accessLog,
    storage,
    accounts,
    keys: createKeys(storage),
    tokens: await createTokens(storage),
    ledger,
    unsettled: createUnsettled(ledger, log),
    targets,
    transport: createTransport(
      () => current.timeouts,
      () => current.allowPrivateUrls,
    ),
    media: await createMedia({
      storage,
      files: await openMediaFiles(settings, storage),
      settings: () => current,
      metrics: metrics.media,
    }),
    videos: createVideoWorker(() => gateway),
    streams: createStreams(),
    metrics,
    adminKeyHashes,
    owner: randomUUID(),
  };
  return {
    gateway,
    found,
    swap: (next: Settings): void => {
      current = next;
      models = modelsOf(next);
    },
    drain: (): void => {
      draining = true;
    },
  };
}
