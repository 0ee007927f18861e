/** The Gemini codec against the vendor's own SDK: the same requests, the same reading of every fixture. */
import {
  ApiError,
  GoogleGenAI,
  type Content,
  type GenerateContentConfig,
  type GenerateContentResponse,
} from '@google/genai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatEvent, JsonObject } from '../../src/contract/chat.ts';
import { inputTokens, outputTokens } from '../../src/contract/usage.ts';
import { google } from '../../src/providers/google/index.ts';
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

const { chat, completion } = google as { chat: ChatCodec; completion: ChatCodec };
const files = fixtures('google');
const model = 'gemini-2.5-flash';
const sent = ['x-goog-api-key', 'authorization', 'content-type'];

let recorder: Recorder;
let sdk: GoogleGenAI;
beforeAll(async () => {
  recorder = await startRecorder({ body: files.text('text.json') });
  sdk = new GoogleGenAI({
    apiKey: key,
    vertexai: false,
    apiVersion: 'v1beta',
    httpOptions: { baseUrl: recorder.origin },
  });
});
afterAll(() => recorder.close());

const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const weather = { name: 'get_weather', description: 'The weather', parameters };
const hi = [{ role: 'user', content: 'hi' }];
const hiThere: Content[] = [{ role: 'user', parts: [{ text: 'hi' }] }];
const schema = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false };

interface Case {
  readonly name: string;
  readonly ours: JsonObject;
  readonly contents: Content[];
  readonly config: GenerateContentConfig;
  readonly model?: string;
}

const cases: Case[] = [
  {
    name: 'text with system and sampling',
    ours: {
      messages: [{ role: 'system', content: 'Be brief.' }, ...hi],
      temperature: 1.7,
      top_p: 0.9,
      top_k: 5,
      seed: 7,
      n: 2,
      stop: ['END'],
      frequency_penalty: 0.5,
      presence_penalty: 0,
      logprobs: true,
      top_logprobs: 2,
      user: 'u',
      parallel_tool_calls: true,
    },
    contents: hiThere,
    config: {
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      temperature: 1.7,
      topP: 0.9,
      topK: 5,
      seed: 7,
      candidateCount: 2,
      stopSequences: ['END'],
      frequencyPenalty: 0.5,
      responseLogprobs: true,
      logprobs: 2,
    },
  },
  {
    name: 'media',
    ours: {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'image', image: { data: 'BBBB', media_type: 'image/webp' } },
            { type: 'input_audio', input_audio: { data: 'CCCC', format: 'wav' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,DDDD' } },
            { type: 'video_url', video_url: { url: 'https://www.youtube.com/watch?v=1' } },
          ],
        },
      ],
    },
    contents: [
      {
        role: 'user',
        parts: [
          { text: 'Look' },
          { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
          { inlineData: { mimeType: 'image/webp', data: 'BBBB' } },
          { inlineData: { mimeType: 'audio/wav', data: 'CCCC' } },
          { inlineData: { mimeType: 'application/pdf', data: 'DDDD' } },
          { fileData: { fileUri: 'https://www.youtube.com/watch?v=1' } },
        ],
      },
    ],
    config: {},
  },
  {
    name: 'tools, their results, signatures and merged roles',
    model: 'gemini-3-flash-preview',
    ours: {
      messages: [
        { role: 'user', content: 'one' },
        { role: 'user', content: 'two' },
        {
          role: 'assistant',
          content: 'Wait.',
          reasoning_details: [{ type: 'reasoning.text', text: '', signature: 'tsig', format: 'google' }],
          tool_calls: [
            {
              id: 'f1',
              type: 'function',
              function: { name: 'get_weather', arguments: '{"city":"Rome"}' },
              extra_content: { google: { thought_signature: 'csig' } },
            },
            { id: 'call_x_1', type: 'function', function: { name: 'get_time', arguments: '' } },
          ],
        },
        { role: 'tool', tool_call_id: 'f1', content: '{"sky":"blue"}' },
        { role: 'tool', tool_call_id: 'call_x_1', content: 'noon' },
      ],
      tools: [
        { type: 'function', function: { ...weather, strict: true } },
        { type: 'function', function: { name: 'get_time' } },
      ],
      tool_choice: { type: 'function', function: { name: 'get_time' } },
      reasoning_effort: 'minimal',
    },
    contents: [
      { role: 'user', parts: [{ text: 'one' }, { text: 'two' }] },
      {
        role: 'model',
        parts: [
          { text: 'Wait.', thoughtSignature: 'tsig' },
          {
            functionCall: { id: 'f1', name: 'get_weather', args: { city: 'Rome' } },
            thoughtSignature: 'csig',
          },
          { functionCall: { name: 'get_time', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'f1', name: 'get_weather', response: { sky: 'blue' } } },
          { functionResponse: { name: 'get_time', response: { output: 'noon' } } },
        ],
      },
    ],
    config: {
      tools: [
        {
          functionDeclarations: [
            { name: 'get_weather', description: 'The weather', parametersJsonSchema: parameters },
            { name: 'get_time' },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY' as never, allowedFunctionNames: ['get_time'] } },
      thinkingConfig: { includeThoughts: true, thinkingLevel: 'MINIMAL' as never },
    },
  },
  {
    name: 'structured output, safety settings and Google’s own tools',
    ours: {
      messages: hi,
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
      safety_settings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }],
      tools: [{ type: 'google_search' }, { type: 'url_context', url_context: {} }],
      extra_body: {
        google: { thinking_config: { thinking_budget: 77 }, cached_content: 'cachedContents/1' },
      },
      modalities: ['text', 'image'],
      image_config: { aspectRatio: '16:9' },
    },
    contents: hiThere,
    config: {
      responseMimeType: 'application/json',
      responseJsonSchema: schema,
      safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT' as never, threshold: 'BLOCK_NONE' as never }],
      tools: [{ googleSearch: {} }, { urlContext: {} }],
      cachedContent: 'cachedContents/1',
      thinkingConfig: { thinkingBudget: 77 },
      responseModalities: ['TEXT', 'IMAGE'],
      imageConfig: { aspectRatio: '16:9' },
    },
  },
];

describe('requests are those of the SDK', () => {
  it.each(cases)('$name', async ({ ours, contents, config, model: id = model }) => {
    const params = { model: id, contents, config: { ...config, maxOutputTokens: 1000 } };
    for (const stream of [false, true]) {
      recorder.answer(
        stream
          ? { headers: { 'content-type': 'text/event-stream' }, body: files.text('text.sse') }
          : { body: files.text('text.json') },
      );
      recorder.requests.length = 0;
      if (stream) for await (const _ of await sdk.models.generateContentStream(params));
      else await sdk.models.generateContent(params);
      await sendOurs(google, chat.encodeRequest(request(ours, { stream }), target(id)), recorder);
      const [wanted, got] = recorder.requests;
      expect(essence(got, sent)).toEqual(essence(wanted, sent));
      expect(got?.headers['x-goog-api-key']).toBe(key);
      expect(got?.path).not.toContain(key);
    }
  });
});

interface Said {
  readonly text: string;
  readonly reasoning: string | null;
  readonly tools: unknown[];
  readonly images: string[];
  readonly tokens: number[];
}

/** What the SDK read, of one response or of the chunks of a stream. */
function said(responses: readonly GenerateContentResponse[]): Said {
  const parts = responses.flatMap((each) => each.candidates?.[0]?.content?.parts ?? []);
  const thoughts = parts.filter((part) => part.thought === true);
  const usage = responses.at(-1)?.usageMetadata;
  return {
    text: parts.map((part) => (part.thought === true ? '' : (part.text ?? ''))).join(''),
    reasoning: thoughts.length === 0 ? null : thoughts.map((part) => part.text).join(''),
    tools: responses.flatMap((each) => (each.functionCalls ?? []).map(({ name, args }) => ({ name, args }))),
    images: parts.flatMap(({ inlineData: image }) =>
      image === undefined ? [] : [`data:${image.mimeType};base64,${image.data}`],
    ),
    tokens: [
      (usage?.promptTokenCount ?? 0) + (usage?.toolUsePromptTokenCount ?? 0),
      (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
    ],
  };
}

describe('answers', () => {
  const names = files.names('.json').filter((name) => !name.startsWith('error'));
  it.each(names)('%s is read as the SDK reads it, whole and streamed alike', async (name) => {
    recorder.answer({ body: files.text(`${name}.json`) });
    const response = await sdk.models.generateContent({ model, contents: 'hi' });
    const whole = said([response]);
    const answer = chat.decodeAnswer(Buffer.from(files.text(`${name}.json`)), target(model));
    const choice = answer.choices[0];
    if (choice === undefined || answer.usage === null) throw new Error('No choice or no usage.');
    expect({
      text: choice.text,
      reasoning: choice.reasoning,
      tools: choice.toolCalls.map((call) => ({
        name: call.name,
        args: JSON.parse(call.arguments) as unknown,
      })),
      images: choice.images,
      tokens: [inputTokens(answer.usage), outputTokens(answer.usage)],
    }).toEqual(whole);
    expect([answer.id, answer.model]).toEqual([response.responseId, response.modelVersion]);

    recorder.answer({ chunks: splitBytes(files.text(`${name}.sse`), 7) });
    const chunks: GenerateContentResponse[] = [];
    for await (const chunk of await sdk.models.generateContentStream({ model, contents: 'hi' }))
      chunks.push(chunk);
    expect(said(chunks)).toEqual(whole);
    const { events, ended } = decode(chat, target(model), [Buffer.from(files.text(`${name}.sse`))]);
    expect(ended).toBe(true);
    expect(events[0]).toMatchObject({ type: 'start', id: answer.id, model: answer.model });
    for (const { index, logprobs, ...same } of answer.choices) {
      expect(collect(events, index)).toEqual({ ...same, usage: answer.usage });
      const streamed = events.flatMap((event) =>
        event.type === 'text' && event.index === index ? [event] : [],
      );
      expect(streamed.find((event) => event.logprobs !== undefined)?.logprobs ?? null).toEqual(logprobs);
    }
  });

  it('a stream gives the same events wherever it is cut', () => {
    for (const name of files.names('.sse')) {
      const text = files.text(`${name}.sse`);
      const whole = decode(chat, target(model), [Buffer.from(text)]);
      for (const cut of everyCut(text)) expect(decode(chat, target(model), cut)).toEqual(whole);
      expect(decode(chat, target(model), splitBytes(text, 1))).toEqual(whole);
      const lf = text.replaceAll('\r\n', '\n');
      for (const size of [1, 2, 3, 5, 64]) {
        expect(decode(chat, target(model), splitBytes(lf, size))).toEqual(whole);
      }
    }
  });

  it('counts in buckets that do not overlap', () => {
    const usage = (name: string, id: string) =>
      chat.decodeAnswer(Buffer.from(files.text(`${name}.json`)), target(id)).usage;
    expect(usage('odd-usage', 'gemini-3-pro-image-preview')).toEqual({
      input: 290,
      cacheRead: 600,
      cacheWrite: 0,
      cacheWriteLong: 0,
      audioInput: 150,
      imageInput: 0,
      output: 20,
      reasoning: 7,
      audioOutput: 0,
      imageOutput: 1290,
      webSearches: 2,
    });
    // The older generation bills a prompt with searches once.
    expect(usage('odd-usage', model)?.webSearches).toBe(1);
    expect(usage('reasoning', model)).toMatchObject({ output: 10, reasoning: 95 });
  });

  const answerOf = (parts: unknown[], more: JsonObject = {}, usage: JsonObject = {}): Buffer => {
    const candidates = [{ content: { parts }, finishReason: 'STOP', ...more }];
    return Buffer.from(JSON.stringify({ candidates, usageMetadata: usage }));
  };

  it('takes the output from the total where Google leaves it out', () => {
    const counts = {
      promptTokenCount: 5,
      thoughtsTokenCount: 2,
      toolUsePromptTokenCount: 1,
      totalTokenCount: 11,
    };
    const body = answerOf([], {}, counts);
    expect(chat.decodeAnswer(body, target(model)).usage).toMatchObject({ input: 6, output: 3, reasoning: 2 });
  });

  it('shows no drafts that belong to the thinking', () => {
    const inlineData = { mimeType: 'image/png', data: 'AAAA' };
    const body = answerOf([{ inlineData, thought: true }, { inlineData }]);
    expect(chat.decodeAnswer(body, target(model)).choices[0]?.images).toEqual(['data:image/png;base64,AAAA']);
  });

  it('a call that was cut short is no call to make', () => {
    const parts = [{ functionCall: { name: 'f', args: {} } }];
    const reason = (finishReason: string): unknown =>
      chat.decodeAnswer(answerOf(parts, { finishReason }), target(model)).choices[0]?.finishReason;
    expect(reason('MAX_TOKENS')).toBe('length');
    expect(reason('MALFORMED_FUNCTION_CALL')).toBe('error');
    expect(reason('A_WORD_OF_THE_FUTURE')).toBe('tool_calls');
  });

  it('counts the searches of a stream once, however often they are named', () => {
    const grounding = { groundingMetadata: { webSearchQueries: ['a', 'b'] } };
    const event = `data: ${answerOf([{ text: 'x' }], grounding, { totalTokenCount: 1 }).toString()}\n\n`;
    const { events } = decode(chat, target('gemini-3-flash-preview'), [Buffer.from(event + event)]);
    expect(collect(events).usage?.webSearches).toBe(2);
  });

  it('endings have one word each', () => {
    const endings = ['text', 'tools', 'safety', 'blocked', 'odd-usage'].map(
      (name) =>
        chat.decodeAnswer(Buffer.from(files.text(`${name}.json`)), target(model)).choices[0]?.finishReason,
    );
    expect(endings).toEqual(['stop', 'tool_calls', 'content_filter', 'content_filter', 'length']);
  });

  it('signatures come out where they go in again', () => {
    const tools = chat.decodeAnswer(Buffer.from(files.text('tools.json')), target(model)).choices[0];
    expect(tools?.toolCalls).toEqual([
      {
        id: 'call_xK8laYXRD4uRmtkPofeY8Qk_0',
        name: 'get_weather',
        arguments: '{"location":"São Paulo","id":1}',
        extra: { google: { thought_signature: 'Ci4BVKhc7tool' } },
      },
      { id: '8f2b1a3c', name: 'get_time', arguments: '{}' },
    ]);
    const text = chat.decodeAnswer(Buffer.from(files.text('reasoning.json')), target(model)).choices[0];
    expect(text?.signatures).toEqual([{ vendor: 'google', kind: 'signature', data: 'CqgBVKhc7text' }]);
  });

  it('absent usage is not zero usage, in answers and in streams', () => {
    const answer = JSON.parse(files.text('text.json')) as JsonObject;
    delete answer['usageMetadata'];
    expect(chat.decodeAnswer(Buffer.from(JSON.stringify(answer)), target(model)).usage).toBe(null);
    const cut = files.text('text.sse').split('\r\n\r\n').slice(0, 2).join('\r\n\r\n');
    const { events, ended } = decode(chat, target(model), [Buffer.from(cut)]);
    expect(ended).toBe(false);
    expect(events.map((event) => event.type)).toEqual(['start', 'text', 'text']);
  });

  it('numbers that JavaScript cannot hold survive in arguments', () => {
    const text = files.text('tools.json').replace('"id": 1\n', '"id": 12345678901234567890\n');
    const call = chat.decodeAnswer(Buffer.from(text), target(model)).choices[0]?.toolCalls[0];
    expect(call?.arguments).toBe('{"location":"São Paulo","id":12345678901234567890}');
  });

  it.each([
    ['no JSON', '<html>'],
    ['cut', '{"candidates":[{"content":'],
    ['a list', '[]'],
    ['another object', '{"ok":true}'],
    ['candidates that are none', '{"candidates":[1]}'],
    ['parts that are none', '{"candidates":[{"content":{"parts":"x"}}]}'],
  ])('%s is malformed', (_, text) => {
    expect(failureCode(() => chat.decodeAnswer(Buffer.from(text), target(model)))).toBe('upstream_malformed');
    if (text.startsWith('{"ok')) return;
    const stream = Buffer.from(`data: ${text}\n\n`);
    expect(failureCode(() => decode(chat, target(model), [stream]))).toBe('upstream_malformed');
  });

  it('a stream of nothing has not ended', () => {
    expect(decode(chat, target(model), [Buffer.from('<html>\n<p>\n\n')])).toEqual({
      events: [],
      ended: false,
    });
    expect(decode(chat, target(model), [])).toEqual({ events: [], ended: false });
  });

  it('takes a drawn image of many megabytes in pieces', () => {
    const data = 'A'.repeat(6 * 1024 * 1024);
    const parts = [{ inlineData: { mimeType: 'image/png', data } }];
    const event = JSON.stringify({ candidates: [{ content: { parts }, finishReason: 'STOP' }] });
    const { events, ended } = decode(chat, target(model), splitBytes(`data: ${event}\n\n`, 65_536));
    expect(ended).toBe(true);
    expect(collect(events).images).toEqual([`data:image/png;base64,${data}`]);
  });
});

describe('errors', () => {
  it.each([
    ['error-400', 400, 400, 'INVALID_ARGUMENT', 'temperature'],
    ['error-401', 400, 401, 'API_KEY_INVALID', null],
    ['error-404', 404, 404, 'NOT_FOUND', null],
    ['error-429', 429, 429, 'RESOURCE_EXHAUSTED', null],
    ['error-503', 503, 503, 'UNAVAILABLE', null],
  ])('%s', async (name, sentStatus, status, code, param) => {
    const body = files.text(`${name}.json`);
    recorder.answer({ status: sentStatus, body });
    const theirs = await sdk.models
      .generateContent({ model, contents: 'hi', config: { httpOptions: { retryOptions: { attempts: 1 } } } })
      .then(() => null)
      .catch((error: unknown) => (error instanceof ApiError ? error : null));
    expect(theirs?.status).toBe(sentStatus);
    const ours = chat.decodeError(sentStatus, Buffer.from(body));
    expect(ours).toMatchObject({ status, code, param });
    expect(theirs?.message).toContain(ours.message);
    expect(chat.decodeError(sentStatus, Buffer.from(`[${body}]`))).toEqual(ours);
  });

  it('a proxy’s page says nothing', () => {
    const nothing = { status: 502, code: null, message: null, param: null };
    expect(chat.decodeError(502, Buffer.from('<html>Bad gateway</html>'))).toEqual(nothing);
  });

  const overloaded: ChatEvent = {
    type: 'error',
    status: 503,
    code: 'UNAVAILABLE',
    message: 'The model is overloaded. Please try again later.',
  };

  it('an error inside a stream keeps what came before it', () => {
    const { events, ended } = decode(chat, target(model), [Buffer.from(files.text('error.sse'))]);
    expect(ended).toBe(false);
    expect(collect(events).text).toBe('Half an ans');
    expect(events.at(-1)).toEqual(overloaded);
    const late =
      files.text('text.sse') + `data: ${JSON.stringify(JSON.parse(files.text('error-503.json')))}\n\n`;
    const after = decode(chat, target(model), [Buffer.from(late)]);
    expect([after.ended, after.events.at(-1)]).toEqual([false, overloaded]);
  });

  it('an error inside a stream may be bare JSON, which the SDK also takes', async () => {
    const [first = ''] = files.text('error.sse').split('data: {"error"');
    const bare = files.text('error-503.json');
    recorder.answer({ chunks: [first, bare] });
    const read = async (): Promise<void> => {
      for await (const _ of await sdk.models.generateContentStream({ model, contents: 'hi' }));
    };
    await expect(read()).rejects.toThrow(/overloaded/);
    for (const size of [1, 7, 4096]) {
      const { events, ended } = decode(chat, target(model), splitBytes(first + bare, size));
      expect(ended).toBe(false);
      expect(collect(events).text).toBe('Half an ans');
      expect(events.at(-1)).toEqual(overloaded);
    }
  });
});

it('text completions are chats of one message', () => {
  const encoded = completion.encodeRequest(
    request({ prompt: 'Once' }, { kind: 'completion' }),
    target(model),
  );
  expect(encoded).toEqual(
    chat.encodeRequest(request({ messages: [{ role: 'user', content: 'Once' }] }), target(model)),
  );
  expect([chat.inlineMedia, completion.inlineMedia]).toEqual([true, true]);
});
