/** POST /api/v1/embeddings, /v1/embeddings. */
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { base64Floats, embedding, vectorOf } from '../fakes/embeddings.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

const model = 'openai/text-embedding-3-small';
const native = '/api/v1/embeddings';

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(embedding);
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      MISTRAL_API_KEY: 'm',
      MISTRAL_BASE_URL: upstream.url,
      GROQ_API_KEY: 'g',
      GROQ_BASE_URL: upstream.url,
    },
  });
});
afterEach(async () => {
  upstream.script = embedding;
  upstream.calls.length = 0;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

test('the native envelope: plain vectors in the order of the texts', async () => {
  const answer = await gateway.post(native, { text: ['one', 'three', 'seventeen'], model });
  const body = await jsonOf(answer);
  expect(body).toMatchObject({
    request_id: answer.headers.get('x-request-id'),
    provider: 'openai',
    model: 'text-embedding-3-small',
    success: true,
    dimensions: 4,
    usage: { tokens_prompt: 9, tokens_completion: 0, tokens_total: 9, cost: 1.8e-7 },
    byok_api_key: false,
  });
  expect((body['data'] as number[][]).map(([length]) => length)).toEqual([3, 5, 9]);
  expect(await gateway.row(String(body['request_id']))).toMatchObject({
    endpoint: 'embedding',
    ending: 'completed',
    cost: '0.00000018',
  });
});

test('one text as a string, as a list of one, and under the name input', async () => {
  for (const body of [{ text: 'hello' }, { text: ['hello'] }, { input: 'hello' }]) {
    const { data } = await jsonOf(await gateway.post(native, { ...body, model, byok_api_key: null }));
    expect(data).toEqual([vectorOf('hello', 4)]);
  }
});

test('the default model serves when none is named; dimensions and extras travel', async () => {
  const body = { text: 'x', additional_params: { dimensions: 7, additional_params: { odd: true } } };
  const answer = await jsonOf(await gateway.post(native, body));
  expect(answer).toMatchObject({ model: 'text-embedding-3-small', dimensions: 7 });
  expect(upstream.calls[0]?.body).toEqual({
    model: 'text-embedding-3-small',
    input: 'x',
    dimensions: 7,
    odd: true,
    encoding_format: 'float',
  });
  expect(upstream.calls[0]?.headers['authorization']).toBe('Bearer sk-openai');
});

test('more texts than the provider takes are split, re-joined in order and summed', async () => {
  const text = Array.from({ length: 1_300 }, (_, at) => 'x'.repeat(1 + (at % 97)));
  const body = await jsonOf(
    await gateway.post(native, { text, model: 'mistral/mistral-embed', dimensions: 3 }),
  );
  expect(
    upstream.calls.map(({ body: { input } }) => (input as unknown[]).length).sort((a, b) => a - b),
  ).toEqual([276, 512, 512]);
  expect(upstream.calls[0]?.body).toMatchObject({ output_dimension: 3 });
  expect((body['data'] as number[][]).map(([length]) => length)).toEqual(text.map(({ length }) => length));
  expect(body['usage']).toMatchObject({ tokens_prompt: 3_900 });
});

describe('OpenAI’s shape', () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

  test('its own client, which asks for base64', async () => {
    const { data, usage, model: served } = await client().embeddings.create({ model, input: ['ab', 'abcd'] });
    expect(upstream.calls[0]?.body['encoding_format']).toBe('base64');
    expect(data.map(({ embedding: vector, index }) => [index, vector[0], vector.length])).toEqual([
      [0, 2, 4],
      [1, 4, 4],
    ]);
    expect(served).toBe('text-embedding-3-small');
    expect(usage).toMatchObject({ prompt_tokens: 6, total_tokens: 6, cost: 1.2e-7 });
  });

  test('base64 and floats whatever the provider gives', async () => {
    for (const [asked, given] of [
      ['base64', 'float'],
      ['float', 'base64'],
    ]) {
      upstream.script = (call, response) =>
        embedding({ ...call, body: { ...call.body, encoding_format: given } }, response);
      const answer = await gateway.post('/v1/embeddings', { model, input: 'abc', encoding_format: asked });
      const { data } = (await jsonOf(answer)) as { data: Json[] };
      const want = asked === 'base64' ? base64Floats(vectorOf('abc', 4)) : vectorOf('abc', 4);
      expect(data[0]?.['embedding']).toEqual(want);
    }
  });

  test('lists of token ids, one and many', async () => {
    for (const input of [
      [1, 2, 3],
      [[1, 2], [3]],
    ]) {
      upstream.calls.length = 0;
      const answer = await gateway.post('/v1/embeddings', { model, input });
      expect(answer.status).toBe(200);
      expect(upstream.calls[0]?.body['input']).toEqual(input);
    }
    const refused = await gateway.post('/v1/embeddings', { model: 'mistral/mistral-embed', input: [1, 2] });
    expect(refused.status).toBe(400);
    expect(await jsonOf(refused)).toMatchObject({ error: { param: 'input' } });
  });
});

test.each([
  [{}, 'text'],
  [{ text: '' }, 'text'],
  [{ text: [] }, 'text'],
  [{ text: ['a', 7] }, 'text[1]'],
  [{ text: ['a', ''] }, 'text[1]'],
  [{ text: 'a', dimensions: 0 }, 'dimensions'],
  [{ text: 'a', dimensions: 1.5 }, 'dimensions'],
  [{ text: 'a', model: 'openai/gpt-4o' }, 'model'],
  [{ text: 'a', model: 'groq/nothing-embeds-here' }, 'model'],
])('%j is a 400 that names %s', async (body, param) => {
  const answer = await gateway.post(native, { model, ...body });
  const { details } = (await jsonOf(answer)) as { details: Json };
  expect([answer.status, details['param'] ?? details['field']]).toEqual([400, param]);
});

test('a vendor that miscounts is an upstream error, and nothing is charged', async () => {
  const row = { object: 'embedding', index: 0, embedding: [1] };
  for (const data of [[row], [row, row], [{ ...row, embedding: ['x'] }, row], [{ ...row, index: 9 }, row]]) {
    upstream.script = answering(200, JSON.stringify({ data }));
    const { apiKey, id } = await gateway.account('1.00');
    const answer = await gateway.post(
      native,
      { text: ['a', 'b'], model: 'openai/text-embedding-3-large' },
      apiKey,
    );
    expect(answer.status).toBe(502);
    const [seen] = await gateway.requests(id);
    expect(seen).toMatchObject({ error_code: 'upstream_malformed', charged: '0.00' });
  }
});

test('a capped account: 402 before the call, exact after it; an answer without usage is counted', async () => {
  const poor = await gateway.account('0.000000001');
  expect((await gateway.post(native, { text: 'x'.repeat(1000), model }, poor.apiKey)).status).toBe(402);
  expect(upstream.calls).toEqual([]);
  upstream.script = answering(200, JSON.stringify({ data: [{ index: 0, embedding: [1, 2] }] }));
  const rich = await gateway.account('1.00');
  const body = await jsonOf(await gateway.post(native, { text: 'x'.repeat(400), model }, rich.apiKey));
  expect(body['usage']).toMatchObject({ tokens_prompt: 100, cost: 0.000002, estimated: true });
});

test('a repeat under one Idempotency-Key is answered from memory', async () => {
  const headers = { 'idempotency-key': 'embed-once' };
  const first = await gateway.post(native, { text: 'a', model }, undefined, headers);
  const again = await gateway.post(native, { text: 'a', model }, undefined, headers);
  expect(await again.text()).toBe(await first.text());
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(upstream.calls.length).toBe(1);
  expect((await gateway.post(native, { text: 'b', model }, undefined, headers)).status).toBe(409);
});

test('a failing vendor is tried again, with one key of ours for all attempts', async () => {
  let calls = 0;
  upstream.script = (call, response) => {
    calls++;
    return calls === 1
      ? answering(503, '{"error":{"message":"busy"}}')(call, response)
      : embedding(call, response);
  };
  const answer = await gateway.post(native, { text: 'a', model });
  expect(answer.status).toBe(200);
  const keys = upstream.calls.map(({ headers }) => headers['idempotency-key']);
  expect(keys).toEqual([answer.headers.get('x-request-id'), answer.headers.get('x-request-id')]);
});

test('a caller that leaves closes the vendor’s socket', async () => {
  upstream.script = () => {};
  const leave = new AbortController();
  const asked = gateway.post(native, { text: 'a', model }, undefined, {}, leave.signal).catch(() => null);
  while (upstream.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  leave.abort();
  await asked;
  expect(await upstream.calls[0]?.closed).toBeGreaterThan(0);
});
