/** POST /api/v1/completions/stop-stream/{id} and its chat alias. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { frames } from '../gateway.ts';
import { jsonOf, model, openScene, readUntil, say, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

interface Running {
  readonly id: string;
  readonly rest: () => Promise<string>;
}

/** A stream that does not end by itself, its first words read. */
async function running(path: string, body: Json = {}, key?: string): Promise<Running> {
  const content = path.endsWith('chat/completions') ? { messages: say('[slow]') } : { prompt: '[slow]' };
  const answer = await scene.gateway.post(path, { model, stream: true, ...content, ...body }, key);
  const { rest } = await readUntil(answer, 'word ');
  return { id: answer.headers.get('x-request-id') ?? '', rest };
}

const stop = (id: string, key?: string, kind = 'completions'): Promise<Response> =>
  scene.gateway.post(`/api/v1/${kind}/stop-stream/${encodeURIComponent(id)}`, '', key);

test.each([
  ['/api/v1/chat/completions', 'chat'],
  ['/api/v1/chat/completions', 'completions'],
  ['/api/v1/completions', 'completions'],
  ['/v1/chat/completions', 'completions'],
  ['/v1/completions', 'chat'],
])('%s is stopped by its request id through /%s/stop-stream', async (path, kind) => {
  const before = scene.upstream.calls.length;
  const { id, rest } = await running(path);
  const stoppedAt = Date.now();
  const answer = await stop(id, undefined, kind);
  expect(answer.status).toBe(200);
  expect(await jsonOf(answer)).toEqual({ success: true });
  const text = await rest();
  expect(((await scene.upstream.calls[before]?.closed) ?? Infinity) - stoppedAt).toBeLessThan(500);
  expect(text).toContain('"finish_reason":"cancelled"');
  expect(frames(text).at(-1)?.data).toBe('[DONE]');
  const row = await scene.gateway.row(id);
  expect(row).toMatchObject({ ending: 'stopped', finish_reason: 'cancelled', usage_source: 'counted' });
  expect(Number(row['cost'])).toBeGreaterThan(0);
});

test('an id chosen by the caller works, inside its account only', async () => {
  const mine = await scene.gateway.account(null);
  const other = await scene.gateway.account(null);
  const { id, rest } = await running(
    '/api/v1/chat/completions',
    { additional_params: { stream_id: 'my-stream' } },
    mine.apiKey,
  );
  expect(id).not.toBe('my-stream');
  expect(await jsonOf(await stop('my-stream', other.apiKey))).toEqual({ success: false });
  expect(await jsonOf(await stop('my-stream', mine.apiKey))).toEqual({ success: true });
  expect(await rest()).toContain('cancelled');
});

test('two accounts may choose the same id', async () => {
  const [a, b] = [await scene.gateway.account(null), await scene.gateway.account(null)];
  const ofA = await running(
    '/api/v1/chat/completions',
    { additional_params: { stream_id: 'same' } },
    a.apiKey,
  );
  const ofB = await running(
    '/api/v1/chat/completions',
    { additional_params: { stream_id: 'same' } },
    b.apiKey,
  );
  expect(await jsonOf(await stop('same', a.apiKey))).toEqual({ success: true });
  expect(await ofA.rest()).toContain('cancelled');
  expect((await scene.gateway.row(ofA.id))['ending']).toBe('stopped');
  expect(await jsonOf(await stop('same', b.apiKey))).toEqual({ success: true });
  await ofB.rest();
});

test('an unknown, a finished and a stranger’s id look alike to the byte', async () => {
  const stranger = await scene.gateway.account(null);
  const { id, rest } = await running('/api/v1/chat/completions');
  const foreign = await stop(id, stranger.apiKey);
  const unknown = await stop(crypto.randomUUID());
  await stop(id);
  await rest();
  const finished = await stop(id);
  const bodies = await Promise.all([foreign, unknown, finished].map((answer) => answer.text()));
  expect(new Set(bodies)).toEqual(new Set(['{"success":false}']));
  for (const answer of [foreign, unknown, finished]) {
    expect(answer.status).toBe(200);
    expect([...answer.headers.keys()]).toEqual([...unknown.headers.keys()]);
  }
});

test('stopping many times at once: one settlement', async () => {
  const { id, rest } = await running('/api/v1/chat/completions');
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => (await jsonOf(await stop(id)))['success']),
  );
  expect(answers).toContain(true);
  await rest();
  expect(await jsonOf(await stop(id))).toEqual({ success: false });
  expect((await scene.gateway.requests('default')).filter((row) => row['id'] === id)).toHaveLength(1);
});

test('needs a key; odd ids are just unknown', async () => {
  expect((await stop(crypto.randomUUID(), 'indox-nonsense')).status).toBe(401);
  for (const id of ['%', "' OR 1=1 --", 'x'.repeat(2000), 'ü']) {
    const answer = await stop(id);
    expect([200, 404], id).toContain(answer.status);
    if (answer.status === 200) expect(await jsonOf(answer)).toEqual({ success: false });
  }
});
