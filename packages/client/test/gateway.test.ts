/** Every method against the running gateway, and every answer against its type. */
import { describe, expect, test } from 'vitest';
import type {
  ChatCompletion,
  APIPromise,
  Completion,
  EmbeddingResponse,
  Envelope,
  GeneratedImage,
  ImageResponse,
  RequestOptions,
  SpeechResponse,
  TranscriptionResponse,
  Usage,
} from '../src/index.ts';
import { Client, IndoxHub } from '../src/index.ts';
import { question, useGateway } from './server.ts';

const its = useGateway();

/** A member of an answer: its kinds as typeof says them, `?` where it may be missing. */
type Shape<T> = { readonly [Name in keyof T]-?: string };

const usage = {
  tokens_prompt: 'number',
  tokens_completion: 'number',
  tokens_total: 'number',
  cost: 'number|null',
  latency: 'number',
  timestamp: 'string',
  cache_read_tokens: 'number',
  cache_write_tokens: 'number',
  reasoning_tokens: 'number',
  web_search_count: 'number',
  request_count: 'number',
  cost_breakdown: 'object|null',
  estimated: 'boolean?',
} satisfies Shape<Usage>;
const envelope = {
  request_id: 'string',
  created_at: 'string',
  duration_ms: 'number',
  provider: 'string',
  model: 'string',
  success: 'boolean',
  message: 'string',
  usage: 'object',
  raw_response: 'object|null',
  data: 'object',
  byok_api_key: 'boolean',
} satisfies Shape<Envelope<unknown>>;
const text = {
  ...envelope,
  data: 'string',
  finish_reason: 'string|null',
  images: 'object|null',
  reasoning_content: 'string|null',
  id: 'string',
  object: 'string',
  created: 'number',
  choices: 'object',
} satisfies Shape<ChatCompletion> & Shape<Completion>;

/** The answer has the members of its type, of their kinds, and no other. */
function expectShape(answer: object, shape: Readonly<Record<string, string>>): void {
  const members: Record<string, unknown> = { ...answer };
  const wanted = Object.entries(shape).filter(([name, kinds]) => !kinds.endsWith('?') || name in members);
  expect(Object.keys(members).sort()).toEqual(wanted.map(([name]) => name).sort());
  for (const [name, kinds] of wanted) {
    const kind = members[name] === null ? 'null' : typeof members[name];
    expect(kinds.replace('?', '').split('|'), name).toContain(kind);
  }
}

describe('text', () => {
  test('chat, by both names', async () => {
    const params = { model: 'local/sandbox', messages: question('What is 2 + 3 * 4?') } as const;
    const answer = await its.client.chat.completions.create(params);
    expect(answer.data).toBe('2 + 3 * 4 = 14');
    expect(answer.choices[0]?.message.content).toBe('2 + 3 * 4 = 14');
    expectShape(answer, text);
    expectShape(answer.usage, usage);
    const again = await its.client.chat(question('What is 2 + 3 * 4?'), { model: 'local/sandbox' });
    expect(again.data).toBe(answer.data);
    const empty = await its.client.chat(question('echo hi'));
    expect(empty.model).toBe('sandbox');
  });

  test('tool calls', async () => {
    const answer = await its.client.chat(question('What is the weather in Paris?'), {
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather in a city',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        },
      ],
    });
    expect(answer.finish_reason).toBe('tool_calls');
    expect(typeof answer.data === 'string' ? [] : answer.data.tool_calls).toMatchObject([
      { type: 'function', function: { name: 'weather' } },
    ]);
  });

  test('text completion, by both names', async () => {
    const answer = await its.client.completions.create({ model: 'local/sandbox', prompt: 'echo hi' });
    expect(answer.choices[0]?.text).toBe('hi');
    expectShape(answer, text);
    expect((await its.client.completion('echo hi')).data).toBe('hi');
  });
});

test('embeddings, by both names', async () => {
  const answer = await its.client.embeddings.create({ text: ['A cat sleeps.', 'A kitten naps.'] });
  expect(answer.data).toHaveLength(2);
  expect(answer.data[0]).toHaveLength(answer.dimensions);
  expectShape(answer, { ...envelope, dimensions: 'number' } satisfies Shape<EmbeddingResponse>);
  expect((await its.client.embeddings('A cat sleeps.')).data[0]).toEqual(answer.data[0]);
});

test('images, by both names', async () => {
  const params = { size: '64x64', response_format: 'b64_json' } as const;
  const answer = await its.client.images.generate({ prompt: 'A fox', ...params });
  expectShape(answer, envelope satisfies Shape<ImageResponse>);
  const shape = { url: 'string?', b64_json: 'string?', revised_prompt: 'string?', index: 'number' };
  expectShape(answer.data[0] ?? {}, shape satisfies Shape<GeneratedImage>);
  expect(answer.data[0]?.b64_json).toMatch(/^iVBOR/);
  expect((await its.client.images('A fox', params)).data).toHaveLength(1);
});

test('speech, and what is heard of it, by both names', async () => {
  const spoken = await its.client.audio.speech.create({ input: 'hello world', response_format: 'wav' });
  expectShape(spoken, envelope);
  expectShape(spoken.data, {
    audio_url: 'string',
    url: 'string',
    format: 'string',
    content_type: 'string',
    voice: 'string|null',
    file_size: 'number',
    expires_at: 'string?',
    audio_content: 'string?',
  } satisfies Shape<SpeechResponse['data']>);
  expectShape(spoken.usage, { ...usage, characters: 'number' });
  expect((await its.client.textToSpeech('hello world')).data.format).toBe('mp3');

  const heard = await its.client.audio.transcriptions.create({
    file: fetch(spoken.data.audio_url),
    timestamp_granularities: ['word'],
  });
  expect(heard.text).toMatch(/hello/i);
  expect(heard.words?.length).toBeGreaterThan(0);
  expectShape(heard, {
    ...envelope,
    text: 'string',
    language: 'string|null',
    duration: 'number|null',
    words: 'object|null',
    segments: 'object|null',
    translation: 'object?',
  } satisfies Shape<TranscriptionResponse>);
  expectShape(heard.usage, { ...usage, type: 'string', seconds: 'number|null' });

  const translated = await its.client.translateAudio(fetch(spoken.data.audio_url));
  expect(translated.usage.type).toBe('audio');
  const other = await its.client.audio.translations.create({ file: fetch(spoken.data.audio_url) });
  expect(other.text).toBe(translated.text);
  expect((await its.client.speechToText(fetch(spoken.data.audio_url))).text).toBe(heard.text);
});

test('the bytes of a sound', async () => {
  const sound = await its.client.audio.speech.bytes({ input: 'hello', response_format: 'wav' });
  const bytes = new Uint8Array(await sound.arrayBuffer());
  expect(new TextDecoder().decode(bytes.slice(0, 4))).toBe('RIFF');
});

test('models, by both names and without a key', async () => {
  const client = new IndoxHub({ apiKey: '', baseURL: its.gateway.url });
  const providers = await client.models.list();
  expect(providers.map(({ id }) => id)).toContain('local');
  expect(await client.models()).toEqual(providers);
  expect((await client.models.provider('local')).embeddings[0]?.id).toBe('use-lite');
  expect((await client.models('local')).id).toBe('local');
  const model = await client.models.retrieve('local/sandbox');
  expect(model.capabilities).toContain('chat');
  expect(await client.getModelInfo('local', 'sandbox')).toEqual(model);
  expect((await client.testConnection()).status).toBe('ok');
});

test('trending and usage, by both names', async () => {
  const [first] = await its.client.models.trending({ days: 1, limit: 1 });
  expect(first?.rank).toBe(1);
  expect(await its.client.trendingModels({ days: 1, limit: 1 })).toEqual([first]);
  const report = await its.client.usage.retrieve();
  expect(report.total_requests).toBeGreaterThan(0);
  expect(await its.client.getUsage({ start_date: '2020-01-01', end_date: '2020-01-02' })).toMatchObject({
    total_requests: 0,
  });
});

test('every kind of call under one idempotency key is answered once', async () => {
  const { client } = its;
  const bytes = await (
    await client.audio.speech.bytes({ input: 'hello', response_format: 'wav' })
  ).arrayBuffer();
  const calls: Record<string, (options: RequestOptions) => APIPromise<{ request_id: string }>> = {
    chat: (options) => client.chat(question('echo hi'), {}, options),
    completion: (options) => client.completion('echo hi', {}, options),
    embeddings: (options) => client.embeddings('hi', {}, options),
    images: (options) => client.images('A fox', { size: '64x64' }, options),
    speech: (options) => client.textToSpeech('hi', {}, options),
    transcription: (options) => client.speechToText(bytes, {}, options),
    translation: (options) => client.translateAudio(bytes, {}, options),
  };
  for (const [name, call] of Object.entries(calls)) {
    const options = { idempotencyKey: `once-${name}` };
    const first = await call(options).withResponse();
    const second = await call(options).withResponse();
    expect(second.data.request_id, name).toBe(first.data.request_id);
    expect(second.response.headers.get('idempotent-replayed'), name).toBe('true');
    expect((await call({})).request_id, name).not.toBe(first.data.request_id);
  }
});

describe('the client itself', () => {
  test('new Client("key"), and a base URL with the prefix of an API', async () => {
    for (const suffix of ['', '/', '/api/v1', '/api/v1/', '/v1', '/v1/']) {
      const client = new Client(its.gateway.apiKey, { baseURL: its.gateway.url + suffix });
      expect(client.baseURL).toBe(its.gateway.url);
      expect((await client.usage.retrieve()).total_cost).toBe(0);
    }
    expect(() => new Client('key', { baseURL: 'localhost' })).toThrow('baseURL must');
    expect(() => new Client('key', { baseURL: 'http://user:pw@host' })).toThrow('must not hold a user');
    const behind = new Client('key', { baseURL: 'http://host/ai/api/v1' });
    expect(behind.baseURL).toBe('http://host/ai');
  });

  test('key and address from the environment, in their order', async () => {
    const names = ['INDOXHUB_API_KEY', 'INDOX_HUB_API_KEY', 'INDOX_ROUTER_API_KEY'];
    const before = { ...process.env };
    process.env['INDOXHUB_BASE_URL'] = its.gateway.url;
    try {
      for (const [at, name] of names.entries()) {
        for (const later of names.slice(at + 1)) process.env[later] = 'wrong';
        process.env[name] = its.gateway.apiKey;
        expect((await new IndoxHub().usage.retrieve()).total_cost).toBe(0);
        for (const each of names) delete process.env[each];
      }
      await expect(new IndoxHub().usage.retrieve()).rejects.toThrow('No API key');
      expect(new IndoxHub().baseURL).toBe(its.gateway.url);
      delete process.env['INDOXHUB_BASE_URL'];
      expect(new IndoxHub().baseURL).toBe('http://127.0.0.1:8100');
    } finally {
      process.env = before;
    }
  });

  test('a key from a function, and options that differ', async () => {
    let asked = 0;
    const apiKey = async (): Promise<string> => {
      asked++;
      return its.gateway.apiKey;
    };
    const client = new IndoxHub({ apiKey, baseURL: its.gateway.url });
    await client.usage.retrieve();
    await client.usage.retrieve();
    expect(asked).toBe(2);
    const wrong = client.withOptions({ apiKey: 'indox-wrong' });
    expect(wrong.baseURL).toBe(client.baseURL);
    await expect(wrong.usage.retrieve()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('withResponse, asResponse, and paths without a method', async () => {
    const call = its.client.chat(question('echo hi'));
    const { data, response, requestId } = await call.withResponse();
    expect(requestId).toBe(data.request_id);
    expect(await call).toBe(data);
    expect(await response.json()).toEqual(data);
    const raw = await its.client.chat(question('echo hi')).asResponse();
    expect(raw.headers.get('content-type')).toContain('application/json');
    const me = await its.client.request<{ username: string }>({ method: 'GET', path: '/api/v1/user/me' });
    expect(me.username).toBe('default');
  });
});
