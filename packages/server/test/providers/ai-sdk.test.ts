/** Long-tail vendors through the AI SDK's provider packages: real packages before local upstreams, through the whole gateway. */
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { vendors } from '../../src/providers/registry.ts';
import { bedrock } from '../fakes/bedrock.ts';
import { png } from '../fakes/images.ts';
import { soundOf } from '../fakes/speech.ts';
import { partsOf, wavOf } from '../fakes/transcriptions.ts';
import { frames, startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf, readUntil, say, type Json } from '../journeys/client.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';

const model = 'bedrock/anthropic.claude-sonnet-4-5';
const key = 'long-tail-key-0123456789';

let upstream: Upstream;
let elsewhere: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(bedrock);
  elsewhere = await startUpstream(answering(200, '{}'));
  const origin = upstream.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      BEDROCK_API_KEY: key,
      BEDROCK_BASE_URL: origin,
      LMNT_API_KEY: key,
      LMNT_BASE_URL: origin,
      GLADIA_API_KEY: key,
      GLADIA_BASE_URL: origin,
      HUME_API_KEY: key,
      BASETEN_API_KEY: key,
      INDOXHUB_MAX_RETRIES: '1',
    },
    yaml: `
providers:
  acme:
    type: ai-sdk
    api_key: ${key}
    base_url: ${origin}/v1
    options: { package: '@ai-sdk/xai' }
  unplaced:
    type: ai-sdk
    api_key: ${key}
    options: { package: '@ai-sdk/xai', baseURL: '${elsewhere.url}' }
  hidden:
    type: ai-sdk
    api_key: ${key}
    options: { package: '@ai-sdk/xai', baseURL: 'https://localhost/v1' }
  odd:
    type: ai-sdk
    api_key: ${key}
    options: { package: yaml }
models:
  team/spread:
    targets:
      - { provider: baseten, model: m, order: 0 }
      - { provider: bedrock, model: m, order: 1 }
  bedrock/priced:
    prices: { input: '2', output: '10', cache_read: '1' }
`,
  });
});
afterEach(async () => {
  upstream.script = bedrock;
  upstream.calls.length = 0;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
  await elsewhere.close();
});

const chat = (body: Json, apiKey?: string, headers?: Record<string, string>): Promise<Response> =>
  gateway.post('/v1/chat/completions', { model, messages: say('Hi'), ...body }, apiKey, headers);
const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
];

describe('chat', () => {
  test('an answer, its usage, and a row with an unknown cost', async () => {
    const body = await jsonOf(await chat({ temperature: 0.5, stop: ['END'], max_tokens: 50, top_p: 0.9 }));
    expect(body).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: { role: 'assistant', content: 'Hello there', reasoning_content: 'Thinking.' },
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 25, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 5 } },
    });
    const [call] = upstream.calls;
    expect([call?.method, call?.path]).toEqual(['POST', '/model/anthropic.claude-sonnet-4-5/converse']);
    expect(call?.headers).toMatchObject({ authorization: `Bearer ${key}`, 'user-agent': 'indoxhub' });
    expect(call?.body).toMatchObject({
      messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      inferenceConfig: { maxTokens: 50, temperature: 0.5, topP: 0.9, stopSequences: ['END'] },
    });
    const [row] = await gateway.requests();
    expect(row).toMatchObject({ ending: 'completed', cost: null, provider: 'bedrock' });
  });

  test('a price of the configuration is charged; without one a capped account is refused', async () => {
    const capped = await gateway.account('1.00');
    const refused = await chat({}, capped.apiKey);
    expect([refused.status, await jsonOf(refused)]).toMatchObject([
      402,
      { error: { code: 'price_unknown' } },
    ]);
    const body = await jsonOf(await chat({ model: 'bedrock/priced', max_tokens: 100 }, capped.apiKey));
    expect(body['usage']).toMatchObject({ prompt_tokens: 25 });
    const [row] = await gateway.requests(capped.id);
    // 20 × 2 + 5 × 1 + 7 × 10 of a million.
    expect(row).toMatchObject({ cost: '0.000115' });
  });

  test('a conversation with tools, both ways', async () => {
    const call = { id: 't-1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } };
    const messages = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'And this?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${png.toString('base64')}` } },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 't-1', content: '21 °C' },
    ];
    const body = await jsonOf(await chat({ messages, tools, tool_choice: 'required' }));
    expect(body['choices']).toMatchObject([
      {
        message: {
          tool_calls: [
            { id: 'tooluse_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } },
          ],
        },
        finish_reason: 'tool_calls',
      },
    ]);
    expect(upstream.calls[0]?.body).toMatchObject({
      system: [{ text: 'Be brief.' }],
      messages: [
        {
          role: 'user',
          content: [
            { text: 'And this?' },
            { image: { format: 'png', source: { bytes: png.toString('base64') } } },
          ],
        },
        {
          role: 'assistant',
          content: [{ toolUse: { toolUseId: 't-1', name: 'weather', input: { city: 'Ulm' } } }],
        },
        { role: 'user', content: [{ toolResult: { toolUseId: 't-1', content: [{ text: '21 °C' }] } }] },
      ],
      toolConfig: {
        tools: [{ toolSpec: { name: 'weather', description: 'Of a city' } }],
        toolChoice: { any: {} },
      },
    });
  });

  test('a stream with a tool call, read by an OpenAI client', async () => {
    const client = new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1` });
    const stream = client.chat.completions.stream({
      model,
      messages: [{ role: 'user', content: 'Hi' }],
      tools: tools as never,
      stream_options: { include_usage: true },
    });
    const answer = await stream.finalChatCompletion();
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Hello there',
        tool_calls: [{ id: 'tooluse_1', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }],
      },
    });
    expect(answer.usage).toMatchObject({ prompt_tokens: 25, completion_tokens: 7 });
  });

  test('a native stream, and a text completion', async () => {
    const answer = await gateway.post('/api/v1/chat/completions', {
      model,
      messages: say('Hi'),
      stream: true,
    });
    const text = await answer.text();
    expect(
      frames(text)
        .map(({ data }) => data)
        .join('\n'),
    ).toContain('Hello ');
    expect(text).toContain('[DONE]');
    const completed = await jsonOf(await gateway.post('/v1/completions', { model, prompt: 'Once' }));
    expect(completed['choices']).toMatchObject([{ text: 'Hello there', finish_reason: 'stop' }]);
  });

  test('the vendor’s refusals are told by their kind, with Retry-After and without the key', async () => {
    for (const [status, expected, code] of [
      [400, 400, 'upstream_bad_request'],
      [401, 502, 'upstream_auth'],
      [429, 429, 'upstream_rate_limited'],
      [503, 502, 'upstream_error'],
    ] as const)
      for (const stream of [false, true]) {
        // A model each, so that one's circuit is not the other's.
        const of = `bedrock/m-${status}-${String(stream)}`;
        const answer = await chat({ model: of, messages: say(`[status ${status}]`), stream });
        const body = await answer.text();
        expect([answer.status, JSON.parse(body)]).toMatchObject([expected, { error: { code } }]);
        expect(body).not.toContain(key);
        if (status === 429) expect(answer.headers.get('retry-after')).toBe('7');
      }
  });

  test('a caller’s own key is used, and its refusal is theirs', async () => {
    await chat({ byok_api_key: 'own-key-0123456789' });
    expect(upstream.calls[0]?.headers.authorization).toBe('Bearer own-key-0123456789');
    const refused = await chat({ byok_api_key: 'own-key-0123456789', messages: say('[status 401]') });
    const body = await refused.text();
    expect([refused.status, JSON.parse(body)]).toMatchObject([400, { error: { code: 'byok_rejected' } }]);
    expect(body).not.toContain('own-key-0123456789');
  });

  test('who goes away closes the vendor’s socket, streamed or not', async () => {
    for (const stream of [true, false]) {
      upstream.calls.length = 0;
      const away = new AbortController();
      const asked = gateway.post(
        '/v1/chat/completions',
        { model, messages: say('[forever]'), stream },
        gateway.apiKey,
        {},
        away.signal,
      );
      if (stream) await readUntil(await asked, 'more');
      else while (upstream.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      away.abort();
      await asked.catch(() => {});
      await upstream.calls[0]?.closed;
      expect(upstream.calls[0]?.closedAt).not.toBeNull();
    }
  });

  test('stop-stream ends it, and what was delivered is settled', async () => {
    const answer = await gateway.post('/api/v1/chat/completions', {
      model,
      messages: say('[forever]'),
      stream: true,
    });
    const id = answer.headers.get('x-request-id') ?? '';
    const { rest } = await readUntil(answer, 'more');
    const stopped = await gateway.post(`/api/v1/chat/stop-stream/${id}`, {});
    expect(await jsonOf(stopped)).toMatchObject({ success: true });
    expect(await rest()).toContain('cancelled');
    await upstream.calls[0]?.closed;
    expect(await gateway.row(id)).toMatchObject({ ending: 'stopped' });
  });

  test('a stream that breaks off ends with an error, never as if it were whole', async () => {
    const text = await (await chat({ stream: true, messages: say('[cut]') })).text();
    expect(text).toContain('"error"');
    expect(text).not.toContain('[DONE]');
  });

  test('what has no place there is a 400 that names the field', async () => {
    for (const [name, value] of Object.entries({
      n: 2,
      logprobs: true,
      logit_bias: { 1: 1 },
      modalities: ['audio'],
      tool_choice: 7,
      messages: [{ role: 'user', content: [{ type: 'hologram' }] }],
    })) {
      const refused = await chat({ tools, [name]: value });
      expect([name, refused.status, await jsonOf(refused)]).toMatchObject([
        name,
        400,
        { error: { param: name } },
      ]);
    }
    expect(upstream.calls).toEqual([]);
  });
});

describe('other modalities', () => {
  test('embeddings, split by the package’s own limit', async () => {
    const request = { model: 'bedrock/amazon.titan-embed-text-v2:0', input: ['one', 'three'] };
    const body = await jsonOf(await gateway.post('/v1/embeddings', request));
    expect(body).toMatchObject({
      data: [
        { index: 0, embedding: [3, 0.5] },
        { index: 1, embedding: [5, 0.5] },
      ],
      usage: { prompt_tokens: 6 },
    });
    expect(upstream.calls.length).toBe(2);
    const options = { bedrock: { dimensions: 256 } };
    await gateway.post('/v1/embeddings', { ...request, provider_options: options });
    expect(upstream.calls[2]?.body).toMatchObject({ dimensions: 256 });
    const wrong = await gateway.post('/v1/embeddings', { ...request, dimensions: 8 });
    expect([wrong.status, await jsonOf(wrong)]).toMatchObject([400, { error: { param: 'dimensions' } }]);
  });

  test('a picture', async () => {
    const request = { model: 'bedrock/amazon.nova-canvas-v1:0', prompt: 'A fox', size: '512x512', n: 2 };
    const body = await jsonOf(await gateway.post('/v1/images/generations', request));
    const drawn = body['data'] as Json[];
    expect(drawn.map((each) => each['b64_json'])).toContain(png.toString('base64'));
    expect(upstream.calls[0]?.body).toMatchObject({ textToImageParams: { text: 'A fox' } });
  });

  test('speech', async () => {
    upstream.script = (call, response) =>
      void response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(soundOf(String(call.body['text'])));
    const request = {
      model: 'lmnt/aurora',
      input: 'Hello',
      voice: 'ava',
      response_format: 'mp3',
      speed: 1.2,
    };
    const answer = await gateway.post('/v1/audio/speech', request);
    expect(answer.headers.get('content-type')).toBe('audio/mpeg');
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(soundOf('Hello'));
    const [call] = upstream.calls;
    expect([call?.path, call?.headers['x-api-key'], call?.body]).toMatchObject([
      '/v1/ai/speech/bytes',
      key,
      { text: 'Hello', voice: 'ava', response_format: 'mp3', speed: 1.2 },
    ]);
  });

  test('a transcription of several steps, each where the operator put the provider', async () => {
    upstream.script = (call, response) => {
      const json = (body: object): void =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (call.path === '/v2/upload') return json({ audio_url: 'https://api.gladia.io/file/f-1' });
      if (call.method === 'POST') return json({ result_url: 'https://api.gladia.io/v2/pre-recorded/g-1' });
      const utterances = [{ start: 0, end: 1.5, text: 'Hello there, General.' }];
      const transcription = { full_transcript: 'Hello there, General.', languages: ['en'], utterances };
      json({ status: 'done', result: { metadata: { audio_duration: 3 }, transcription } });
    };
    const form = new FormData();
    form.append('model', 'gladia/default');
    form.append('response_format', 'verbose_json');
    form.append('provider_options', '{"gladia":{"diarization":true}}');
    form.append('file', new File([new Uint8Array(wavOf(3))], 'clip.wav', { type: 'audio/wav' }));
    const answer = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.apiKey}` },
      body: form,
    });
    expect(await jsonOf(answer)).toMatchObject({
      text: 'Hello there, General.',
      language: 'en',
      segments: [{ start: 0, end: 1.5, text: 'Hello there, General.' }],
    });
    expect(upstream.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v2/upload',
      'POST /v2/pre-recorded',
      'GET /v2/pre-recorded/g-1',
    ]);
    expect(upstream.calls[1]?.body).toMatchObject({ diarization: true });
    const sent = upstream.calls.slice(0, 1).flatMap(partsOf);
    expect(sent.map(({ body }) => body.equals(wavOf(3)))).toEqual([true]);
  });

  test('refusals and what a package does not do', async () => {
    const refused = await gateway.post('/v1/embeddings', {
      model: 'bedrock/amazon.titan-embed-text-v2:0',
      input: '[status 429]',
    });
    expect([refused.status, await jsonOf(refused)]).toMatchObject([
      429,
      { error: { code: 'upstream_rate_limited' } },
    ]);
    const no = await gateway.post('/v1/embeddings', { model: 'acme/grok', input: 'x' });
    expect([no.status, await jsonOf(no)]).toMatchObject([400, { error: { param: 'model' } }]);
  });
});

describe('packages', () => {
  test('one that is not installed: what to type', async () => {
    const request = { model: 'hume/octave', input: 'Hello' };
    const answer = await gateway.post('/v1/audio/speech', request);
    const { error } = (await jsonOf(answer)) as { error: Json };
    expect([answer.status, error['code']]).toEqual([503, 'feature_unavailable']);
    expect(error['message']).toContain('npm install @ai-sdk/hume');
  });

  test('another target does without it', async () => {
    for (const stream of [false, true]) {
      const answer = await chat({ model: 'team/spread', stream });
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('Hello ')]);
    }
  });

  test('what was tested is what is installed', async () => {
    const root = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
    const { devDependencies } = JSON.parse(root) as { devDependencies: Record<string, string> };
    for (const { adapter } of vendors)
      if (adapter !== undefined && adapter.package !== null)
        expect(adapter.tested).toBe(devDependencies[adapter.package] ?? null);
  });

  test('one that is something else', async () => {
    const answer = await chat({ model: 'odd/m' });
    expect([answer.status, await jsonOf(answer)]).toMatchObject([
      503,
      { error: { message: 'The package yaml is no provider of the AI SDK.' } },
    ]);
  });

  test('without a base URL no private address is spoken to', async () => {
    for (const [provider, said] of [
      ['unplaced', 'not its own'],
      ['hidden', 'not public'],
    ] as const) {
      const request = { model: `${provider}/grok-imagine-image`, prompt: 'A fox' };
      const answer = await gateway.post('/v1/images/generations', request);
      const { error } = (await jsonOf(answer)) as { error: Json };
      expect([answer.status, error['code']]).toEqual([502, 'upstream_malformed']);
      expect(error['message']).toContain(said);
    }
    expect(elsewhere.calls).toEqual([]);
  });

  test('a type that names no package is a problem of the configuration', async () => {
    const yaml = 'providers:\n  x:\n    type: ai-sdk\n    api_key: k-0123456789\n';
    await expect(startGateway({ yaml })).rejects.toThrow(/needs the option package/);
    const unnamed = await chat({ model: 'ai-sdk/m' });
    expect([unnamed.status, await jsonOf(unnamed)]).toMatchObject([
      404,
      { error: { code: 'provider_not_found' } },
    ]);
  });
});
