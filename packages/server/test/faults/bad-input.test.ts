/** Bodies and queries that are wrong in every way the description allows to invent: a 4xx naming the field, never a 5xx. */
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { adminKey, startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, streaming, type Script, type Upstream } from '../upstream.ts';
import { embedding } from '../fakes/embeddings.ts';
import { fakeVideos } from '../fakes/videos.ts';
import { drawing } from '../fakes/images.ts';
import { speaking } from '../fakes/speech.ts';
import { pour } from './pour.ts';
import { sleep } from './raw.ts';

type Json = Record<string, unknown>;
interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Schema[];
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { name: string; in: string; schema: Schema }[];
  readonly requestBody?: { content: { 'application/json'?: { schema: Schema } } };
}

const model = 'openai/gpt-4o-mini';
const chatPaths = ['/api/v1/chat/completions', '/v1/chat/completions', '/chat/completions'];
const completionPaths = ['/api/v1/completions', '/v1/completions', '/completions'];
const maxBody = 1024 * 1024;
/** Jobs go on after their test, so they have a provider of their own. */
let films: Upstream;
/** A provider without faults of its own. */
const honest: Script = (call, response) => {
  if (call.path === '/v1/embeddings') return embedding(call, response);
  if (call.path.includes('/images/') || call.path === '/result.png') return drawing(call, response);
  if (call.path === '/v1/audio/speech') return speaking(call, response);
  return call.body['stream'] === true
    ? streaming({ parts: ['hello'] })(call, response)
    : answering(200, chatAnswer('hello'))(call, response);
};
let upstream: Upstream;
let gateway: TestGateway;
/** The same with the default body cap, for bodies of many megabytes. */
let roomy: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream(honest);
  films = await startUpstream(fakeVideos().script);
  const env = {
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: upstream.url,
    XAI_API_KEY: 'x',
    XAI_BASE_URL: films.url,
  };
  gateway = await startGateway({
    env: { ...env, INDOXHUB_MAX_BODY: String(maxBody) },
    yaml: 'defaults:\n  video: xai/grok-imagine-video\n',
  });
  roomy = await startGateway({ env });
});
beforeEach(() => {
  upstream.calls.length = 0;
  upstream.script = honest;
});
afterAll(async () => {
  await gateway.close();
  await roomy.close();
  await upstream.close();
  await films.close();
});

const validBody: Record<string, Json> = {
  chat: { model, messages: [{ role: 'user', content: 'hi' }] },
  completion: { model, prompt: 'hi' },
  embeddings: { model: 'openai/text-embedding-3-small', text: 'hi' },
  openaiEmbeddings: { model: 'openai/text-embedding-3-small', input: 'hi' },
  video: { model: 'xai/grok-imagine-video', prompt: 'hi' },
  images: { model: 'openai/dall-e-2', prompt: 'hi' },
  speech: { model: 'openai/tts-1', input: 'hi' },
  createAccount: { name: 'a', credits: '1.00', soft: false },
  credit: { amount: '1.00', note: 'n' },
  createKey: { name: 'k', rpm: 5 },
};
validBody['openaiImages'] = validBody['rootImages'] = validBody['images'] ?? {};
validBody['openaiVideo'] = validBody['video'] ?? {};
validBody['openaiSpeech'] = validBody['rootSpeech'] = validBody['speech'] ?? {};
validBody['rootEmbeddings'] = validBody['openaiEmbeddings'] ?? {};
validBody['openaiChat'] = validBody['rootChat'] = validBody['chat'] ?? {};
validBody['openaiCompletion'] = validBody['rootCompletion'] = validBody['completion'] ?? {};

const send = (method: string, path: string, text: string | undefined): Promise<Response> =>
  fetch(gateway.url + path, {
    method,
    headers: {
      authorization: `Bearer ${path.startsWith('/admin') ? adminKey : gateway.apiKey}`,
      'content-type': 'application/json',
    },
    ...(text === undefined ? {} : { body: text }),
  });

/** What an error says is wrong. */
async function problem(answer: Response): Promise<{ code: unknown; param: unknown; message: string }> {
  const json = (await answer.json()) as { error: unknown; message?: string; details?: Json | null };
  if (typeof json.error === 'object' && json.error !== null) {
    const { code, param, message } = json.error as { code: string; param: unknown; message: string };
    return { code, param, message };
  }
  return { code: json.error, param: json.details?.['param'], message: String(json.message) };
}

/** JSON texts that are wrong for nearly every field; some are numbers no JSON library can hold. */
const junk = [
  'true',
  '"NaN"',
  '-1',
  '1e999',
  '-1e999',
  '9007199254740993',
  '1.5',
  '[]',
  '{}',
  '[[[]]]',
  '""',
  '"\\u0000"',
  `"${'x'.repeat(70_000)}"`,
  '[null]',
  '{"$ne":1}',
  '{"__proto__":1}',
];

async function operations(): Promise<{ path: string; method: string; operation: Operation }[]> {
  const answer = await fetch(`${gateway.url}/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path: path.replace('{id}', 'default'),
      method: method.toUpperCase(),
      operation,
    })),
  );
}

describe('mutated bodies of every described route', () => {
  test('never a 5xx; a 400 names a field', { timeout: 180_000 }, async () => {
    let tried = 0;
    let refused = 0;
    for (const { path, method, operation } of await operations()) {
      const schema = operation.requestBody?.content['application/json']?.schema;
      if (schema === undefined) continue;
      const valid = validBody[operation.operationId];
      if (valid === undefined) throw new Error(`no valid body of ${operation.operationId}`);
      const mutants: [string, string][] = [];
      for (const name of Object.keys(schema.properties ?? {})) {
        const { [name]: _, ...without } = valid;
        mutants.push([name, JSON.stringify(without)]);
        const rest = JSON.stringify(without).slice(1, -1);
        for (const value of ['null', ...junk])
          mutants.push([name, `{${rest === '' ? '' : `${rest},`}${JSON.stringify(name)}:${value}}`]);
      }
      mutants.push(['surprise', JSON.stringify({ ...valid, surprise: 1 })]);
      mutants.push(['', '{}'], ['', '[]'], ['', '"x"'], ['', 'null'], ['', '0']);
      for (const [name, text] of mutants) {
        const answer = await send(method, path, text);
        const told = `${method} ${path} ${text.slice(0, 200)}`;
        tried++;
        expect(answer.status, told).toBeLessThan(500);
        if (answer.status < 400) {
          await answer.arrayBuffer();
          continue;
        }
        refused++;
        const { code, param, message } = await problem(answer);
        if (code === 'bad_request') {
          expect(String(param), told).not.toBe('undefined');
          if (name !== '') expect(String(param).split(/[.[]/)[0], told).toBe(name);
          expect(message, told).toContain(String(param).split(/[.[]/)[0] ?? '');
        }
      }
    }
    expect(tried).toBeGreaterThan(1000);
    expect(refused).toBeGreaterThan(500);
  });

  test('mutated queries: never a 5xx; the parameter is named', async () => {
    let tried = 0;
    for (const { path, method, operation } of await operations()) {
      if (method !== 'GET') continue;
      for (const { name } of operation.parameters.filter((each) => each.in === 'query')) {
        for (const value of [
          '-1',
          '1e9',
          'abc',
          '9007199254740993',
          '',
          'NaN',
          "' or 1=1 --",
          '%00',
          '%E2%28',
          '1.5',
          '[]',
          'x'.repeat(5000),
          '2026-13-45',
          '0x10',
        ]) {
          const encoded = value.startsWith('%') ? value : encodeURIComponent(value);
          const answer = await send('GET', `${path}?${name}=${encoded}`, undefined);
          const told = `${path}?${name}=${value.slice(0, 40)}`;
          tried++;
          expect(answer.status, told).toBeLessThan(500);
          if (answer.status !== 400) {
            await answer.arrayBuffer();
            continue;
          }
          expect((await problem(answer)).param, told).toBe(name);
        }
      }
    }
    expect(tried).toBeGreaterThan(80);
  });

  test('paths with junk in them: 4xx', async () => {
    for (const part of [
      '%00',
      '%E2%28%A1',
      '..%2f..%2fetc',
      '%',
      '%zz',
      'x'.repeat(5000),
      '__proto__',
      'constructor',
      "'--",
    ]) {
      for (const path of [
        `/api/v1/models/${part}`,
        `/v1/models/${part}`,
        `/api/v1/models/openai/${part}`,
        `/admin/v1/accounts/${part}/credits`,
        `/admin/v1/keys/${part}/revoke`,
        `/admin/v1/keys/${part}/rotate`,
      ]) {
        const method = path.startsWith('/admin') ? 'POST' : 'GET';
        const answer = await send(method, path, method === 'POST' ? '{"amount":"1.00"}' : undefined);
        expect(answer.status, path.slice(0, 80)).toBeGreaterThanOrEqual(400);
        expect(answer.status, path.slice(0, 80)).toBeLessThan(500);
        await answer.arrayBuffer();
      }
    }
  });
});

describe('numbers out of range name their field', () => {
  const cases: [string, string][] = [
    ['temperature', '1e999'],
    ['temperature', '-0.1'],
    ['temperature', '2.1'],
    ['temperature', '"1"'],
    ['max_tokens', '-1'],
    ['max_tokens', '0'],
    ['max_tokens', '1.5'],
    ['max_tokens', '9007199254740993'],
    ['max_tokens', '"10"'],
    ['max_tokens', '1e999'],
    ['max_completion_tokens', '0'],
    ['n', '0'],
    ['n', '-1'],
    ['n', '10001'],
    ['n', '1.5'],
    ['n', '1e999'],
    ['top_p', '1.1'],
    ['top_p', '-0.1'],
    ['frequency_penalty', '-2.1'],
    ['presence_penalty', '2.1'],
    ['seed', '1.5'],
    ['stream', '"true"'],
    ['stop', '7'],
    ['stop', '[7]'],
    ['user', '7'],
    ['max_cost', '-1'],
    ['max_cost', '1e999'],
    ['max_cost', '"abc"'],
    ['session_id', '7'],
    ['stream_id', '""'],
    ['model', '7'],
    ['model', '""'],
    ['model', `"${'m'.repeat(257)}"`],
    ['provider', '7'],
    ['additional_params', '7'],
    ['additional_params', '[]'],
    ['stream_options', '7'],
  ];
  test.each(cases)('%s: %s', async (name, value) => {
    for (const [paths, content] of [
      [chatPaths, '"messages":[{"role":"user","content":"hi"}]'],
      [completionPaths, '"prompt":"hi"'],
    ] as const) {
      for (const path of paths) {
        const own = name === 'model' ? '' : `"model":${JSON.stringify(model)},`;
        const answer = await gateway.post(path, `{${own}${content},${JSON.stringify(name)}:${value}}`);
        expect(answer.status, path).toBe(400);
        expect((await problem(answer)).param, path).toMatch(new RegExp(`^${name}(\\[|$)`));
      }
    }
    expect(upstream.calls.filter(({ path }) => !path.startsWith('/v1/videos'))).toHaveLength(0);
  });

  const messages: [string, string, RegExp][] = [
    ['no messages', '[]', /^messages$/],
    ['not a list', '{}', /^messages$/],
    ['a message that is none', '[7]', /^messages\[0\]/],
    ['no role', '[{"content":"x"}]', /^messages\[0\]\.role$/],
    ['an empty role', '[{"role":"","content":"x"}]', /^messages\[0\]\.role$/],
    ['content of a number', '[{"role":"user","content":7}]', /^messages\[0\]\.content/],
    ['a part that is none', '[{"role":"user","content":[7]}]', /^messages\[0\]\.content/],
    ['the second message', '[{"role":"user","content":"x"},{"role":7}]', /^messages\[1\]\.role$/],
  ];
  test.each(messages)('messages: %s', async (_, value, param) => {
    const answer = await gateway.post(chatPaths[1] ?? '', `{"model":"${model}","messages":${value}}`);
    expect(answer.status).toBe(400);
    expect((await problem(answer)).param).toMatch(param);
  });
});

describe('bodies that are not one JSON object in UTF-8', () => {
  const json = JSON.stringify(validBody['chat']);
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  const cases: [string, Buffer | string, Record<string, string>, number, string][] = [
    ['invalid UTF-8', bytes('{"model":"\xff\xfe"}'), {}, 400, 'invalid_json'],
    ['an overlong encoding', bytes('{"model":"\xc0\xaf"}'), {}, 400, 'invalid_json'],
    ['a surrogate in UTF-8', bytes('{"model":"\xed\xa0\x80"}'), {}, 400, 'invalid_json'],
    ['a byte order mark', `\ufeff${json}`, {}, 400, 'invalid_json'],
    ['empty', '', {}, 400, 'invalid_json'],
    ['white space', ' \n ', {}, 400, 'invalid_json'],
    ['two objects', '{}{}', {}, 400, 'invalid_json'],
    ['an object and more', `${json} x`, {}, 400, 'invalid_json'],
    ['an array', '[]', {}, 400, 'invalid_json'],
    ['a string', '"x"', {}, 400, 'invalid_json'],
    ['cut off', json.slice(0, -3), {}, 400, 'invalid_json'],
    ['single quotes', "{'model':'x'}", {}, 400, 'invalid_json'],
    ['NaN', '{"temperature":NaN}', {}, 400, 'invalid_json'],
    ['a trailing comma', '{"model":"x",}', {}, 400, 'invalid_json'],
    ['text/plain', json, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['application/xml', json, { 'content-type': 'application/xml' }, 415, 'unsupported_media_type'],
    ['a form', json, { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['UTF-16', json, { 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_media_type'],
    ['gzip', json, { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    [
      'seven codings',
      json,
      { 'content-encoding': 'gzip, br, gzip, br, gzip, br, gzip' },
      415,
      'unsupported_media_type',
    ],
  ];
  test.each(cases)('%s', async (_, body, headers, status, code) => {
    for (const path of [
      '/api/v1/chat/completions',
      '/v1/chat/completions',
      '/admin/v1/accounts',
      '/admin/v1/keys',
    ]) {
      // On admin routes no body stands for an empty object, which lacks what is needed or takes the defaults.
      if (path.startsWith('/admin') && body === '') continue;
      const answer = await fetch(gateway.url + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${path.startsWith('/admin') ? adminKey : gateway.apiKey}`,
          'content-type': 'application/json',
          ...headers,
        },
        body: typeof body === 'string' ? body : new Uint8Array(body),
      });
      expect(answer.status, path).toBe(status);
      expect((await problem(answer)).code, path).toBe(code);
    }
    expect(upstream.calls.filter(({ path }) => !path.startsWith('/v1/videos'))).toHaveLength(0);
  });

  test('charset=UTF-8 in any writing and +json are accepted', async () => {
    for (const type of [
      'application/json; charset="UTF-8"',
      'application/json;charset=utf8',
      'application/vnd.x+json',
    ]) {
      const answer = await gateway.post('/v1/chat/completions', json, undefined, { 'content-type': type });
      expect(answer.status).toBe(200);
    }
  });
});

describe('body caps', () => {
  const admin256 = 256 * 1024;
  const cases: [string, string, number][] = [
    ['chat', '/v1/chat/completions', maxBody],
    ['completions', '/api/v1/completions', maxBody],
    ['accounts', '/admin/v1/accounts', admin256],
    ['keys', '/admin/v1/keys', admin256],
    ['token', '/api/v1/auth/token', 8_192],
  ];
  test.each(cases)('%s: one byte too many, with and without a length', async (_, path, cap) => {
    const key = path.startsWith('/admin') ? adminKey : gateway.apiKey;
    for (const chunked of [false, true]) {
      const { status, text } = await pour(gateway.url, path, key, cap + 1, chunked);
      expect(status, `chunked: ${chunked}`).toBe(413);
      expect(text).toContain('body_too_large');
    }
    expect(upstream.calls.filter(({ path }) => !path.startsWith('/v1/videos'))).toHaveLength(0);
  });
  test.each(cases)(
    '%s: a gigabyte is neither read nor kept; the answer arrives, then the end',
    async (_, path, cap) => {
      const key = path.startsWith('/admin') ? adminKey : gateway.apiKey;
      for (const chunked of [false, true]) {
        const { status, sent, closed } = await pour(gateway.url, path, key, 1024 * 1024 * 1024, chunked);
        expect(status, `chunked: ${chunked}`).toBe(413);
        // What two sockets hold comes on top of the cap.
        expect(sent).toBeLessThan(cap + 16 * 1024 * 1024);
        expect(closed).toBe(true);
      }
    },
  );
  test('a body exactly at the cap is read', async () => {
    const json = JSON.stringify(validBody['chat']);
    const answer = await gateway.post('/v1/chat/completions', json.padEnd(maxBody, ' '));
    expect(answer.status).toBe(200);
  });
  test('a client that announces a body and never sends it does not stay for ever in the way', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{`,
    );
    await sleep(50);
    expect((await gateway.post('/v1/chat/completions', validBody['chat'])).status).toBe(200);
    socket.destroy();
  });
});

describe('bombs', () => {
  const many = (unit: string, count: number): string => unit.repeat(count);
  const wrap = (messages: string): string => `{"model":"${model}","messages":${messages}}`;
  const bombs: [string, () => string, number[]][] = [
    ['depth 65', () => wrap(many('[', 64) + many(']', 64)), [400]],
    ['depth of five million', () => many('[', 5_000_000), [400]],
    ['depth of objects', () => many('{"a":', 1_000_000), [400]],
    [
      'a million members',
      () => `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
      [400],
    ],
    ['ten megabytes of []', () => wrap(`[${many('[],', 3_300_000)}[]]`), [400]],
    ['a hundred thousand messages that are none', () => wrap(`[${many('1,', 100_000)}1]`), [400]],
    ['a hundred thousand messages without a role', () => wrap(`[${many('{},', 100_000)}{}]`), [400]],
    [
      'sixty thousand messages with odd contents',
      () => wrap(`[${many('{"role":"u","content":7},', 60_000)}1]`),
      [400],
    ],
    [
      'sixty thousand parts that are none',
      () => wrap(`[{"role":"user","content":[${many('7,', 60_000)}7]}]`),
      [400],
    ],
    [
      'three hundred thousand stop words that are none',
      () => `{"model":"${model}","prompt":"x","stop":[${many('1,', 300_000)}1]}`,
      [400],
    ],
    [
      'three hundred thousand members of additional_params',
      () =>
        `{"model":"${model}","prompt":"x","n":0,"additional_params":{${Array.from({ length: 190_000 }, (_, i) => `"k${i}":0`).join(',')}}}`,
      [400],
    ],
    [
      'one word of five megabytes',
      () => wrap(`[{"role":"user","content":"${many('x', 5_000_000)}"}]`),
      [200],
    ],
    [
      'five megabytes of backslashes',
      () => wrap(`[{"role":"user","content":"${many('\\\\', 2_500_000)}"}]`),
      [200],
    ],
    [
      'five megabytes of quotes',
      () => wrap(`[{"role":"user","content":"${many('\\"', 2_500_000)}"}]`),
      [200],
    ],
    ['an unfinished string of backslashes', () => `{"a":"${many('\\', 5_000_000)}`, [400]],
    [
      'ten thousand messages',
      () => wrap(`[${many('{"role":"user","content":"hi"},', 9_999)}{"role":"user","content":"hi"}]`),
      [200],
    ],
  ];
  // A busy machine stalls too; a block of the gateway's own shows every time.
  test.each(bombs)('%s', { retry: 3 }, async (_, make, statuses) => {
    const text = make();
    // The bytes are made beforehand and the fetch is in this process too: what counts is the gateway's own block.
    const path = text.includes('"prompt"') ? '/v1/completions' : '/v1/chat/completions';
    const stalls: number[] = [];
    let last = performance.now();
    const ticker = setInterval(() => {
      const now = performance.now();
      stalls.push(now - last);
      last = now;
    }, 5);
    const answer = await roomy.post(path, text);
    await answer.arrayBuffer();
    await sleep(20);
    clearInterval(ticker);
    expect(statuses).toContain(answer.status);
    // Client, gateway and upstream share this loop; the whole of them may not block it for long.
    expect(Math.max(...stalls)).toBeLessThan(250);
  });
});

describe('names that change objects', () => {
  const evil = [
    '{"__proto__":{"polluted":1}',
    '{"constructor":{"prototype":{"polluted":1}}',
    '{"additional_params":{"__proto__":{"polluted":1},"additional_params":{"__proto__":{"polluted":1}}}',
    '{"stream_options":{"__proto__":{"polluted":1}}',
    '{"messages":[{"role":"user","content":"x","__proto__":{"polluted":1}}]',
  ];
  test.each(evil)('%s', async (start) => {
    const rest = start.includes('"messages"') ? '' : ',"messages":[{"role":"user","content":"x"}]';
    for (const path of chatPaths) {
      const answer = await gateway.post(path, `${start},"model":"${model}"${rest}}`);
      expect(answer.status).toBeLessThan(500);
      await answer.arrayBuffer();
    }
    const admin = await send('POST', '/admin/v1/accounts', `${start},"name":"x"}`);
    expect(admin.status).toBe(400);
    expect(({} as Json)['polluted']).toBeUndefined();
    expect(([] as unknown as Json)['polluted']).toBeUndefined();
    for (const call of upstream.calls) expect(call.body['polluted']).toBeUndefined();
  });
  test('__proto__ does not smuggle a field past the checks', async () => {
    const text = `{"model":"${model}","messages":[{"role":"user","content":"x"}],"__proto__":{"n":100000,"max_tokens":-5,"stream":true}}`;
    const answer = await gateway.post('/v1/chat/completions', text);
    expect(answer.status).toBe(200);
    expect(upstream.calls[0]?.body['n']).toBeUndefined();
    expect(upstream.calls[0]?.text).not.toContain('-5');
  });
});

describe('duplicate members: the last one counts, for us and for the provider alike', () => {
  test.each(['/v1/chat/completions', '/api/v1/chat/completions'])('%s', async (path) => {
    const text = `{"model":"openai/none","mod\\u0065l":"${model}","max_tokens":1000000,"max_tokens":5,"messages":[{"role":"user","content":"first"}],"messages":[{"role":"user","content":"second"}]}`;
    const answer = await gateway.post(path, text);
    expect(answer.status).toBe(200);
    const sent = upstream.calls[0];
    expect(sent?.text).not.toContain('first');
    expect(sent?.text.match(/"messages"/g)).toHaveLength(1);
    expect(sent?.text.match(/"max_(completion_)?tokens"/g)).toHaveLength(1);
    expect(sent?.body['model']).toBe('gpt-4o-mini');
  });
});

describe('no caller chooses where a key goes', () => {
  test('addresses in bodies and headers are ignored', async () => {
    const canary = await startUpstream(answering(200, chatAnswer('stolen')));
    const origin = new URL(canary.url).origin;
    const fields = {
      api_base: canary.url,
      base_url: canary.url,
      azure_endpoint: canary.url,
      api_key: 'x',
    };
    for (const path of [...chatPaths, ...completionPaths]) {
      const content = path.includes('chat') ? validBody['chat'] : validBody['completion'];
      for (const body of [
        { ...content, ...fields },
        { ...content, additional_params: fields },
      ]) {
        const answer = await gateway.post(path, body, undefined, {
          'x-openai-host': origin,
          'x-base-url': canary.url,
          'x-portkey-custom-host': canary.url,
          'x-forwarded-host': origin,
        });
        expect([200, 400]).toContain(answer.status);
        await answer.arrayBuffer();
      }
    }
    expect(canary.calls).toHaveLength(0);
    for (const call of upstream.calls) {
      expect(call.headers.authorization).toBe('Bearer sk-test');
      expect(JSON.stringify([call.body, call.headers])).not.toContain(origin);
    }
    await canary.close();
  });
});
