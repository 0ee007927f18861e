/** The unmodified npm `openai` SDK on /v1, bare host and /api/v1. */
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failing, model, openScene, type Scene } from './client.ts';

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Hello there' }];
const saying = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: 'user', content }];
const weather: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
let scene: Scene;
let client: OpenAI;

const clientOf = (apiKey: string, path = '/v1', maxRetries = 0): OpenAI =>
  new OpenAI({ apiKey, baseURL: scene.gateway.url + path, maxRetries });

beforeAll(async () => {
  scene = await openScene();
  client = clientOf(scene.gateway.apiKey);
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

async function textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}

test('chat: the message, usage with cost, the request id', async () => {
  const { data, request_id, response } = await client.chat.completions
    .create({ model, messages })
    .withResponse();
  expect(data.choices[0]).toMatchObject({
    index: 0,
    finish_reason: 'stop',
    message: { role: 'assistant', content: 'You said: Hello there' },
  });
  expect(data.object).toBe('chat.completion');
  expect(data.usage).toMatchObject({
    prompt_tokens: 12,
    completion_tokens: 8,
    total_tokens: 20,
    cost: 0.0000066,
  });
  expect(request_id).toMatch(/^[0-9a-f-]{36}$/);
  expect(response.headers.get('x-request-id')).toBe(request_id);
  expect(await scene.gateway.row(request_id ?? '')).toMatchObject({ cost: '0.0000066', ending: 'completed' });
});

test('parameters travel untouched', async () => {
  const answer = await client.chat.completions.create({
    model,
    messages: saying('[params]'),
    temperature: 0,
    logprobs: true,
    top_logprobs: 2,
    user: 'u',
  });
  expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({
    model: 'gpt-4o-mini',
    temperature: 0,
    logprobs: true,
    top_logprobs: 2,
    user: 'u',
  });
});

describe('streams', () => {
  test('chunks without usage when none was asked for', async () => {
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }))
      chunks.push(chunk);
    expect(chunks.every((chunk) => chunk.choices.length === 1 && (chunk.usage ?? null) === null)).toBe(true);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      'You said: Hello there',
    );
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  });

  test('a last chunk with usage and cost when asked for', async () => {
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 20, cost: 0.0000066 } });
    expect(chunks.slice(0, -1).every((chunk) => chunk.choices.length === 1)).toBe(true);
  });

  test('the stream helper: events, final message, total usage', async () => {
    const deltas: string[] = [];
    const runner = client.chat.completions
      .stream({ model, messages, stream_options: { include_usage: true } })
      .on('content', (delta) => deltas.push(delta));
    expect(await runner.finalContent()).toBe('You said: Hello there');
    expect(deltas.join('')).toBe('You said: Hello there');
    expect(await runner.totalUsage()).toMatchObject({ total_tokens: 20 });
  });

  test('an error after the first byte is thrown after the text', async () => {
    const stream = await client.chat.completions.create({ model, messages: saying('[break]'), stream: true });
    let text = '';
    const read = async (): Promise<void> => {
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    expect(text).toBe('You said: [break]');
  });

  test('abort closes the upstream and settles what was delivered', async () => {
    const before = scene.upstream.calls.length;
    const { data: stream, request_id } = await client.chat.completions
      .create({ model, messages: saying('[slow]'), stream: true })
      .withResponse();
    let chunks = 0;
    let leftAt = 0;
    for await (const _ of stream) {
      if (++chunks < 3) continue;
      leftAt = Date.now();
      break;
    }
    expect(((await scene.upstream.calls[before]?.closed) ?? Infinity) - leftAt).toBeLessThan(500);
    const row = await scene.gateway.row(request_id ?? '');
    expect(row).toMatchObject({ ending: 'client_cancelled', usage_source: 'counted' });
    expect(Number(row['cost'])).toBeGreaterThan(0);
  });

  test('abort of a whole answer closes the upstream, too', async () => {
    const before = scene.upstream.calls.length;
    const abort = new AbortController();
    const pending = client.chat.completions.create(
      { model, messages: saying('[silence]') },
      { signal: abort.signal },
    );
    while (scene.upstream.calls.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await expect(pending).rejects.toBeInstanceOf(APIUserAbortError);
    await scene.upstream.calls[before]?.closed;
  });
});

describe('tools', () => {
  test('the call, whole', async () => {
    const { choices } = await client.chat.completions.create({ model, messages, tools: [weather] });
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
        ],
      },
    });
  });

  test.each([false, true])('runTools calls the function and comes back (stream: %s)', async (stream) => {
    const cities: string[] = [];
    const tools = [
      {
        type: 'function' as const,
        function: {
          name: 'weather',
          description: 'The weather',
          parameters: { type: 'object', properties: { city: { type: 'string' } } },
          parse: (text: string) => JSON.parse(text) as { city: string },
          function: ({ city }: { city: string }) => {
            cities.push(city);
            return 'rain';
          },
        },
      },
    ];
    const runner = stream
      ? client.chat.completions.runTools({ model, messages, tools, stream: true })
      : client.chat.completions.runTools({ model, messages, tools });
    expect(await runner.finalContent()).toBe('The tool said: rain');
    expect(cities).toEqual(['Oslo']);
  });
});

test('text completions, whole and streamed', async () => {
  const answer = await client.completions.create({ model, prompt: 'Once upon' });
  expect(answer).toMatchObject({
    object: 'text_completion',
    choices: [{ text: 'You said: Once upon', finish_reason: 'stop' }],
    usage: { total_tokens: 20 },
  });
  let text = '';
  for await (const { choices } of await client.completions.create({
    model,
    prompt: 'Once upon',
    stream: true,
  }))
    text += choices[0]?.text ?? '';
  expect(text).toBe('You said: Once upon');
});

test('models.list pages and models.retrieve takes an id with a slash', async () => {
  const ids: string[] = [];
  for await (const each of client.models.list()) ids.push(each.id);
  expect(ids).toContain('openai/gpt-4o-mini');
  expect(ids).toContain('local/sandbox');
  expect(await client.models.retrieve('openai/gpt-4o-mini')).toMatchObject({
    id: 'openai/gpt-4o-mini',
    object: 'model',
    owned_by: 'openai',
  });
});

describe('errors are the SDK’s own classes', () => {
  const chat = (content: string, of: OpenAI = client, which: string = model): Promise<unknown> =>
    Promise.resolve(of.chat.completions.create({ model: which, messages: saying(content) }));

  test('400 names the parameter', async () => {
    const pending = client.chat.completions.create({ model, messages, temperature: 9 });
    await expect(pending).rejects.toMatchObject({
      status: 400,
      code: 'bad_request',
      param: 'temperature',
      type: 'invalid_request_error',
    });
    await expect(pending).rejects.toBeInstanceOf(BadRequestError);
    await expect(chat('[status 400]')).rejects.toBeInstanceOf(BadRequestError);
  });

  test('401 without the key in its text', async () => {
    const bad = `indox-${'c'.repeat(32)}`;
    const error = await chat('hi', clientOf(bad)).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(String(error)).toMatch(/Invalid API key/);
    expect(JSON.stringify(error) + String(error)).not.toContain(bad);
  });

  test('402 is not retried', async () => {
    const { apiKey } = await scene.gateway.account('0.000001');
    const before = scene.upstream.calls.length;
    const pending = clientOf(apiKey, '/v1', 2).chat.completions.create({ model, messages, max_tokens: 1000 });
    await expect(pending).rejects.toMatchObject({ status: 402, code: 'insufficient_credits' });
    expect(scene.upstream.calls.length).toBe(before);
  });

  test('403, 404', async () => {
    const { apiKey } = await scene.gateway.account(null, { allowed_models: ['local/*'] });
    await expect(chat('hi', clientOf(apiKey))).rejects.toBeInstanceOf(PermissionDeniedError);
    await expect(chat('hi', client, 'nobody/x')).rejects.toBeInstanceOf(NotFoundError);
    await expect(client.models.retrieve('openai/no-such')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    await expect(client.get('/no/such/path')).rejects.toBeInstanceOf(NotFoundError);
  });

  test('429 of the key’s own limit says when to come back', async () => {
    const { apiKey } = await scene.gateway.account(null, { rpm: 1 });
    const limited = clientOf(apiKey);
    await chat('hi', limited);
    const error = await chat('hi', limited).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RateLimitError);
    const { headers } = error as InstanceType<typeof RateLimitError>;
    expect(Number(headers?.get('retry-after-ms'))).toBeGreaterThan(0);
    expect(headers?.get('x-ratelimit-remaining-requests')).toBe('0');
  });

  test('502 for a failing vendor, and for a vendor that refuses our key', async () => {
    await expect(chat('[status 500]', client, failing)).rejects.toMatchObject({
      status: 502,
      code: 'upstream_error',
    });
    await expect(chat('[status 500]', client, failing)).rejects.toBeInstanceOf(InternalServerError);
    await expect(chat('[status 401]', client, failing)).rejects.toMatchObject({
      status: 502,
      code: 'upstream_auth',
    });
  });
});

test.each(['', '/api/v1'])('base URL with path "%s"', async (path) => {
  const other = clientOf(scene.gateway.apiKey, path);
  expect((await other.chat.completions.create({ model, messages })).choices[0]?.message.content).toBe(
    'You said: Hello there',
  );
  // Native frames that carry no choice come between.
  const stream = await other.chat.completions.create({ model, messages, stream: true });
  const onlyChoices = (async function* () {
    for await (const chunk of stream) if (chunk.choices !== undefined) yield chunk;
  })();
  expect(await textOf(onlyChoices)).toBe('You said: Hello there');
  expect((await other.completions.create({ model, prompt: 'x' })).choices[0]?.text).toBe('You said: x');
});
