/** Results that lie on another host than the provider's API: streamed into the store, through the guard, up to a size. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { jsonOf, type Json } from './journeys/client.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const mb = 1024 * 1024;
const block = Buffer.alloc(mb, 'a film ');

let vendor: Upstream;
let host: Server;
let fetched: string[];
/** What the other host does with a request. */
let serve: (response: ServerResponse, url: string) => void | Promise<void>;
let gateway: TestGateway | null = null;

const place = (): string => `http://127.0.0.1:${(host.address() as AddressInfo).port}`;

beforeEach(async () => {
  fetched = [];
  host = createServer((request, response) => {
    response.on('error', () => {});
    fetched.push(request.url ?? '');
    void serve(response, request.url ?? '');
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  vendor = await startUpstream((call, response) => {
    const body =
      call.method === 'POST'
        ? { request_id: 'q1' }
        : call.path.endsWith('/status')
          ? { status: 'COMPLETED' }
          : { video: { url: `${place()}/film.mp4` } };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
});
afterEach(async () => {
  await gateway?.verify();
  await gateway?.close();
  gateway = null;
  await vendor.close();
  host.closeAllConnections();
  host.close();
});

async function run(env: Record<string, string>): Promise<Json> {
  const origin = vendor.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      FAL_KEY: 'f',
      FAL_BASE_URL: origin,
      INDOXHUB_VIDEO_POLL: '20ms',
      INDOXHUB_ALLOW_PRIVATE_URLS: 'on',
      ...env,
    },
  });
  const answer = await gateway.post('/api/v1/videos/generations', {
    model: 'fal/fal-ai/wan/v2.2-a14b/text-to-video',
    prompt: 'a fox',
  });
  const { data } = (await jsonOf(answer)) as { data: Json };
  for (;;) {
    const job = await jsonOf(await gateway.get(`/api/v1/videos/jobs/${String(data['job_id'])}`));
    if (['completed', 'failed'].includes(String(job['status']))) return job;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Sends blocks as fast as the reader takes them. */
async function send(response: ServerResponse, blocks: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'video/mp4' });
  const sent = Array.from({ length: blocks }, () => block);
  await pipeline(Readable.from(sent), response).catch(() => {});
}

/** Bytes of everything in the gateway's media directory. */
function stored(): number {
  const folder = join(gateway?.dataDir ?? '', 'media');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .reduce((sum, each) => sum + statSync(join(each.parentPath, each.name)).size, 0);
}

test(
  'a file larger than any buffer flows through in bounded memory, whole',
  { timeout: 120_000 },
  async () => {
    const blocks = 300;
    serve = (response) => send(response, blocks);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 2);
    const job = await run({});
    clearInterval(watch);
    expect(job).toMatchObject({
      status: 'completed',
      result: { file_size: blocks * mb, content_type: 'video/mp4' },
    });
    // Of 300 MB, never more than this at a time; most of it waits for the garbage collector.
    expect(most).toBeGreaterThan(0);
    expect(most / mb).toBeLessThan(128);
    const hash = createHash('sha256');
    const film = await fetch(String((job['result'] as Json)['url']));
    for await (const chunk of film.body ?? []) hash.update(chunk as Uint8Array);
    const want = createHash('sha256');
    for (let at = 0; at < blocks; at++) want.update(block);
    expect(hash.digest('hex')).toBe(want.digest('hex'));
  },
);

test('one beyond the limit ends the job: fetched once, left off early, nothing stays', async () => {
  serve = (response) => send(response, 300);
  const job = await run({ INDOXHUB_MEDIA_MAX_SIZE: '2MiB' });
  expect(job).toMatchObject({ status: 'failed', error_code: 'upstream_malformed', result: null });
  expect(String(job['error'])).toContain('2097152 bytes');
  expect(fetched).toEqual(['/film.mp4']);
  expect(stored()).toBe(0);
});

test('one that breaks off is fetched again', async () => {
  serve = async (response) => {
    if (fetched.length > 1) return send(response, 2);
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': String(2 * mb) });
    response.write(block, () => response.destroy());
  };
  expect(await run({})).toMatchObject({ status: 'completed', result: { file_size: 2 * mb } });
  expect(fetched.length).toBe(2);
});

test('redirects are followed, a few of them', async () => {
  serve = (response, url) =>
    url === '/film.mp4'
      ? void response.writeHead(302, { location: '/elsewhere.mp4' }).end('moved')
      : send(response, 1);
  expect(await run({})).toMatchObject({ status: 'completed', result: { file_size: mb } });
  expect(fetched).toEqual(['/film.mp4', '/elsewhere.mp4']);
});

describe('where private addresses are not allowed', () => {
  test('a result there is never dialled, and ends the job', async () => {
    serve = (response) => send(response, 1);
    const job = await run({ INDOXHUB_ALLOW_PRIVATE_URLS: 'off' });
    expect(job).toMatchObject({ status: 'failed', error_code: 'upstream_malformed' });
    expect(String(job['error'])).not.toContain('127.0.0.1');
    expect(fetched).toEqual([]);
  });
});
