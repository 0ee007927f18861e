/**
 * Our codec held against the vendors' own SDKs: the same call made by both must arrive alike, and what the codec reads
 * the SDK must read without complaint.
 */
import { Mistral } from '@mistralai/mistralai';
import Groq from 'groq-sdk';
import OpenAI, { AzureOpenAI } from 'openai';
import Together from 'together-ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contract/chat.ts';
import { openaiChat, openaiCompletion } from '../../src/dialects/openai/chat.ts';
import type { CallTarget, Provider } from '../../src/providers/provider.ts';
import { vendorById } from '../../src/providers/registry.ts';
import { cases, expected, fixture, targetOf, type Case, type VendorId } from './openai-fixtures.ts';
import { splitBytes, startRecorder, type Recorder, type RecordedRequest } from './recorder.ts';

const key = 'test-key-0123456789';
const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const messages = [
  { role: 'system' as const, content: 'Be brief. Grüße 🌍' },
  { role: 'user' as const, content: 'What is the weather in Zürich?' },
];

let recorder: Recorder;
beforeAll(async () => {
  recorder = await startRecorder({});
});
afterAll(() => recorder.close());

function vendor(id: string): Provider {
  const found = vendorById(id);
  if (found === null) throw new Error(`no ${id}`);
  return found;
}

/** The path of the vendor's real base URL, so that the whole path is compared. */
const basePath = (id: string): string =>
  new URL(vendor(id).baseUrl ?? 'http://x').pathname.replace(/\/$/, '');

interface Ours {
  readonly body: JsonObject;
  readonly model: string;
  readonly kind?: 'chat' | 'completion';
  readonly base?: string;
  readonly target?: Partial<CallTarget>;
}

/** What a caller's body becomes on its way through our codec. */
async function sendOurs(id: string, { body, model, kind = 'chat', base, target = {} }: Ours): Promise<void> {
  const provider = vendor(id);
  const codec = provider[kind];
  if (codec === undefined) throw new Error(`${id} has no ${kind}`);
  const dialect = kind === 'chat' ? openaiChat : openaiCompletion;
  const request = dialect.decode(Buffer.from(JSON.stringify({ ...body, model: `${id}/${model}` })));
  const encoded = codec.encodeRequest(request, {
    ...targetOf(id, model),
    maxTokens: request.maxTokens,
    ...target,
  });
  const { auth } = provider;
  const value = auth.header === 'authorization' ? `${auth.prefix}${key}` : key;
  await fetch(`${recorder.origin}${base ?? basePath(id)}${encoded.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [auth.header]: value, ...encoded.headers },
    body: encoded.body,
  });
}

function same(
  theirs: RecordedRequest | undefined,
  ours: RecordedRequest | undefined,
  header = 'authorization',
): void {
  expect(ours?.method).toBe(theirs?.method);
  expect(ours?.path).toBe(theirs?.path);
  expect(theirs?.headers[header]).toContain(key);
  expect(ours?.headers[header]).toBe(theirs?.headers[header]);
  expect(ours?.headers['content-type']).toBe(theirs?.headers['content-type']);
  expect(JSON.parse(ours?.body ?? '')).toEqual(JSON.parse(theirs?.body ?? ''));
}

/** Makes both calls and compares what arrived. The SDK's own complaint about an empty answer does not matter here. */
async function compare(
  theirs: () => Promise<unknown>,
  ours: () => Promise<void>,
  header?: string,
): Promise<void> {
  recorder.answer({ body: {} });
  recorder.requests.length = 0;
  await theirs().catch(() => null);
  await ours();
  expect(recorder.requests).toHaveLength(2);
  same(recorder.requests[0], recorder.requests[1], header);
}

const sampling = { temperature: 0.3, top_p: 0.9, stop: ['END'], seed: 42, max_tokens: 64 };
const everything = { ...sampling, tools: [weather], tool_choice: 'required' as const, presence_penalty: 0.1 };
const usageAsked = { stream: true as const, stream_options: { include_usage: true } };

describe('requests', () => {
  it('openai: chat, reasoning model, stream, completion', async () => {
    const sdk = new OpenAI({ apiKey: key, baseURL: recorder.origin + basePath('openai'), maxRetries: 0 });
    expect(new OpenAI({ apiKey: key }).baseURL).toBe(vendor('openai').baseUrl);
    const body = { messages, ...everything, n: 2, logprobs: true, top_logprobs: 2, user: 'u' };
    await compare(
      () => sdk.chat.completions.create({ model: 'gpt-4o-mini', ...body }),
      () => sendOurs('openai', { body, model: 'gpt-4o-mini' }),
    );
    const thinking = { messages, max_completion_tokens: 100, reasoning_effort: 'low' as const };
    await compare(
      () => sdk.chat.completions.create({ model: 'o4-mini', ...thinking, ...usageAsked }),
      () => sendOurs('openai', { body: { ...thinking, ...usageAsked }, model: 'o4-mini' }),
    );
    const prompt = { prompt: 'Once', max_tokens: 5, echo: true, suffix: 'end' };
    await compare(
      () => sdk.completions.create({ model: 'gpt-3.5-turbo-instruct', ...prompt }),
      () => sendOurs('openai', { body: prompt, model: 'gpt-3.5-turbo-instruct', kind: 'completion' }),
    );
  });

  it('azure: deployments with api-version', async () => {
    const sdk = new AzureOpenAI({
      apiKey: key,
      endpoint: recorder.origin,
      apiVersion: '2024-10-21',
      deployment: 'mine',
      maxRetries: 0,
    });
    await compare(
      () => sdk.chat.completions.create({ model: 'gpt-4o', messages, ...everything }),
      () =>
        sendOurs('azure', {
          body: { messages, ...everything },
          model: 'gpt-4o',
          base: '/openai/deployments/mine',
          target: { options: { api_version: '2024-10-21' } },
        }),
      'api-key',
    );
  });

  it.each(['deepseek', 'xai'])('%s, whose documentation names the openai package', async (id) => {
    const sdk = new OpenAI({ apiKey: key, baseURL: recorder.origin + basePath(id), maxRetries: 0 });
    const body = { messages, ...everything, ...usageAsked };
    await compare(
      () => sdk.chat.completions.create({ model: 'm', ...body }),
      () => sendOurs(id, { body, model: 'm' }),
    );
  });

  it('mistral: its own words for seed and forced tools', async () => {
    const sdk = new Mistral({ apiKey: key, serverURL: recorder.origin, retryConfig: { strategy: 'none' } });
    const body = { messages, ...everything, n: 2, parallel_tool_calls: true };
    const theirs = {
      model: 'mistral-small-latest',
      messages,
      temperature: 0.3,
      topP: 0.9,
      stop: ['END'],
      randomSeed: 42,
      maxTokens: 64,
      tools: [weather],
      toolChoice: 'any' as const,
      presencePenalty: 0.1,
      n: 2,
      parallelToolCalls: true,
    };
    const withDefaults = (sent: RecordedRequest | undefined): JsonObject =>
      JSON.parse(sent?.body ?? '') as JsonObject;
    recorder.answer({ body: {} });
    for (const isStream of [false, true]) {
      recorder.requests.length = 0;
      await (isStream ? sdk.chat.stream(theirs) : sdk.chat.complete(theirs)).catch(() => null);
      await sendOurs('mistral', { body: isStream ? { ...body, stream: true } : body, model: theirs.model });
      const [their, our] = recorder.requests;
      expect(our?.path).toBe(their?.path);
      expect(our?.headers['authorization']).toBe(their?.headers['authorization']);
      // Their SDK writes its defaults out: `stream` and a tool's `strict`.
      const { stream, ...rest } = withDefaults(their);
      expect(stream).toBe(isStream);
      const strictOfTheirs = (rest['tools'] as { function: JsonObject }[]).map(
        ({ function: called, ...tool }) => {
          const { strict: _, ...fields } = called;
          return { ...tool, function: fields };
        },
      );
      const { stream: ourStream, ...ours } = withDefaults(our);
      expect(ourStream ?? false).toBe(isStream);
      expect(ours).toEqual({ ...rest, tools: strictOfTheirs });
    }
  });

  it('groq', async () => {
    const sdk = new Groq({ apiKey: key, baseURL: recorder.origin, maxRetries: 0 });
    expect(`${new Groq({ apiKey: key }).baseURL}${basePath('groq')}`).toBe(vendor('groq').baseUrl);
    const { max_tokens: _, ...rest } = everything;
    const body = { messages, ...rest, max_completion_tokens: 64 };
    await compare(
      () => sdk.chat.completions.create({ model: 'llama', ...body }),
      () => sendOurs('groq', { body: { messages, ...everything }, model: 'llama' }),
    );
  });

  it('together: chat and completion', async () => {
    const sdk = new Together({ apiKey: key, baseURL: recorder.origin + basePath('together'), maxRetries: 0 });
    const body = { messages, ...everything, top_k: 40, repetition_penalty: 1.1 };
    await compare(
      () => sdk.chat.completions.create({ model: 'meta-llama/Llama', ...body }),
      () => sendOurs('together', { body, model: 'meta-llama/Llama' }),
    );
    const prompt = { prompt: 'Once', max_tokens: 5 };
    await compare(
      () => sdk.completions.create({ model: 'meta-llama/Llama', ...prompt }),
      () => sendOurs('together', { body: prompt, model: 'meta-llama/Llama', kind: 'completion' }),
    );
  });
});

interface Said {
  text: string;
  reasoning: string;
  tools: Record<string, { name: string; arguments: string }>;
  finish: string;
}

interface Spoken {
  readonly content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_content?: unknown;
  readonly tool_calls?: readonly SpokenCall[] | null | undefined;
}

interface SpokenCall {
  readonly index?: number | undefined;
  readonly id?: string | undefined;
  readonly function?: { readonly name?: string | undefined; readonly arguments?: unknown } | undefined;
}

const textOrJson = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);

function hear(said: Said, spoken: Spoken, finish: unknown): void {
  if (typeof spoken.content === 'string') said.text += spoken.content;
  const thought = spoken.reasoning_content ?? spoken.reasoning;
  if (typeof thought === 'string') said.reasoning += thought;
  for (const [at, call] of (spoken.tool_calls ?? []).entries()) {
    const tool = (said.tools[String(call.index ?? at)] ??= { name: '', arguments: '' });
    tool.name += call.function?.name ?? '';
    tool.arguments += textOrJson(call.function?.arguments);
  }
  if (typeof finish === 'string') said.finish = finish;
}

const silence = (): Said => ({ text: '', reasoning: '', tools: {}, finish: '' });

/** What the SDK read must be what our golden table says. */
function agrees(said: Said, id: VendorId, name: Case): void {
  const want = expected(id, name);
  expect(said.text).toBe(want.text[0] ?? '');
  expect(said.reasoning).toBe(want.reasoning);
  expect(
    Object.values(said.tools).map((tool) => ({
      name: tool.name,
      arguments: JSON.parse(tool.arguments) as unknown,
    })),
  ).toEqual(want.tools.map((tool) => ({ name: tool.name, arguments: tool.arguments })));
  expect(said.finish).not.toBe('');
}

type Client = OpenAI | Groq | Together;

async function readAnswer(client: Client): Promise<Said> {
  const said = silence();
  const params = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] };
  const answer = await (client as OpenAI).chat.completions.create(params);
  const choice = answer.choices[0];
  if (choice !== undefined) hear(said, choice.message, choice.finish_reason);
  return said;
}

async function readStream(client: Client): Promise<Said> {
  const said = silence();
  const params = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }], stream: true as const };
  for await (const chunk of await (client as OpenAI).chat.completions.create(params)) {
    const choice = chunk.choices[0];
    if (choice?.index === 0) hear(said, choice.delta, choice.finish_reason);
  }
  return said;
}

const options = (): { apiKey: string; baseURL: string; maxRetries: number } => ({
  apiKey: key,
  baseURL: `${recorder.origin}/v1`,
  maxRetries: 0,
});
const clients: readonly (readonly [VendorId, () => Client])[] = [
  ['openai', () => new OpenAI(options())],
  ['deepseek', () => new OpenAI(options())],
  ['xai', () => new OpenAI(options())],
  ['groq', () => new Groq(options())],
  ['together', () => new Together(options())],
];

describe.each(clients)('%s’s SDK reads the fixtures', (id, client) => {
  it.each(cases)('%s', async (name) => {
    recorder.answer({ body: fixture(id, `${name}.json`) });
    agrees(await readAnswer(client()), id, name);
    recorder.answer({ chunks: splitBytes(fixture(id, `${name}.sse`).toString('utf8'), 37) });
    agrees(await readStream(client()), id, name);
  });

  it('errors', async () => {
    recorder.answer({ status: 400, body: fixture(id, 'error.json') });
    await expect(readAnswer(client())).rejects.toMatchObject({ status: 400 });
    recorder.answer({ chunks: [fixture(id, 'error.sse')] });
    await expect(readStream(client())).rejects.toThrow();
  });

  it('what the relay lets through', async () => {
    for (const name of cases) {
      const stream = vendor(id).chat?.relay?.createStream(targetOf(id), true);
      const out = stream?.push(fixture(id, `${name}.sse`));
      recorder.answer({ chunks: [out ?? '', 'data: [DONE]\n\n'] });
      agrees(await readStream(client()), id, name);
    }
  });
});

describe('mistral’s SDK reads the fixtures', () => {
  const sdk = (): Mistral =>
    new Mistral({ apiKey: key, serverURL: recorder.origin, retryConfig: { strategy: 'none' } });
  const params = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] };

  interface Part {
    readonly type?: string;
    readonly text?: string;
    readonly thinking?: readonly { readonly text?: string }[];
  }
  const spoken = (content: unknown, calls: readonly SpokenCall[] | null | undefined): Spoken => {
    const parts = Array.isArray(content)
      ? (content as Part[])
      : [{ type: 'text', text: typeof content === 'string' ? content : '' }];
    const texts = parts.filter((part) => part.type === 'text').map((part) => part.text ?? '');
    const thoughts = parts.flatMap((part) => ('thinking' in part ? (part.thinking ?? []) : []));
    return {
      content: texts.join(''),
      reasoning: thoughts.map((thought) => thought.text ?? '').join(''),
      tool_calls: calls,
    };
  };

  it.each(cases)('%s', async (name) => {
    recorder.answer({ body: fixture('mistral', `${name}.json`) });
    const whole = silence();
    const answer = await sdk().chat.complete(params);
    const choice = answer.choices[0];
    hear(whole, spoken(choice?.message?.content, choice?.message?.toolCalls), choice?.finishReason);
    agrees(whole, 'mistral', name);
    expect(answer.usage.promptTokens).toBeGreaterThan(0);

    recorder.answer({ chunks: splitBytes(fixture('mistral', `${name}.sse`).toString('utf8'), 37) });
    const streamed = silence();
    for await (const { data } of await sdk().chat.stream(params)) {
      const each = data.choices[0];
      hear(streamed, spoken(each?.delta.content, each?.delta.toolCalls), each?.finishReason);
    }
    agrees(streamed, 'mistral', name);
  });
});

describe('openai’s SDK reads text completions', () => {
  it('whole and streamed', async () => {
    const sdk = new OpenAI({ apiKey: key, baseURL: `${recorder.origin}/v1`, maxRetries: 0 });
    recorder.answer({ body: fixture('openai', 'completion.json') });
    const answer = await sdk.completions.create({ model: 'm', prompt: 'x' });
    expect(answer.choices[0]?.text).toBe('\n\nGrüße 🌍');
    recorder.answer({ chunks: splitBytes(fixture('openai', 'completion.sse').toString('utf8'), 11) });
    let text = '';
    for await (const chunk of await sdk.completions.create({ model: 'm', prompt: 'x', stream: true })) {
      text += chunk.choices[0]?.text ?? '';
    }
    expect(text).toBe('\n\nGrüße 🌍');
  });
});
