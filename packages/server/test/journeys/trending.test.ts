/** GET /api/v1/models/trending: counts of this gateway’s own traffic, for anybody with a key. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failing, jsonOf, openScene, say, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  const { apiKey } = await scene.gateway.account('5.00');
  const call = async (model: string, key?: string): Promise<void> => {
    const answer = await scene.gateway.post(
      '/api/v1/chat/completions',
      { model, messages: say('Hello') },
      key,
    );
    if (!answer.ok) throw new Error(await answer.text());
    await answer.text();
  };
  for (let n = 0; n < 3; n++) await call('openai/gpt-4o-mini', apiKey);
  await call('openai/gpt-4o-mini');
  await call('openai/gpt-4.1', apiKey);
  await call('local/sandbox');
  await call('local/sandbox');
  await scene.gateway.post('/api/v1/chat/completions', { model: 'nobody/x', messages: say('Hello') });
});
afterAll(() => scene.close());

const trending = (query = '', key?: string): Promise<Response> =>
  scene.gateway.get(`/api/v1/models/trending${query}`, key);
const rows = async (query = ''): Promise<Json[]> => (await (await trending(query)).json()) as Json[];

test('ranks by requests over all accounts', async () => {
  const all = await rows();
  expect(all.map((each) => [each['rank'], each['id'], each['total_requests']])).toEqual([
    [1, 'openai/gpt-4o-mini', 4],
    [2, 'local/sandbox', 2],
    [3, 'openai/gpt-4.1', 1],
  ]);
  expect(all[0]).toMatchObject({
    provider: 'openai',
    model: 'gpt-4o-mini',
    total_tokens: 80,
    change: { requests: null, tokens: null },
  });
  expect(all.reduce((sum, each) => sum + (each['share'] as { requests: number }).requests, 0)).toBeCloseTo(
    1,
    3,
  );
});

test('tells nothing finer than counts', async () => {
  const text = JSON.stringify(await rows());
  expect(text).not.toMatch(/account|user|key|cost|usd/i);
});

test('takes days and limit', async () => {
  expect(await rows('?days=1&limit=1')).toHaveLength(1);
  expect(await rows('?days=90&limit=100')).toHaveLength(3);
});

test.each(['days=0', 'days=91', 'days=x', 'limit=0', 'limit=101', 'limit=1.5'])(
  '%s is a 400 that names it',
  async (query) => {
    const answer = await trending(`?${query}`);
    expect(answer.status).toBe(400);
    expect((await jsonOf(answer))['detail']).toContain(query.split('=')[0]);
  },
);

test('needs a key', async () => {
  expect((await fetch(`${scene.gateway.url}/api/v1/models/trending`)).status).toBe(401);
  expect((await trending('', 'indox-nonsense')).status).toBe(401);
});

test('a failed call of a known model does not rank it', async () => {
  await scene.gateway.post('/api/v1/chat/completions', { model: failing, messages: say('[status 500]') });
  const ranked = (await rows()).find((each) => each['id'] === failing);
  expect(ranked?.['total_tokens'] ?? 0).toBe(0);
});
