/** POST /api/v1/chat/completions, whole and streamed, as a program without an SDK sees it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frames } from '../gateway.ts';
import { failing, jsonOf, model, openScene, say, type Json, type Scene } from './client.ts';

const path = '/api/v1/chat/completions';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

const post = (body: unknown, key?: string): Promise<Response> => scene.gateway.post(path, body, key);

async function sent(body: Json): Promise<Json> {
  const answer = await jsonOf(await post({ model, messages: say('[params]'), ...body }));
  return JSON.parse(String(answer['data'])) as Json;
}

describe('an answer', () => {
  test('is the native envelope, with choices beside it', async () => {
    const answer = await post({ model, messages: say('Hello') });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const body = await jsonOf(answer);
    expect(body).toMatchObject({
      request_id: answer.headers.get('x-request-id'),
      provider: 'openai',
      model: 'gpt-4o-mini',
      success: true,
      message: '',
      data: 'You said: Hello',
      finish_reason: 'stop',
      images: null,
      reasoning_content: null,
      raw_response: null,
      byok_api_key: false,
      object: 'chat.completion',
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'You said: Hello' } },
      ],
    });
    expect(body['request_id']).toMatch(uuid);
    expect(body['created_at']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(body['usage']).toMatchObject({
      tokens_prompt: 12,
      tokens_completion: 8,
      tokens_total: 20,
      cost: 0.0000066,
      latency: body['duration_ms'],
      cache_read_tokens: 0,
      cache_write_tokens: 0,
      reasoning_tokens: 0,
      web_search_count: 0,
      request_count: 1,
      cost_breakdown: { input_tokens: 0.0000018, output_tokens: 0.0000048 },
    });
    expect(await scene.gateway.row(String(body['request_id']))).toMatchObject({
      cost: '0.0000066',
      ending: 'completed',
    });
  });

  test('carries a tool call in data and choices', async () => {
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
    const call = {
      id: 'call_1',
      type: 'function',
      function: { name: 'weather', arguments: '{"city":"Oslo"}' },
    };
    expect(await jsonOf(await post({ model, messages: say('Rain?'), tools }))).toMatchObject({
      data: { content: '', tool_calls: [call] },
      finish_reason: 'tool_calls',
      choices: [{ message: { tool_calls: [call] } }],
    });
  });

  test('carries the vendor’s body when asked to', async () => {
    const body = await jsonOf(
      await post({ model, messages: say('Hello'), additional_params: { include_raw: true } }),
    );
    expect(body['raw_response']).toMatchObject({ id: 'chatcmpl-upstream', model: 'gpt-4o-mini-2024-07-18' });
  });

  test('of the local sandbox needs no provider key', async () => {
    const body = await jsonOf(await post({ model: 'local/sandbox', messages: say('Hello') }));
    expect(body).toMatchObject({ success: true, provider: 'local', model: 'sandbox' });
    expect(body['data']).not.toBe('');
  });

  test('comes with a trailing slash in the path, too', async () => {
    const answer = await scene.gateway.post(`${path}/`, { model, messages: say('Hello') });
    expect(await jsonOf(answer)).toMatchObject({ data: 'You said: Hello' });
  });
});

describe('what reaches the vendor', () => {
  test('is what the caller gave, top level over additional_params', async () => {
    expect(
      await sent({
        top_p: 0.5,
        additional_params: { top_p: 0.9, seed: 1 },
        response_format: { type: 'json_object' },
      }),
    ).toEqual({
      model: 'gpt-4o-mini',
      top_p: 0.5,
      seed: 1,
      response_format: { type: 'json_object' },
    });
  });

  test('is flattened from additional_params of any nesting', async () => {
    expect(await sent({ additional_params: { additional_params: { seed: 7 }, stop: ['x'] } })).toEqual({
      model: 'gpt-4o-mini',
      seed: 7,
      stop: ['x'],
    });
  });

  test('holds no null and nothing of the gateway’s own', async () => {
    const own = {
      max_tokens: null,
      byok_api_key: null,
      session_id: 's',
      provider: 'openai',
      base_url: 'http://127.0.0.1:9',
    };
    expect(
      await sent({ ...own, additional_params: { stream_id: 'mine', api_base: 'http://127.0.0.1:9' } }),
    ).toEqual({ model: 'gpt-4o-mini' });
  });

  test('are parts, the image URL among them', async () => {
    const parts = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
    ];
    await post({ model, messages: say(parts) });
    expect(scene.upstream.calls.at(-1)?.body['messages']).toEqual(say(parts));
  });

  test('is paid with the caller’s key where one is given, and costs nothing', async () => {
    const answer = await post({ model, messages: say('[key]'), byok_api_key: 'sk-of-the-caller-1234' });
    expect(answer.headers.get('x-ratelimit-bypass')).toBe('BYOK API key used');
    expect(await jsonOf(answer)).toMatchObject({
      data: 'Bearer sk-of-the-caller-1234',
      byok_api_key: true,
      usage: { cost: 0 },
    });
  });
});

describe('a stream', () => {
  const stream = (body: Json): Promise<Response> => post({ model, stream: true, ...body });

  test('begins with usage_start, carries each text once, ends with finish, usage_final and [DONE]', async () => {
    const answer = await stream({ messages: say('Hello there') });
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    const seen = frames(await answer.text());
    expect(seen.at(-1)).toEqual({ event: '', data: '[DONE]' });
    const parsed = seen.slice(0, -1).map(({ event, data }) => ({ event, body: JSON.parse(data) as Json }));
    expect(parsed[0]).toEqual({
      event: 'usage_start',
      body: {
        type: 'usage_start',
        request_id: answer.headers.get('x-request-id'),
        provider: 'openai',
        model: 'gpt-4o-mini',
        input_tokens: expect.any(Number) as number,
      },
    });
    const content = parsed.filter(({ body }) => body['type'] === 'content');
    expect(content.map(({ body }) => body['data']).join('')).toBe('You said: Hello there');
    for (const { event, body } of content)
      expect({ event, body }).toEqual({
        event: '',
        body: {
          type: 'content',
          data: body['data'],
          provider: 'openai',
          choices: [{ delta: { content: body['data'] }, index: 0, finish_reason: null }],
        },
      });
    expect(
      parsed.filter(({ body }) => body['type'] === 'finish').map(({ body }) => body['finish_reason']),
    ).toEqual(['stop']);
    expect(parsed.find(({ event }) => event === 'usage_final')?.body).toMatchObject({
      input_tokens: 12,
      output_tokens: 8,
      cost_usd: 0.0000066,
    });
    // What the Python client trips over: an `error` key, empty choices, a bare value.
    for (const { body } of parsed) {
      expect(body).toBeTypeOf('object');
      expect(body).not.toHaveProperty('error');
      expect(body['choices'] ?? [1]).not.toEqual([]);
    }
  });

  test('that cannot begin is an ordinary error', async () => {
    const answer = await stream({ model: failing, messages: say('[status 500]') });
    expect(answer.status).toBe(502);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await jsonOf(answer)).toMatchObject({ error: 'upstream_error', success: false });
  });

  test('that breaks says so, and no [DONE]', async () => {
    const text = await (await stream({ messages: say('[break]') })).text();
    expect(text).not.toContain('[DONE]');
    expect(JSON.parse(frames(text).at(-1)?.data ?? '')).toMatchObject({
      error: expect.stringMatching(/^Status 502: /) as string,
      code: 'upstream_error',
    });
  });
});

describe('an error', () => {
  const refused: [string, Json, number, string, string][] = [
    ['no messages', { model }, 400, 'bad_request', 'messages'],
    ['empty messages', { model, messages: [] }, 400, 'bad_request', 'messages'],
    [
      'a message without a role',
      { model, messages: [{ content: 'x' }] },
      400,
      'bad_request',
      'messages[0].role',
    ],
    [
      'a temperature out of range',
      { model, messages: say('x'), temperature: 3 },
      400,
      'bad_request',
      'temperature',
    ],
    [
      'max_tokens of no number',
      { model, messages: say('x'), max_tokens: 'many' },
      400,
      'bad_request',
      'max_tokens',
    ],
    [
      'additional_params of no object',
      { model, messages: say('x'), additional_params: [] },
      400,
      'bad_request',
      'additional_params',
    ],
    ['stream of no boolean', { model, messages: say('x'), stream: 'yes' }, 400, 'bad_request', 'stream'],
  ];
  test.each(refused)('%s: 400 that names the field', async (_, body, status, code, param) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    const json = await jsonOf(answer);
    expect(json).toMatchObject({
      error: code,
      status_code: status,
      success: false,
      data: '',
      details: { param },
      request_id: answer.headers.get('x-request-id'),
    });
    expect(json['detail']).toBe(json['message']);
    expect(json['detail']).toContain(param);
  });

  test('in the JSON itself is 400 invalid_json', async () => {
    for (const body of ['', '{', '[]', 'null', '"x"', '{"model":"\u0000"']) {
      const answer = await post(body);
      expect(answer.status).toBe(400);
      expect(await jsonOf(answer)).toMatchObject({
        error: 'invalid_json',
        detail: expect.any(String) as string,
      });
    }
  });

  test('of an unknown provider or one without a key says what to do', async () => {
    expect(await jsonOf(await post({ model: 'nobody/x', messages: say('x') }))).toMatchObject({
      status_code: 404,
      error: 'provider_not_found',
    });
    expect(
      await jsonOf(await post({ model: 'mistral/mistral-small-latest', messages: say('x') })),
    ).toMatchObject({
      status_code: 400,
      error: 'provider_not_configured',
      detail: expect.stringContaining('MISTRAL_API_KEY') as string,
    });
  });

  test('of the vendor: 401 is 502 without a key in it, 429 is 429 with Retry-After', async () => {
    const auth = await post({ model: failing, messages: say('[status 401]') });
    expect(auth.status).toBe(502);
    expect(await auth.text()).not.toContain('sk-of-the-gateway');
    const busy = await post({ model: 'openai/gpt-4.1-nano', messages: say('[status 429]') });
    expect(busy.status).toBe(429);
    expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
