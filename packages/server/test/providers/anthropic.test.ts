/** The Anthropic codec against the vendor's own SDK: the same requests, the same reading of every fixture. */
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import type { Message, MessageCreateParamsNonStreaming } from '@anthropic-ai/sdk/resources/messages/messages';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contract/chat.ts';
import { inputTokens, outputTokens } from '../../src/contract/usage.ts';
import { anthropic } from '../../src/providers/anthropic/index.ts';
import type { ChatCodec } from '../../src/providers/provider.ts';
import {
  collect,
  decode,
  essence,
  everyCut,
  failureCode,
  fixtures,
  key,
  request,
  sendOurs,
  target,
} from './native-codec.ts';
import { splitBytes, startRecorder, type Recorder } from './recorder.ts';

const { chat, completion } = anthropic as { chat: ChatCodec; completion: ChatCodec };
const files = fixtures('anthropic');
const model = 'claude-sonnet-4-6';
const sent = ['x-api-key', 'authorization', 'anthropic-version', 'anthropic-beta', 'content-type'];

let recorder: Recorder;
let sdk: Anthropic;
beforeAll(async () => {
  recorder = await startRecorder({ body: files.text('text.json') });
  sdk = new Anthropic({
    apiKey: key,
    authToken: null,
    baseURL: recorder.origin,
    maxRetries: 0,
    // What the SDK sent up to 0.x and the API still takes. Since 1.0 its defaults are the version 2026-10-21, which
    // refuses sampling parameters, and the key as a bearer token.
    defaultHeaders: { 'anthropic-version': '2023-06-01', 'x-api-key': key, authorization: null },
  });
});
afterAll(() => recorder.close());

const weather = {
  name: 'get_weather',
  description: 'The weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const weatherTool = {
  name: weather.name,
  description: weather.description,
  input_schema: weather.parameters as { type: 'object' },
};
const hi = [{ role: 'user', content: 'hi' }];
const hiThere = [{ role: 'user' as const, content: 'hi' }];
const schema = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false };
const base = { model, max_tokens: 1000 };

interface Case {
  readonly name: string;
  readonly ours: JsonObject;
  /** Sampling parameters left the SDK's types with that version; it still sends what it is given. */
  readonly theirs: MessageCreateParamsNonStreaming & { temperature?: number; top_k?: number };
  readonly headers?: Record<string, string>;
}

const cases: Case[] = [
  {
    name: 'text with system and sampling',
    ours: {
      messages: [{ role: 'system', content: 'Be brief.' }, ...hi],
      temperature: 0.7,
      top_p: 1,
      top_k: 5,
      stop: 'END',
      max_tokens: 1000,
      user: 'u1',
      frequency_penalty: 0,
      presence_penalty: 0,
      seed: 7,
    },
    theirs: {
      ...base,
      system: 'Be brief.',
      messages: hiThere,
      temperature: 0.7,
      top_k: 5,
      stop_sequences: ['END'],
      metadata: { user_id: 'u1' },
    },
  },
  {
    name: 'images, documents and cache control',
    ours: {
      messages: [
        {
          role: 'system',
          content: [{ type: 'text', text: 'Long.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
        },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
            { type: 'image_url', image_url: { url: 'https://example.org/a.jpg' } },
            { type: 'image', image: { data: 'BBBB', media_type: 'image/webp' } },
            { type: 'image', image: { url: 'https://example.org/b.png' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,CCCC' } },
            { type: 'file', file: { filename: 'a.txt', file_data: 'data:text/plain;base64,w6Q=' } },
            { type: 'text', text: 'End', cache_control: { type: 'ephemeral' } },
          ],
        },
      ],
    },
    theirs: {
      ...base,
      system: [{ type: 'text', text: 'Long.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            { type: 'image', source: { type: 'url', url: 'https://example.org/a.jpg' } },
            { type: 'image', source: { type: 'base64', media_type: 'image/webp', data: 'BBBB' } },
            { type: 'image', source: { type: 'url', url: 'https://example.org/b.png' } },
            {
              type: 'document',
              source: { type: 'base64', media_type: 'application/pdf', data: 'CCCC' },
              title: 'a.pdf',
            },
            {
              type: 'document',
              source: { type: 'text', media_type: 'text/plain', data: 'ä' },
              title: 'a.txt',
            },
            { type: 'text', text: 'End', cache_control: { type: 'ephemeral' } },
          ],
        },
      ],
    },
  },
  {
    name: 'tools, their results and merged roles',
    ours: {
      messages: [
        { role: 'user', content: 'one' },
        { role: 'user', content: [{ type: 'text', text: 'two' }] },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'call:1',
              type: 'function',
              function: { name: 'get_weather', arguments: '{"city":"Rome"}' },
            },
            { id: 'call_2', type: 'function', function: { name: 'get_time', arguments: '' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call:1', content: 'sunny' },
        {
          role: 'tool',
          tool_call_id: 'call_2',
          content: [{ type: 'text', text: 'no clock' }],
          is_error: true,
        },
        { role: 'user', content: 'and?' },
      ],
      tools: [
        { type: 'function', function: { ...weather, strict: true }, cache_control: { type: 'ephemeral' } },
        { type: 'function', function: { name: 'get_time' } },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 2 },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
    },
    theirs: {
      ...base,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'one' },
            { type: 'text', text: 'two' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Rome' } },
            { type: 'tool_use', id: 'call_2', name: 'get_time', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_1', content: 'sunny' },
            { type: 'tool_result', tool_use_id: 'call_2', content: 'no clock', is_error: true },
            { type: 'text', text: 'and?' },
          ],
        },
      ],
      tools: [
        { ...weatherTool, strict: true, cache_control: { type: 'ephemeral' } },
        { name: 'get_time', input_schema: { type: 'object', properties: {} } },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 2 },
      ],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    },
  },
  {
    name: 'a named tool',
    ours: {
      messages: hi,
      tools: [{ type: 'function', function: weather }],
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
    },
    theirs: {
      ...base,
      messages: hiThere,
      tools: [weatherTool],
      tool_choice: { type: 'tool', name: 'get_weather' },
    },
  },
  {
    name: 'thinking sent back verbatim',
    ours: {
      messages: [
        ...hi,
        {
          role: 'assistant',
          content: 'So.',
          reasoning_details: [
            { type: 'reasoning.text', text: 'Let me ', format: 'anthropic-claude-v1' },
            { type: 'reasoning.text', text: 'think', signature: 'sig1', format: 'anthropic' },
            { type: 'reasoning.encrypted', data: 'secret', format: 'anthropic' },
            { type: 'reasoning.text', text: 'alien', signature: 'x', format: 'google' },
          ],
        },
        { role: 'user', content: 'on' },
      ],
      thinking: { type: 'enabled', budget_tokens: 1024 },
      max_tokens: 4000,
      temperature: 0.7,
    },
    theirs: {
      model,
      max_tokens: 4000,
      messages: [
        ...hiThere,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Let me think', signature: 'sig1' },
            { type: 'redacted_thinking', data: 'secret' },
            { type: 'text', text: 'So.' },
          ],
        },
        { role: 'user', content: 'on' },
      ],
      thinking: { type: 'enabled', budget_tokens: 1024 },
    },
  },
  {
    name: 'structured output, betas and unknown parameters',
    ours: {
      messages: hi,
      response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } },
      betas: ['files-api-2025-04-14', 'context-1m-2025-08-07'],
      container: 'c1',
      service_tier: 'default',
    },
    theirs: {
      ...base,
      messages: hiThere,
      output_config: { format: { type: 'json_schema', schema } },
      container: 'c1',
      service_tier: 'standard_only',
    },
    headers: { 'anthropic-beta': 'files-api-2025-04-14,context-1m-2025-08-07' },
  },
];

describe('requests are those of the SDK', () => {
  it.each(cases)('$name', async ({ ours, theirs, headers }) => {
    for (const stream of [false, true]) {
      recorder.answer(
        stream
          ? { headers: { 'content-type': 'text/event-stream' }, body: files.text('text.sse') }
          : { body: files.text('text.json') },
      );
      recorder.requests.length = 0;
      if (stream) {
        const events = await sdk.messages.create(
          { ...theirs, stream },
          headers === undefined ? {} : { headers },
        );
        for await (const _ of events);
      } else {
        await sdk.messages.create(theirs, headers === undefined ? {} : { headers });
      }
      const where = target(model, { maxTokens: theirs.max_tokens });
      await sendOurs(anthropic, chat.encodeRequest(request(ours, { stream }), where), recorder);
      const [wanted, got] = recorder.requests;
      expect(essence(got, sent)).toEqual(essence(wanted, sent));
      expect(got?.headers['x-api-key']).toBe(key);
    }
  });
});

interface Said {
  readonly text: string;
  readonly reasoning: string | null;
  readonly tools: unknown[];
  readonly tokens: number[];
}

/** What the SDK read. */
function said(message: Message): Said {
  const thoughts = message.content.filter((each) => each.type === 'thinking');
  const usage = message.usage;
  return {
    text: message.content.map((each) => (each.type === 'text' ? each.text : '')).join(''),
    reasoning: thoughts.length === 0 ? null : thoughts.map((each) => each.thinking).join(''),
    tools: message.content.flatMap((each) =>
      each.type === 'tool_use' ? [{ id: each.id, name: each.name, input: each.input }] : [],
    ),
    tokens: [
      usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
      usage.output_tokens,
    ],
  };
}

const toolsOf = (calls: readonly { id: string; name: string; arguments: string }[]): unknown[] =>
  calls.map((call) => ({ id: call.id, name: call.name, input: JSON.parse(call.arguments) as unknown }));

describe('answers', () => {
  const names = files.names('.json').filter((name) => !name.startsWith('error'));
  it.each(names)('%s is read as the SDK reads it, whole and streamed alike', async (name) => {
    recorder.answer({ body: files.text(`${name}.json`) });
    const whole = said(await sdk.messages.create({ ...base, messages: hiThere }));
    const body = Buffer.from(files.text(`${name}.json`));
    const answer = chat.decodeAnswer(body, target(model));
    const choice = answer.choices[0];
    if (choice === undefined || answer.usage === null) throw new Error('No choice or no usage.');
    expect({
      text: choice.text,
      reasoning: choice.reasoning,
      tools: toolsOf(choice.toolCalls),
      tokens: [inputTokens(answer.usage), outputTokens(answer.usage)],
    }).toEqual(whole);

    recorder.answer({ chunks: splitBytes(files.text(`${name}.sse`), 7) });
    const streamed = said(await sdk.messages.stream({ ...base, messages: hiThere }).finalMessage());
    expect(streamed).toEqual(whole);
    const { events, ended } = decode(chat, target(model), [Buffer.from(files.text(`${name}.sse`))]);
    expect(ended).toBe(true);
    const { index: _, logprobs: __, ...same } = choice;
    const built = collect(events);
    expect({ ...built, toolCalls: toolsOf(built.toolCalls) }).toEqual({
      ...same,
      toolCalls: toolsOf(choice.toolCalls),
      usage: answer.usage,
    });
    expect(events[0]).toMatchObject({ type: 'start', id: answer.id, model: answer.model });
  });

  it('a stream gives the same events wherever it is cut', () => {
    for (const name of files.names('.sse')) {
      const text = files.text(`${name}.sse`);
      const whole = decode(chat, target(model), [Buffer.from(text)]);
      for (const cut of everyCut(text)) expect(decode(chat, target(model), cut)).toEqual(whole);
      expect(decode(chat, target(model), splitBytes(text, 1))).toEqual(whole);
      const crlf = text.replaceAll('\n', '\r\n');
      for (const size of [1, 2, 3, 5, 64]) {
        expect(decode(chat, target(model), splitBytes(crlf, size))).toEqual(whole);
      }
    }
  });

  it('counts in buckets that do not overlap', () => {
    const usage = (name: string) =>
      chat.decodeAnswer(Buffer.from(files.text(`${name}.json`)), target(model)).usage;
    expect(usage('odd-usage')).toEqual({
      input: 50,
      cacheRead: 2048,
      cacheWrite: 456,
      cacheWriteLong: 100,
      audioInput: 0,
      imageInput: 0,
      output: 503,
      reasoning: 0,
      audioOutput: 0,
      imageOutput: 0,
      webSearches: 2,
    });
    expect(usage('reasoning')).toMatchObject({ output: 20, reasoning: 100 });
  });

  it('keeps signatures with the text they sign', () => {
    const { events } = decode(chat, target(model), [Buffer.from(files.text('reasoning.sse'))]);
    expect(collect(events).signatures).toEqual([
      {
        vendor: 'anthropic',
        kind: 'signature',
        data: expect.stringContaining('EqQB') as string,
        text: 'Let me think. 27 × 453…',
      },
      { vendor: 'anthropic', kind: 'redacted', data: expect.stringContaining('EmwK') as string },
      { vendor: 'anthropic', kind: 'signature', data: 'c2Vjb25kLXNpZ25hdHVyZQ==', text: 'Second thought.' },
    ]);
  });

  it('endings have one word each', () => {
    const endings = ['text', 'tools', 'safety', 'odd-usage'].map(
      (name) =>
        chat.decodeAnswer(Buffer.from(files.text(`${name}.json`)), target(model)).choices[0]?.finishReason,
    );
    expect(endings).toEqual(['stop', 'tool_calls', 'content_filter', 'stop']);
  });

  it('absent usage is not zero usage, in answers and in streams', () => {
    const message = JSON.parse(files.text('text.json')) as JsonObject;
    delete message['usage'];
    expect(chat.decodeAnswer(Buffer.from(JSON.stringify(message)), target(model)).usage).toBe(null);
    const cut = files.text('text.sse').split('event: message_delta')[0] ?? '';
    const { events, ended } = decode(chat, target(model), [Buffer.from(cut)]);
    expect(ended).toBe(false);
    expect(events.some((event) => event.type === 'usage' || event.type === 'finish')).toBe(false);
  });

  it('numbers that JavaScript cannot hold survive in arguments', () => {
    const text = files.text('tools.json').replace('"id": 1\n', '"id": 12345678901234567890\n');
    const call = chat.decodeAnswer(Buffer.from(text), target(model)).choices[0]?.toolCalls[0];
    expect(call?.arguments).toBe('{"location":"São Paulo","id":12345678901234567890}');
    const past = [
      ...hi,
      {
        role: 'assistant',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: call?.arguments } }],
      },
    ];
    const encoded = chat.encodeRequest(request({ messages: past }), target(model));
    expect(encoded.body.toString()).toContain('"id":12345678901234567890}');
  });

  it('a tool’s input may come whole with its start', () => {
    const text = files
      .text('tools.sse')
      .replace('"name":"get_time","input":{}', '"name":"get_time","input":{"zone":"UTC"}');
    const { events } = decode(chat, target(model), [Buffer.from(text)]);
    expect(collect(events).toolCalls[1]?.arguments).toBe('{"zone":"UTC"}');
  });

  it.each([
    ['no JSON', '<html>'],
    ['cut', '{"type":"message","content":[{"type":"te'],
    ['a list', '[]'],
    ['another object', '{"ok":true}'],
    ['blocks that are none', '{"content":[1]}'],
  ])('%s is malformed', (_, text) => {
    expect(failureCode(() => chat.decodeAnswer(Buffer.from(text), target(model)))).toBe('upstream_malformed');
  });

  it('bytes that are no UTF-8 are malformed', () => {
    const body = Buffer.from(files.text('text.json'));
    body[body.indexOf('ü')] = 0xff;
    expect(failureCode(() => chat.decodeAnswer(body, target(model)))).toBe('upstream_malformed');
    const stream = Buffer.from(files.text('text.sse'));
    stream[stream.indexOf('ü')] = 0xff;
    expect(failureCode(() => decode(chat, target(model), [stream]))).toBe('upstream_malformed');
    const garbage = Buffer.from('data: {"type":\n\n');
    expect(failureCode(() => decode(chat, target(model), [garbage]))).toBe('upstream_malformed');
  });
});

describe('errors', () => {
  it.each([
    ['error-400', 400, 'invalid_request_error', 'messages[1].content'],
    ['error-401', 401, 'authentication_error', null],
    ['error-404', 404, 'not_found_error', null],
    ['error-429', 429, 'rate_limit_error', null],
    ['error-529', 529, 'overloaded_error', null],
  ])('%s', async (name, status, code, param) => {
    const body = files.text(`${name}.json`);
    recorder.answer({ status, body });
    const theirs = await sdk.messages
      .create({ ...base, messages: hiThere })
      .then(() => null)
      .catch((error: unknown) => (error instanceof APIError ? error : null));
    const ours = chat.decodeError(status, Buffer.from(body));
    expect(ours).toEqual({ status: theirs?.status, code: theirs?.type, message: theirs?.apiMessage, param });
    expect(ours.code).toBe(code);
  });

  it('a proxy’s page says nothing', () => {
    const nothing = { status: 502, code: null, message: null, param: null };
    expect(chat.decodeError(502, Buffer.from('<html>Bad gateway</html>'))).toEqual(nothing);
    expect(chat.decodeError(502, Buffer.from('{"error":"no"}'))).toEqual(nothing);
  });

  it('an error inside a stream keeps what came before it', async () => {
    recorder.answer({ chunks: splitBytes(files.text('error.sse'), 9) });
    await expect(sdk.messages.stream({ ...base, messages: hiThere }).finalMessage()).rejects.toThrow(
      /Overloaded/,
    );
    const { events, ended } = decode(chat, target(model), [Buffer.from(files.text('error.sse'))]);
    expect(ended).toBe(false);
    expect(collect(events).text).toBe('Half an ans');
    const error = { type: 'error', status: 529, code: 'overloaded_error', message: 'Overloaded' };
    expect(events.at(-1)).toEqual(error);
  });
});

it('text completions are chats of one message', () => {
  const encoded = completion.encodeRequest(
    request({ prompt: ['Once'], max_tokens: 5 }, { kind: 'completion' }),
    target(model),
  );
  const wanted = chat.encodeRequest(
    request({ messages: [{ role: 'user', content: 'Once' }], max_tokens: 5 }),
    target(model),
  );
  expect(encoded).toEqual(wanted);
});
