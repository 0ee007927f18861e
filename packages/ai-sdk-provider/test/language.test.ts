/** The `ai` package itself, chatting through this provider with a running gateway. */
import {
  APICallError,
  createProviderRegistry,
  generateText,
  isStepCount,
  jsonSchema,
  Output,
  RetryError,
  streamText,
  tool,
} from 'ai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failing, model, openScene, type Scene } from '../../server/test/journeys/client.ts';
import { createIndoxHub, type IndoxHubMetadata, type IndoxHubProvider } from '../src/index.ts';

let scene: Scene;
let indoxhub: IndoxHubProvider;
beforeAll(async () => {
  scene = await openScene();
  indoxhub = createIndoxHub({ apiKey: scene.gateway.apiKey, baseURL: scene.gateway.url });
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

const cost = 0.0000066;
const metadataOf = (told: Record<string, unknown> | undefined): IndoxHubMetadata =>
  told?.['indoxhub'] as IndoxHubMetadata;
const weather = tool({
  description: 'The weather of a city',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }),
  execute: ({ city }) => `rain in ${city}`,
});
/** What a call threw, out of the AI SDK's own wrapper. */
async function failure(call: PromiseLike<unknown>): Promise<{ error: APICallError; attempts: number }> {
  const thrown: unknown = await Promise.resolve(call).then(
    () => 'nothing',
    (error: unknown) => error,
  );
  const error = RetryError.isInstance(thrown) ? thrown.lastError : thrown;
  if (!APICallError.isInstance(error)) throw new Error(`no APICallError: ${String(thrown)}`);
  return { error, attempts: RetryError.isInstance(thrown) ? thrown.errors.length : 1 };
}

test('generateText: text, tokens, cost, the id of the usage row', async () => {
  const result = await generateText({
    model: indoxhub(model),
    prompt: 'Hello there',
    maxOutputTokens: 50,
    temperature: 0,
  });
  expect(result.text).toBe('You said: Hello there');
  expect(result.finishReason).toBe('stop');
  expect(result.usage).toMatchObject({ inputTokens: 12, outputTokens: 8, totalTokens: 20 });
  expect(result.warnings ?? []).toEqual([]);
  const told = metadataOf(result.providerMetadata);
  expect(told).toEqual({
    cost,
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    usage: expect.objectContaining({ prompt_tokens: 12, completion_tokens: 8, cost }) as object,
  });
  expect(await scene.gateway.row(told.requestId ?? '')).toMatchObject({ cost: '0.0000066' });
});

test('settings reach the provider as OpenAI names them, and so does what only it knows', async () => {
  const { text } = await generateText({
    model: indoxhub(model),
    prompt: '[params]',
    maxOutputTokens: 50,
    temperature: 0,
    topP: 0.5,
    seed: 7,
    stopSequences: ['END'],
    providerOptions: { indoxhub: { top_k: 5, reasoningEffort: 'low' } },
  });
  expect(JSON.parse(text)).toEqual({
    model: 'gpt-4o-mini',
    max_tokens: 50,
    temperature: 0,
    top_p: 0.5,
    seed: 7,
    stop: ['END'],
    top_k: 5,
    reasoning_effort: 'low',
  });
});

test('streamText: parts, tokens and cost', async () => {
  const result = streamText({ model: indoxhub(model), prompt: 'Hello there' });
  const parts: string[] = [];
  for await (const part of result.textStream) parts.push(part);
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.join('')).toBe('You said: Hello there');
  expect(await result.usage).toMatchObject({ inputTokens: 12, outputTokens: 8 });
  const told = metadataOf(await result.providerMetadata);
  expect(told.cost).toBe(cost);
  expect(await scene.gateway.row(told.requestId ?? '')).toMatchObject({ ending: 'completed' });
});

test('tools: the call, its result, the answer after it', async () => {
  const result = await generateText({
    model: indoxhub(model),
    prompt: 'The weather?',
    tools: { weather },
    stopWhen: isStepCount(3),
  });
  expect(result.text).toBe('The tool said: rain in Oslo');
  expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
  expect(result.steps[0]?.toolCalls[0]).toMatchObject({ toolName: 'weather', input: { city: 'Oslo' } });
  expect(result.steps.map((step) => metadataOf(step.providerMetadata).cost)).toEqual([cost, cost]);
});

test('tools, streamed: fragments of the arguments are put together', async () => {
  const result = streamText({
    model: indoxhub(model),
    prompt: 'The weather?',
    tools: { weather },
    stopWhen: isStepCount(3),
  });
  const kinds: string[] = [];
  for await (const part of result.fullStream) kinds.push(part.type);
  expect(await result.text).toBe('The tool said: rain in Oslo');
  expect(kinds.filter((kind) => kind === 'tool-input-delta').length).toBeGreaterThan(1);
  expect(kinds).toContain('tool-result');
  const steps = await result.steps;
  expect(steps[0]?.toolCalls[0]?.input).toEqual({ city: 'Oslo' });
  expect(steps.map((step) => metadataOf(step.providerMetadata).cost)).toEqual([cost, cost]);
});

test('structured output, whole and streamed: the schema is the provider’s to keep', async () => {
  const output = Output.object({
    schema: jsonSchema<{ city: string }>({
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    }),
  });
  const whole = await generateText({ model: indoxhub(model), prompt: 'Which city?', output });
  expect(whole.output).toEqual({ city: 'Oslo' });
  expect(whole.warnings ?? []).toEqual([]);
  expect(scene.upstream.calls.at(-1)?.body['response_format']).toMatchObject({
    type: 'json_schema',
    json_schema: { strict: true, schema: { required: ['city'] } },
  });
  const streamed = streamText({ model: indoxhub(model), prompt: 'Which city?', output });
  expect(await streamed.output).toEqual({ city: 'Oslo' });
});

test('completion: a text is continued, whole and streamed, with its cost', async () => {
  const whole = await generateText({ model: indoxhub.completion(model), prompt: 'Once upon' });
  expect(whole.text).toContain('You said:');
  expect(metadataOf(whole.providerMetadata).cost).toBe(cost);
  const streamed = streamText({ model: indoxhub.completion(model), prompt: 'Once upon' });
  expect(await streamed.text).toBe(whole.text);
  expect(metadataOf(await streamed.providerMetadata).cost).toBe(cost);
  expect(scene.upstream.calls.at(-1)?.path).toBe('/v1/completions');
});

test('abort: the provider’s connection is closed, streamed and whole', async () => {
  const streaming = new AbortController();
  const before = scene.upstream.calls.length;
  const streamed = streamText({
    model: indoxhub(model),
    prompt: '[slow]',
    abortSignal: streaming.signal,
    onError: () => {},
  });
  for await (const part of streamed.fullStream) if (part.type === 'text-delta') streaming.abort();
  expect(await scene.upstream.calls[before]?.closed).toBeGreaterThan(0);

  const whole = new AbortController();
  const pending = generateText({
    model: indoxhub(model),
    prompt: '[silence]',
    abortSignal: whole.signal,
  }).catch((error: unknown) => error);
  while (scene.upstream.calls.length < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
  whole.abort();
  expect(await pending).toMatchObject({ name: 'AbortError' });
  expect(await scene.upstream.calls[before + 1]?.closed).toBeGreaterThan(0);
});

describe('errors', () => {
  test('a 400 has the field and is not tried again', async () => {
    const before = scene.upstream.calls.length;
    const { error, attempts } = await failure(
      generateText({ model: indoxhub(model), prompt: 'x', temperature: 9 }),
    );
    expect(error).toMatchObject({ statusCode: 400, isRetryable: false });
    expect(error.message).toContain('temperature');
    expect(error.data).toMatchObject({ error: { code: 'bad_request', param: 'temperature' } });
    expect([attempts, scene.upstream.calls.length]).toEqual([1, before]);
  });

  test('a 402 is not tried again', async () => {
    const { apiKey } = await scene.gateway.account('0.000001');
    const poor = createIndoxHub({ apiKey, baseURL: scene.gateway.url });
    const { error, attempts } = await failure(
      generateText({ model: poor(model), prompt: 'x', maxOutputTokens: 1000 }),
    );
    expect(error).toMatchObject({ statusCode: 402, isRetryable: false });
    expect(attempts).toBe(1);
  });

  test('a 429 is tried again after the pause the gateway asks for', async () => {
    const { apiKey } = await scene.gateway.account(null, { rpm: 1 });
    const limited = createIndoxHub({ apiKey, baseURL: scene.gateway.url });
    await generateText({ model: limited(model), prompt: 'x' });
    const { error } = await failure(generateText({ model: limited(model), prompt: 'x', maxRetries: 0 }));
    expect(error).toMatchObject({ statusCode: 429, isRetryable: true });
    expect(Number(error.responseHeaders?.['retry-after-ms'])).toBeGreaterThan(0);
  });

  test('a failing provider is tried again; one that refuses the gateway’s key is not', async () => {
    const before = scene.upstream.calls.length;
    const bad = await failure(
      generateText({ model: indoxhub(failing), prompt: '[status 503]', maxRetries: 1 }),
    );
    expect(bad.error).toMatchObject({ isRetryable: true });
    expect(bad.attempts).toBe(2);
    expect(scene.upstream.calls.length).toBeGreaterThan(before);
    const refused = await failure(
      generateText({ model: indoxhub('openai/gpt-4.1'), prompt: '[status 401]' }),
    );
    expect(refused.error).toMatchObject({ statusCode: 502, isRetryable: false });
    expect(refused.attempts).toBe(1);
  });

  test('a wrong key: 401, and the key is not in the error', async () => {
    const key = `indox-${'b'.repeat(32)}`;
    const stranger = createIndoxHub({ apiKey: key, baseURL: scene.gateway.url });
    const { error } = await failure(generateText({ model: stranger(model), prompt: 'x' }));
    expect(error.statusCode).toBe(401);
    expect(JSON.stringify([error.message, error.data, error.responseBody])).not.toContain(key);
  });

  test('inside a stream: an error with the provider’s sentence, after the text', async () => {
    const told: unknown[] = [];
    const result = streamText({
      model: indoxhub(model),
      prompt: '[break]',
      onError: ({ error }) => void told.push(error),
    });
    let text = '';
    for await (const part of result.fullStream) if (part.type === 'text-delta') text += part.text;
    expect(text).toBe('You said: [break]');
    expect(APICallError.isInstance(told[0])).toBe(true);
    expect(told[0]).toMatchObject({
      message: expect.stringContaining('fell over') as string,
      isRetryable: false,
    });
  });
});

describe('settings', () => {
  test('the environment, read when a call is made', async () => {
    const kept = { ...process.env };
    try {
      const late = createIndoxHub();
      process.env['INDOX_ROUTER_API_KEY'] = scene.gateway.apiKey;
      process.env['INDOXHUB_BASE_URL'] = `${scene.gateway.url}/api/v1/`;
      expect((await generateText({ model: late(model), prompt: 'x' })).text).toBe('You said: x');
    } finally {
      process.env = kept;
    }
  });

  test('a key from a function, a base URL with /v1, headers, a body for every call, another fetch', async () => {
    const seen: Request[] = [];
    const custom = createIndoxHub({
      apiKey: async () => scene.gateway.apiKey,
      baseURL: `${scene.gateway.url}/v1`,
      headers: { 'x-team': 'blue' },
      extraBody: { seed: 5, user: 'u' },
      fetch: (input, init) => {
        seen.push(new Request(input, init));
        return fetch(input, init);
      },
    });
    const { text } = await generateText({
      model: custom(model),
      prompt: '[params]',
      providerOptions: { indoxhub: { user: 'v' } },
      headers: { 'x-call': '1' },
    });
    expect(JSON.parse(text)).toEqual({ model: 'gpt-4o-mini', seed: 5, user: 'v' });
    expect(seen.map(({ url }) => url)).toEqual([`${scene.gateway.url}/v1/chat/completions`]);
    const headers = seen[0]?.headers;
    expect([headers?.get('x-team'), headers?.get('x-call')]).toEqual(['blue', '1']);
  });

  test('the caller’s own key goes to the provider, and the call costs nothing', async () => {
    const result = await generateText({
      model: indoxhub(model),
      prompt: '[key]',
      providerOptions: { indoxhub: { byok_api_key: 'sk-mine' } },
    });
    expect(result.text).toBe('Bearer sk-mine');
    expect(metadataOf(result.providerMetadata).cost).toBe(0);
  });

  test('max_cost is kept', async () => {
    const { error } = await failure(
      generateText({
        model: indoxhub(model),
        prompt: 'x',
        providerOptions: { indoxhub: { max_cost: '0.00000001' } },
      }),
    );
    expect(error).toMatchObject({ statusCode: 402, data: { error: { code: 'max_cost_exceeded' } } });
  });

  test('what is no address is refused', async () => {
    const lost = createIndoxHub({ apiKey: 'x', baseURL: 'gateway:8100' });
    await expect(generateText({ model: lost(model), prompt: 'x' })).rejects.toThrow(/baseURL/);
  });

  test('it is a provider for the AI SDK’s registry', async () => {
    const registry = createProviderRegistry({ indoxhub });
    const { text } = await generateText({ model: registry.languageModel(`indoxhub:${model}`), prompt: 'x' });
    expect(text).toBe('You said: x');
  });
});
