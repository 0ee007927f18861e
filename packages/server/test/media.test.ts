/** The media store: written whole or not at all, opened by a signed link only, gone when it has expired. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StoredMedia } from '../src/core/media.ts';
import { GatewayError } from '../src/contract/errors.ts';
import { Secret } from '../src/contract/secret.ts';
import { mediaDirectory } from '../src/storage/media-files.ts';
import { startGateway, type TestGateway } from './gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { INDOXHUB_MEDIA_MAX_SIZE: '100KiB' } });
});
afterAll(() => gateway.close());

const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, at) => at % 251));
const put = (
  source: Buffer | AsyncIterable<Buffer> = bytes,
  contentType = 'audio/mpeg',
): Promise<StoredMedia> =>
  gateway.running.gateway.media.put({ accountId: 'default', kind: 'audio', contentType, source });
const link = (media: StoredMedia): string => gateway.running.gateway.media.link(media, gateway.url);
const files = (): string[] =>
  readdirSync(join(gateway.dataDir, 'media'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

async function* pieces(...list: (Buffer | Error)[]): AsyncGenerator<Buffer> {
  for (const each of list) {
    if (each instanceof Error) throw each;
    yield each;
  }
}

describe('a link', () => {
  test('opens without a key: whole, by HEAD, as a browser wants it', async () => {
    const media = await put(pieces(bytes.subarray(0, 300), bytes.subarray(300)));
    const answer = await fetch(link(media));
    expect(answer.status).toBe(200);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'audio/mpeg',
      'content-length': '1000',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': '*',
      'content-disposition': 'inline; filename="audio.mp3"',
    });
    const head = await fetch(link(media), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '1000']);
    const etag = answer.headers.get('etag') ?? '';
    expect((await fetch(link(media), { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test.each([
    ['bytes=0-9', 206, 'bytes 0-9/1000', bytes.subarray(0, 10)],
    ['bytes=990-', 206, 'bytes 990-999/1000', bytes.subarray(990)],
    ['bytes=-5', 206, 'bytes 995-999/1000', bytes.subarray(995)],
    ['bytes=500-9999', 206, 'bytes 500-999/1000', bytes.subarray(500)],
    ['bytes=1000-', 416, 'bytes */1000', Buffer.alloc(0)],
    ['bytes=-0', 416, 'bytes */1000', Buffer.alloc(0)],
    ['bytes=0-1,5-6', 200, null, bytes],
    ['bytes=9-2', 200, null, bytes],
    ['lines=1-2', 200, null, bytes],
  ])('range %s is %i', async (range, status, contentRange, want) => {
    const answer = await fetch(link(await put()), { headers: { range } });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([status, contentRange]);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(want);
  });

  test('if-range of another version sends the whole', async () => {
    const headers = { range: 'bytes=0-1', 'if-range': '"old"' };
    expect((await fetch(link(await put()), { headers })).status).toBe(200);
  });

  test('tampered with in any part is as one that never was', async () => {
    const media = await put();
    const other = await put();
    const good = new URL(link(media));
    const bad: string[] = [];
    for (const change of [
      (url: URL) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1)),
      (url: URL) => url.searchParams.set('signature', 'x'.repeat(43)),
      (url: URL) => url.searchParams.delete('signature'),
      (url: URL) => url.searchParams.delete('expires'),
      (url: URL) => (url.pathname = url.pathname.replace(media.id, other.id)),
      (url: URL) => (url.pathname = url.pathname.replace('audio.mp3', 'audio.html')),
      (url: URL) => (url.pathname = url.pathname.replace(media.id, '..%2f..%2findoxhub.db')),
    ]) {
      const url = new URL(good);
      change(url);
      bad.push(url.href);
    }
    for (const url of bad) {
      const answer = await fetch(url);
      expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([404, 'not_found']);
    }
  });

  test('of the public address, where one is configured', async () => {
    const other = await startGateway({ env: { INDOXHUB_PUBLIC_URL: 'https://ai.example.com' } });
    const { media } = other.running.gateway;
    const stored = await media.put({
      accountId: 'a',
      kind: 'image',
      contentType: 'image/png',
      source: bytes,
    });
    expect(media.link(stored, 'http://elsewhere')).toMatch(
      /^https:\/\/ai\.example\.com\/media\/[\w-]+\/image\.png\?/,
    );
    await other.close();
  });
});

describe('writing', () => {
  test('a source that breaks off by an error of ours is no failure of the store', async () => {
    const source = pieces(bytes, new GatewayError('upstream_error', 'The provider broke off.'));
    await expect(put(source)).rejects.toMatchObject({ code: 'upstream_error' });
  });

  test('a source that breaks off leaves nothing behind', async () => {
    const before = files().length;
    await expect(put(pieces(bytes, new Error('the vendor hung up')))).rejects.toThrow('hung up');
    expect(files().length).toBe(before);
  });

  test('more than the cap is refused, and nothing stays', async () => {
    const before = files().length;
    const many = pieces(...Array.from({ length: 200 }, () => bytes));
    await expect(put(many)).rejects.toMatchObject({ code: 'upstream_malformed' });
    expect(files().length).toBe(before);
  });

  test('what is stored is its owner’s to read only', async () => {
    const media = await put();
    const place = join(gateway.dataDir, 'media', media.id.slice(0, 2), media.id.slice(2, 4), media.id);
    expect(statSync(place).mode & 0o077).toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0)('a full disk is a 503, and nothing stays', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'indoxhub-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]);
    try {
      const full = mediaDirectory(dir);
      await expect(full.write('aabbcc', Buffer.alloc(300_000), 1e9)).rejects.toThrow('the disk is full');
      const left = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
      expect(left).toEqual([]);
      await full.write('aabbdd', Buffer.alloc(1_000), 1e9);
    } finally {
      execFileSync('umount', [dir]);
      rmSync(dir, { recursive: true });
    }
  });

  test('gateways that share a database must say where their media is', async () => {
    const { mediaFiles } = await import('../src/storage/media-place.ts');
    const { settings } = gateway.running.gateway;
    const nowhere = mediaFiles({ ...settings, databaseUrl: new Secret('postgres://x'), mediaDir: null }, 's');
    await expect(nowhere.write('a', bytes, 1)).rejects.toThrow('INDOXHUB_MEDIA_SHARED');
    const fleet = { ...settings, databaseUrl: new Secret('postgres://x'), mediaDir: '/mnt/films' };
    expect(mediaFiles(fleet, 's').isConfigured).toBe(false);
    expect(mediaFiles({ ...fleet, mediaShared: true }, 's').where).toBe('directory /mnt/films/s');
    const shared = mediaFiles({ ...fleet, mediaDir: null, mediaShared: true }, 's');
    expect(shared.where).toBe(`directory ${join(settings.dataDir, 'media', 's')}`);
  });
});

test('what has expired is deleted, and so are files that nobody knows', async () => {
  const keeper = await put();
  const { storage, media } = gateway.running.gateway;
  const old = await put();
  const expired = { ...old, expiresAtMs: Date.now() - 1_000 };
  await storage.media.remove(old.id);
  await storage.media.add(expired);
  expect((await fetch(link(old))).status).toBe(404);
  const root = join(gateway.dataDir, 'media');
  const dir = join(root, '00', '11');
  const id = (last: string): string => `00112233-0000-4000-8000-00000000000${last}`;
  const [orphan, part, probe] = [id('1'), `${id('2')}.0123456789ab.part`, '.check-0123456789ab'];
  const gone = [join(dir, orphan), join(dir, part), join(root, probe)];
  const young = [join(dir, id('3'))];
  const strange = ['download.part', `${id('4')}.txt`, 'notes'].map((name) => join(dir, name));
  strange.push(join(root, 'film.part'), join(root, id('5')));
  mkdirSync(dir, { recursive: true });
  for (const path of [...gone, ...young, ...strange]) writeFileSync(path, 'x');
  const longAgo = new Date(Date.now() - 7_200_000);
  for (const path of [...gone, ...strange]) utimesSync(path, longAgo, longAgo);
  await media.sweep();
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toContain('indoxhub_media_swept_total{reason="expired"} 1\n');
  expect(metrics).toContain('indoxhub_media_swept_total{reason="orphan"} 1\n');
  const left = files();
  expect(left).not.toContain(old.id);
  expect(left).toContain(keeper.id);
  expect(gone.filter((path) => existsSync(path))).toEqual([]);
  expect([...young, ...strange].filter((path) => !existsSync(path))).toEqual([]);
  expect((await fetch(link(keeper))).status).toBe(200);
});

test('two databases with one directory leave each other’s files alone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'indoxhub-shared-'));
  const [one, two] = [
    await startGateway({ env: { INDOXHUB_MEDIA_DIR: dir } }),
    await startGateway({ env: { INDOXHUB_MEDIA_DIR: dir } }),
  ];
  const { media } = one.running.gateway;
  const made = await media.put({ accountId: 'a', kind: 'audio', contentType: 'audio/mpeg', source: bytes });
  const longAgo = new Date(Date.now() - 7_200_000);
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), longAgo, longAgo);
  await two.running.gateway.media.sweep();
  expect((await fetch(media.link(made, one.url))).status).toBe(200);
  await one.close();
  await two.close();
  rmSync(dir, { recursive: true });
});

test('a file without bytes: none is stored, one that is stored opens empty', async () => {
  const before = files().length;
  await expect(put(Buffer.alloc(0))).rejects.toMatchObject({ code: 'upstream_malformed' });
  await expect(put(pieces())).rejects.toMatchObject({ code: 'upstream_malformed' });
  expect(files().length).toBe(before);
  const made = await put();
  const { storage } = gateway.running.gateway;
  await storage.media.remove(made.id);
  await storage.media.add({ ...made, bytes: 0 });
  const answer = await fetch(link(made));
  expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '0', '']);
  for (const range of ['bytes=0-', 'bytes=-5']) {
    const part = await fetch(link(made), { headers: { range } });
    expect([part.status, part.headers.get('content-range')]).toEqual([416, 'bytes */0']);
  }
});
