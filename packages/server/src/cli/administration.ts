/** The admin calls of the command line: to the running gateway, or to the store itself when none runs. */
import { newAccount, newCredit, newKey } from '../contract/admin.ts';
import { firstIssue } from '../contract/validate.ts';
import type { Settings } from '../contract/settings.ts';
import { createAccounts, defaultAccountId, type CommitCredit } from '../core/accounts.ts';
import {
  accountView,
  creditView,
  issuedKeyView,
  keyView,
  verifyView,
  type View,
} from '../core/admin-views.ts';
import { checkMedia, type MediaCheck } from '../storage/media-files.ts';
import { openMediaFiles } from '../storage/media-place.ts';
import { openStorage } from '../storage/open.ts';
import type { CreditResult, Storage } from '../storage/storage.ts';
import type { ZodType } from 'zod';
import { readAddress, type Address } from './address-file.ts';
import { CliError } from './command.ts';

/** Bodies are those of the admin API, so are the answers. Every method throws GatewayError or CliError. */
export interface Administration {
  /** `gateway at http://…` or `store`. */
  readonly via: string;
  createAccount(body: unknown): Promise<View>;
  listAccounts(): Promise<readonly View[]>;
  credit(accountId: string, body: unknown): Promise<View>;
  createKey(body: unknown): Promise<View>;
  listKeys(accountId: string | null): Promise<readonly View[]>;
  revokeKey(id: string): Promise<View>;
  rotateKey(id: string): Promise<View>;
  verify(): Promise<View>;
  checkMedia(): Promise<MediaCheck>;
  close(): Promise<void>;
}

const actor = 'command line';
const timeoutMs = 30_000;
/** A proof reads every entry. */
const proofTimeoutMs = 600_000;

/** Runs `use` on whatever answers, and closes it. */
export async function administer<T>(
  settings: Settings,
  use: (admin: Administration) => Promise<T>,
): Promise<T> {
  const admin = (await viaGateway(settings)) ?? (await viaStore(settings));
  try {
    return await use(admin);
  } finally {
    await admin.close();
  }
}

/** The running gateway, or null when the address file is absent or names one that is gone. */
export async function viaGateway(settings: Settings): Promise<Administration | null> {
  const address = readAddress(settings.dataDir);
  if (address === null) return null;
  const health = await send(address, 'GET', '/admin/v1/health');
  // Another program may listen there by now: whoever does not know the token is not our gateway.
  if (health === null || health.status === 401 || health.status === 404) return null;
  return overHttp(address);
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** null when nothing listens at the address. */
async function send(
  address: Address,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Reply | null> {
  let response: Response;
  try {
    response = await fetch(`${address.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${address.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(path.endsWith('/verify') ? proofTimeoutMs : timeoutMs),
      redirect: 'error',
    });
    return { status: response.status, body: await response.json() };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      throw new CliError(3, `the gateway at ${address.url} (process ${address.pid}) does not answer`);
    }
    if (error instanceof SyntaxError) return { status: 404, body: null };
    return null;
  }
}

function overHttp(address: Address): Administration {
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown): Promise<View> => {
    const reply = await send(address, method, `/admin/v1${path}`, body);
    if (reply === null) throw new CliError(3, `the gateway at ${address.url} went away`);
    const answer = (reply.body ?? {}) as Record<string, unknown>;
    if (reply.status < 400) return answer;
    const sentence = typeof answer['message'] === 'string' ? answer['message'] : `status ${reply.status}`;
    throw new CliError(reply.status === 400 ? 2 : reply.status === 503 ? 3 : 1, sentence);
  };
  const list = async (path: string, member: string): Promise<readonly View[]> =>
    ((await call('GET', path))[member] ?? []) as readonly View[];
  return {
    via: `gateway at ${address.url}`,
    createAccount: (body) => call('POST', '/accounts', body),
    listAccounts: () => list('/accounts', 'accounts'),
    credit: (id, body) => call('POST', `/accounts/${encodeURIComponent(id)}/credits`, body),
    createKey: (body) => call('POST', '/keys', body),
    listKeys: (id) => list(id === null ? '/keys' : `/keys?account_id=${encodeURIComponent(id)}`, 'keys'),
    revokeKey: (id) => call('POST', `/keys/${encodeURIComponent(id)}/revoke`),
    rotateKey: (id) => call('POST', `/keys/${encodeURIComponent(id)}/rotate`),
    verify: () => call('POST', '/ledger/verify'),
    checkMedia: async () => (await call('POST', '/media/check')) as unknown as MediaCheck,
    close: async () => {},
  };
}

function read<T>(schema: ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw firstIssue(parsed.error);
}

/** The store of these settings. Throws StorageUnavailable when a running gateway owns it or it cannot be reached. */
export function openStore({ databaseUrl, dataDir }: Settings): Promise<Storage> {
  return openStorage({ databaseUrl: databaseUrl?.reveal() ?? null, dataDir });
}

async function viaStore(settings: Settings): Promise<Administration> {
  const storage = await openStore(settings);
  const accounts = createAccounts(storage, commitOn(storage));
  return {
    via: 'store',
    createAccount: async (body) => accountView(await accounts.createAccount(read(newAccount, body), actor)),
    listAccounts: async () => (await accounts.listAccounts()).map(accountView),
    credit: async (id, body) => creditView(await accounts.credit(id, read(newCredit, body), actor)),
    async createKey(body) {
      const wanted = read(newKey, body);
      if (wanted.account_id === defaultAccountId) await accounts.ensureDefault();
      return issuedKeyView(await accounts.createKey(wanted, actor));
    },
    listKeys: async (id) => (await accounts.listKeys(id)).map(keyView),
    revokeKey: async (id) => keyView(await accounts.revokeKey(id, actor)),
    rotateKey: async (id) => issuedKeyView(await accounts.rotateKey(id, actor)),
    verify: async () => verifyView(await storage.verify()),
    checkMedia: async () => checkMedia(await openMediaFiles(settings, storage)),
    close: () => storage.close(),
  };
}

function commitOn(storage: Storage): CommitCredit {
  return async (operation) => {
    const [result] = await storage.commit([operation]);
    if (result === undefined) throw new Error('the store answered too few results');
    return result as CreditResult;
  };
}
