/** byok_api_key: the caller's own key at the provider, whose fate is nobody else's. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { vendor } from '../clients/vendor.ts';
import { jsonOf, openScene, say, type Json, type Scene } from './client.ts';

const callerKey = 'sk-of-the-caller-1234';
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterEach(async () => {
  scene.upstream.script = vendor;
  await scene.gateway.verify();
});
afterAll(() => scene.close());

const chat = (body: Json, path = '/api/v1/chat/completions', key?: string): Promise<Response> =>
  scene.gateway.post(path, { messages: say('Hello'), ...body }, key);

test('pays for the call: no cost, no rate limit, no credit needed, the row is written', async () => {
  const { apiKey } = await scene.gateway.account('0.00', { rpm: 1 });
  for (let n = 0; n < 3; n++) {
    const answer = await chat({ model: 'openai/gpt-4o', byok_api_key: callerKey }, undefined, apiKey);
    expect(answer.status).toBe(200);
    const body = await jsonOf(answer);
    expect(body).toMatchObject({ byok_api_key: true, usage: { cost: 0, tokens_total: 20 } });
    expect(await scene.gateway.row(String(body['request_id']))).toMatchObject({
      byok: true,
      charged: '0.00',
    });
  }
});

test('never falls back to the platform’s key', async () => {
  scene.upstream.script = (call, response) => {
    const isCaller = call.headers.authorization === `Bearer ${callerKey}`;
    return isCaller ? void response.writeHead(401).end('{"error":{"message":"no"}}') : vendor(call, response);
  };
  const before = scene.upstream.calls.length;
  const answer = await chat({ model: 'openai/gpt-4o', byok_api_key: callerKey });
  expect(answer.status).toBe(400);
  const text = await answer.text();
  expect(text).toContain('byok_rejected');
  expect(text).not.toContain(callerKey);
  expect(scene.upstream.calls.slice(before).map((call) => call.headers.authorization)).toEqual([
    `Bearer ${callerKey}`,
  ]);
});

test('serves a provider the gateway has no key for', async () => {
  const other = await openScene({
    env: { OPENAI_API_KEY: '', OPENAI_BASE_URL: '' },
    yaml: `providers:\n  openai:\n    base_url: ${scene.upstream.url}\n`,
  });
  try {
    const body = { model: 'openai/gpt-4o', messages: say('[key]') };
    expect((await other.gateway.post('/api/v1/chat/completions', body)).status).toBe(400);
    const answer = await other.gateway.post('/api/v1/chat/completions', { ...body, byok_api_key: callerKey });
    expect(await jsonOf(answer)).toMatchObject({ data: `Bearer ${callerKey}` });
  } finally {
    await other.close();
  }
});

test.each([429, 402, 401])('a %i of the caller’s key does not keep others from the model', async (status) => {
  scene.upstream.script = (call, response) => {
    if (call.headers.authorization !== `Bearer ${callerKey}`) return vendor(call, response);
    const headers = { 'content-type': 'application/json', 'retry-after': '60' };
    return void response.writeHead(status, headers).end('{"error":{"message":"your quota"}}');
  };
  const model = `openai/gpt-4.1${status === 429 ? '' : status === 402 ? '-mini' : '-nano'}`;
  for (let n = 0; n < 6; n++)
    expect((await chat({ model, byok_api_key: callerKey })).status).toBeGreaterThan(399);
  expect((await chat({ model })).status).toBe(200);
});

test('is written nowhere', async () => {
  for (const path of ['/api/v1/chat/completions', '/v1/chat/completions'])
    await (await chat({ model: 'openai/gpt-4o', byok_api_key: callerKey }, path)).text();
  const rows = await scene.gateway.requests('default');
  expect(JSON.stringify(rows)).not.toContain(callerKey);
  const metrics = await (await fetch(`${scene.gateway.url}/metrics`)).text();
  expect(metrics).not.toContain(callerKey);
});

test.each([['with a space'], [''], ['ü'.repeat(3)], [7]])(
  '%j is no key: 400 that names the field',
  async (key) => {
    const answer = await chat({ model: 'openai/gpt-4o', byok_api_key: key });
    expect(answer.status).toBe(400);
    expect(await jsonOf(answer)).toMatchObject({ details: { param: 'byok_api_key' } });
  },
);
