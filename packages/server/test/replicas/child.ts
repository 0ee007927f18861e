/** A gateway as a process of its own: started, spoken to over HTTP, signalled and killed by its pid. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../node-flags.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
export const adminKey = 'test-admin-key-0123456789';
const startMs = 60_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly url: string;
  readonly pid: number;
  /** Everything it said so far, stdout and stderr. */
  output(): string;
  readonly exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and its end. */
  stop(): Promise<Exit>;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
  /** Calls an admin route; throws when it does not answer 2xx. */
  admin(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  post(
    path: string,
    body: unknown,
    apiKey: string,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Response>;
  get(path: string, apiKey?: string): Promise<Response>;
  /** A new account with a key: credits in US dollars, null = no cap. */
  account(credits: string | null, key?: object): Promise<{ id: string; apiKey: string; keyId: string }>;
}

export interface ChildOptions {
  readonly dataDir: string;
  /** On top of a port of its own, the tests' admin key and no discovery; undefined takes a variable out. */
  readonly env?: Record<string, string | undefined>;
}

export function temporaryDir(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'indoxhub-replica-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function environment(options: ChildOptions): Record<string, string> {
  const all: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    TMPDIR: process.env['TMPDIR'],
    INDOXHUB_PORT: '0',
    INDOXHUB_DATA_DIR: options.dataDir,
    INDOXHUB_ADMIN_KEY: adminKey,
    INDOXHUB_LOG_LEVEL: 'silent',
    INDOXHUB_LOCAL_DISCOVERY: 'off',
    ...options.env,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

interface Spawned {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly answersAt: Promise<string>;
  output(): string;
  signal(name: NodeJS.Signals): void;
}

/** Runs it; `answersAt` rejects when it ends before it serves. */
export function spawnGateway(options: ChildOptions): Spawned {
  mkdirSync(options.dataDir, { recursive: true });
  const child = spawn(process.execPath, [...nodeFlags, main], {
    cwd: options.dataDir,
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const exited = new Promise<Exit>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  const answersAt = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the gateway did not start in time: ${text}`));
    }, startMs);
    const read = (part: string): void => {
      text += part;
      const url = /(?:answers at|curl) (http:\/\/[^\s/]+)\S*\s/.exec(text)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`the gateway ended with ${code ?? signal}: ${text}`));
    });
  });
  answersAt.catch(() => {});
  return {
    pid: child.pid ?? 0,
    exited,
    answersAt,
    output: () => text,
    signal: (name) => void child.kill(name),
  };
}

/** Starts one and waits until it serves. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const spawned = spawnGateway(options);
  const url = await spawned.answersAt;
  const admin: Child['admin'] = async (method, path, body) => {
    const answer = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  };
  return {
    ...spawned,
    url,
    admin,
    stop() {
      spawned.signal('SIGTERM');
      return spawned.exited;
    },
    async kill() {
      spawned.signal('SIGKILL');
      await spawned.exited;
    },
    post: (path, body, apiKey, headers = {}, signal) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      }),
    get: (path, apiKey) =>
      fetch(url + path, apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } }),
    async account(credits, key = {}) {
      const made = await admin('POST', '/accounts', { name: 'test', credits });
      const issued = await admin('POST', '/keys', { account_id: made['id'], name: 'test', ...key });
      return { id: String(made['id']), apiKey: String(issued['api_key']), keyId: String(issued['id']) };
    },
  };
}
