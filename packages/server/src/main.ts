/** From settings to a serving gateway: storage → providers → gateway → app → listen, and the way back. */
import { hash, randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { removeAddress, writeAddress } from './cli/address-file.ts';
import { greeting, shownOnce } from './cli/greeting.ts';
import { watchSettings, type SettingsWatch } from './config.ts';
import type { Settings } from './contract/settings.ts';
import { assemble, type Assembled } from './core/assemble.ts';
import { discover } from './core/discovery.ts';
import type { FoundModels } from './core/found.ts';
import type { Gateway } from './core/gateway.ts';
import { startHousekeeping } from './core/housekeeping.ts';
import { createApp } from './http/app.ts';
import { dataRoutes } from './http/data-plane.ts';
import { createHttpServer } from './http/server.ts';
import { vendors } from './providers/registry.ts';
import { openStorage } from './storage/open.ts';
import type { Storage } from './storage/storage.ts';

const discoveryMs = 30_000;
/** The door stays open at least this long after "not ready", so that load balancers notice. */
const noticeMs = 200;
/** What still is connected this long after the last call ended is cut. */
const forceMs = 5_000;

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

/** The admin key's hash, and the key itself when it was made just now. */
async function adminKey(
  storage: Storage,
  settings: Settings,
): Promise<{ hash: Buffer; fresh: string | null }> {
  if (settings.adminKey !== null) return { hash: sha256(settings.adminKey.reveal()), fresh: null };
  const fresh = `indox-admin-${randomBytes(24).toString('base64url')}`;
  const mine = sha256(fresh).toString('hex');
  const standing = await storage.settleSetting('admin_key_hash', mine);
  return { hash: Buffer.from(standing, 'hex'), fresh: standing === mine ? fresh : null };
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} on ${host} is in use`, { cause: error })
          : error,
      ),
    );
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

const hostForUrl = (host: string): string =>
  host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;

/** Closes a server's idle connections and waits for the busy ones. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

/** Opens the listeners: data and admin on one, or admin on a loopback port of its own. */
async function openServers(gateway: Gateway): Promise<{ servers: Server[]; url: string; adminUrl: string }> {
  const { host, port, adminPort } = gateway.settings;
  const servers: Server[] = [];
  try {
    const data = createHttpServer(
      createApp(gateway, adminPort === null ? 'all' : 'data'),
      dataRoutes(gateway),
    );
    const address = await listen(data, host, port);
    servers.push(data);
    const url = `http://${hostForUrl(host)}:${address.port}`;
    if (adminPort === null) return { servers, url, adminUrl: url };
    const admin = createHttpServer(createApp(gateway, 'admin'));
    const adminAddress = await listen(admin, '127.0.0.1', adminPort);
    servers.push(admin);
    return { servers, url, adminUrl: `http://127.0.0.1:${adminAddress.port}` };
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

/**
 * Lets what runs come to its end, for `drainMs`, then ends the rest typed and settled. Meanwhile the door is open: who
 * knocks is told that this replica goes, instead of being refused without a word.
 */
async function drainServers(gateway: Gateway, servers: readonly Server[]): Promise<void> {
  const late = setTimeout(() => gateway.streams.shutDown(), gateway.settings.drainMs);
  await new Promise((resolve) => setTimeout(resolve, noticeMs));
  await gateway.streams.drained();
  clearTimeout(late);
  const closed = Promise.all(servers.map(closeServer));
  const force = setTimeout(() => {
    for (const server of servers) server.closeAllConnections();
  }, forceMs);
  await closed;
  clearTimeout(force);
}

function watchFile(settings: Settings, { gateway, swap }: Assembled): SettingsWatch {
  const { log } = gateway;
  return watchSettings(
    { vendors },
    settings,
    (next, warnings) => {
      swap(next);
      log.info({ warnings }, 'the configuration was read anew');
    },
    (error) =>
      log.error({ problem: error.message }, 'the changed configuration is not valid; the former stays'),
  );
}

function watchLoopback(gateway: Gateway, found: FoundModels): () => void {
  if (!gateway.settings.localDiscovery) return () => {};
  const look = (): void => void discover(gateway.transport, vendors, found);
  const timer = setInterval(look, discoveryMs);
  timer.unref();
  look();
  return () => clearInterval(timer);
}

/** Starts the gateway. Rejects with a plain sentence when it cannot. */
export async function start(options: StartOptions): Promise<Running> {
  const { settings, say = (text) => process.stdout.write(text) } = options;
  const { databaseUrl, dataDir } = settings;
  const storage = await openStorage({ databaseUrl: databaseUrl?.reveal() ?? null, dataDir });
  const runToken = randomBytes(24).toString('base64url');
  const admin = await adminKey(storage, settings);
  const assembled = await assemble(settings, storage, [admin.hash, sha256(runToken)]);
  const { gateway, found, drain } = assembled;
  const { log } = gateway;
  const first = await gateway.accounts.firstRun();
  const fresh = { apiKey: first?.apiKey ?? null, adminKey: admin.fresh };
  const { servers, url, adminUrl } = await openServers(gateway).catch(async (error: unknown) => {
    // The keys are in the store by now: said, or nobody will ever know them.
    say(shownOnce(fresh));
    await gateway.transport.close();
    await storage.close();
    throw error;
  });
  const housekeeping = startHousekeeping(gateway);
  await gateway.videos.start();
  const stopLooking = watchLoopback(gateway, found);
  const watch = watchFile(settings, assembled);

  say(greeting(url, fresh, 'local/sandbox'));
  writeAddress(dataDir, { url: adminUrl, pid: process.pid, token: runToken });
  log.info({ url, store: storage.engine, version: gateway.version }, 'listening');

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    drain();
    log.info({ calls: gateway.streams.size }, 'draining');
    watch.close();
    stopLooking();
    await drainServers(gateway, servers);
    await gateway.videos.stop();
    await housekeeping.stop();
    await gateway.ledger.idle();
    await gateway.transport.close();
    for (const vendor of vendors) await vendor.close?.();
    await storage.close();
    removeAddress(dataDir, process.pid);
  };
  return { url, gateway, close: () => (closing ??= close()) };
}
