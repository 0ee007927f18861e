/** The media store on an S3 server that others wrote; whether its requests are signed well is in media-signature.test.ts. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaBucket, type Bucket } from '../src/storage/media-bucket.ts';
import { startGateway, type TestGateway } from './gateway.ts';

let directory: string;
let server: { close(): Promise<void> };
let bucket: Bucket;
let gateway: TestGateway;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-s3-'));
  const s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'media', configs: [] }],
  });
  const address = (await s3.run()) as AddressInfo;
  server = s3;
  bucket = {
    endpoint: `http://127.0.0.1:${address.port}`,
    bucket: 'media',
    region: 'us-east-1',
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    prefix: 'made/',
    pathStyle: true,
  };
  gateway = await startGateway({
    env: {
      INDOXHUB_S3_BUCKET: bucket.bucket,
      INDOXHUB_S3_ENDPOINT: bucket.endpoint,
      INDOXHUB_S3_ACCESS_KEY_ID: bucket.accessKeyId,
      INDOXHUB_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
      INDOXHUB_S3_PREFIX: bucket.prefix,
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

const all = async (source: AsyncIterable<Buffer> | null): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of source ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
};
async function* pieces(count: number, size: number, broken = false): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(size, at);
  if (broken) throw new Error('the vendor hung up');
}
const stored = (): string[] =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => name.includes('_object') && !name.includes('uploads'));

test('a link opens from the bucket, whole and in part; nothing is in the data directory', async () => {
  const { media } = gateway.running.gateway;
  const bytes = Buffer.from('0123456789');
  const made = await media.put({ accountId: 'a', kind: 'audio', contentType: 'audio/mpeg', source: bytes });
  const url = media.link(made, gateway.url);
  expect(await (await fetch(url)).text()).toBe('0123456789');
  const part = await fetch(url, { headers: { range: 'bytes=3-5' } });
  expect([part.status, await part.text()]).toEqual([206, '345']);
  expect(readdirSync(gateway.dataDir)).not.toContain('media');
  await media.remove(made.id);
  expect((await fetch(url)).status).toBe(404);
});

test('what is large goes in parts; what breaks off or is too large leaves nothing', async () => {
  const files = mediaBucket(bucket);
  const written = await files.write('large', pieces(20, 1_000_000), 1e9);
  expect(written.bytes).toBe(20_000_000);
  expect((await all(await files.read('large', 19_999_998, 19_999_999))).toString('hex')).toBe('1313');
  const before = stored().length;
  await expect(files.write('broken', pieces(20, 1_000_000, true), 1e9)).rejects.toThrow('hung up');
  await expect(files.write('huge', pieces(20, 1_000_000), 15_000_000)).rejects.toThrow('more than');
  await expect(files.write('short', pieces(2, 10, true), 1e9)).rejects.toThrow('hung up');
  expect(stored().length).toBe(before);
  expect(await files.read('missing', 0, 1)).toBeNull();
});

test('lists what is old under its prefix, removes what is gone without complaint', async () => {
  const files = mediaBucket(bucket);
  const one = randomUUID();
  await files.write(one, Buffer.from('x'), 10);
  const listed = async (beforeMs: number): Promise<string[]> => {
    const ids: string[] = [];
    for await (const id of files.list(beforeMs)) ids.push(id);
    return ids;
  };
  expect(await listed(Date.now() + 60_000)).toContain(one);
  expect(await listed(Date.now() - 60_000)).toEqual([]);
  await files.remove(one);
  await files.remove(one);
  expect(await listed(Date.now() + 60_000)).not.toContain(one);
  await files.check();
});

test('a stranger, a missing bucket, a server that is away: unavailable, in words', async () => {
  await expect(mediaBucket({ ...bucket, accessKeyId: 'stranger' }).check()).rejects.toThrow(
    'InvalidAccessKeyId',
  );
  await expect(
    mediaBucket({ ...bucket, bucket: 'nothing' }).write('x', Buffer.from('x'), 10),
  ).rejects.toThrow('NoSuchBucket');
  await expect(mediaBucket({ ...bucket, endpoint: 'http://127.0.0.1:1' }).check()).rejects.toThrow(
    'cannot be reached',
  );
});

/** As if everything in the bucket had been written two hours ago. */
function age(): void {
  const longAgo = new Date(Date.now() - 7_200_000);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), longAgo, longAgo);
}

test('a sweep deletes only what is its own: no foreign files, none of another database', async () => {
  const env = {
    INDOXHUB_S3_BUCKET: bucket.bucket,
    INDOXHUB_S3_ENDPOINT: bucket.endpoint,
    INDOXHUB_S3_ACCESS_KEY_ID: bucket.accessKeyId,
    INDOXHUB_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
  const raw = mediaBucket({ ...bucket, prefix: '' });
  const foreign = ['backup.tar', randomUUID(), 'indoxhub/notes.txt', `indoxhub/${randomUUID()}`];
  for (const key of foreign) await raw.write(key, Buffer.from('x'), 10);
  const [one, two] = [await startGateway({ env }), await startGateway({ env })];
  try {
    const media = { accountId: 'a', kind: 'audio', contentType: 'audio/mpeg' } as const;
    const mine = await one.running.gateway.media.put({ ...media, source: Buffer.from('mine') });
    const theirs = await two.running.gateway.media.put({ ...media, source: Buffer.from('theirs') });
    const lost = await one.running.gateway.media.put({ ...media, source: Buffer.from('lost') });
    await one.running.gateway.storage.media.remove(lost.id);
    expect(stored().filter((name) => name.includes(lost.id))).not.toEqual([]);
    age();
    await one.running.gateway.media.sweep();
    await two.running.gateway.media.sweep();
    for (const key of foreign) expect((await all(await raw.read(key, 0, 9))).toString()).toBe('x');
    for (const [at, made, want] of [
      [one, mine, 'mine'],
      [two, theirs, 'theirs'],
    ] as const)
      expect(await (await fetch(at.running.gateway.media.link(made, at.url))).text()).toBe(want);
    expect(stored().filter((name) => name.includes(lost.id))).toEqual([]);
  } finally {
    await one.close();
    await two.close();
  }
});
