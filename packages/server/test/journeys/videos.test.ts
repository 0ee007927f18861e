/** POST /api/v1/videos/generations and everything about its jobs, on both surfaces. */
import { createHmac } from 'node:crypto';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fakeVideos, mp4, type FakeVideos } from '../fakes/videos.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, startUpstream, type SeenCall, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

const path = '/api/v1/videos';
const model = 'openai/sora-2';
const prompt = 'A fox runs 🦊';

let fake: FakeVideos;
let upstream: Upstream;
let receiver: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  fake = fakeVideos();
  upstream = await startUpstream(fake.script);
  receiver = await startUpstream(answering(204, ''));
  const origin = upstream.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      GEMINI_API_KEY: 'g',
      GEMINI_BASE_URL: origin,
      VERTEX_API_KEY: 'v',
      VERTEX_BASE_URL: upstream.url,
      XAI_API_KEY: 'x',
      XAI_BASE_URL: upstream.url,
      FAL_KEY: 'f',
      FAL_BASE_URL: origin,
      REPLICATE_API_TOKEN: 'r',
      REPLICATE_BASE_URL: upstream.url,
      LUMA_API_KEY: 'l',
      LUMA_BASE_URL: origin,
      RUNWAY_API_KEY: 'w',
      RUNWAY_BASE_URL: origin,
      INDOXHUB_VIDEO_POLL: '20ms',
      INDOXHUB_ALLOW_PRIVATE_URLS: 'on',
    },
  });
});
afterEach(async () => {
  upstream.script = fake.script;
  upstream.calls.length = 0;
  fake.submits.length = 0;
  fake.polls = 3;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
  await receiver.close();
});

const start = async (body: Json, key?: string, headers: Record<string, string> = {}): Promise<Json> => {
  const answer = await jsonOf(
    await gateway.post(`${path}/generations`, { model, prompt, ...body }, key, headers),
  );
  return { ...answer, ...(answer['data'] as Json) };
};
const jobOf = async (id: unknown, key?: string): Promise<Json> =>
  jsonOf(await gateway.get(`${path}/jobs/${String(id)}`, key));
const ended = async (id: unknown, key?: string): Promise<Json> => {
  for (let tries = 0; tries < 600; tries++) {
    const job = await jobOf(id, key);
    if (['completed', 'failed', 'cancelled'].includes(String(job['status']))) return job;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the job never ended');
};

test('a job from its submission to a link that opens, charged once', async () => {
  const { apiKey, id } = await gateway.account('1.00');
  const started = await start({ duration: 4, size: '1280x720' }, apiKey);
  expect(started).toMatchObject({
    success: true,
    is_async: true,
    provider: 'openai',
    model: 'sora-2',
    status: 'queued',
  });
  const job = await ended(started['job_id'], apiKey);
  expect(job).toMatchObject({
    status: 'completed',
    progress: 100,
    error: null,
    cost: 0.4,
    provider_video_id: 'video_1',
  });
  const result = job['result'] as { url: string; video_url: string; file_size: number; data: Json[] };
  expect(result).toMatchObject({
    file_size: mp4.length,
    content_type: 'video/mp4',
    duration: 4,
    data: [{ url: result.url }],
  });
  expect(result.video_url).toBe(result.url);
  const file = await fetch(result.url);
  expect([file.headers.get('content-type'), Buffer.from(await file.arrayBuffer())]).toEqual([
    'video/mp4',
    mp4,
  ]);
  expect(await gateway.row(String(started['job_id']))).toMatchObject({
    endpoint: 'video',
    ending: 'completed',
    unit: 'video_ms',
    quantity: 4_000,
    cost: '0.40',
  });
  expect((await gateway.requests(id)).length).toBe(1);
  expect(fake.submits.map(({ key, body }) => [key, body])).toEqual([
    [started['job_id'], { prompt, model: 'sora-2', seconds: '4', size: '1280x720' }],
  ]);
});

test('lists: newest first, by page, the caller’s own only', async () => {
  const one = await gateway.account(null);
  const other = await gateway.account(null);
  const ids: unknown[] = [];
  for (let made = 0; made < 3; made++) ids.unshift((await start({}, one.apiKey))['job_id']);
  const list = await jsonOf(await gateway.get(`${path}/jobs?limit=2&skip=1`, one.apiKey));
  expect((list['jobs'] as Json[]).map((job) => job['job_id'])).toEqual(ids.slice(1));
  expect(list).toMatchObject({ total: 3, limit: 2, skip: 1 });
  expect(await jsonOf(await gateway.get(`${path}/jobs`, other.apiKey))).toMatchObject({ jobs: [], total: 0 });
  for (const route of ['', '/events']) {
    const strange = await gateway.get(`${path}/jobs/${String(ids[0])}${route}`, other.apiKey);
    const missing = await gateway.get(`${path}/jobs/nothing${route}`, other.apiKey);
    const body = async (answer: Response): Promise<Json> => ({ ...(await jsonOf(answer)), request_id: '' });
    expect([strange.status, await body(strange)]).toEqual([404, await body(missing)]);
  }
  const cancel = await gateway.post(`${path}/jobs/${String(ids[0])}/cancel`, {}, other.apiKey);
  expect(cancel.status).toBe(404);
  const detail = String((await jsonOf(cancel))['detail']);
  expect(detail).not.toMatch(/provider|model/i);
  for (const id of ids) await ended(id, one.apiKey);
});

test('a stranger’s job is a missing one on every route, and its file opens by its own link only', async () => {
  const one = await gateway.account(null);
  const other = await gateway.account(null);
  const { job_id: job } = await start({}, one.apiKey);
  const { result } = await ended(job, one.apiKey);
  const ask = async (method: string, route: string): Promise<[number, Json]> => {
    const answer = await fetch(gateway.url + route, {
      method,
      headers: { authorization: `Bearer ${other.apiKey}` },
    });
    return [answer.status, { ...(await jsonOf(answer)), request_id: '' }];
  };
  for (const [method, before, after = ''] of [
    ['GET', `${path}/jobs/`],
    ['GET', `${path}/jobs/`, '/events'],
    ['POST', `${path}/jobs/`, '/cancel'],
    ['GET', '/v1/videos/'],
    ['GET', '/v1/videos/', '/content'],
    ['DELETE', '/v1/videos/'],
  ] as const) {
    const strange = await ask(method, `${before}${String(job)}${after}`);
    const missing = await ask(method, `${before}nothing${after}`);
    expect([method, before, after, ...strange]).toEqual([method, before, after, ...missing]);
    expect(strange[0]).toBe(404);
  }
  const { data } = (await ask('GET', '/v1/videos'))[1] as { data: Json[] };
  expect(data.map(({ id }) => id)).not.toContain(job);
  const url = String((result as Json)['url']);
  expect((await fetch(url)).status).toBe(200);
  const forged = url.replace(/signature=(.)/, (_, first) => `signature=${first === 'A' ? 'B' : 'A'}`);
  const links = [url.replace(/\?.*/, ''), forged, `${url}x`];
  for (const link of links) expect((await fetch(link)).status).toBe(404);
  expect(await jobOf(job, one.apiKey)).toMatchObject({ status: 'completed' });
});

test('cancelled: at once for its owner, at the vendor, and without charge', async () => {
  const { apiKey, id } = await gateway.account('1.00');
  const { job_id: job } = await start({ prompt: '[forever]' }, apiKey);
  while ((await jobOf(job, apiKey))['provider_video_id'] === null)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const answer = await gateway.post(`${path}/jobs/${String(job)}/cancel`, {}, apiKey);
  expect(await jsonOf(answer)).toMatchObject({
    success: true,
    job_id: job,
    status: 'cancelled',
    message: expect.any(String),
  });
  expect(await jobOf(job, apiKey)).toMatchObject({ status: 'cancelled', cost: 0 });
  expect(await gateway.row(String(job))).toMatchObject({ ending: 'client_cancelled', charged: '0.00' });
  expect(fake.cancelled.length).toBe(1);
  expect((await gateway.post(`${path}/jobs/${String(job)}/cancel`, {}, apiKey)).status).toBe(200);
  expect((await gateway.requests(id)).length).toBe(1);
});

test('a job that is over cannot be cancelled: 400 with a sentence', async () => {
  const { job_id: job } = await start({});
  await ended(job);
  const answer = await gateway.post(`${path}/jobs/${String(job)}/cancel`, {});
  expect([answer.status, typeof (await jsonOf(answer))['detail']]).toEqual([400, 'string']);
});

test('a failure of the vendor is the job’s, with its words, and costs nothing', async () => {
  const { job_id: job } = await start({ prompt: '[fail]' });
  expect(await ended(job)).toMatchObject({ status: 'failed', error: 'Not this.', result: null, cost: 0 });
  const refused = await start({ prompt: '[status 400]' });
  expect(await ended(refused['job_id'])).toMatchObject({ status: 'failed', error: 'The vendor says 400' });
});

test('a vendor that is away loses no job', async () => {
  let down = true;
  upstream.script = (call, response) =>
    down ? answering(503, '{}')(call, response) : fake.script(call, response);
  const { job_id: job } = await start({});
  while (upstream.calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  down = false;
  expect(await ended(job)).toMatchObject({ status: 'completed' });
});

test('the events: every change once, numbered, resumable', async () => {
  const { job_id: job } = await start({});
  const read = async (headers: Record<string, string> = {}): Promise<string> =>
    (
      await fetch(`${gateway.url}${path}/jobs/${String(job)}/events`, {
        headers: { authorization: `Bearer ${gateway.apiKey}`, ...headers },
      })
    ).text();
  const text = await read();
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(ids.map((_, at) => at + 1));
  expect(text).toMatch(
    /event: queued[\s\S]*event: processing[\s\S]*event: completed\ndata: \{"job_id":"[^"]+","status":"completed","progress":100/,
  );
  const last = ids.at(-1) ?? 0;
  expect(
    [...(await read({ 'last-event-id': String(last - 1) })).matchAll(/^id: (\d+)$/gm)].map(([, id]) =>
      Number(id),
    ),
  ).toEqual([last]);
  expect(await read({ 'last-event-id': String(last) })).toBe('');
});

test('a webhook tells of the end, signed', async () => {
  const seen: SeenCall[] = [];
  receiver.script = (call, response) => {
    seen.push(call);
    return answering(204, '')(call, response);
  };
  const { job_id: job } = await start({ webhook_url: `${receiver.url}/hook` });
  await ended(job);
  for (let tries = 0; tries < 300 && seen.length === 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const [call] = seen;
  expect(call?.body).toMatchObject({ type: 'video.completed', data: { job_id: job, status: 'completed' } });
  const { secret } = (await jsonOf(await gateway.get('/api/v1/user/webhook-secret'))) as { secret: string };
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = call?.headers ?? {};
  const want = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64'))
    .update(`${String(id)}.${String(time)}.${call?.text}`)
    .digest('base64');
  expect(signature).toBe(`v1,${want}`);
});

describe('the log of a webhook', () => {
  type Told = Json & { deliveries: Json[] };
  const toldOf = async (id: unknown): Promise<Told> => (await jobOf(id))['webhook'] as Told;
  const after = async (id: unknown, attempts: number): Promise<Told> => {
    for (let tries = 0; tries < 1_000; tries++) {
      const told = await toldOf(id);
      if (told.deliveries.length >= attempts) return told;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('no attempt was made');
  };
  const url = (): string => `${receiver.url}/log`;

  test('nothing without one; waiting until the job is over', async () => {
    const { job_id: none } = await start({});
    expect(await toldOf(none)).toBeNull();
    const { job_id: job } = await start({ prompt: '[forever]', webhook_url: url() });
    const waiting = { url: url(), status: 'waiting', next_attempt_at: null, deliveries: [] };
    expect(await toldOf(job)).toEqual(waiting);
    await gateway.post(`${path}/jobs/${String(job)}/cancel`, {});
    await after(job, 1);
    await ended(none);
  });

  test('one that is not taken is tried again; every attempt is told', async () => {
    let answers = 0;
    receiver.script = (call, response) => answering(answers++ === 0 ? 503 : 204, '')(call, response);
    const { job_id: job } = await start({ webhook_url: url() });
    const first = await after(job, 1);
    const next = String(first.deliveries[0]?.['next_attempt_at']);
    expect(first).toMatchObject({ status: 'retrying', next_attempt_at: next });
    expect(first.deliveries).toEqual([
      { attempt: 1, at: expect.any(String), status: 503, error: null, next_attempt_at: next },
    ]);
    expect(Date.parse(next) - Date.parse(String(first.deliveries[0]?.['at']))).toBeGreaterThan(4_000);
    const second = await after(job, 2);
    expect(second).toMatchObject({ status: 'delivered', next_attempt_at: null });
    expect(second.deliveries[1]).toMatchObject({
      attempt: 2,
      status: 204,
      error: null,
      next_attempt_at: null,
    });
  });

  test('410 ends it', async () => {
    receiver.script = answering(410, '');
    const { job_id: job } = await start({ webhook_url: url() });
    expect(await after(job, 1)).toMatchObject({ status: 'given_up', deliveries: [{ status: 410 }] });
  });

  test('a receiver that is not there is an error by name', async () => {
    const { job_id: job } = await start({ webhook_url: 'http://127.0.0.1:1/hook' });
    const told = await after(job, 1);
    expect(told).toMatchObject({
      status: 'retrying',
      deliveries: [{ status: null, error: 'upstream_unreachable' }],
    });
  });
});

test('a webhook into the gateway’s own network is refused where callers may not name such', async () => {
  const strict = await startGateway({ env: { OPENAI_API_KEY: 'x', OPENAI_BASE_URL: upstream.url } });
  const answer = await strict.post(`${path}/generations`, {
    model,
    prompt,
    webhook_url: 'http://127.0.0.1:1/x',
  });
  expect([answer.status, await jsonOf(answer)]).toMatchObject([400, { details: { param: 'webhook_url' } }]);
  await strict.close();
});

test('a repeat under one Idempotency-Key is the same job, running or over', async () => {
  const headers = { 'idempotency-key': 'film-once' };
  const first = await start({}, undefined, headers);
  const again = await start({}, undefined, headers);
  expect(again['job_id']).toBe(first['job_id']);
  await ended(first['job_id']);
  const later = await start({}, undefined, headers);
  expect([later['job_id'], later['status']]).toEqual([first['job_id'], 'completed']);
  expect(fake.submits.length).toBe(1);
  const other = await gateway.post(`${path}/generations`, { model, prompt: 'other' }, undefined, headers);
  expect(other.status).toBe(409);
});

test('money: held at once, 402 where it does not reach, nothing left behind', async () => {
  const { apiKey, id } = await gateway.account('0.80');
  const first = await start({ prompt: '[forever]', duration: 8 }, apiKey);
  const refused = await gateway.post(`${path}/generations`, { model, prompt, duration: 4 }, apiKey);
  expect(refused.status).toBe(402);
  expect(await jsonOf(await gateway.get(`${path}/jobs`, apiKey))).toMatchObject({ total: 1 });
  await gateway.post(`${path}/jobs/${String(first['job_id'])}/cancel`, {}, apiKey);
  await gateway.row(String(first['job_id']));
  const second = await start({ duration: 8 }, apiKey);
  expect(await ended(second['job_id'], apiKey)).toMatchObject({ cost: 0.8 });
  await gateway.row(String(second['job_id']));
  expect(
    (await gateway.requests(id))
      .map((row) => row['charged'])
      .toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
  ).toEqual(['0.00', '0.80']);
});

test('a caller’s own key makes the video, is not stored, and nothing is charged', async () => {
  const { job_id: job } = await start({ byok_api_key: 'sk-mine-0123456789' });
  expect(await ended(job)).toMatchObject({ status: 'completed', cost: 0 });
  expect(new Set(upstream.calls.map(({ headers }) => headers['authorization']))).toEqual(
    new Set(['Bearer sk-mine-0123456789']),
  );
});

test('seconds and the like under the names that guides use', async () => {
  for (const body of [
    { additional_params: { seconds: '8' } },
    { additional_params: { duration_seconds: 8 } },
    { duration: 8 },
  ]) {
    const { job_id: job } = await start(body);
    await ended(job);
  }
  expect(fake.submits.map(({ body }) => body['seconds'])).toEqual(['8', '8', '8']);
});

test.each([
  [{ prompt: '' }, 'prompt'],
  [{ duration: 5 }, 'duration'],
  [{ duration: 'long' }, 'duration'],
  [{ size: '1280' }, 'size'],
  [{ resolution: '8000p' }, 'resolution'],
  [{ aspect_ratio: 'wide' }, 'aspect_ratio'],
  [{ n: 9 }, 'n'],
  [{ input_image: 'no picture' }, 'input_image'],
  [{ reference_images: ['https://a/1', 'https://a/2', 'https://a/3', 'https://a/4'] }, 'reference_images'],
  [{ webhook_url: 'nowhere' }, 'webhook_url'],
  [{ model: 'openai/gpt-4o' }, 'model'],
  [{ model: 'anthropic/claude-haiku-4-5' }, 'model'],
])('%j is a 400 that names %s', async (body, param) => {
  const answer = await gateway.post(`${path}/generations`, { model, prompt, ...body });
  expect([answer.status, ((await jsonOf(answer)) as { details: Json }).details['param']]).toEqual([
    400,
    param,
  ]);
});

describe('OpenAI’s shape', () => {
  test('its own client: create, poll, list, download, delete', async () => {
    const client = new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const created = await client.videos.create({ model: 'openai/sora-2', prompt, seconds: '4' });
    expect(created).toMatchObject({ object: 'video', status: 'queued', prompt });
    await ended(created.id);
    const video = await client.videos.retrieve(created.id);
    expect(video).toMatchObject({
      object: 'video',
      status: 'completed',
      progress: 100,
      seconds: '4',
      model: 'sora-2',
    });
    const bytes = Buffer.from(await (await client.videos.downloadContent(video.id)).arrayBuffer());
    expect(bytes).toEqual(mp4);
    const page = await client.videos.list({ limit: 1 });
    expect(page.data.length).toBe(1);
    expect(await client.videos.retrieve(video.id)).toMatchObject({ id: video.id });
    expect(await client.videos.delete(video.id)).toMatchObject({ deleted: true });
    await expect(client.videos.downloadContent(video.id)).rejects.toThrow('404');
  });
});

describe('vendors in their own wire', () => {
  const file = (call: SeenCall): string => `http://${call.headers.host ?? ''}/file.mp4`;
  type Answers = (call: SeenCall) => object | null;
  const serve = (answers: Answers): void => {
    upstream.script = (call, response) => {
      if (call.path.startsWith('/file.mp4'))
        return void response.writeHead(200, { 'content-type': 'video/mp4' }).end(mp4);
      return answering(200, JSON.stringify(answers(call) ?? {}))(call, response);
    };
  };
  const run = async (body: Json): Promise<Json> => ended((await start(body))['job_id']);

  test('Veo: a long-running operation, its file behind the key', async () => {
    let polls = 0;
    serve((call) => {
      if (call.method === 'POST') return { name: 'models/veo-3.0-generate-001/operations/op1' };
      polls++;
      const generateVideoResponse = { generatedSamples: [{ video: { uri: file(call) } }] };
      return polls < 2 ? { name: 'x' } : { done: true, response: { generateVideoResponse } };
    });
    const more = {
      duration: 8,
      aspect_ratio: '9:16',
      negative_prompt: 'rain',
      person_generation: 'allow_adult',
    };
    const job = await run({ model: 'google/veo-3.0-generate-001', ...more });
    expect(job).toMatchObject({ status: 'completed', cost: 3.2 });
    expect(upstream.calls[0]).toMatchObject({
      path: '/v1beta/models/veo-3.0-generate-001:predictLongRunning',
      body: {
        instances: [{ prompt }],
        parameters: {
          sampleCount: 1,
          durationSeconds: 8,
          aspectRatio: '9:16',
          negativePrompt: 'rain',
          personGeneration: 'allow_adult',
        },
      },
    });
    expect(upstream.calls[1]?.path).toBe('/v1beta/models/veo-3.0-generate-001/operations/op1');
    expect(upstream.calls.at(-1)?.headers['x-goog-api-key']).toBe('g');
  });

  test('Veo at Vertex: waited for, priced by its sound, refused', async () => {
    const videos = [{ bytesBase64Encoded: mp4.toString('base64'), mimeType: 'video/mp4' }];
    let polls = 0;
    serve((call) => {
      if (call.path.endsWith(':predictLongRunning')) return { name: 'projects/p/operations/op1' };
      polls++;
      return polls < 2 ? { name: 'x' } : { done: true, response: { videos } };
    });
    const model = 'vertex/veo-3.0-generate-001';
    expect(await run({ model, duration: 4, generate_audio: false })).toMatchObject({
      status: 'completed',
      cost: 0.8,
      result: { file_size: mp4.length },
    });
    expect(upstream.calls[0]?.body).toMatchObject({
      parameters: { durationSeconds: 4, generateAudio: false },
    });
    serve((call) =>
      call.path.endsWith(':predictLongRunning')
        ? { name: 'projects/p/operations/op2' }
        : { done: true, response: { raiMediaFilteredCount: 1, raiMediaFilteredReasons: ['Not this.'] } },
    );
    expect(await run({ model, duration: 4 })).toMatchObject({ status: 'failed', cost: 0 });
  });

  test('xAI: the file without the key', async () => {
    serve((call) =>
      call.method === 'POST'
        ? { request_id: 'r1' }
        : { status: 'done', video: { url: file(call), duration: 5 } },
    );
    expect(await run({ model: 'xai/grok-imagine-video', duration: 5 })).toMatchObject({
      status: 'completed',
      cost: 0.25,
    });
    expect(upstream.calls[0]).toMatchObject({
      path: '/v1/videos/generations',
      body: { model: 'grok-imagine-video', duration: 5, resolution: '480p' },
    });
    expect(upstream.calls.at(-1)?.headers['authorization']).toBeUndefined();
  });

  test('fal: queue, status, answer', async () => {
    serve((call) => {
      if (call.method === 'POST') return { request_id: 'q1' };
      return call.path.endsWith('/status') ? { status: 'COMPLETED' } : { video: { url: file(call) } };
    });
    expect(await run({ model: 'fal/fal-ai/wan/v2.2-a14b/text-to-video' })).toMatchObject({
      status: 'completed',
      cost: null,
    });
    expect(upstream.calls.slice(0, 3).map(({ method, path: at }) => `${method} ${at}`)).toEqual([
      'POST /fal-ai/wan/v2.2-a14b/text-to-video',
      'GET /fal-ai/wan/requests/q1/status',
      'GET /fal-ai/wan/requests/q1',
    ]);
  });

  test('Replicate, Luma, Runway', async () => {
    serve((call) => (call.method === 'POST' ? { id: 'p1' } : { status: 'succeeded', output: file(call) }));
    expect(await run({ model: 'replicate/wan-video/wan-2.2-t2v-fast' })).toMatchObject({
      status: 'completed',
    });
    serve((call) =>
      call.method === 'POST' ? { id: 'g1' } : { state: 'completed', assets: { video: file(call) } },
    );
    expect(await run({ model: 'luma/ray-2', duration: 9 })).toMatchObject({ status: 'completed' });
    expect(upstream.calls.find(({ path: at }) => at === '/generations/video')?.body).toMatchObject({
      duration: '9s',
      resolution: '720p',
    });
    serve((call) => (call.method === 'POST' ? { id: 't1' } : { status: 'SUCCEEDED', output: [file(call)] }));
    expect(
      await run({ model: 'runway/gen4_turbo', duration: 5, input_image: 'https://example.com/a.png' }),
    ).toMatchObject({ status: 'completed', cost: 0.25 });
    const wordsOnly = await gateway.post(`${path}/generations`, { model: 'runway/gen4_turbo', prompt });
    expect([wordsOnly.status, await jsonOf(wordsOnly)]).toMatchObject([
      400,
      { details: { param: 'input_image' } },
    ]);
    expect(upstream.calls.find(({ path: at }) => at === '/v1/image_to_video')).toMatchObject({
      body: { promptText: prompt, ratio: '1280:720', promptImage: 'https://example.com/a.png' },
      headers: { 'x-runway-version': '2024-11-06' },
    });
  });
});
