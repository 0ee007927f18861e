import { describe, expect, it } from 'vitest';
import type { ChatEvent, JsonObject } from '../../src/contract/chat.ts';
import type { GatewayError } from '../../src/contract/errors.ts';
import { openaiChat, openaiCompletion } from '../../src/dialects/openai/chat.ts';
import { tokenize } from '../../src/providers/local/tokenizer.ts';
import type { ChatCodec, UpstreamCall, UpstreamFailure } from '../../src/providers/provider.ts';
import { vendorById } from '../../src/providers/registry.ts';
import { summaryOfAnswer, summaryOfEvents, targetOf, type Summary } from './openai-fixtures.ts';

interface Outcome {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  chunks: Buffer[];
  error: GatewayError | null;
}

interface Flight {
  readonly call: UpstreamCall;
  readonly outcome: Outcome;
  readonly over: Promise<Outcome>;
}

type Kind = 'chat' | 'completion';

const found = vendorById('local');
if (found?.inProcess === undefined) throw new Error('no sandbox');
const local = found;
const upstream = found.inProcess;

function codecOf(kind: Kind): ChatCodec {
  const codec = local[kind];
  if (codec === undefined) throw new Error(`no ${kind}`);
  return codec;
}

function start(
  body: JsonObject,
  kind: Kind = 'chat',
  onChunk: (call: () => UpstreamCall) => void = () => {},
): Flight {
  const dialect = kind === 'chat' ? openaiChat : openaiCompletion;
  const request = dialect.decode(Buffer.from(JSON.stringify({ model: 'local/sandbox', ...body })));
  const target = { ...targetOf('local', 'sandbox'), maxTokens: request.maxTokens };
  const encoded = codecOf(kind).encodeRequest(request, target);
  const outcome: Outcome = { status: 0, headers: {}, chunks: [], error: null };
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const call = upstream(encoded, {
    onHeaders(status, headers) {
      outcome.status = status;
      outcome.headers = headers;
    },
    onData(chunk) {
      outcome.chunks.push(chunk);
      onChunk(() => call);
    },
    onEnd: () => resolve(outcome),
    onError(error) {
      outcome.error = error;
      resolve(outcome);
    },
  });
  return { call, outcome, over: promise };
}

const user = (content: unknown): JsonObject => ({ messages: [{ role: 'user', content }] });

async function answer(body: JsonObject, kind: Kind = 'chat'): Promise<Summary> {
  const { status, chunks } = await start(body, kind).over;
  expect(status).toBe(200);
  return summaryOfAnswer(codecOf(kind).decodeAnswer(Buffer.concat(chunks), targetOf('local')));
}

async function refusal(body: JsonObject, kind: Kind = 'chat'): Promise<UpstreamFailure> {
  const { status, chunks } = await start(body, kind).over;
  return codecOf(kind).decodeError(status, Buffer.concat(chunks));
}

async function stream(
  body: JsonObject,
  kind: Kind = 'chat',
): Promise<{ events: ChatEvent[]; ended: boolean; outcome: Outcome }> {
  const outcome = await start({ ...body, stream: true }, kind).over;
  const decoder = codecOf(kind).createStreamDecoder(targetOf('local'));
  const events: ChatEvent[] = [];
  for (const chunk of outcome.chunks) decoder.push(chunk, events);
  return { events, ended: decoder.end(events), outcome };
}

const texts = (events: readonly ChatEvent[]): number =>
  events.filter((event) => event.type === 'text').length;

describe('answers', () => {
  it.each([
    ['What is 2 + 3 * (4 - 1)^2?', '2 + 3 * (4 - 1)^2 = 29'],
    ['7 / 2', '7 / 2 = 3.5'],
    ['-3 × 4 please', '-3 × 4 = -12'],
    ['echo Grüße, 世界! 🌍', 'Grüße, 世界! 🌍'],
    ['Please say "hello there"', 'hello there'],
    ['uppercase: abc', 'ABC'],
    ['reverse a🌍b', 'b🌍a'],
    ['count the words in one two three', '3'],
  ])('%s', async (asked, said) => {
    expect(await answer(user(asked))).toMatchObject({ text: [said], finish: ['stop'] });
  });

  it('says what it is, and is the same twice and in a stream', async () => {
    for (const asked of ['Who are you?', 'hello', '1 / 0', 'Tell me about Rome.']) {
      const first = await answer(user(asked));
      expect(first.text[0]).toContain('not a language model');
      expect(await answer(user(asked))).toEqual(first);
      const { events, ended } = await stream(user(asked));
      expect(ended).toBe(true);
      expect(summaryOfEvents(events)).toEqual(first);
    }
    const { chunks } = await start(user('hi')).over;
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({
      model: 'sandbox',
      system_fingerprint: 'indoxhub-sandbox',
    });
  });

  it('n, stop and max_tokens', async () => {
    const many = await answer({ ...user('echo one two'), n: 3 });
    expect(many.text).toEqual(['one two', '(2) one two', '(3) one two']);
    expect(await answer({ ...user('echo one two three'), stop: ['three', ' two'] })).toMatchObject({
      text: ['one'],
      finish: ['stop'],
    });
    const short = await answer({ ...user('echo one two three'), max_tokens: 2 });
    expect(short).toMatchObject({ text: ['one two'], finish: ['length'], usage: { output: 2 } });
  });

  it('picks tools, fills their arguments and reads what they said', async () => {
    const tool = (name: string, description: string, properties: object): object => ({
      type: 'function',
      function: { name, description, parameters: { type: 'object', properties } },
    });
    const tools = [
      tool('get_time', 'Current time in a zone', { zone: { type: 'string' } }),
      tool('get_weather', 'Weather of a city', {
        city: { type: 'string' },
        unit: { type: 'string', enum: ['celsius', 'kelvin'] },
        days: { type: 'integer', minimum: 1, maximum: 5 },
      }),
    ];
    const asked = { ...user('What is the weather in New York in kelvin for 9 days?'), tools };
    const call = {
      id: 'call_sandbox_0',
      name: 'get_weather',
      arguments: { city: 'New York', unit: 'kelvin', days: 5 },
    };
    expect(await answer(asked)).toMatchObject({ text: [''], tools: [call], finish: ['tool_calls'] });
    expect(summaryOfEvents((await stream(asked)).events)).toMatchObject({
      tools: [call],
      finish: ['tool_calls'],
    });
    expect((await answer({ ...asked, tool_choice: 'none' })).tools).toEqual([]);
    expect((await answer({ ...user('echo hi'), tools })).tools).toEqual([]);
    const forced = { type: 'function', function: { name: 'get_time' } };
    expect((await answer({ ...user('hm'), tools, tool_choice: forced })).tools[0]?.name).toBe('get_time');
    expect((await answer({ ...user('hm'), tools, tool_choice: 'required' })).tools).toHaveLength(1);
    const spoken = [
      { role: 'user', content: 'x' },
      { role: 'tool', tool_call_id: 'x', content: '21 °C' },
    ];
    const told = { messages: spoken, tools };
    expect((await answer(told)).text).toEqual(['The tool answered: 21 °C']);
  });

  it('writes JSON that fits the schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string' },
        age: { type: ['integer', 'null'] },
        tags: { type: 'array', minItems: 2, items: { enum: ['a', 'b'] } },
        home: { $ref: '#/$defs/home' },
        ok: { type: 'boolean' },
      },
      $defs: { home: { type: 'object', properties: { since: { type: 'string', format: 'date' } } } },
    };
    const format = { type: 'json_schema', json_schema: { name: 'x', schema } };
    const { text } = await answer({ ...user('"Ada" is 36'), response_format: format });
    expect(JSON.parse(text[0] ?? '')).toEqual({
      name: 'Ada',
      age: 36,
      tags: ['a', 'a'],
      home: { since: '2026-01-01' },
      ok: true,
    });
    const plain = await answer({ ...user('echo hi'), response_format: { type: 'json_object' } });
    expect(JSON.parse(plain.text[0] ?? '')).toEqual({ answer: 'hi', model: 'local/sandbox' });
    const endless = { type: 'object', properties: { again: { $ref: '#' } } };
    const deep = await answer({
      ...user('x'),
      response_format: { type: 'json_schema', json_schema: { schema: endless } },
    });
    expect(() => JSON.parse(deep.text[0] ?? '') as unknown).not.toThrow();
  });

  it('text completions: echo, several prompts', async () => {
    expect(await answer({ prompt: '6 * 7', echo: true }, 'completion')).toMatchObject({
      text: ['6 * 76 * 7 = 42'],
    });
    expect((await answer({ prompt: ['echo a', 'echo b'], n: 2 }, 'completion')).text).toEqual([
      'a',
      '(2) a',
      'b',
      '(2) b',
    ]);
    const { events, ended } = await stream({ prompt: 'echo a b c' }, 'completion');
    expect(ended).toBe(true);
    expect(summaryOfEvents(events)).toMatchObject({ text: ['a b c'], finish: ['stop'] });
  });

  it('refuses what it cannot do honestly', async () => {
    expect(await refusal({ ...user('hi'), logprobs: true })).toMatchObject({
      status: 400,
      param: 'logprobs',
    });
    expect(await refusal({ ...user('hi'), modalities: ['text', 'audio'] })).toMatchObject({
      status: 400,
      param: 'modalities',
    });
    expect(await refusal({ prompt: [1, 2] }, 'completion')).toMatchObject({ status: 400, param: 'prompt' });
    expect(await refusal(user('[[sandbox:eror 500]]'))).toMatchObject({ status: 400, param: 'messages' });
  });

  it('counts tokens that join to the text again', async () => {
    for (const text of ['', ' ', 'internationalisation', ' a  b\n\n', 'Grüße, 世界! 🌍', '{"a":1}']) {
      expect(tokenize(text).join('')).toBe(text);
    }
    expect(tokenize('one two, three')).toHaveLength(4);
    expect((await answer(user('[[sandbox:tokens 50]]'))).usage).toMatchObject({ output: 50 });
    const long = await answer(user(`echo ${'x'.repeat(40_000)}`));
    expect(long.usage?.input).toBeGreaterThan(9_000);
  });
});

describe('directives', () => {
  it('error, with and without Retry-After', async () => {
    const limited = await start(user('[[sandbox:error 429 retry-after=7]] hi')).over;
    expect(limited).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    expect(await refusal(user('[[sandbox:error 500]]'))).toMatchObject({ status: 500, code: 'sandbox' });
    expect((await start(user('[[sandbox:error 200]]')).over).status).toBe(500);
  });

  it('cut: before, within a stream, within a body', async () => {
    const before = await start(user('[[sandbox:cut]] hi')).over;
    expect(before).toMatchObject({ status: 0, chunks: [], error: { code: 'upstream_error' } });
    const { events, ended, outcome } = await stream(user('[[sandbox:cut 5]] [[sandbox:tokens 20]]'));
    expect(outcome.error?.code).toBe('upstream_error');
    expect(texts(events)).toBe(4);
    expect(ended).toBe(false);
    const half = await start(user('[[sandbox:cut 5]] hi')).over;
    expect(half.status).toBe(200);
    expect(() => JSON.parse(Buffer.concat(half.chunks).toString()) as unknown).toThrow();
    expect(half.error?.code).toBe('upstream_error');
  });

  it('break and malformed', async () => {
    const { events, ended } = await stream(user('[[sandbox:break 3]] [[sandbox:tokens 20]]'));
    expect(texts(events)).toBe(2);
    expect(events.at(-1)).toMatchObject({ type: 'error', code: 'sandbox' });
    expect(ended).toBe(false);
    const malformed = expect.objectContaining({ code: 'upstream_malformed' });
    await expect(stream(user('[[sandbox:malformed]]'))).rejects.toThrow(malformed);
    await expect(answer(user('[[sandbox:malformed]]'))).rejects.toThrow(malformed);
  });

  it('think, finish, nousage', async () => {
    const summary = await answer(user('[[sandbox:think]] [[sandbox:finish content_filter]] echo hi'));
    expect(summary).toMatchObject({ text: ['hi'], finish: ['content_filter'] });
    expect(summary.reasoning).toContain('echo hi');
    expect(summary.usage?.reasoning).toBeGreaterThan(0);
    expect((await answer(user('[[sandbox:nousage]] hi'))).usage).toBeNull();
    expect(summaryOfEvents((await stream(user('[[sandbox:nousage]] hi'))).events).usage).toBeNull();
  });

  it('delay and slow take their time, event by event', async () => {
    const begun = performance.now();
    const { outcome } = await stream(user('[[sandbox:delay 50]] [[sandbox:slow 5]] [[sandbox:tokens 6]]'));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(45 + 8 * 4);
    // Role, six tokens, finish, usage, terminal: one at a time.
    expect(outcome.chunks).toHaveLength(10);
  });
});

describe('the call', () => {
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

  it('abort ends it for good: waiting, hanging, in the middle of a stream', async () => {
    for (const directive of ['delay 10', 'hang', 'hang 2', 'slow 5']) {
      const flight = start({ ...user(`[[sandbox:${directive}]] [[sandbox:tokens 500]]`), stream: true });
      await new Promise((resolve) => setImmediate(resolve));
      flight.call.abort();
      flight.call.abort();
      const had = flight.outcome.chunks.length;
      await settle();
      expect(flight.outcome.chunks.length).toBe(had);
      expect(flight.outcome.error).toBeNull();
    }
  });

  it('abort from inside onData is heard at once', async () => {
    const flight = start({ ...user('[[sandbox:tokens 5000]]'), stream: true }, 'chat', (call) =>
      call().abort(),
    );
    await settle();
    expect(flight.outcome.chunks).toHaveLength(1);
  });

  it('a paused call waits, a resumed one gives everything', async () => {
    let isPaused = false;
    const flight = start({ ...user('[[sandbox:tokens 1000]]'), stream: true }, 'chat', (call) => {
      if (isPaused) return;
      isPaused = true;
      call().pause();
    });
    await settle();
    expect(flight.outcome.chunks).toHaveLength(1);
    flight.call.resume();
    const { chunks } = await flight.over;
    const decoder = codecOf('chat').createStreamDecoder(targetOf('local'));
    const events: ChatEvent[] = [];
    for (const chunk of chunks) decoder.push(chunk, events);
    expect(decoder.end(events)).toBe(true);
    expect(texts(events)).toBe(1000);
  });

  it('gives others their turn during a long answer', async () => {
    const flight = start({ ...user('[[sandbox:tokens 2000]]'), stream: true });
    let turns = 0;
    const tick = (): void => {
      turns++;
      if (flight.outcome.chunks.length < 31) setImmediate(tick);
    };
    setImmediate(tick);
    await flight.over;
    expect(turns).toBeGreaterThan(20);
  });
});
