/** The gateway as people start it, and the commands beside it. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readAddress } from '../../src/cli/address-file.ts';
import { createHome, type Home } from './indoxhub.ts';

let home: Home;
let children: ChildProcess[];

beforeEach(() => {
  home = createHome();
  children = [];
});
afterEach(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(children.map(ended));
  home.remove();
});

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', (code) => resolve(code));
  });

interface Gateway {
  readonly child: ChildProcess;
  readonly url: string;
  output(): string;
}

const quiet = { INDOXHUB_LOCAL_DISCOVERY: 'off', INDOXHUB_PORT: '0', INDOXHUB_LOG_LEVEL: 'silent' };

/** Resolves once the gateway has written where it answers and has said so. */
async function start(words: readonly string[] = [], env: Record<string, string> = {}): Promise<Gateway> {
  const child = home.start(words, { ...quiet, ...env });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => (text += part));
  for (;;) {
    const address = readAddress(home.dataDir);
    if (address?.pid === child.pid && address !== null)
      return { child, url: address.url, output: () => text };
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('starts without a verb, serves, is administered, and ends at SIGTERM', async () => {
  const gateway = await start();
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  expect(statSync(join(home.dataDir, 'gateway.json')).mode & 0o777).toBe(0o600);

  const made = await home.json(['keys', 'create', '--name', 'ci']);
  const me = await fetch(`${gateway.url}/api/v1/user/me`, {
    headers: { authorization: `Bearer ${String(made['api_key'])}` },
  });
  expect(me.status).toBe(200);
  await home.json(['keys', 'revoke', String(made['id'])]);
  const refused = await fetch(`${gateway.url}/api/v1/user/me`, {
    headers: { authorization: `Bearer ${String(made['api_key'])}` },
  });
  expect(refused.status).toBe(401);
  expect(await home.json(['ledger', 'verify'])).toMatchObject({ ok: true });
  expect((await home.run(['doctor'])).stdout).toContain(`the gateway at ${gateway.url} is running`);

  const second = await home.run([], { ...quiet });
  expect(second).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('in use by another process') });

  gateway.child.kill('SIGTERM');
  expect(await ended(gateway.child)).toBe(0);
  expect(existsSync(join(home.dataDir, 'gateway.json'))).toBe(false);
  const keys = (await home.json(['keys', 'list']))['keys'] as { name: string; status: string }[];
  expect(keys.map(({ name, status }) => [name, status])).toEqual([
    ['default', 'active'],
    ['ci', 'revoked'],
  ]);
});

it('shows the first keys once', async () => {
  const first = await start(['start']);
  const [apiKey] = /indox-[0-9A-Za-z]{32}\b/.exec(first.output()) ?? [];
  expect(apiKey).toBeDefined();
  first.child.kill('SIGINT');
  expect(await ended(first.child)).toBe(0);
  const second = await start();
  expect(second.output()).not.toContain(String(apiKey));
  const me = await fetch(`${second.url}/api/v1/user/me`, {
    headers: { authorization: `Bearer ${String(apiKey)}` },
  });
  expect(me.status).toBe(200);
});

it('takes over the address that a killed gateway left', async () => {
  const killed = await start();
  killed.child.kill('SIGKILL');
  await ended(killed.child);
  expect(readAddress(home.dataDir)).not.toBeNull();
  expect((await home.run(['keys', 'list'])).exitCode).toBe(0);
  const next = await start();
  expect(next.url).not.toBe(killed.url);
  expect((await home.json(['keys', 'list']))['keys']).toHaveLength(1);
});

it('moves the admin routes to a port of their own', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const gateway = await start(['--admin-port', String(port)]);
  expect(gateway.url).toBe(`http://127.0.0.1:${port}`);
  expect((await home.json(['keys', 'list']))['keys']).toHaveLength(1);
});

it('says in a sentence why it cannot start', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const { exitCode, stderr } = await home.run(['start', '--port', String(port)], {
      INDOXHUB_LOG_LEVEL: 'silent',
    });
    expect(stderr).toMatch(new RegExp(`^indoxhub: .*port ${port}.* is in use\\n$`));
    expect(exitCode).toBe(1);
  } finally {
    taken.close();
  }
  writeFileSync(join(home.directory, 'a-file'), '');
  const noDirectory = await home.run(['start', '--data-dir', 'a-file/data'], quiet);
  expect(noDirectory.exitCode).not.toBe(0);
  expect(noDirectory.stderr.trimEnd().split('\n')).toHaveLength(1);
});
