/** GET /api/v1/user/usage and /user/me: what one account used, exactly, and nobody else’s. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { failing, jsonOf, model, openScene, say, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

const today = (): string => new Date().toISOString().slice(0, 10);

async function call(key: string, body: Json, path = '/api/v1/chat/completions'): Promise<void> {
  await (await scene.gateway.post(path, { model, ...body }, key)).text();
}

const usage = async (key: string, query = ''): Promise<Json> =>
  jsonOf(await scene.gateway.get(`/api/v1/user/usage${query}`, key));

test('adds up every surface and kind, to the nano-dollar', async () => {
  const { apiKey } = await scene.gateway.account('1.00');
  await call(apiKey, { messages: say('a') });
  await call(apiKey, { messages: say('a'), stream: true });
  await call(apiKey, { messages: say('a') }, '/v1/chat/completions');
  await call(apiKey, { prompt: 'a' }, '/v1/completions');
  await call(apiKey, { model: 'local/sandbox', messages: say('a') });
  const report = await usage(apiKey);
  const part = (requests: number, cost: number): Json => ({ requests, cost });
  expect(report).toMatchObject({ total_requests: 5, total_cost: 0.0000264, remaining_credits: 0.9999736 });
  expect(report['endpoints']).toMatchObject({ chat: part(4, 0.0000198), completion: part(1, 0.0000066) });
  expect(report['providers']).toMatchObject({ openai: part(4, 0.0000264), local: part(1, 0) });
  expect(report['models']).toMatchObject({
    'openai/gpt-4o-mini': {
      provider: 'openai',
      model: 'gpt-4o-mini',
      ...part(4, 0.0000264),
      tokens: { input: 48, output: 32, total: 80 },
    },
  });
  expect(report['daily_usage']).toMatchObject([{ date: today(), ...part(5, 0.0000264) }]);
});

test('of the caller’s key costs nothing and is counted', async () => {
  const { apiKey } = await scene.gateway.account('1.00');
  await call(apiKey, { messages: say('a'), byok_api_key: 'sk-of-the-caller-1234' });
  expect(await usage(apiKey)).toMatchObject({
    total_requests: 1,
    total_cost: 0,
    remaining_credits: 1,
    total_tokens: { total: 20 },
  });
});

test('of a failed call is no cost', async () => {
  const { apiKey } = await scene.gateway.account('1.00');
  await call(apiKey, { model: failing, messages: say('[status 500]') });
  expect(await usage(apiKey)).toMatchObject({ total_cost: 0, remaining_credits: 1 });
});

test('is one account’s, shared by its keys', async () => {
  const first = await scene.gateway.account('1.00');
  const second = await scene.gateway.account('1.00');
  const { api_key: more } = (await scene.gateway.admin('POST', '/keys', {
    account_id: first.id,
    name: 'more',
  })) as { api_key: string };
  await call(first.apiKey, { messages: say('a') });
  await call(more, { messages: say('a') });
  expect(await usage(first.apiKey)).toMatchObject({ total_requests: 2 });
  expect(await usage(second.apiKey)).toMatchObject({ total_requests: 0, total_cost: 0, daily_usage: [] });
});

test('is narrowed by days; a day that is none is a 400 that names it', async () => {
  const { apiKey } = await scene.gateway.account(null);
  await call(apiKey, { messages: say('a') });
  expect(await usage(apiKey, `?start_date=${today()}&end_date=${today()}`)).toMatchObject({
    total_requests: 1,
    remaining_credits: null,
  });
  expect(await usage(apiKey, '?end_date=2020-01-01')).toMatchObject({ total_requests: 0 });
  for (const [query, field] of [
    ['start_date=yesterday', 'start_date'],
    ['end_date=2026-02-30', 'end_date'],
    ['start_date=2026-02-02&end_date=2026-02-01', 'start_date'],
  ] as const) {
    const answer = await scene.gateway.get(`/api/v1/user/usage?${query}`, apiKey);
    expect(answer.status).toBe(400);
    expect((await jsonOf(answer))['detail']).toContain(field);
  }
});

test('/user/me: the account behind the key, its credits now', async () => {
  const { id, apiKey } = await scene.gateway.account('2.00');
  await scene.gateway.admin('POST', `/accounts/${id}/credits`, { amount: '0.50', note: 'gift' });
  expect(await jsonOf(await scene.gateway.get('/api/v1/user/me', apiKey))).toMatchObject({
    id,
    credits: 2.5,
    app_credit: 2500,
    is_active: true,
  });
});

test('needs a key; /user/health does not', async () => {
  expect((await fetch(`${scene.gateway.url}/api/v1/user/usage`)).status).toBe(401);
  expect(await jsonOf(await fetch(`${scene.gateway.url}/api/v1/user/health`))).toEqual({
    status: 'ok',
    router: 'user',
  });
});
