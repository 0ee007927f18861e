/** The media store is full, is away, or its process is killed while it writes: nothing half-written, no money lost. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBucket, type TestBucket } from '../bucket.ts';
import { drawing } from '../fakes/images.ts';
import { speaking } from '../fakes/speech.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf } from '../journeys/client.ts';
import { startChild, temporaryDir } from '../replicas/child.ts';
import { startUpstream, type Script, type Upstream } from '../upstream.ts';

const speak = '/api/v1/audio/tts/generations';
const draw = '/api/v1/images/generations';
const speech = { model: 'openai/tts-1', input: 'Hello.' };
const picture = { model: 'openai/dall-e-2', prompt: 'A cat', n: 3 };

let upstream: Upstream;
let openai: Record<string, string>;
const script: Script = (call, response) =>
  'prompt' in call.body || call.path.endsWith('.png') ? drawing(call, response) : speaking(call, response);
beforeAll(async () => {
  upstream = await startUpstream(script);
  openai = { OPENAI_API_KEY: 'sk-openai', OPENAI_BASE_URL: upstream.url, INDOXHUB_ALLOW_PRIVATE_URLS: 'on' };
});
afterEach(() => {
  upstream.script = script;
});
afterAll(() => upstream.close());

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** The call is a 503 that says so, and the account is as before. */
async function expectRefused(gateway: TestGateway, path: string, body: object): Promise<void> {
  const { apiKey, id } = await gateway.account('5.00');
  const answer = await gateway.post(path, body, apiKey);
  expect([answer.status, answer.headers.get('retry-after'), (await jsonOf(answer))['error']]).toEqual([
    503,
    '5',
    'media_store_unavailable',
  ]);
  const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
  expect(row).toMatchObject({ http_status: 503, error_code: 'media_store_unavailable', charged: '0.00' });
  const accounts = (await gateway.admin('GET', '/accounts'))['accounts'] as Record<string, unknown>[];
  expect(accounts.find((each) => each['id'] === id)).toMatchObject({ balance: '5.00', available: '5.00' });
  await gateway.verify();
}

const metric = async (gateway: TestGateway, name: string): Promise<string[]> =>
  (await (await fetch(`${gateway.url}/metrics`)).text())
    .split('\n')
    .filter((line) => line.startsWith(`indoxhub_media_${name}`));

const isRoot = process.getuid?.() === 0;
describe.skipIf(!isRoot)('a disk that is full', () => {
  let directory: string;
  let gateway: TestGateway;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'indoxhub-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k,nr_inodes=14', 'tmpfs', directory]);
    gateway = await startGateway({ env: { ...openai, INDOXHUB_MEDIA_DIR: directory } });
  });
  afterAll(async () => {
    await gateway.close();
    execFileSync('umount', [directory]);
    rmSync(directory, { recursive: true });
  });

  test('no room for a sound: 503, nothing left, nothing charged, and told to whoever watches', async () => {
    await expectRefused(gateway, speak, speech);
    expect(filesIn(directory)).toEqual([]);
    expect(await metric(gateway, 'operations_total')).toEqual([
      'indoxhub_media_operations_total{operation="write",outcome="full"} 1',
    ]);
  });

  test('room for some of five pictures: none stays', async () => {
    // Each needs two folders and a file.
    await expectRefused(gateway, draw, { ...picture, n: 5 });
    expect(filesIn(directory)).toEqual([]);
  });
});

describe('a bucket that is away', () => {
  let bucket: TestBucket;
  let gateway: TestGateway;
  beforeAll(async () => {
    bucket = await startBucket();
    gateway = await startGateway({ env: { ...openai, ...bucket.env } });
  });
  afterAll(async () => {
    await gateway.close();
    await bucket.close();
  });
  afterEach(() => {
    bucket.hook = () => null;
  });

  test.each([
    ['answers 503', 503, '<Error><Code>SlowDown</Code></Error>', 'unavailable'],
    ['has no room', 507, '<Error><Code>XMinioStorageFull</Code></Error>', 'full'],
    ['refuses', 403, '<Error><Code>AccessDenied</Code></Error>', 'unavailable'],
  ])('%s: 503, nothing charged', { timeout: 60_000 }, async (_, status, body, outcome) => {
    bucket.hook = ({ method }) => (method === 'PUT' ? { status, body } : null);
    const line = `indoxhub_media_operations_total{operation="write",outcome="${outcome}"}`;
    const count = async (): Promise<number> =>
      Number((await metric(gateway, 'operations')).find((each) => each.startsWith(line))?.split(' ')[1] ?? 0);
    const before = await count();
    await expectRefused(gateway, speak, speech);
    expect((await count()) - before).toBe(1);
    expect(bucket.objects.size).toBe(0);
  });

  test('loses a part of a large file: 503, its upload is aborted', async () => {
    upstream.script = (_, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(Buffer.alloc(20_000_000, 1));
    };
    bucket.hook = ({ url }) =>
      url.searchParams.get('partNumber') === '2' ? { status: 400, body: '<Error/>' } : null;
    await expectRefused(gateway, speak, speech);
    expect([bucket.objects.size, bucket.uploads.size]).toEqual([0, 0]);
  });

  test('two of three pictures fit: none stays', async () => {
    let puts = 0;
    bucket.hook = ({ method }) =>
      method === 'PUT' && ++puts === 3
        ? { status: 403, body: '<Error><Code>QuotaExceeded</Code></Error>' }
        : null;
    await expectRefused(gateway, draw, picture);
    expect(puts).toBe(3);
    expect(bucket.objects.size).toBe(0);
  });

  test('works again: the sound is stored, read and counted', async () => {
    const before = await metric(gateway, 'written_bytes_total{kind="audio"');
    const { data } = await jsonOf(await gateway.post(speak, speech));
    const sound = await (await fetch((data as { url: string }).url)).arrayBuffer();
    expect(sound.byteLength).toBeGreaterThan(1_000);
    expect(await metric(gateway, 'written_bytes_total{kind="audio"')).not.toEqual(before);
    expect(await metric(gateway, 'read_bytes_total{')).toEqual([
      `indoxhub_media_read_bytes_total{kind="audio"} ${sound.byteLength}`,
    ]);
    const [key] = bucket.objects.keys();
    bucket.objects.clear();
    expect((await fetch((data as { url: string }).url)).status).toBe(404);
    expect(await metric(gateway, 'operations_total{operation="read"')).toEqual([
      'indoxhub_media_operations_total{operation="read",outcome="ok"} 1',
      'indoxhub_media_operations_total{operation="read",outcome="missing"} 1',
    ]);
    expect(key).toMatch(/^made\/[\da-f]{16}\/[\da-f-]{36}$/);
  });
});

/** Ends the process with SIGKILL when it would rename what it has written: no handler, no clean-up, nothing flushed. */
const killAtRename = `data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs/promises';
  import { syncBuiltinESMExports } from 'node:module';
  const { rename } = fs;
  fs.rename = (from, to) => from.endsWith('.part') ? process.kill(process.pid, 'SIGKILL') : rename(from, to);
  syncBuiltinESMExports();
`)}`;

/** A capped account's call that its gateway does not live to answer; then a new gateway on the same data. */
async function killedWhileWriting(
  env: Record<string, string>,
  preload: string | null,
  arm: (pid: number) => void,
  look: (dataDir: string) => void,
): Promise<{ gateway: TestGateway; dataDir: string; apiKey: string; remove: () => void }> {
  const dir = temporaryDir();
  const child = await startChild({
    dataDir: dir.path,
    env: { ...openai, ...env, ...(preload === null ? {} : { NODE_OPTIONS: `--import=${preload}` }) },
  });
  const { apiKey, id } = await child.account('5.00');
  arm(child.pid);
  await expect(child.post(speak, speech, apiKey)).rejects.toThrow('fetch failed');
  expect((await child.exited).signal).toBe('SIGKILL');
  look(dir.path);
  const gateway = await startGateway({ dataDir: dir.path, env: { ...openai, ...env } });
  // The first thing a gateway does is to close what a dead one left open, at its input.
  let row: Record<string, unknown> | undefined;
  for (let tries = 0; tries < 200 && row === undefined; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    [row] = await gateway.requests(id);
  }
  expect(row).toMatchObject({ ending: 'unknown', charged: '0.00009' });
  await gateway.verify();
  return { gateway, dataDir: dir.path, apiKey, remove: () => dir.remove() };
}

test('killed between the last byte and the name: no file of that name, the rest is swept', async () => {
  const { gateway, dataDir, apiKey, remove } = await killedWhileWriting(
    {},
    killAtRename,
    () => {},
    (path) => {
      expect(filesIn(join(path, 'media')).map((name) => /\.[\da-f]{12}\.part$/.test(name))).toEqual([true]);
    },
  );
  const media = join(dataDir, 'media');
  const longAgo = new Date(Date.now() - 7_200_000);
  for (const name of filesIn(media)) utimesSync(name, longAgo, longAgo);
  await gateway.running.gateway.media.sweep();
  expect(filesIn(media)).toEqual([]);
  expect((await gateway.post(speak, speech, apiKey)).status).toBe(200);
  expect(filesIn(media)).toHaveLength(1);
  await gateway.close();
  remove();
});

test('killed in the middle of an upload in parts: no object, and the upload is aborted', async () => {
  const bucket = await startBucket();
  upstream.script = (_, response) => {
    response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(Buffer.alloc(20_000_000, 1));
  };
  const arm = (pid: number): void => {
    bucket.hook = ({ url }) => {
      if (url.searchParams.get('partNumber') !== '2') return null;
      process.kill(pid, 'SIGKILL');
      return 'never';
    };
  };
  const { gateway, apiKey, remove } = await killedWhileWriting(bucket.env, null, arm, () => {
    expect([bucket.objects.size, bucket.uploads.size]).toEqual([0, 1]);
  });
  bucket.hook = () => null;
  bucket.age(7_200_000);
  await gateway.running.gateway.media.sweep();
  expect([bucket.objects.size, bucket.uploads.size]).toEqual([0, 0]);
  expect((await gateway.post(speak, speech, apiKey)).status).toBe(200);
  expect([...bucket.objects.values()].map(({ length }) => length)).toEqual([20_000_000]);
  await gateway.close();
  await bucket.close();
  remove();
});

test('a file is on the disk before it has its name, and its name before anybody is told', async () => {
  const dir = temporaryDir();
  // Node's own functions, wrapped before the program sees them.
  const spy = `data:text/javascript,${encodeURIComponent(`
    import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    import { basename } from 'node:path';
    const { rename, open } = fs;
    const say = (what, path) => path.includes('/media') && console.log('STEP', what, basename(path).replace(/^[\\da-f-]{36}/, 'id'));
    fs.rename = async (from, to) => { await rename(from, to); say('rename', to); };
    fs.open = async (path, ...more) => {
      const handle = await open(path, ...more);
      const { sync } = handle;
      handle.sync = async () => { await sync.call(handle); say('sync', String(path)); };
      return handle;
    };
    syncBuiltinESMExports();
  `)}`;
  const child = await startChild({ dataDir: dir.path, env: { ...openai, NODE_OPTIONS: `--import=${spy}` } });
  const { apiKey } = await child.account('5.00');
  expect((await child.post(speak, speech, apiKey)).status).toBe(200);
  await child.stop();
  const steps = child
    .output()
    .split('\n')
    .filter((line) => line.startsWith('STEP'));
  expect(steps[0]).toMatch(/^STEP sync id\.[\da-f]{12}\.part$/);
  expect(steps[1]).toBe('STEP rename id');
  // The folder of the file, and those that were made for it.
  expect(steps.slice(2)).toEqual([
    expect.stringMatching(/^STEP sync [\da-f]{2}$/),
    expect.stringMatching(/^STEP sync [\da-f]{2}$/),
    'STEP sync media',
  ]);
  dir.remove();
});
