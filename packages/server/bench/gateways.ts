/** The gateways under test, each a child process on the core it is given, and the fake provider behind them. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeFlags } from '../test/node-flags.ts';
import type { Target } from './load.ts';

const here = import.meta.dirname;
const repository = join(here, '../../..');
const portkeyVersion = '1.15.2';
const adminKey = 'bench-admin-key-0123456789';
const openai = '/v1/chat/completions';
const native = '/api/v1/chat/completions';

export interface Gateway {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** The OpenAI-shaped chat endpoint. */
  readonly openai: Target;
  /** The gateway's own shape, where it has one. */
  readonly native: Target | null;
  stop(): Promise<void>;
}

const children = new Set<ChildProcess>();
const folders = new Set<string>();

/** Ends what this run started, and nothing else. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

interface SpawnOptions {
  /** null: wherever the machine likes. */
  readonly core: number | null;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Where its output goes; default: nowhere. */
  readonly log?: string;
}

/** Node with `words`; `taskset` becomes the program it starts, so the child's id is the gateway's. */
function startNode(
  words: readonly string[],
  { core, env = {}, cwd = repository, log }: SpawnOptions,
): ChildProcess {
  const command = core === null ? process.execPath : 'taskset';
  const all = core === null ? words : ['-c', String(core), process.execPath, ...words];
  const out = log === undefined ? 'ignore' : openSync(log, 'a');
  const { PATH = '', HOME = tmpdir() } = process.env;
  const child = spawn(command, all, {
    cwd,
    env: { PATH, HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', out, out, 'ipc'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(1_000)]);
  child.kill('SIGKILL');
  await ended;
}

async function answers(url: string, child: ChildProcess, everyMs: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      const answer = await fetch(url);
      await answer.arrayBuffer();
      return;
    } catch {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`nothing answers at ${url}`);
    }
    await sleep(everyMs);
  }
}

export interface Upstream {
  readonly origin: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** `paceMs` and `pacedEvents` shape the paced streams. */
export async function startUpstream(
  core: number | null,
  paceMs: number,
  pacedEvents: number,
): Promise<Upstream> {
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-bench-'));
  folders.add(folder);
  const log = join(folder, 'port');
  const child = startNode([join(here, 'upstream.ts'), String(paceMs), String(pacedEvents)], { core, log });
  let port = 0;
  for (let tries = 0; port === 0 && tries < 500; tries++) {
    await sleep(10);
    port = Number(readFileSync(log, 'utf8'));
  }
  if (!(port > 0)) throw new Error(`the fake provider did not start: ${readFileSync(log, 'utf8')}`);
  return { origin: `http://127.0.0.1:${port}`, port, stop: () => stopChild(child) };
}

export async function startFloor(upstream: Upstream, core: number | null): Promise<Gateway> {
  const port = await freePort();
  const child = startNode([...nodeFlags, join(here, 'floor.ts'), String(port), upstream.origin], { core });
  const target = { port, path: openai, headers: {} };
  await answers(`http://127.0.0.1:${port}/`, child, 20);
  return {
    name: 'floor',
    pid: child.pid ?? 0,
    child,
    openai: target,
    native: null,
    stop: () => stopChild(child),
  };
}

export interface OursOptions {
  readonly core: number | null;
  /** Node flags before the program. */
  readonly flags?: readonly string[];
  /** A tree other than this repository, to compare a change. */
  readonly tree?: string;
}

interface Launched {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly readyMs: number;
}

/** From spawn to the first 200 of /healthz. */
async function launch(
  upstream: Upstream,
  { core, flags = [], tree = repository }: OursOptions,
  dataDir: string,
): Promise<Launched> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const child = startNode([...nodeFlags, ...flags, join(tree, 'packages/server/bin/indoxhub.js')], {
    core,
    cwd: dataDir,
    log: join(dataDir, 'gateway.log'),
    env: {
      NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
      INDOXHUB_PORT: String(port),
      INDOXHUB_DATA_DIR: join(dataDir, 'data'),
      INDOXHUB_LOG_LEVEL: 'info',
      INDOXHUB_LOCAL_DISCOVERY: 'off',
      INDOXHUB_ADMIN_KEY: adminKey,
      OPENAI_API_KEY: 'sk-upstream',
      OPENAI_BASE_URL: `${upstream.origin}/v1`,
    },
  });
  await answers(`${url}/healthz`, child, 3);
  return { child, port, url, dataDir, readyMs: performance.now() - startedAt };
}

function newDataDir(): string {
  // Beside the repository rather than in /tmp, which may be memory: fsync must be real.
  const parent = join(repository, 'packages/server/bench/results');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'data-'));
  folders.add(folder);
  return folder;
}

async function admin(url: string, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}/admin/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

/**
 * Everything on: a capped account, a key with a budget and both limits, SQLite with fsync, usage rows, logs to a file. It
 * is a second start: in a first one from sources Node's stripper of types stays in memory, which the published
 * package never loads.
 */
export async function startOurs(upstream: Upstream, options: OursOptions): Promise<Gateway> {
  const dataDir = newDataDir();
  const first = await launch(upstream, options, dataDir);
  await stopChild(first.child);
  const { child, port, url } = await launch(upstream, options, dataDir);
  const { id } = await admin(url, '/accounts', { name: 'bench', credits: '1000000.00' });
  const { api_key: apiKey } = await admin(url, '/keys', {
    account_id: id,
    name: 'bench',
    budget: { amount: '500000', period: 'day' },
    rpm: 10_000_000,
    tpm: 10_000_000_000,
  });
  const headers = { authorization: `Bearer ${String(apiKey)}` };
  return {
    name: 'indoxhub',
    pid: child.pid ?? 0,
    child,
    openai: { port, path: openai, headers },
    native: { port, path: native, headers },
    async stop() {
      await stopChild(child);
      rmSync(dataDir, { recursive: true, force: true });
      folders.delete(dataDir);
    },
  };
}

/** What npm publishes, built into a folder of this run: a tree whose gateway runs from JavaScript. */
export function buildPackage(): string {
  const tree = newDataDir();
  const server = join(repository, 'packages/server');
  const built = join(tree, 'packages/server');
  mkdirSync(built, { recursive: true });
  const words = ['tsc', '-p', 'tsconfig.build.json', '--outDir', join(built, 'dist')];
  execFileSync('npx', words, { stdio: 'ignore', cwd: server });
  for (const name of ['bin', 'catalogue', 'package.json'])
    cpSync(join(server, name), join(built, name), { recursive: true });
  return tree;
}

export interface ColdStart {
  /** On an empty data directory, with no code compiled by an earlier start. */
  readonly firstMs: number;
  /** On a data directory that is there, with the code compiled by the start before. */
  readonly againMs: number;
}

/** The better of two tries of each. */
export async function coldStart(upstream: Upstream, options: OursOptions): Promise<ColdStart> {
  const first: number[] = [];
  const again: number[] = [];
  for (let round = 0; round < 2; round++) {
    const dataDir = newDataDir();
    for (const times of [first, again]) {
      const { child, readyMs } = await launch(upstream, options, dataDir);
      times.push(readyMs);
      await stopChild(child);
    }
    rmSync(dataDir, { recursive: true, force: true });
    folders.delete(dataDir);
  }
  return { firstMs: Math.min(...first), againMs: Math.min(...again) };
}

/**
 * Portkey from npm, once, into a cache folder. A fresh install answers 500 to every stream: its server rewrites headers
 * of an answer that cannot be changed; one line is edited so that there is something to compare. Null with the reason
 * when it cannot be had.
 */
function installPortkey(): string {
  const folder = join(repository, 'node_modules/.cache/indoxhub-bench/portkey');
  const program = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  mkdirSync(folder, { recursive: true });
  if (!existsSync(program)) {
    const wanted = `@portkey-ai/gateway@${portkeyVersion}`;
    const words = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', wanted];
    execFileSync('npm', words, { stdio: 'ignore', timeout: 90_000, cwd: folder });
  }
  const source = readFileSync(program, 'utf8');
  const edited = source.replace(
    /:new Response\((\w),(\w)\)\}/,
    ':new Response($1,{status:$2.status,headers:new Headers($2.headers)})}',
  );
  if (edited !== source) writeFileSync(program, edited);
  return program;
}

export async function startPortkey(upstream: Upstream, core: number | null): Promise<Gateway> {
  const program = installPortkey();
  const port = await freePort();
  const child = startNode([program, `--port=${port}`, '--headless'], { core, cwd: join(program, '..') });
  await answers(`http://127.0.0.1:${port}/`, child, 50);
  const headers = {
    authorization: 'Bearer sk-upstream',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${upstream.origin}/v1`,
  };
  return {
    name: 'portkey',
    pid: child.pid ?? 0,
    child,
    openai: { port, path: openai, headers },
    native: null,
    stop: () => stopChild(child),
  };
}
