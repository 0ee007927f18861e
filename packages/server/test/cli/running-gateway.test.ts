/** Commands while something answers, or seems to, at the address in gateway.json. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAddress, removeAddress, writeAddress } from '../../src/cli/address-file.ts';
import { createHome, type Home } from './indoxhub.ts';

const token = 'token-of-this-run-0123456789';

interface Received {
  readonly line: string;
  readonly body: string;
}

let home: Home;
let server: Server;
let received: Received[];
/** What the server answers to one who knows the token. */
let answer: (line: string) => { status: number; body: unknown };

const read = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
};

beforeEach(async () => {
  home = createHome();
  mkdirSync(home.dataDir);
  received = [];
  answer = () => ({ status: 200, body: {} });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request);
    const line = `${request.method} ${request.url}`;
    const isKnown = request.headers.authorization === `Bearer ${token}`;
    if (line !== 'GET /admin/v1/health') received.push({ line, body });
    const reply = isKnown ? answer(line) : { status: 401, body: { message: 'no' } };
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
  };
  server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  home.remove();
});

const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const announce = (more: Partial<{ url: string; token: string }> = {}): boolean =>
  writeAddress(home.dataDir, { url: url(), pid: process.pid, token, ...more });

describe('the address file', () => {
  it('is its owner’s alone, whatever was there before', () => {
    writeFileSync(join(home.dataDir, 'gateway.json'), 'old', { mode: 0o644 });
    announce();
    expect(statSync(join(home.dataDir, 'gateway.json')).mode & 0o777).toBe(0o600);
    expect(readAddress(home.dataDir)).toEqual({ url: url(), pid: process.pid, token });
  });

  it('is not written where nothing can be, which stops nobody', () => {
    writeFileSync(join(home.directory, 'a-file'), '');
    const address = { url: url(), pid: process.pid, token };
    expect(writeAddress(join(home.directory, 'a-file'), address)).toBe(false);
    expect(writeAddress(join(home.directory, 'new', 'directory'), address)).toBe(true);
  });

  it('is removed by its writer only', () => {
    announce();
    removeAddress(home.dataDir, process.pid + 1);
    expect(readAddress(home.dataDir)).not.toBeNull();
    removeAddress(home.dataDir, process.pid);
    expect(readAddress(home.dataDir)).toBeNull();
  });

  it.each(['', '{}', '{"url":"x","pid":1,"token":"0123456789abcdef"}', '[]'])(
    'is nothing when it says %j',
    (text) => {
      writeFileSync(join(home.dataDir, 'gateway.json'), text);
      expect(readAddress(home.dataDir)).toBeNull();
    },
  );
});

describe('with a running gateway', () => {
  it('asks it instead of opening the store', async () => {
    announce();
    answer = (line) => ({
      status: line.startsWith('POST') ? 201 : 200,
      body: { id: 'key_1', api_key: 'indox-x', keys: [] },
    });
    expect(await home.run(['keys', 'create', '--name', 'ci', '--budget', '5'])).toMatchObject({
      exitCode: 0,
      stdout: 'indox-x\n',
    });
    await home.run(['keys', 'list', '--account', 'a b']);
    await home.run(['keys', 'rotate', '../x']);
    await home.run(['accounts', 'credit', 'acct_1', '5.00', '--note', 'n', '--id', 'i']);
    await home.run(['ledger', 'verify']);
    expect(received).toEqual([
      { line: 'POST /admin/v1/keys', body: '{"name":"ci","budget":{"amount":"5"}}' },
      { line: 'GET /admin/v1/keys?account_id=a%20b', body: '' },
      { line: 'POST /admin/v1/keys/..%2Fx/rotate', body: '' },
      { line: 'POST /admin/v1/accounts/acct_1/credits', body: '{"amount":"5.00","note":"n","id":"i"}' },
      { line: 'POST /admin/v1/ledger/verify', body: '' },
    ]);
    expect(() => readFileSync(join(home.dataDir, 'indoxhub.db'))).toThrow('ENOENT');
  });

  it.each([
    [400, 2],
    [404, 1],
    [409, 1],
    [500, 1],
    [503, 3],
  ])('turns its status %i into exit code %i', async (status, exitCode) => {
    announce();
    answer = (line) =>
      line.endsWith('/health')
        ? { status: 200, body: {} }
        : { status, body: { error: 'x', message: 'A sentence.' } };
    expect(await home.run(['keys', 'list'])).toEqual({
      exitCode,
      stdout: '',
      stderr: 'indoxhub: A sentence.\n',
    });
  });

  it('still talks to one that is draining', async () => {
    announce();
    answer = (line) => ({ status: line.endsWith('/health') ? 503 : 200, body: { keys: [] } });
    expect((await home.run(['keys', 'list'])).exitCode).toBe(0);
    expect(received).toHaveLength(1);
  });

  it('says so in doctor', async () => {
    announce();
    answer = (line) => ({
      status: 200,
      body: line.endsWith('/media/check')
        ? { ok: false, configured: true, where: 'directory /films', problem: 'the disk is full' }
        : {},
    });
    const { stdout, exitCode } = await home.run(['doctor']);
    expect(stdout).toContain(`port: the gateway at ${url()} is running`);
    expect(stdout).toContain('FAILED   media store: the disk is full');
    expect(exitCode).toBe(1);
  });
});

describe('with an address file that is out of date', () => {
  it('opens the store when nothing listens there', async () => {
    announce({ url: 'http://127.0.0.1:1' });
    expect(await home.json(['keys', 'list'])).toEqual({ keys: [] });
  });

  it('opens the store when somebody else listens there', async () => {
    announce({ token: 'token-of-a-run-long-ago' });
    expect(await home.json(['keys', 'list'])).toEqual({ keys: [] });
    expect(received).toEqual([]);
  });
});
