/** A real gateway for tests: its own data dir, its own port, its own keys; everything over HTTP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../src/config.ts';
import { start, type Running } from '../src/main.ts';
import { vendors } from '../src/providers/registry.ts';

export const adminKey = 'test-admin-key-0123456789';

export interface TestGateway {
  readonly url: string;
  readonly dataDir: string;
  /** A key of the uncapped account `default`. */
  readonly apiKey: string;
  readonly running: Running;
  /** Calls an admin route; throws when it does not answer 2xx. */
  admin(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  /** A capped account with a key: credits in US dollars, null = no cap. */
  account(
    credits: string | null,
    key?: object,
    account?: object,
  ): Promise<{ id: string; apiKey: string; keyId: string }>;
  /** POSTs JSON with the key; more headers win. */
  post(
    path: string,
    body: unknown,
    apiKey?: string,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Response>;
  get(path: string, apiKey?: string): Promise<Response>;
  /** The newest usage rows, newest first. */
  requests(accountId?: string): Promise<Record<string, unknown>[]>;
  /** The row of one call, waited for up to two seconds. */
  row(id: string): Promise<Record<string, unknown>>;
  /** Throws unless the books balance. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** Environment of the gateway, on top of nothing but what tests need. */
  readonly env?: Record<string, string>;
  /** indoxhub.yaml */
  readonly yaml?: string;
  readonly dataDir?: string;
}

/** Starts one in this process. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'indoxhub-'));
  if (options.yaml !== undefined) writeFileSync(join(dataDir, 'indoxhub.yaml'), options.yaml);
  const { settings } = loadSettings({
    vendors,
    cwd: dataDir,
    env: {
      INDOXHUB_PORT: '0',
      INDOXHUB_DATA_DIR: dataDir,
      INDOXHUB_ADMIN_KEY: adminKey,
      INDOXHUB_LOG_LEVEL: 'silent',
      INDOXHUB_LOCAL_DISCOVERY: 'off',
      ...options.env,
    },
  });
  const running = await start({ settings, say: () => {} });
  const { url } = running;

  const admin: TestGateway['admin'] = async (method, path, body) => {
    const answer = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  };
  const requests = async (accountId?: string): Promise<Record<string, unknown>[]> => {
    const query = accountId === undefined ? '' : `&account_id=${accountId}`;
    return (await admin('GET', `/requests?limit=100${query}`))['requests'] as Record<string, unknown>[];
  };
  const { api_key: apiKey } = (await admin('POST', '/keys', { name: 'test' })) as { api_key: string };

  return {
    url,
    dataDir,
    apiKey,
    running,
    admin,
    requests,
    async account(credits, key = {}, account = {}) {
      const made = (await admin('POST', '/accounts', { name: 'test', credits, ...account })) as {
        id: string;
      };
      const issued = (await admin('POST', '/keys', { account_id: made.id, name: 'test', ...key })) as {
        id: string;
        api_key: string;
      };
      return { id: made.id, apiKey: issued.api_key, keyId: issued.id };
    },
    post: (path, body, key = apiKey, headers = {}, signal) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      }),
    get: (path, key = apiKey) => fetch(url + path, { headers: { authorization: `Bearer ${key}` } }),
    async row(id) {
      const deadline = Date.now() + 2_000;
      for (;;) {
        const found = (await admin('GET', `/requests?id=${id}`))['requests'] as Record<string, unknown>[];
        if (found[0] !== undefined) return found[0];
        if (Date.now() > deadline) throw new Error(`no usage row of ${id}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async verify() {
      const report = await admin('POST', '/ledger/verify');
      if (report['ok'] !== true) throw new Error(`the books do not balance: ${JSON.stringify(report)}`);
    },
    async close() {
      await running.close();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The frames of a finished event stream: event name and data. */
export function frames(text: string): { event: string; data: string }[] {
  return text
    .split('\n\n')
    .filter((block) => block.trim() !== '' && !block.startsWith(':'))
    .map((block) => {
      const lines = block.split('\n');
      const find = (name: string): string =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      return { event: find('event'), data: find('data') };
    });
}
