import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ChatRequest, JsonObject } from '../../src/contract/chat.ts';
import type { CatalogueModel } from '../../src/contract/catalogue.ts';
import { openaiChat, openaiCompletion } from '../../src/dialects/openai/chat.ts';
import { openaiChatCodec } from '../../src/providers/openai-compatible/codec.ts';
import { decodeUsage } from '../../src/providers/openai-compatible/usage.ts';
import { plain, quirks } from '../../src/providers/openai-compatible/quirks.ts';
import type { CallTarget } from '../../src/providers/provider.ts';
import { vendorById, vendors } from '../../src/providers/registry.ts';
import { chatOf, decodeStream, summaryOfEvents, targetOf } from './openai-fixtures.ts';

const messages = [{ role: 'user', content: 'Hi' }];

function request(body: JsonObject, kind: 'chat' | 'completion' = 'chat'): ChatRequest {
  const dialect = kind === 'chat' ? openaiChat : openaiCompletion;
  return dialect.decode(Buffer.from(JSON.stringify(body)));
}

function sent(vendor: string, body: JsonObject, target: Partial<CallTarget> = {}): JsonObject {
  const codec = chatOf(vendor);
  const encoded = codec.encodeRequest(request({ messages, ...body }), {
    ...targetOf(vendor, 'm'),
    ...target,
  });
  return JSON.parse(encoded.body.toString()) as JsonObject;
}

const info = (some: Partial<CatalogueModel>): CatalogueModel => ({
  id: 'm',
  name: 'm',
  capabilities: ['chat'],
  input: ['text'],
  output: ['text'],
  ...some,
});

describe('request', () => {
  it('travels untouched but for model and stream', () => {
    const body = {
      n: 2,
      temperature: 0.5,
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
      logit_bias: { '50256': -100 },
      something_new: { deep: [1, 2, { three: '世界' }] },
    };
    expect(sent('openai', body)).toEqual({ model: 'm', messages, ...body });
  });

  it('splices big members byte for byte', () => {
    const content = `Grüße "${'x'.repeat(5000)}" 🌍`;
    const bytes = Buffer.from(
      `{"model":"a","messages" : [ {"role":"user", "content":${JSON.stringify(content)}} ], "n":1,"stream":true}`,
    );
    const encoded = chatOf('openai').encodeRequest(openaiChat.decode(bytes), targetOf('openai', 'm'));
    expect(Buffer.isBuffer(encoded.body)).toBe(true);
    const text = encoded.body.toString();
    expect(text).toContain(`"messages":[ {"role":"user", "content":${JSON.stringify(content)}} ]`);
    expect(JSON.parse(text)).toEqual({
      model: 'm',
      messages: [{ role: 'user', content }],
      n: 1,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('takes a value of additional_params, not the bytes of the member it replaced', () => {
    const body = sent('openai', { temperature: 0.7, additional_params: { temperature: 0.1, seed: 5 } });
    expect(body).toMatchObject({ temperature: 0.1, seed: 5 });
    const digits = `{"messages":[{"role":"user","content":"a"}],"temperature":0.7${'0'.repeat(60)},"additional_params":{"temperature":0.1}}`;
    const encoded = chatOf('openai').encodeRequest(
      openaiChat.decode(Buffer.from(digits)),
      targetOf('openai'),
    );
    expect(JSON.parse(encoded.body.toString())).toHaveProperty('temperature', 0.1);
    const nothing = { stop: null, additional_params: { stop: ['a'.repeat(100)] } };
    expect(sent('openai', nothing)).toMatchObject({ stop: ['a'.repeat(100)] });
  });

  it('keeps the caller’s other stream options', () => {
    const body = { stream: true, stream_options: { include_usage: false, include_obfuscation: false } };
    expect(sent('openai', body)['stream_options']).toEqual({
      include_usage: true,
      include_obfuscation: false,
    });
    expect(sent('mistral', body)).not.toHaveProperty('stream_options');
    expect(sent('perplexity', { stream: true })).toMatchObject({ stream: true });
    expect(sent('perplexity', { stream: true })).not.toHaveProperty('stream_options');
    expect(sent('openai', {})).not.toHaveProperty('stream');
  });

  it.each([
    ['openai', 'gpt-4o-mini', 'max_tokens', 'max_tokens'],
    ['openai', 'gpt-4o-mini', 'max_completion_tokens', 'max_completion_tokens'],
    ['openai', 'o3', 'max_tokens', 'max_completion_tokens'],
    ['openai', 'gpt-5-mini', 'max_tokens', 'max_completion_tokens'],
    ['azure', 'o1-preview', 'max_tokens', 'max_completion_tokens'],
    ['groq', 'llama', 'max_tokens', 'max_completion_tokens'],
    ['mistral', 'mistral-small', 'max_completion_tokens', 'max_tokens'],
    ['deepseek', 'deepseek-chat', 'max_completion_tokens', 'max_tokens'],
  ])('%s %s: %s is sent as %s', (vendor, model, given, field) => {
    const body = sent(vendor, { [given]: 500 }, { model, maxTokens: 300 });
    expect(body[field]).toBe(300);
    expect(Object.keys(body).filter((name) => name.includes('_tokens'))).toEqual([field]);
    expect(
      Object.keys(sent(vendor, { [given]: 500 }, { model })).filter((name) => name.includes('_tokens')),
    ).toEqual([]);
  });

  it('uses the catalogue’s word for what a model refuses', () => {
    expect(sent('openai', { temperature: 0.7 }, { info: info({ temperature: false }) })).not.toHaveProperty(
      'temperature',
    );
    expect(sent('openai', { temperature: 0.7 }, { info: info({}) })).toHaveProperty('temperature', 0.7);
    const azure = sent('azure', {}, { maxTokens: 9, info: info({ reasoning: true }) });
    expect(azure).toHaveProperty('max_completion_tokens', 9);
  });

  it('speaks Mistral', () => {
    const body = sent('mistral', { seed: 7, tool_choice: 'required', user: 'u', top_p: 0.5 });
    expect(body).toEqual({ model: 'm', messages, random_seed: 7, tool_choice: 'any', top_p: 0.5 });
    const named = { type: 'function', function: { name: 'f' } };
    expect(sent('mistral', { tool_choice: named })['tool_choice']).toEqual(named);
  });

  it('refuses n where one answer is all there is', () => {
    expect(() => sent('groq', { n: 2 })).toThrow(
      expect.objectContaining({ code: 'bad_request', param: 'n' }),
    );
    expect(sent('groq', { n: 1 })).toHaveProperty('n', 1);
  });

  it('sends developer as system to those who do not know it', () => {
    const spoken = { messages: [{ role: 'developer', content: 'Be brief' }, ...messages] };
    expect(sent('deepseek', spoken)['messages']).toEqual([
      { role: 'system', content: 'Be brief' },
      ...messages,
    ]);
    expect(sent('openai', spoken)['messages']).toEqual(spoken.messages);
  });

  it('turns IndoxHub’s image parts into OpenAI’s', () => {
    const parts = (...content: object[]): JsonObject => ({ messages: [{ role: 'user', content }] });
    const body = sent(
      'openai',
      parts(
        { type: 'text', text: 'Look: "image"' },
        { type: 'image', image: { data: 'aGk=', media_type: 'image/jpeg' } },
        { type: 'image', image: { url: 'https://example.com/a.png' } },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
      ),
    );
    expect(body['messages']).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look: "image"' },
          { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,aGk=' } },
          { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
        ],
      },
    ]);
    expect(() => sent('openai', parts({ type: 'image', image: {} }))).toThrow(
      expect.objectContaining({ param: 'messages[0].content[0].image' }),
    );
  });

  it('gives back to each vendor only what it takes back', () => {
    const call = {
      id: 'c',
      type: 'function',
      function: { name: 'f', arguments: '{}' },
      extra_content: { google: { s: 'x' } },
    };
    const spoken = {
      role: 'assistant',
      content: 'a',
      reasoning_content: 'r',
      reasoning_details: [{ type: 'reasoning.text', signature: 's' }],
      images: [],
      tool_calls: [call],
    };
    const body = { messages: [...messages, spoken] };
    const { extra_content: _, ...plainCall } = call;
    const last = (vendor: string): unknown => (sent(vendor, body)['messages'] as unknown[])[1];
    expect(last('openai')).toEqual({ role: 'assistant', content: 'a', tool_calls: [plainCall] });
    expect(last('mistral')).toEqual({ role: 'assistant', content: 'a', tool_calls: [plainCall] });
    expect(last('deepseek')).toEqual({
      role: 'assistant',
      content: 'a',
      reasoning_content: 'r',
      tool_calls: [plainCall],
    });
    expect(last('openrouter')).toEqual(spoken);
  });

  it('text completions have a path and a bound of their own', () => {
    const deepseek = vendorById('deepseek')?.completion;
    const encoded = deepseek?.encodeRequest(
      request({ prompt: 'a', max_tokens: 5, suffix: 'b' }, 'completion'),
      {
        ...targetOf('deepseek', 'm'),
        maxTokens: 5,
      },
    );
    expect(encoded?.path).toBe('/beta/completions');
    expect(JSON.parse(encoded?.body.toString() ?? '')).toEqual({
      model: 'm',
      prompt: 'a',
      suffix: 'b',
      max_tokens: 5,
    });
  });

  it('puts Azure’s api_version into the query', () => {
    const target = { ...targetOf('azure', 'm'), options: { api_version: '2024-10-21' } };
    expect(chatOf('azure').encodeRequest(request({ messages }), target).path).toBe(
      '/chat/completions?api-version=2024-10-21',
    );
    expect(chatOf('openai').encodeRequest(request({ messages }), target).path).toBe('/chat/completions');
  });
});

describe('streams of vendors with manners of their own', () => {
  const sse = (...events: unknown[]): Buffer =>
    Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  const chunk = (delta: object, finish: string | null = null, more: object = {}): object => ({
    choices: [{ index: 0, delta, finish_reason: finish, ...more }],
  });
  const read = (vendor: string, ...events: unknown[]): ReturnType<typeof summaryOfEvents> =>
    summaryOfEvents(decodeStream(chatOf(vendor), vendor, [sse(...events)]).events);

  it('Moonshot counts inside the choice', () => {
    const usage = { prompt_tokens: 19, completion_tokens: 13, total_tokens: 32, cached_tokens: 9 };
    expect(read('moonshot', chunk({ content: 'a' }), chunk({}, 'stop', { usage }))).toMatchObject({
      usage: { input: 10, cacheRead: 9, output: 13 },
    });
  });

  it('Perplexity counts in every chunk, reasoning and citations apart', () => {
    const usage = (completion: number): object => ({
      prompt_tokens: 33,
      completion_tokens: completion,
      total_tokens: 33 + completion,
      citation_tokens: 100,
      num_search_queries: 18,
      reasoning_tokens: 7400,
    });
    const summary = read(
      'perplexity',
      { ...chunk({ content: '<thi' }), usage: usage(1) },
      { ...chunk({ content: 'nk>why</th' }), usage: usage(2) },
      { ...chunk({ content: 'ink>\n\nbecause' }, 'stop'), usage: usage(7163) },
    );
    expect(summary).toMatchObject({ text: ['because'], reasoning: 'why' });
    expect(summary.usage).toMatchObject({ input: 133, output: 7163, reasoning: 7400, webSearches: 18 });
  });

  it('thinking tags only count at the beginning, and unfinished ones are reasoning', () => {
    expect(read('minimax', chunk({ content: 'use <think> here' }, 'stop'))).toMatchObject({
      text: ['use <think> here'],
      reasoning: '',
    });
    expect(read('minimax', chunk({ content: '<think>half </thi' }, 'length'))).toMatchObject({
      text: [''],
      reasoning: 'half </thi',
    });
    expect(read('minimax', chunk({ content: '<th' }, 'length'))).toMatchObject({ text: ['<th'] });
    expect(read('openai', chunk({ content: '<think>a</think>' }, 'stop'))).toMatchObject({
      text: ['<think>a</think>'],
    });
  });

  it('a choice finishes once, after what was held back', () => {
    const { events } = decodeStream(chatOf('minimax'), 'minimax', [
      sse(chunk({ content: '<th' }), chunk({}, 'length'), chunk({}, 'stop')),
    ]);
    expect(events.slice(1)).toEqual([
      { type: 'text', index: 0, text: '<th' },
      { type: 'finish', index: 0, reason: 'length' },
    ]);
  });

  it('OpenRouter’s opaque reasoning comes through verbatim', () => {
    const details = [
      { type: 'reasoning.text', text: 'why', signature: 'sig==', format: 'anthropic-claude-v1', index: 0 },
      { type: 'reasoning.encrypted', data: 'enc==', format: 'openai-responses-v1', index: 1 },
    ];
    const { events } = decodeStream(chatOf('openrouter'), 'openrouter', [
      sse(chunk({ role: 'assistant', content: '', reasoning: 'why', reasoning_details: details })),
    ]);
    expect(events.slice(1)).toEqual([
      { type: 'reasoning', index: 0, text: 'why' },
      {
        type: 'reasoning',
        index: 0,
        text: '',
        signature: { vendor: 'anthropic-claude-v1', kind: 'signature', data: 'sig==' },
      },
      {
        type: 'reasoning',
        index: 0,
        text: '',
        signature: { vendor: 'openai-responses-v1', kind: 'redacted', data: 'enc==' },
      },
    ]);
  });

  it('an error inside a choice is an error', () => {
    const broken = {
      choices: [{ index: 0, delta: {}, finish_reason: 'error', error: { code: 502, message: 'gone' } }],
    };
    expect(decodeStream(chatOf('openrouter'), 'openrouter', [sse(broken)]).events.at(-1)).toEqual({
      type: 'error',
      status: 502,
      code: '502',
      message: 'gone',
    });
  });

  it('parallel calls that share a number are told apart by their ids', () => {
    const call = (id: string, name: string): object => ({
      index: 0,
      id,
      type: 'function',
      function: { name, arguments: '{}' },
    });
    expect(
      read('ollama', chunk({ tool_calls: [call('a', 'f'), call('b', 'g')] }, 'tool_calls')).tools,
    ).toEqual([
      { id: 'a', name: 'f', arguments: {} },
      { id: 'b', name: 'g', arguments: {} },
    ]);
    const repeated = read(
      'together',
      chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }] }),
      chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }] }),
    );
    expect(repeated.tools).toEqual([{ id: 'a', name: 'f', arguments: { x: 1 } }]);
  });

  it('legacy function calls and images', () => {
    const summary = read(
      'openai',
      chunk({ function_call: { name: 'f', arguments: '{"a"' } }),
      chunk({ function_call: { arguments: ':1}' } }, 'function_call'),
    );
    expect(summary.tools).toEqual([{ id: 'call_0_0', name: 'f', arguments: { a: 1 } }]);
    expect(summary.finish).toEqual(['function_call']);
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } };
    const { events } = decodeStream(chatOf('openrouter'), 'openrouter', [sse(chunk({ images: [image] }))]);
    expect(events.at(-1)).toEqual({ type: 'image', index: 0, url: 'data:image/png;base64,aGk=' });
  });
});

describe('usage', () => {
  it.each([
    [
      'reasoning within',
      {
        prompt_tokens: 10,
        completion_tokens: 8,
        total_tokens: 18,
        completion_tokens_details: { reasoning_tokens: 5 },
      },
      plain,
      { output: 3, reasoning: 5 },
    ],
    [
      'reasoning apart by the sum',
      {
        prompt_tokens: 10,
        completion_tokens: 8,
        total_tokens: 23,
        completion_tokens_details: { reasoning_tokens: 5 },
      },
      plain,
      { output: 8, reasoning: 5 },
    ],
    [
      'xAI that counts like OpenAI',
      {
        prompt_tokens: 10,
        completion_tokens: 8,
        total_tokens: 18,
        completion_tokens_details: { reasoning_tokens: 5 },
      },
      quirks.xai,
      { output: 3, reasoning: 5 },
    ],
    [
      'xAI without a sum',
      { prompt_tokens: 10, completion_tokens: 8, completion_tokens_details: { reasoning_tokens: 5 } },
      quirks.xai,
      { output: 8, reasoning: 5 },
    ],
    [
      'more reasoning than output',
      { prompt_tokens: 10, completion_tokens: 8, completion_tokens_details: { reasoning_tokens: 9 } },
      plain,
      { output: 8, reasoning: 9 },
    ],
    [
      'more cached than sent',
      { prompt_tokens: 10, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 99 } },
      plain,
      { input: 0, cacheRead: 10 },
    ],
    [
      'cache writes',
      {
        prompt_tokens: 10,
        completion_tokens: 1,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 5 },
      },
      plain,
      { input: 1, cacheRead: 4, cacheWrite: 5 },
    ],
    [
      'images and searches',
      {
        prompt_tokens: 10,
        completion_tokens: 9,
        completion_tokens_details: { image_tokens: 4 },
        server_tool_use: { web_search_requests: 2 },
      },
      plain,
      { output: 5, imageOutput: 4, webSearches: 2 },
    ],
  ])('%s', (_, usage, row, want) => {
    expect(decodeUsage(usage, row)).toMatchObject(want);
  });

  it('is unknown when one side is missing', () => {
    expect(decodeUsage({ prompt_tokens: 5 }, plain)).toBeNull();
    expect(decodeUsage({ completion_tokens: 5 }, plain)).toBeNull();
    expect(decodeUsage({ total_tokens: 5 }, plain)).toBeNull();
  });
});

describe('registry', () => {
  it('has unique ids in lower case, key names by the rule, and bases without trailing slash', () => {
    expect(new Set(vendors.map((vendor) => vendor.id)).size).toBe(vendors.length);
    for (const vendor of vendors) {
      expect(vendor.id).toMatch(/^[a-z][a-z0-9-]*$/);
      if (vendor.inProcess === undefined && vendor.adapter?.package !== null) {
        const prefix = vendor.id.toUpperCase().replaceAll('-', '_');
        expect(vendor.keyNames).toContain(`${prefix}_API_KEY`);
        expect(vendor.baseUrlNames).toContain(`${prefix}_BASE_URL`);
      }
      if (vendor.baseUrl !== null) expect(vendor.baseUrl).toMatch(/^https?:\/\/[^/]+.*[^/]$/);
      expect(vendor.baseUrl?.startsWith('http:') === true).toBe(vendor.loopback === true);
      const { chat, embedding, image, speech, transcription, video } = vendor;
      const serves = [chat, embedding, image, speech, transcription, video];
      expect(
        serves.some((codec) => codec !== undefined),
        vendor.id,
      ).toBe(true);
      // What chats continues a prompt, too.
      expect(vendor.completion === undefined).toBe(chat === undefined);
    }
    expect(vendorById('xai')?.name).toBe('xAI');
    expect(vendorById('XAI')).toBeNull();
  });

  it('no two vendors read the same key', () => {
    const names = vendors.flatMap((vendor) => vendor.keyNames);
    expect(new Set(names).size).toBe(names.length);
  });

  it('docs/providers.md says what the registry says', () => {
    const script = fileURLToPath(new URL('../../../../scripts/provider-proof.ts', import.meta.url));
    const { stdout, status } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(stdout).toBe('docs/providers.md is current\n');
    expect(status).toBe(0);
  });

  it('an SDK that was held against a codec is installed in the version that is named', () => {
    const root = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
    const { devDependencies } = JSON.parse(root) as { devDependencies: Record<string, string> };
    for (const { id, proof } of vendors)
      for (const { sdk } of Object.values(proof)) {
        const [name = '', version] = sdk.split(' ');
        expect([id, name, version]).toEqual([id, name, devDependencies[name]]);
      }
  });

  it('a vendor without text completion gets the prompt as a message', () => {
    const codec = vendorById('mistral')?.completion;
    const encoded = codec?.encodeRequest(request({ prompt: 'Once', max_tokens: 5 }, 'completion'), {
      ...targetOf('mistral', 'm'),
      maxTokens: 5,
    });
    expect(encoded?.path).toBe('/chat/completions');
    expect(JSON.parse(encoded?.body.toString() ?? '')).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'Once' }],
      max_tokens: 5,
    });
  });

  it('says who does not fetch image URLs', () => {
    const inline = vendors.filter((vendor) => vendor.chat?.inlineMedia === true).map((vendor) => vendor.id);
    expect(inline).toEqual(expect.arrayContaining(['moonshot', 'ollama', 'lmstudio']));
    expect(inline).not.toContain('openai');
    expect(inline).not.toContain('vllm');
  });

  it('a codec without relay is translated', () => {
    expect(openaiChatCodec(quirks.mistral).relay).toBeUndefined();
    expect(openaiChatCodec(plain).relay).toBeDefined();
  });
});
