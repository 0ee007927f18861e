/** Signatures of version 4 as AWS's own signer makes them, for every request that the media store sends. */
import { randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { assert, asyncProperty, constantFrom, string } from 'fast-check';
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { mediaBucket, type Bucket } from '../src/storage/media-bucket.ts';
import { startBucket, type TestBucket } from './bucket.ts';
import { startGateway } from './gateway.ts';

let server: TestBucket;
beforeAll(async () => {
  server = await startBucket();
});
afterEach(() => {
  server.objects.clear();
  server.uploads.clear();
  server.signed.length = 0;
  server.refused.length = 0;
});
afterAll(() => server.close());

const all = async (source: AsyncIterable<Buffer> | null): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of source ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};
const part = 8 * 1024 * 1024;
async function* pieces(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(part, at);
}
/** Everything the store ever asks of a bucket. */
async function everything(bucket: Bucket): Promise<void> {
  const files = mediaBucket(bucket);
  const [one, large, broken] = [randomUUID(), randomUUID(), randomUUID()];
  await files.write(one, Buffer.from('0123456789'), 100);
  expect(await all(await files.read(one, 3, 5))).toBe('345');
  await files.write(large, pieces(2), 1e9);
  await expect(files.write(broken, pieces(2), part + 1)).rejects.toThrow('more than');
  const listed: string[] = [];
  for await (const id of files.list(Date.now() + 60_000)) listed.push(id);
  expect(listed.toSorted()).toEqual([one, large].toSorted());
  await files.check();
  await files.remove(one);
  await files.remove(large);
}

test('every kind of request, and what it leaves: nothing', async () => {
  await everything(server.bucket);
  expect(server.refused).toEqual([]);
  expect(new Set(server.signed.map(({ method }) => method))).toEqual(
    new Set(['PUT', 'GET', 'POST', 'DELETE']),
  );
  expect([server.objects.size, server.uploads.size]).toEqual([0, 0]);
});

test('prefixes of any characters', async () => {
  const character = constantFrom(...Array.from("aZ09-_.~!*'()+&=@:;,$ /é🦊%?#\\[]|<^`{"));
  const prefixes = string({ unit: character, maxLength: 12 }).filter(
    (each) => !/(^|\/)\.{0,2}(\/|$)/.test(`${each}x`),
  );
  await assert(
    asyncProperty(prefixes, async (prefix) => {
      const files = mediaBucket({ ...server.bucket, prefix });
      const id = randomUUID();
      await files.write(id, Buffer.from('x'), 10);
      expect([...server.objects.keys()]).toEqual([prefix + id]);
      const listed: string[] = [];
      for await (const each of files.list(Date.now() + 60_000)) listed.push(each);
      expect(listed).toEqual([id]);
      await files.remove(id);
      expect(server.objects.size).toBe(0);
    }),
    { numRuns: 150 },
  );
  expect(server.refused).toEqual([]);
});

test('with the bucket in the host', async () => {
  const hosted = await startBucket(false);
  const lookup: LookupFunction = (_, { all: isAll }, done) =>
    isAll === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
  const before = getGlobalDispatcher();
  setGlobalDispatcher(new Agent({ connect: { lookup } }));
  try {
    await everything(hosted.bucket);
    expect(hosted.refused).toEqual([]);
    expect(hosted.signed[0]?.url.host).toMatch(/^media\.s3\.test:\d+$/);
  } finally {
    setGlobalDispatcher(before);
    await hosted.close();
  }
});

test.each([
  ['a wrong secret', { secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
  ['a stranger', { accessKeyId: 'stranger' }, 'InvalidAccessKeyId'],
])('%s is refused, and said', async (_, wrong, code) => {
  const files = mediaBucket({ ...server.bucket, ...wrong });
  await expect(files.check()).rejects.toThrow(code);
  await expect(files.write(randomUUID(), Buffer.from('x'), 10)).rejects.toThrow(code);
  await expect(files.write(randomUUID(), pieces(2), 1e9)).rejects.toThrow(code);
  await expect(files.read(randomUUID(), 0, 1)).rejects.toThrow(code);
  expect([server.signed.length, server.objects.size]).toEqual([0, 0]);
});

test('the secret is in no request, log or answer', async () => {
  const gateway = await startGateway({ env: server.env });
  const { secretAccessKey } = server.bucket;
  const answer = await gateway.admin('POST', '/media/check');
  expect(answer).toMatchObject({ ok: true, where: `bucket media at ${server.bucket.endpoint}` });
  const config = await gateway.admin('GET', '/health');
  expect(JSON.stringify([answer, config, server.signed.map(({ url }) => url.href)])).not.toContain(
    secretAccessKey,
  );
  await gateway.close();
});
