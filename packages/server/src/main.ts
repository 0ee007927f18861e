/** From settings to a serving gateway: storage → providers → gateway → app → listen, and the way back. */
import { hash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { removeAddress, writeAddress } from './cli/address-file.ts';
import { watchSettings } from './config.ts';
import type { Settings } from './contract/settings.ts';
import { createAccounts, type Accounts } from './core/accounts.ts';
import { loadCatalogue } from './core/catalogue.ts';
import { discover } from './core/discovery.ts';
import { createFoundModels } from './core/found.ts';
import type { Gateway } from './core/gateway.ts';
import { startHousekeeping } from './core/housekeeping.ts';
import { createKeys } from './core/keys.ts';
import { createLedger } from './core/ledger.ts';
import { createMetrics } from './core/metrics.ts';
import { createModels } from './core/models.ts';
import { createStreams } from './core/streams.ts';
import { createTargets } from './core/targets.ts';
import { createTokens } from './core/tokens.ts';
import { createTransport } from './core/transport.ts';
import { createApp } from './http/app.ts';
import { createHttpServer } from './http/server.ts';
import { vendors } from './providers/registry.ts';
import { openStorage } from './storage/open.ts';
import type { Storage } from './storage/storage.ts';

const discoveryMs = 30_000;
/** Between "not ready" and closing the door, so that load balancers notice. */
const noticeMs = 200;

export interface StartOptions {
  readonly settings: Settings;
  /** Where first-run words go; default: stdout. */
  readonly say?: (text: string) => void;
}

export interface Running {
  /** Where it answers, without trailing slash. */
  readonly url: string;
  readonly gateway: Gateway;
  /** Drains: refuses new calls, lets streams run for `drainMs`, ends the rest settled. */
  close(): Promise<void>;
}

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

function packageVersion(): string {
  return String(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
}

/** The admin key's hash, and the key itself when it was made just now. */
async function adminKey(storage: Storage, settings: Settings): Promise<{ hash: Buffer; fresh: string | null }> {
  if (settings.adminKey !== null) return { hash: sha256(settings.adminKey.reveal()), fresh: null };
  const fresh = `indox-admin-${randomBytes(24).toString('base64url')}`;
  const mine = sha256(fresh).toString('hex');
  const standing = await storage.settleSetting('admin_key_hash', mine);
  return { hash: Buffer.from(standing, 'hex'), fresh: standing === mine ? fresh : null };
}

async function build(settings: Settings, storage: Storage, adminKeyHashes: readonly Buffer[]) {
  let current = settings;
  let draining = false;
  const log = pino({ level: settings.logLevel, base: null, serializers: { err: pino.stdSerializers.err } });
  const catalogue = loadCatalogue(fileURLToPath(new URL('../catalogue', import.meta.url)));
  const found = createFoundModels();
  const vendorMap = new Map(vendors.map((vendor) => [vendor.id, vendor]));
  const modelsOf = (from: Settings) => createModels({ catalogue, settings: from, vendors: vendorMap, found });
  let models = modelsOf(settings);
  const ledger = createLedger(storage);
  const targets = createTargets();
  const accounts: Accounts = createAccounts(storage, (operation) => ledger.run(operation));
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
    storage,
    accounts,
    keys: createKeys(storage),
    tokens: await createTokens(storage),
    ledger,
    targets,
    transport: createTransport(() => current.timeouts, () => current.allowPrivateUrls),
    streams: createStreams(),
    metrics: createMetrics(() => targets.states()),
    adminKeyHashes,
    owner: randomUUID(),
  };
  return {
    gateway,
    found,
    swap(next: Settings) {
      current = next;
      models = modelsOf(next);
    },
    drain() {
      draining = true;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} on ${host} is in use`, { cause: error }) : error),
    );
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

function greeting(url: string, apiKey: string, admin: string | null, chatModel: string): string {
  return `
IndoxHub is ready. These keys are shown once:

  API key    ${apiKey}
${admin === null ? '' : `  Admin key  ${admin}\n`}
Try it:

  curl ${url}/v1/chat/completions \\
    -H "Authorization: Bearer ${apiKey}" -H "Content-Type: application/json" \\
    -d '{"model": "${chatModel}", "messages": [{"role": "user", "content": "Hello"}]}'

API reference: ${url}/docs

`;
}

const hostForUrl = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host);

/** Closes a server's idle connections and waits for the busy ones. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

/** Starts the gateway. Rejects with a plain sentence when it cannot. */
export async function start({ settings, say = (text) => process.stdout.write(text) }: StartOptions): Promise<Running> {
  const storage = await openStorage({ databaseUrl: settings.databaseUrl?.reveal() ?? null, dataDir: settings.dataDir });
  const runToken = randomBytes(24).toString('base64url');
  const admin = await adminKey(storage, settings);
  const { gateway, found, swap, drain } = await build(settings, storage, [admin.hash, sha256(runToken)]);
  const { log } = gateway;
  const first = await gateway.accounts.firstRun();

  const servers: Server[] = [];
  let url: string;
  let cliUrl: string;
  try {
    const split = settings.adminPort !== null;
    const data = createHttpServer(createApp(gateway, split ? 'data' : 'all'));
    const address = await listen(data, settings.host, settings.port);
    servers.push(data);
    url = `http://${hostForUrl(settings.host)}:${address.port}`;
    cliUrl = url;
    if (settings.adminPort !== null) {
      const adminServer = createHttpServer(createApp(gateway, 'admin'));
      const adminAddress = await listen(adminServer, '127.0.0.1', settings.adminPort);
      servers.push(adminServer);
      cliUrl = `http://127.0.0.1:${adminAddress.port}`;
    }
  } catch (error) {
    for (const server of servers) server.close();
    await gateway.transport.close();
    await storage.close();
    throw error;
  }
  writeAddress(settings.dataDir, { url: cliUrl, pid: process.pid, token: runToken });

  const housekeeping = startHousekeeping(gateway);
  const look = (): void => void discover(gateway.transport, vendors, found);
  const looking = settings.localDiscovery ? setInterval(look, discoveryMs) : null;
  looking?.unref();
  if (settings.localDiscovery) look();
  const watch = watchSettings(
    { vendors },
    settings,
    (next, warnings) => {
      swap(next);
      log.info({ warnings }, 'the configuration was read anew');
    },
    (error) => log.error({ problem: error.message }, 'the changed configuration is not valid; the former stays'),
  );

  if (first !== null) say(greeting(url, first.apiKey, admin.fresh, 'local/sandbox'));
  else say(`IndoxHub answers at ${url}\n`);
  log.info({ url, store: storage.engine, version: gateway.version }, 'listening');

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    drain();
    log.info({ streams: gateway.streams.size }, 'draining');
    watch.close();
    if (looking !== null) clearInterval(looking);
    await new Promise((resolve) => setTimeout(resolve, noticeMs));
    const closed = Promise.all(servers.map(closeServer));
    const late = setTimeout(() => gateway.streams.shutDown(), gateway.settings.drainMs);
    await gateway.streams.drained();
    clearTimeout(late);
    const force = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, 5_000);
    for (const server of servers) server.closeIdleConnections();
    await closed;
    clearTimeout(force);
    await housekeeping.stop();
    await gateway.ledger.idle();
    await gateway.transport.close();
    await storage.close();
    removeAddress(settings.dataDir, process.pid);
  };
  return {
    url,
    gateway,
    close: () => (closing ??= close()),
  };
}
