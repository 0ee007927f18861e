/** POST /api/v1/completions and /v1/completions. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frames } from '../gateway.ts';
import { jsonOf, model, openScene, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

const post = (path: string, body: unknown): Promise<Response> => scene.gateway.post(path, body);
const native = '/api/v1/completions';

test('the native envelope', async () => {
  const answer = await post(native, { model, prompt: 'Once upon' });
  expect(await jsonOf(answer)).toMatchObject({
    request_id: answer.headers.get('x-request-id'),
    provider: 'openai',
    model: 'gpt-4o-mini',
    success: true,
    data: 'You said: Once upon',
    finish_reason: 'stop',
    byok_api_key: false,
    usage: { tokens_prompt: 12, tokens_completion: 8, tokens_total: 20, cost: 0.0000066 },
    choices: [{ index: 0, text: 'You said: Once upon', finish_reason: 'stop' }],
  });
});

test('as the Python client sends it: nulls, a temperature, empty extras', async () => {
  const body = {
    prompt: '[params]',
    model,
    temperature: 0.7,
    max_tokens: null,
    stream: false,
    byok_api_key: null,
    additional_params: { top_p: 0.5 },
  };
  const { data } = await jsonOf(await post(native, body));
  expect(JSON.parse(String(data))).toMatchObject({ temperature: 0.7, top_p: 0.5, model: 'gpt-4o-mini' });
  expect(String(data)).not.toContain('null');
});

test('the native stream', async () => {
  const seen = frames(await (await post(native, { model, prompt: 'Once upon', stream: true })).text());
  expect(seen.at(-1)?.data).toBe('[DONE]');
  const bodies = seen.slice(0, -1).map(({ data }) => JSON.parse(data) as Json);
  expect(bodies[0]?.['type']).toBe('usage_start');
  expect(
    bodies
      .filter((body) => body['type'] === 'content')
      .map((body) => body['data'])
      .join(''),
  ).toBe('You said: Once upon');
  expect(bodies.find((body) => body['type'] === 'usage_final')).toMatchObject({
    input_tokens: 12,
    output_tokens: 8,
    cost_usd: 0.0000066,
  });
});

test('OpenAI’s shape and stream', async () => {
  expect(await jsonOf(await post('/v1/completions', { model, prompt: 'Once upon' }))).toMatchObject({
    object: 'text_completion',
    choices: [{ index: 0, text: 'You said: Once upon', finish_reason: 'stop' }],
    usage: { prompt_tokens: 12, completion_tokens: 8, total_tokens: 20, cost: 0.0000066 },
  });
  const seen = frames(
    await (await post('/v1/completions', { model, prompt: 'Once upon', stream: true })).text(),
  );
  const chunks = seen
    .slice(0, -1)
    .map(({ data }) => JSON.parse(data) as { object: string; choices: { text: string }[] });
  expect(seen.at(-1)?.data).toBe('[DONE]');
  expect(chunks.every((chunk) => chunk.object === 'text_completion')).toBe(true);
  expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe('You said: Once upon');
});

test('the local sandbox completes, too', async () => {
  const body = await jsonOf(await post(native, { model: 'local/sandbox', prompt: 'Once upon' }));
  expect(body).toMatchObject({ success: true, provider: 'local' });
  expect(body['data']).not.toBe('');
});

describe('refused', () => {
  test.each([
    ['no prompt', { model }, 'prompt'],
    ['a prompt of no text', { model, prompt: 7 }, 'prompt'],
    ['a top_p out of range', { model, prompt: 'x', top_p: 2 }, 'top_p'],
  ])('%s', async (_, body, param) => {
    const nativeAnswer = await post(native, body);
    expect(nativeAnswer.status).toBe(400);
    expect(await jsonOf(nativeAnswer)).toMatchObject({
      error: 'bad_request',
      details: { param },
      detail: expect.stringContaining(param) as string,
    });
    expect(await jsonOf(await post('/v1/completions', body))).toMatchObject({
      error: { code: 'bad_request', type: 'invalid_request_error', param },
    });
  });
});
