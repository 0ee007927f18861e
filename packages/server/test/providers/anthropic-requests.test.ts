/** What the Anthropic codec decides by itself: bounds, thinking, sampling, refusals. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contract/chat.ts';
import { anthropic } from '../../src/providers/anthropic/index.ts';
import { generation } from '../../src/providers/anthropic/model.ts';
import type { CallTarget, ChatCodec } from '../../src/providers/provider.ts';
import { bodyOf, info, refusal, request, target } from './native-codec.ts';

const { chat, completion } = anthropic as { chat: ChatCodec; completion: ChatCodec };
const hi = [{ role: 'user', content: 'hi' }];
const budgeted = target('claude-sonnet-4-5', { maxTokens: 10_000 });

const body = (params: JsonObject, where: CallTarget = budgeted): JsonObject =>
  bodyOf(chat.encodeRequest(request({ messages: hi, ...params }), where));
const refused = (params: JsonObject, where: CallTarget = budgeted): string =>
  refusal(() => body(params, where));
const messages = (list: unknown[]): unknown => body({ messages: list })['messages'];

describe('the bound on output', () => {
  it('is the admitted one, whatever the caller says', () => {
    const params = { max_tokens: 99, max_completion_tokens: 98 };
    expect(body(params, target('claude-x', { maxTokens: 7 }))).toMatchObject({ max_tokens: 7 });
    expect('max_completion_tokens' in body(params)).toBe(false);
  });

  it('is the model’s where none is admitted, else 4096', () => {
    const known = target('claude-x', { maxTokens: null, info: info({ max_output_tokens: 64_000 }) });
    expect(body({}, known)).toMatchObject({ max_tokens: 64_000 });
    expect(body({}, target('claude-x', { maxTokens: null }))).toMatchObject({ max_tokens: 4096 });
  });

  it('is never raised for thinking', () => {
    for (const maxTokens of [1, 100, 1024, 1025, 2047, 2048, 5000, 100_000]) {
      for (const effort of ['minimal', 'low', 'medium', 'high', 'xhigh', 'max']) {
        const sent = body({ reasoning_effort: effort }, { ...budgeted, maxTokens });
        expect(sent['max_tokens']).toBe(maxTokens);
        const budget = (sent['thinking'] as JsonObject | undefined)?.['budget_tokens'];
        if (budget === undefined) expect(maxTokens).toBeLessThan(2048);
        else expect(budget).toSatisfy((each: number) => each >= 1024 && each < maxTokens);
      }
    }
  });

  it('lowers a budget that does not fit below it, and refuses where nothing is left', () => {
    const thinking = { type: 'enabled', budget_tokens: 5000 };
    const sent = body({ thinking }, { ...budgeted, maxTokens: 3000 });
    expect(sent).toMatchObject({ max_tokens: 3000, thinking: { type: 'enabled', budget_tokens: 2999 } });
    expect(refused({ thinking }, { ...budgeted, maxTokens: 1000 })).toMatch(/^thinking.budget_tokens: /);
  });
});

it('a budget may be all but one token of the bound', () => {
  const budget = (tokens: number): unknown => {
    const sent = body(
      { thinking: { type: 'enabled', budget_tokens: tokens } },
      { ...budgeted, maxTokens: 3000 },
    );
    return (sent['thinking'] as JsonObject)['budget_tokens'];
  };
  expect([2998, 2999, 3000, 3001].map(budget)).toEqual([2998, 2999, 2999, 2999]);
});

describe('reasoning_effort', () => {
  const thinking = (model: string, effort: string, more: JsonObject = {}): unknown[] => {
    const sent = body({ reasoning_effort: effort, ...more }, target(model, { maxTokens: 10_000 }));
    return [sent['thinking'] ?? null, sent['output_config'] ?? null];
  };
  const adaptive = { type: 'adaptive', display: 'summarized' };

  it.each([
    ['claude-3-7-sonnet-20250219', 'medium', { type: 'enabled', budget_tokens: 5000 }, null],
    ['claude-sonnet-4-20250514', 'low', { type: 'enabled', budget_tokens: 2000 }, null],
    ['claude-haiku-4-5-20251001', 'high', { type: 'enabled', budget_tokens: 8000 }, null],
    ['claude-opus-4-6', 'minimal', adaptive, { effort: 'low' }],
    ['claude-opus-4-8', 'xhigh', adaptive, { effort: 'xhigh' }],
    ['claude-unheard-of', 'high', adaptive, { effort: 'high' }],
    ['claude-sonnet-4-5', 'none', null, null],
    ['claude-opus-4-8', 'none', null, null],
    ['claude-sonnet-5', 'none', { type: 'disabled' }, null],
    ['claude-haiku-5-5', 'none', { type: 'disabled' }, null],
    ['claude-sonnet-5-5', 'none', { type: 'between_tools' }, null],
    ['claude-opus-5-5', 'none', null, { effort: 'low' }],
    ['claude-fable-5', 'none', null, { effort: 'low' }],
  ])('%s at %s', (model, effort, wanted, config) => {
    expect(thinking(model, effort)).toEqual([wanted, config]);
  });

  it('gives way where thinking is impossible', () => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(thinking('claude-sonnet-4-5', 'high', { tools, tool_choice: 'required' })).toEqual([null, null]);
    expect(thinking('claude-opus-4-6', 'high', { tools, tool_choice: 'required' })).toEqual([
      null,
      { effort: 'high' },
    ]);
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
    const history = (more: JsonObject): JsonObject[] => [
      ...hi,
      { role: 'assistant', tool_calls: [call], ...more },
      { role: 'tool', tool_call_id: 'a', content: '1' },
    ];
    expect(thinking('claude-sonnet-4-5', 'high', { messages: history({}) })[0]).toBe(null);
    const details = [{ type: 'reasoning.text', text: 'x', signature: 's' }];
    expect(
      thinking('claude-sonnet-4-5', 'high', { messages: history({ reasoning_details: details }) })[0],
    ).not.toBe(null);
    const unable = target('claude-3-haiku', { info: info({ reasoning: false }), maxTokens: 5000 });
    expect('thinking' in body({ reasoning_effort: 'high' }, unable)).toBe(false);
  });

  it('refuses words that are none', () => {
    expect(refused({ reasoning_effort: 'enormous' })).toMatch(/^reasoning_effort: /);
  });
});

describe('sampling', () => {
  it('refuses temperatures above 1', () => {
    expect(refused({ temperature: 1.1 })).toMatch(/^temperature: .*0 to 1/);
    expect(body({ temperature: 1 })).toMatchObject({ temperature: 1 });
  });

  it.each(['claude-opus-4-7', 'claude-sonnet-5', 'claude-haiku-5-5'])('%s takes none', (model) => {
    const sent = body({ temperature: 0.7, top_p: 0.9 }, target(model));
    expect('temperature' in sent || 'top_p' in sent).toBe(false);
  });

  it('takes the catalogue’s word', () => {
    const where = target('claude-sonnet-4-5', { info: info({ temperature: false }) });
    expect('temperature' in body({ temperature: 0.7 }, where)).toBe(false);
  });

  it('sends top_p alone to models that take one of the two', () => {
    expect(body({ temperature: 0.7, top_p: 0.9 })).not.toHaveProperty('temperature');
    const older = body({ temperature: 0.7, top_p: 0.9 }, target('claude-3-5-sonnet-20241022'));
    expect(older).toMatchObject({ temperature: 0.7, top_p: 0.9 });
  });
});

it.each([
  ['n', { n: 2 }],
  ['logprobs', { logprobs: true }],
  ['top_logprobs', { top_logprobs: 3 }],
  ['logit_bias', { logit_bias: { 1: 2 } }],
  ['modalities', { modalities: ['text', 'audio'] }],
  ['audio', { audio: { voice: 'alloy' } }],
  ['web_search_options', { web_search_options: {} }],
  ['functions', { functions: [] }],
  ['speed', { speed: 'fast' }],
  ['inference_geo', { inference_geo: 'us' }],
  ['response_format', { response_format: { type: 'json_object' } }],
  ['service_tier', { service_tier: 'priority' }],
  ['tool_choice', { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'maybe' }],
  ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }],
  ['betas', { betas: ['a\r\nx-api-key: b'] }],
  ['messages', { messages: [{ role: 'system', content: 'only' }] }],
  ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
  ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
  [
    'messages[0].content[0]',
    {
      messages: [
        { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } }] },
      ],
    },
  ],
  [
    'messages[0].content[0].image_url.url',
    {
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] },
      ],
    },
  ],
  [
    'messages[0].tool_calls[0].function.arguments',
    {
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{"a":' } }] },
      ],
    },
  ],
])('a 400 names %s', (param, params) => {
  expect(refused(params).split(': ')[0]).toBe(param);
});

it('leaves out what has no meaning here', () => {
  const sent = body({
    frequency_penalty: 0.5,
    presence_penalty: 1,
    seed: 1,
    logit_bias: {},
    logprobs: false,
    n: 1,
    store: true,
    metadata: { a: 'b' },
  });
  expect(Object.keys(sent)).toEqual(['model', 'max_tokens', 'messages']);
});

it('cannot be made to replace what the codec writes', () => {
  const sent = body({ model: 'other', stream: true, max_tokens: 1, temperature: 1 });
  expect(sent).toEqual({ model: 'claude-sonnet-4-5', max_tokens: 10_000, temperature: 1, messages: hi });
});

describe('messages', () => {
  it('hold no empty text, which Anthropic refuses', () => {
    const list = [
      ...hi,
      { role: 'assistant', content: '' },
      { role: 'user', content: [{ type: 'text', text: '' }] },
    ];
    expect(messages(list)).toEqual([{ role: 'user', content: 'hi' }]);
  });

  it('pass Anthropic’s own blocks untouched', () => {
    const block = {
      type: 'document',
      source: { type: 'url', url: 'https://a/b.pdf' },
      citations: { enabled: true },
    };
    expect(messages([{ role: 'user', content: [block] }])).toEqual([{ role: 'user', content: [block] }]);
  });

  it('take reasoning text from reasoning_content where a stream left only a signature', () => {
    const details = [{ type: 'reasoning.text', text: '', signature: 's', format: 'anthropic' }];
    const list = [
      ...hi,
      { role: 'assistant', content: 'a', reasoning_content: 'why', reasoning_details: details },
    ];
    expect(messages(list)).toMatchObject([
      {},
      {
        content: [
          { type: 'thinking', thinking: 'why', signature: 's' },
          { type: 'text', text: 'a' },
        ],
      },
    ]);
  });

  it('put a message’s cache mark on its last block, unless that has one', () => {
    const mark = { type: 'ephemeral' };
    const long = { type: 'ephemeral', ttl: '1h' };
    const list = [
      { role: 'user', content: 'a', cache_control: mark },
      { role: 'assistant', content: [{ type: 'text', text: 'b', cache_control: long }], cache_control: mark },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd', cache_control: mark },
    ];
    expect(messages(list)).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'a', cache_control: mark }] },
      { role: 'assistant', content: [{ type: 'text', text: 'b', cache_control: long }] },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: [{ type: 'text', text: 'd', cache_control: mark }] },
    ]);
  });

  it('keep each of several signed blocks to its own text', () => {
    const details = [
      { type: 'reasoning.text', text: '', signature: 's1' },
      { type: 'reasoning.text', text: 'b', signature: 's2' },
    ];
    const list = [
      ...hi,
      { role: 'assistant', content: 'a', reasoning_content: 'all', reasoning_details: details },
    ];
    expect(messages(list)).toMatchObject([{}, { content: [{ thinking: '' }, { thinking: 'b' }, {}] }]);
  });

  it('read data: URLs that are not base64', () => {
    const part = { type: 'image_url', image_url: { url: 'data:image/svg+xml,%3Csvg%2F%3E' } };
    const source = {
      type: 'base64',
      media_type: 'image/svg+xml',
      data: Buffer.from('<svg/>').toString('base64'),
    };
    expect(messages([{ role: 'user', content: [part] }])).toMatchObject([{ content: [{ source }] }]);
  });

  it('send no reasoning that is not signed', () => {
    const list = [...hi, { role: 'assistant', content: 'a', reasoning_content: 'why' }];
    expect(messages(list)).toEqual([...hi, { role: 'assistant', content: 'a' }]);
  });
});

it('tools can be narrowed', () => {
  const tools = ['a', 'b', 'c'].map((name) => ({ type: 'function', function: { name } }));
  const allowed = { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] };
  const sent = body({ tools, tool_choice: { type: 'allowed_tools', allowed_tools: allowed } });
  expect(sent).toMatchObject({ tools: [{ name: 'b' }], tool_choice: { type: 'any' } });
  expect(body({ tools, parallel_tool_calls: false })).toMatchObject({
    tool_choice: { type: 'auto', disable_parallel_tool_use: true },
  });
});

it('tools go out as the model takes them', () => {
  const tools = [{ type: 'function', function: { name: 'a', strict: true } }];
  expect(body({ tools })).toMatchObject({ tools: [{ strict: true }] });
  const older = body(
    { tools, tool_choice: 'none', parallel_tool_calls: false },
    target('claude-3-5-sonnet-20241022'),
  );
  expect(older['tools']).toEqual([{ name: 'a', input_schema: { type: 'object', properties: {} } }]);
  expect(older['tool_choice']).toEqual({ type: 'none' });
});

it('the user’s id is Anthropic’s own member, if given', () => {
  expect(body({ user: 'a', metadata: { user_id: 'b', team: 'c' } })['metadata']).toEqual({ user_id: 'b' });
});

it('generations are read from ids of every spelling', () => {
  const ids = {
    'claude-3-5-sonnet-20241022': 305,
    'claude-3-opus-20240229': 300,
    'claude-sonnet-4-20250514': 400,
    'claude-opus-4-1-20250805': 401,
    'claude-haiku-4.5': 405,
    'anthropic.claude-opus-4-7-v1:0': 407,
    'claude-fable-5': 500,
    'claude-opus-5-5': 505,
    other: null,
  };
  expect(Object.fromEntries(Object.keys(ids).map((id) => [id, generation(id)]))).toEqual(ids);
});

it.each([
  ['prompt', { prompt: ['a', 'b'] }],
  ['prompt', { prompt: [1, 2] }],
  ['suffix', { prompt: 'a', suffix: 'b' }],
  ['echo', { prompt: 'a', echo: true }],
  ['best_of', { prompt: 'a', best_of: 2 }],
  ['logprobs', { prompt: 'a', logprobs: 1 }],
])('a text completion’s 400 names %s', (param, params) => {
  expect(refusal(() => completion.encodeRequest(request(params), budgeted))).toMatch(
    new RegExp(`^${param}: `),
  );
});
