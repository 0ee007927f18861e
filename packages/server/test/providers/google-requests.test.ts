/** What the Gemini codec decides by itself: bounds, thinking, histories of other vendors, refusals. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contract/chat.ts';
import { google } from '../../src/providers/google/index.ts';
import type { CallTarget, ChatCodec } from '../../src/providers/provider.ts';
import { bodyOf, info, refusal, request, target } from './native-codec.ts';

const { chat } = google as { chat: ChatCodec };
const hi = [{ role: 'user', content: 'hi' }];
const flash = target('gemini-2.5-flash');

const body = (params: JsonObject, where: CallTarget = flash): JsonObject =>
  bodyOf(chat.encodeRequest(request({ messages: hi, ...params }), where));
const config = (params: JsonObject, where: CallTarget = flash): JsonObject =>
  (body(params, where)['generationConfig'] ?? {}) as JsonObject;
const refused = (params: JsonObject, where: CallTarget = flash): string => refusal(() => body(params, where));

describe('the bound on output', () => {
  it('is the admitted one, whatever the caller says and however it is spelt', () => {
    const raise = { maxOutputTokens: 9e6, candidateCount: 8, topK: 3 };
    const wanted = { maxOutputTokens: 1000, topK: 3 };
    expect(config({ max_tokens: 5, generationConfig: raise })).toEqual(wanted);
    const snake = { max_output_tokens: 9e6, candidate_count: 8, top_k: 3 };
    expect(config({ generation_config: snake })).toEqual(wanted);
    const hidden = { google: { generation_config: snake, generationConfig: raise } };
    expect(body({ extra_body: hidden })).toEqual(body({}));
    expect(
      JSON.stringify(body({ contents: [1], generationConfig: raise, generation_config: snake })),
    ).not.toContain('9000000');
  });

  it('is left out where none is admitted', () => {
    expect(body({}, target('gemini-2.5-flash', { maxTokens: null }))).not.toHaveProperty('generationConfig');
  });
});

describe('reasoning_effort', () => {
  it.each([
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }],
    ['gemini-2.5-flash', 'low', { includeThoughts: true, thinkingBudget: 1024 }],
    ['gemini-2.5-flash', 'high', { includeThoughts: true, thinkingBudget: 24_576 }],
    ['gemini-2.5-pro', 'none', { thinkingBudget: 128 }],
    ['gemini-3-flash-preview', 'minimal', { includeThoughts: true, thinkingLevel: 'MINIMAL' }],
    ['gemini-3-flash-preview', 'none', { thinkingLevel: 'MINIMAL' }],
    ['gemini-3.8-flash', 'minimal', { includeThoughts: true, thinkingLevel: 'LOW' }],
    ['gemini-3-pro-preview', 'medium', { includeThoughts: true, thinkingLevel: 'HIGH' }],
    ['gemini-3.1-pro-preview', 'medium', { includeThoughts: true, thinkingLevel: 'MEDIUM' }],
    ['gemini-3.1-pro-preview', 'minimal', { includeThoughts: true, thinkingLevel: 'LOW' }],
    ['gemini-2.0-flash', 'high', undefined],
    ['gemma-3-27b-it', 'high', undefined],
  ])('%s at %s', (model, effort, wanted) => {
    const where = target(model, { maxTokens: 65_536 });
    expect(config({ reasoning_effort: effort }, where)['thinkingConfig']).toEqual(wanted);
  });

  it('leaves room for the answer', () => {
    const thinking = config({ reasoning_effort: 'high' }, target('gemini-2.5-flash', { maxTokens: 1000 }));
    expect(thinking).toMatchObject({ maxOutputTokens: 1000, thinkingConfig: { thinkingBudget: 800 } });
  });

  it('is refused when it is none, and left out for models that do not think', () => {
    expect(refused({ reasoning_effort: 'enormous' })).toMatch(/^reasoning_effort: /);
    const where = target('gemini-2.5-flash', { info: info({ reasoning: false }) });
    expect(config({ reasoning_effort: 'high' }, where)).not.toHaveProperty('thinkingConfig');
  });

  it('may be a budget in Anthropic’s words', () => {
    const thinking = { type: 'enabled', budget_tokens: 512 };
    const wanted = { includeThoughts: true, thinkingBudget: 512 };
    expect(config({ thinking })['thinkingConfig']).toEqual(wanted);
    expect(config({ thinking: { type: 'disabled' } })['thinkingConfig']).toEqual({ thinkingBudget: 0 });
  });
});

it.each([
  ['logit_bias', { logit_bias: { 1: 2 } }],
  ['modalities', { modalities: ['audio'] }],
  ['audio', { audio: { voice: 'alloy' } }],
  ['web_search_options', { web_search_options: {} }],
  ['function_call', { function_call: 'auto' }],
  ['response_format', { response_format: { type: 'grammar' } }],
  ['tool_choice', { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'maybe' }],
  ['tools[0].type', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
  ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }],
  ['messages', { messages: [{ role: 'system', content: 'only' }] }],
  ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
  ['messages[0].tool_call_id', { messages: [{ role: 'tool', tool_call_id: 'gone', content: 'x' }] }],
  ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }],
])('a 400 names %s', (param, params) => {
  expect(refused(params).split(': ')[0]).toBe(param);
});

it.each(['..', 'a/../b', 'x:generateContent?alt=sse', 'a b', 'a%2fb', 'a?b', 'a#b', ''])(
  'the model %j cannot leave its path',
  (model) => {
    expect(refused({}, target(model))).toMatch(/^model: /);
  },
);

it('tuned models have a path of their own', () => {
  const encoded = chat.encodeRequest(
    request({ messages: hi }, { stream: true }),
    target('tunedModels/mine-1'),
  );
  expect(encoded.path).toBe('/v1beta/tunedModels/mine-1:streamGenerateContent?alt=sse');
});

it('the version is a setting', () => {
  const where = target('gemini-2.5-flash', { options: { api_version: 'v1' } });
  const { path } = chat.encodeRequest(request({ messages: hi }), where);
  expect(path).toBe('/v1/models/gemini-2.5-flash:generateContent');
});

it('leaves out what has no meaning here', () => {
  const sent = body({
    user: 'u',
    store: true,
    metadata: {},
    service_tier: 'priority',
    serviceTier: 'x',
    n: 1,
    stream: true,
  });
  expect(sent).toEqual({
    contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    generationConfig: { maxOutputTokens: 1000 },
  });
});

describe('histories', () => {
  const call = (more: JsonObject = {}): JsonObject => ({
    id: 'toolu_1',
    type: 'function',
    function: { name: 'f', arguments: '{}' },
    ...more,
  });
  const history = (message: JsonObject): JsonObject => ({
    messages: [
      ...hi,
      { role: 'assistant', content: null, ...message },
      { role: 'tool', tool_call_id: 'toolu_1', content: '[1]' },
    ],
  });

  it('of other vendors get Google’s word for a missing signature, where signatures are checked', () => {
    const params = history({ tool_calls: [call(), call({ id: 'b' })] });
    const parts = (model: string): unknown =>
      ((body(params, target(model))['contents'] as JsonObject[])[1] ?? {})['parts'];
    const plain = { functionCall: { id: 'toolu_1', name: 'f', args: {} } };
    const second = { functionCall: { id: 'b', name: 'f', args: {} } };
    expect(parts('gemini-2.5-flash')).toEqual([plain, second]);
    expect(parts('gemini-3.1-pro-preview')).toEqual([
      { ...plain, thoughtSignature: 'skip_thought_signature_validator' },
      second,
    ]);
  });

  it('know a tool result’s function by its call, else by its name', () => {
    const name = (message: JsonObject): unknown => {
      const list = [
        ...hi,
        { role: 'assistant', tool_calls: [call()] },
        { role: 'tool', content: 'x', ...message },
      ];
      const turn = (body({ messages: list })['contents'] as JsonObject[])[2] as { parts: JsonObject[] };
      return (turn.parts[0]?.['functionResponse'] as JsonObject | undefined)?.['name'];
    };
    expect(name({ tool_call_id: 'toolu_1', name: 'other' })).toBe('f');
    expect(name({ tool_call_id: 'gone', name: 'other' })).toBe('other');
  });

  it('answer tools with an object, an output or an error', () => {
    const response = (content: unknown, more: JsonObject = {}): unknown => {
      const { messages } = history({ tool_calls: [call()] }) as { messages: JsonObject[] };
      const list = [...messages.slice(0, 2), { role: 'tool', tool_call_id: 'toolu_1', content, ...more }];
      const turn = (body({ messages: list })['contents'] as JsonObject[])[2] as { parts: JsonObject[] };
      const result = turn.parts[0]?.['functionResponse'] as JsonObject | undefined;
      return result?.['response'];
    };
    expect(response('{"a": 1}')).toEqual({ a: 1 });
    expect(response('[1]')).toEqual({ output: '[1]' });
    expect(response('{broken')).toEqual({ output: '{broken' });
    expect(
      response([
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ]),
    ).toEqual({ output: 'ab' });
    expect(response('no', { is_error: true })).toEqual({ error: 'no' });
  });

  it('show drawn images to the model again, and signatures without text', () => {
    const params = history({
      images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }],
      reasoning_details: [{ type: 'reasoning.text', text: '', signature: 's' }],
      tool_calls: [call()],
    });
    expect((body(params)['contents'] as JsonObject[])[1]).toEqual({
      role: 'model',
      parts: [
        { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
        { text: '', thoughtSignature: 's' },
        { functionCall: { id: 'toolu_1', name: 'f', args: {} } },
      ],
    });
  });
});

it('tools can be narrowed', () => {
  const tools = ['a', 'b', 'c'].map((name) => ({ type: 'function', function: { name } }));
  const allowed = { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] };
  expect(body({ tools, tool_choice: { type: 'allowed_tools', allowed_tools: allowed } })).toMatchObject({
    tools: [{ functionDeclarations: [{ name: 'b' }] }],
    toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['b'] } },
  });
  const auto = { type: 'allowed_tools', allowed_tools: { ...allowed, mode: 'auto' } };
  expect(body({ tools, tool_choice: auto })['toolConfig']).toEqual({
    functionCallingConfig: { mode: 'AUTO' },
  });
  expect(body({ tools, tool_choice: 'none' })).toMatchObject({
    toolConfig: { functionCallingConfig: { mode: 'NONE' } },
  });
});

it('JSON without a schema is a MIME type', () => {
  expect(config({ response_format: { type: 'json_object' } })).toEqual({
    maxOutputTokens: 1000,
    responseMimeType: 'application/json',
  });
});
