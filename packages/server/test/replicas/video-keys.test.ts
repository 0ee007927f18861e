/** A video job under its caller's own key: the key stays in the memory of the gateway that took the job, whatever happens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fakeVideos, type FakeVideos } from '../fakes/videos.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf, type Json } from '../journeys/client.ts';
import { freshDatabase, postgresUrl } from '../storage/databases.ts';
import { startUpstream, type Upstream } from '../upstream.ts';

const mine = 'sk-mine-0123456789';
const body = { model: 'openai/sora-2', prompt: '[forever]', byok_api_key: mine };

let fake: FakeVideos;
let upstream: Upstream;
let folder: string;
beforeEach(async () => {
  fake = fakeVideos();
  upstream = await startUpstream(fake.script);
  folder = mkdtempSync(join(tmpdir(), 'indoxhub-keys-'));
});
afterEach(async () => {
  await upstream.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (env: Record<string, string>, dataDir?: string): Promise<TestGateway> =>
  startGateway({
    ...(dataDir === undefined ? {} : { dataDir }),
    env: {
      OPENAI_API_KEY: 'sk-of-the-gateway',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_VIDEO_POLL: '20ms',
      ...env,
    },
  });
const start = async (gateway: TestGateway, more: Json = {}): Promise<string> => {
  const answer = await jsonOf(await gateway.post('/api/v1/videos/generations', { ...body, ...more }));
  return String((answer['data'] as Json)['job_id']);
};
const jobAt = async (gateway: TestGateway, id: string, key: string): Promise<Json> =>
  jsonOf(await gateway.get(`/api/v1/videos/jobs/${id}`, key));
const reaches = (gateway: TestGateway, id: string, key: string, wanted: Json): Promise<void> =>
  expect.poll(() => jobAt(gateway, id, key), { timeout: 20_000, interval: 20 }).toMatchObject(wanted);
const keysSeen = (): string[] => [
  ...new Set(upstream.calls.map(({ headers }) => String(headers.authorization))),
];

describe.skipIf(postgresUrl === null)('a fleet', () => {
  test('leaves the job to the gateway that has its key; when that is gone, the job fails at once', async () => {
    const database = await freshDatabase();
    const media = { INDOXHUB_MEDIA_DIR: folder, INDOXHUB_MEDIA_SHARED: 'on' };
    const env = { INDOXHUB_DATABASE_URL: database.url, ...media };
    const [first, second, third] = [await open(env), await open(env), await open(env)];
    const { apiKey } = first;
    try {
      const done = await start(first, { prompt: 'a fox' });
      await reaches(second, done, apiKey, { status: 'completed', cost: 0 });
      const job = await start(first);
      await reaches(third, job, apiKey, { status: 'processing' });
      const polls = upstream.calls.length;
      await expect.poll(() => upstream.calls.length).toBeGreaterThan(polls + 3);
      await first.close();
      const failed = { status: 'failed', error_code: 'outcome_unknown', cost: 0 };
      await reaches(second, job, apiKey, failed);
      expect(keysSeen()).toEqual([`Bearer ${mine}`]);
      await second.verify();
    } finally {
      await second.close();
      await third.close();
      await database.drop();
    }
  }, 60_000);
});

test('a restart: the job fails, and is neither polled nor cancelled with the gateway’s own key', async () => {
  const first = await open({}, folder);
  const { apiKey } = first;
  const [lost, cancelled] = [await start(first), await start(first)];
  for (const id of [lost, cancelled]) await reaches(first, id, apiKey, { status: 'processing' });
  // Decided, and not yet carried out.
  await first.running.gateway.videos.stop();
  await first.post(`/api/v1/videos/jobs/${cancelled}/cancel`, {}, apiKey);
  await first.close();
  const second = await open({}, folder);
  try {
    await reaches(second, lost, apiKey, { status: 'failed', error_code: 'outcome_unknown' });
    expect(await second.row(lost)).toMatchObject({ ending: 'upstream_error', byok: true, charged: '0.00' });
    expect(await second.row(cancelled)).toMatchObject({ ending: 'client_cancelled', charged: '0.00' });
    expect(keysSeen()).toEqual([`Bearer ${mine}`]);
    await second.verify();
  } finally {
    await second.close();
  }
});
