/** What clients of others take for granted, one rule a test: measured with recorded requests of theirs. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { base64Floats, vectorOf } from './fakes/embeddings.ts';
import { png } from './fakes/images.ts';
import { soundOf } from './fakes/speech.ts';
import { mp4 } from './fakes/videos.ts';
import { wavOf } from './fakes/transcriptions.ts';
import { startCommand } from './journeys/started.ts';
import { jsonOf, model, openScene, say, type Json, type Scene } from './journeys/client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ env: { INDOXHUB_HEARTBEAT: '100ms', INDOXHUB_VIDEO_POLL: '20ms' } });
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  scene.gateway.post(path, body, undefined, headers);
const send = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(scene.gateway.url + path, {
    ...init,
    redirect: 'manual',
    headers: { authorization: `Bearer ${scene.gateway.apiKey}`, ...(init.headers as Record<string, string>) },
  });
const dataOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice(6));

test('every path answers with and without a trailing slash, and none redirects', async () => {
  const chat = { model, messages: say('hi') };
  const bodies: [string, object][] = ['/v1', '/api/v1', ''].flatMap((prefix): [string, object][] => [
    [`${prefix}/chat/completions`, chat],
    [`${prefix}/completions`, { model, prompt: 'hi' }],
    [`${prefix}/embeddings`, { model: 'openai/text-embedding-3-small', input: 'hi' }],
  ]);
  for (const [path, body] of bodies)
    for (const each of [path, `${path}/`]) {
      const init = {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      };
      expect((await send(each, init)).status, each).toBe(200);
    }
  for (const path of [
    '/v1/models',
    '/v1/models/',
    '/api/v1/models',
    '/api/v1/models/',
    '/v1/videos',
    '/v1/videos/',
  ])
    expect((await send(path)).status, path).toBe(200);
});

test('the wait for a first token is filled with comments, which every parser leaves out', async () => {
  const text = await (
    await post('/v1/chat/completions', { model, stream: true, messages: say('[late]') })
  ).text();
  expect(text).toMatch(/^: /m);
  expect(text.indexOf(': ')).toBeLessThan(text.indexOf('data: '));
  expect(dataOf(text).join('')).toContain('[late]');
});

test('the usage chunk has no choices, and the cost inside usage; it comes only when asked for', async () => {
  const streamed = async (more: object): Promise<Json[]> => {
    const answer = await post('/v1/chat/completions', { model, stream: true, messages: say('hi'), ...more });
    return dataOf(await answer.text())
      .filter((data) => data !== '[DONE]')
      .map((data) => JSON.parse(data) as Json);
  };
  const asked = await streamed({ stream_options: { include_usage: true } });
  expect(asked.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 20, cost: 0.0000066 } });
  const unasked = await streamed({});
  expect(unasked.every(({ choices }) => (choices as unknown[]).length === 1)).toBe(true);
});

test('a stream ends with [DONE]; one that failed ends with its error and without it', async () => {
  const ended = await (
    await post('/v1/chat/completions', { model, stream: true, messages: say('hi') })
  ).text();
  expect(dataOf(ended).at(-1)).toBe('[DONE]');
  const failed = await (
    await post('/v1/chat/completions', { model, stream: true, messages: say('[break]') })
  ).text();
  expect(JSON.parse(dataOf(failed).at(-1) ?? '')).toMatchObject({
    error: {
      message: expect.any(String) as string,
      type: expect.any(String) as string,
      code: 'upstream_error',
    },
  });
});

test('tool calls: id and name first, then pieces of the arguments; index and function in each', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
  const text = await (
    await post('/v1/chat/completions', { model, stream: true, messages: say('hi'), tools })
  ).text();
  const deltas = dataOf(text)
    .filter((data) => data !== '[DONE]')
    .flatMap((data) => (JSON.parse(data) as { choices: { delta: { tool_calls?: Json[] } }[] }).choices)
    .flatMap(({ delta }) => delta.tool_calls ?? []) as {
    index: number;
    id?: string;
    function: { name?: string; arguments: string };
  }[];
  expect(deltas[0]).toMatchObject({
    index: 0,
    id: 'call_1',
    type: 'function',
    function: { name: 'weather' },
  });
  expect(
    deltas.every(({ index, function: called }) => index === 0 && typeof called.arguments === 'string'),
  ).toBe(true);
  expect(deltas.map((delta) => delta.function.arguments).join('')).toBe('{"city":"Oslo"}');
});

describe('embeddings', () => {
  const name = 'openai/text-embedding-3-small';
  test('base64 where base64 is asked for, else an OpenAI client reads an empty vector', async () => {
    const answer = await jsonOf(
      await post('/v1/embeddings', { model: name, input: 'abc', encoding_format: 'base64' }),
    );
    expect(answer['data']).toMatchObject([{ embedding: base64Floats(vectorOf('abc', 4)) }]);
    const floats = await jsonOf(
      await post('/v1/embeddings', { model: name, input: 'abc', encoding_format: 'float' }),
    );
    expect(floats['data']).toMatchObject([{ embedding: vectorOf('abc', 4) }]);
  });

  test('input and text mean the same; the shape follows the prefix', async () => {
    for (const field of ['input', 'text']) {
      const native = await jsonOf(await post('/api/v1/embeddings', { model: name, [field]: ['abc'] }));
      expect(native).toMatchObject({ data: [vectorOf('abc', 4)], dimensions: 4 });
    }
    const openai = await jsonOf(await post('/v1/embeddings', { model: name, input: ['abc'] }));
    expect(openai).toMatchObject({ object: 'list', data: [{ object: 'embedding', index: 0 }] });
  });
});

test('models: a list object on /v1, where an array would be read as no models; an id with an encoded slash', async () => {
  const listed = await jsonOf(await send('/v1/models'));
  expect(listed['object']).toBe('list');
  expect((listed['data'] as Json[]).find(({ id }) => id === model)).toMatchObject({
    object: 'model',
    owned_by: 'openai',
    created: expect.any(Number) as number,
  });
  for (const prefix of ['/v1', '/api/v1'])
    for (const id of ['openai/gpt-4o-mini', 'openai%2Fgpt-4o-mini'])
      expect((await send(`${prefix}/models/${id}`)).status, `${prefix} ${id}`).toBe(200);
});

test('images: b64_json whatever the provider gives', async () => {
  const answer = await post('/v1/images/generations', {
    model: 'openai/dall-e-3',
    prompt: 'A fox',
    n: 1,
    response_format: 'b64_json',
  });
  expect((await jsonOf(answer))['data']).toMatchObject([{ b64_json: png.toString('base64') }]);
});

test('sound: bytes with their content type; forms on the paths OpenAI’s clients know', async () => {
  const spoken = await post('/v1/audio/speech', { model: 'openai/tts-1', voice: 'alloy', input: 'Hi' });
  expect(spoken.headers.get('content-type')).toBe('audio/mpeg');
  expect(Buffer.from(await spoken.arrayBuffer())).toEqual(soundOf('Hi'));
  for (const path of ['/v1/audio/transcriptions', '/v1/audio/translations']) {
    const body = new FormData();
    body.append('model', 'openai/whisper-1');
    body.append('file', new Blob([new Uint8Array(wavOf(1))]), 'a.wav');
    expect(await jsonOf(await send(path, { method: 'POST', body }))).toMatchObject({
      text: 'Hello there. General Kenobi.',
    });
  }
});

test('videos: submitted as a form, then asked for, then opened', async () => {
  const body = new FormData();
  for (const [name, value] of Object.entries({ model: 'openai/sora-2', prompt: 'A fox', seconds: '4' }))
    body.append(name, value);
  let video = await jsonOf(await send('/v1/videos', { method: 'POST', body }));
  expect(video).toMatchObject({ object: 'video' });
  while (video['status'] !== 'completed') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    video = await jsonOf(await send(`/v1/videos/${String(video['id'])}`));
  }
  const content = await send(`/v1/videos/${String(video['id'])}/content`);
  expect(Buffer.from(await content.arrayBuffer())).toEqual(mp4);
});

describe('errors', () => {
  const shape = {
    error: {
      message: expect.any(String) as string,
      type: expect.any(String) as string,
      code: expect.any(String) as string,
      param: null,
    },
  };
  test('spent credits are a 402 that says not to try again', async () => {
    const { apiKey } = await scene.gateway.account('0.000001');
    const answer = await scene.gateway.post(
      '/v1/chat/completions',
      { model, messages: say('hi'), max_tokens: 1000 },
      apiKey,
    );
    expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([402, 'false']);
    expect(await jsonOf(answer)).toMatchObject(shape);
  });

  test('every refusal has OpenAI’s shape, those of the framework too: 401, 404, 405, 413, 415', async () => {
    const refusals: [number, Promise<Response>][] = ['/v1', ''].flatMap(
      (prefix): [number, Promise<Response>][] => {
        const path = `${prefix}/chat/completions`;
        return [
          [
            401,
            fetch(scene.gateway.url + path, {
              method: 'POST',
              body: '{}',
              headers: { 'content-type': 'application/json' },
            }),
          ],
          [405, send(path)],
          [415, send(path, { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } })],
          [404, send(`${prefix}/chat/nothing`)],
        ];
      },
    );
    for (const [status, pending] of refusals) {
      const answer = await pending;
      expect(answer.status).toBe(status);
      expect(await jsonOf(answer), answer.url).toMatchObject({
        error: {
          message: expect.any(String) as string,
          type: expect.any(String) as string,
          code: expect.any(String) as string,
        },
      });
    }
    const small = await openScene({ env: { INDOXHUB_MAX_BODY: '1KiB' } });
    try {
      const answer = await small.gateway.post('/v1/chat/completions', {
        model,
        messages: say('x'.repeat(2_000)),
      });
      expect(answer.status).toBe(413);
      expect(await jsonOf(answer)).toMatchObject(shape);
    } finally {
      await small.close();
    }
  });

  test('on the native surface the Python client’s shape: detail is text', async () => {
    const answer = await jsonOf(
      await post('/api/v1/chat/completions', { model: 'nobody/x', messages: say('hi') }),
    );
    expect(answer).toMatchObject({
      error: 'provider_not_found',
      detail: expect.stringContaining('nobody') as string,
    });
  });

  test('a 429 says when to come back in seconds and in milliseconds', async () => {
    const { apiKey } = await scene.gateway.account(null, { rpm: 1 });
    const once = (): Promise<Response> =>
      scene.gateway.post('/v1/chat/completions', { model, messages: say('hi') }, apiKey);
    await once();
    const { status, headers } = await once();
    expect(status).toBe(429);
    expect(headers.get('x-should-retry')).toBe('true');
    const ms = Number(headers.get('retry-after-ms'));
    expect(ms).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBe(Math.max(1, Math.ceil(ms / 1000)));
  });

  test.each(['/v1/responses', '/api/v1/responses', '/responses'])(
    '%s is a 404 that names what to use',
    async (path) => {
      const answer = await post(path, { model, input: 'hi' });
      expect(answer.status).toBe(404);
      const { error } = (await jsonOf(answer)) as { error: { message: string } };
      expect(error.message).toContain("openai.chat('…')");
      expect(error.message).toContain('@ai-sdk/openai-compatible');
      expect(error.message).toContain('client.chat.completions');
    },
  );
});

test('a page may send what OpenAI’s client sends, and read what it reads', async () => {
  const asked = [
    'authorization',
    'content-type',
    'x-stainless-lang',
    'x-stainless-retry-count',
    'idempotency-key',
  ];
  const preflight = await fetch(`${scene.gateway.url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': asked.join(', '),
    },
  });
  expect(preflight.status).toBe(204);
  const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ');
  expect(allowed.includes('*') || asked.every((name) => allowed.includes(name))).toBe(true);
  // A star does not stand for this one.
  expect(allowed).toContain('authorization');
  const answer = await post(
    '/v1/chat/completions',
    { model, messages: say('hi') },
    { origin: 'https://app.example.com' },
  );
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  const exposed = (answer.headers.get('access-control-expose-headers') ?? '').toLowerCase().split(', ');
  for (const name of ['x-request-id', 'retry-after', 'retry-after-ms', 'x-should-retry'])
    expect(exposed).toContain(name);
});

test('a client’s own retries are told apart in the log', async () => {
  const gateway = await startCommand(process.execPath, [join(import.meta.dirname, '../bin/indoxhub.js')], {
    cwd: tmpdir(),
    env: { INDOXHUB_LOG_LEVEL: 'info' },
  });
  const headers = { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json' };
  for (const [path, body] of [
    ['/v1/chat/completions', { model: 'local/sandbox', messages: say('hi') }],
    ['/v1/embeddings', { model: 'local/use-lite', input: 'hi' }],
  ] as const)
    for (const more of [{}, { 'x-stainless-retry-count': '2' }, { 'x-stainless-retry-count': 'many' }])
      await (
        await fetch(gateway.url + path, {
          method: 'POST',
          headers: { ...headers, ...more },
          body: JSON.stringify(body),
        })
      ).text();
  await gateway.stop();
  const calls = gateway.output
    .split('\n')
    .filter((line) => line.includes('"msg":"call"'))
    .map((line) => JSON.parse(line) as Json);
  expect(calls.map((call) => call['client_retries'])).toEqual([
    undefined,
    2,
    undefined,
    undefined,
    2,
    undefined,
  ]);
});

test('headers and fields of clients that nobody here knows are no error', async () => {
  const headers = {
    'x-stainless-lang': 'js',
    'x-stainless-package-version': '7.57.0',
    'x-stainless-retry-count': '1',
    'openai-organization': 'org',
    'openai-beta': 'assistants=v2',
    'api-key': 'whatever',
    'http-referer': 'https://app.example.com',
    'x-title': 'App',
  };
  const answer = await post(
    '/v1/chat/completions',
    { model, messages: say('hi'), some_new_field: 1 },
    headers,
  );
  expect(answer.status).toBe(200);
  expect(scene.upstream.calls.at(-1)?.body['some_new_field']).toBe(1);
  expect(
    Object.keys(scene.upstream.calls.at(-1)?.headers ?? {}).filter(
      (name) => name.startsWith('x-stainless') || name === 'api-key',
    ),
  ).toEqual([]);
});
