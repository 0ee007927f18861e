/** What a broken or hostile provider does: each fault a typed error, nothing owed that was not delivered, nothing left open. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frames, startGateway, type TestGateway } from '../gateway.ts';
import {
  answering,
  chatAnswer,
  contentEvent,
  finishEvent,
  startUpstream,
  streaming,
  usageEvent,
  type Script,
  type Upstream,
} from '../upstream.ts';
import { sleep } from './raw.ts';

const messages = [{ role: 'user', content: 'Tell me something.' }];
const priced = 'openai/gpt-4o-mini';
const providerKey = 'sk-provider-CANARY-0123456789';
const surfaces = [
  ['native', '/api/v1/chat/completions'],
  ['openai', '/v1/chat/completions'],
] as const;

/** A provider that speaks whatever bytes it is told to, HTTP or not. */
interface RawProvider {
  readonly url: string;
  answer: (socket: Socket) => void;
  connections: number;
  close(): void;
}

async function startRaw(): Promise<RawProvider> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    raw.connections++;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.once('data', () => raw.answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const raw: RawProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    answer: (socket) => socket.destroy(),
    connections: 0,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
  return raw;
}

let upstream: Upstream;
let rawProvider: RawProvider;
let gateway: TestGateway;
/** Short of patience. */
let hasty: TestGateway;
/** Every case has a model of its own, so that no circuit opens between them. */
let serial = 0;
const fresh = (): string => `openai/model-${++serial}`;

beforeAll(async () => {
  upstream = await startUpstream(answering(500, '{}'));
  rawProvider = await startRaw();
  const env = { OPENAI_API_KEY: providerKey, OPENAI_BASE_URL: upstream.url, INDOXHUB_MAX_RETRIES: '0' };
  const yaml = `
providers:
  refused: { type: openai-compatible, base_url: "http://127.0.0.1:1/v1", api_key: k }
  nowhere: { type: openai-compatible, base_url: "http://no-such-host.invalid/v1", api_key: k }
  raw: { type: openai-compatible, base_url: "${rawProvider.url}", api_key: k }
  tls: { type: openai-compatible, base_url: "${rawProvider.url.replace('http:', 'https:')}", api_key: k }
`;
  gateway = await startGateway({ env, yaml });
  hasty = await startGateway({
    env: {
      ...env,
      INDOXHUB_FIRST_BYTE_TIMEOUT: '300ms',
      INDOXHUB_IDLE_TIMEOUT: '300ms',
      INDOXHUB_TOTAL_TIMEOUT: '900ms',
    },
  });
});
afterEach(async () => {
  for (const each of [gateway, hasty]) {
    await each.verify();
    await expect.poll(async () => (await each.admin('POST', '/ledger/verify'))['open_holds']).toBe(0);
  }
});
afterAll(async () => {
  await gateway.close();
  await hasty.close();
  await upstream.close();
  rawProvider.close();
});

interface Told {
  readonly status: number;
  readonly code: string;
  readonly text: string;
  readonly headers: Headers;
}

async function told(answer: Response): Promise<Told> {
  const text = await answer.text();
  const json = JSON.parse(text) as { error: string | { code: string } };
  const code = typeof json.error === 'string' ? json.error : json.error.code;
  return { status: answer.status, code, text, headers: answer.headers };
}

const fourWays = surfaces.flatMap(([shape, path]) => [
  [`${shape}, whole`, path, false] as const,
  [`${shape}, streamed`, path, true] as const,
]);

describe('an answer that is an error', () => {
  const cases: [number, number, string][] = [
    [400, 400, 'upstream_bad_request'],
    [401, 502, 'upstream_auth'],
    [402, 402, 'upstream_quota'],
    [403, 502, 'upstream_auth'],
    [404, 404, 'model_unavailable'],
    [408, 504, 'upstream_timeout'],
    [409, 502, 'upstream_error'],
    [413, 400, 'upstream_bad_request'],
    [418, 400, 'upstream_bad_request'],
    [422, 400, 'upstream_bad_request'],
    [429, 429, 'upstream_rate_limited'],
    [500, 502, 'upstream_error'],
    [502, 502, 'upstream_error'],
    [503, 502, 'upstream_error'],
    [504, 504, 'upstream_timeout'],
    [529, 502, 'upstream_error'],
    [599, 502, 'upstream_error'],
  ];
  const bodies = [
    `{"error":{"message":"Incorrect API key provided: ${providerKey}. You can find it at home.","type":"x","param":null,"code":"c"}}`,
    '<html><body>Bad gateway</body></html>',
    '',
    '[1,2,3]',
    '{"error":',
    '"text"',
    'null',
    '{"error":[],"message":{"a":1}}',
    '\u0000\ufffe',
  ];
  test.each(cases)('%i becomes %i %s, whatever the body', async (status, expected, code) => {
    for (const body of bodies) {
      for (const [way, path, stream] of fourWays) {
        upstream.script = answering(status, body);
        const seen = await told(await gateway.post(path, { model: fresh(), messages, stream }));
        expect([way, seen.status, seen.code]).toEqual([way, expected, code]);
        expect(seen.text).not.toContain('CANARY');
        expect(seen.headers.get('content-type')).toContain('application/json');
      }
    }
  });

  test('an error body without end is cut off', async () => {
    for (const [, path, stream] of fourWays) {
      upstream.script = async (call, response) => {
        response.writeHead(400, { 'content-type': 'application/json' });
        while (call.closedAt === null && !response.destroyed) {
          response.write('x'.repeat(16_384));
          await turn();
        }
      };
      const seen = await told(await gateway.post(path, { model: fresh(), messages, stream }));
      expect([seen.status, seen.code]).toEqual([400, 'upstream_bad_request']);
      expect(seen.text.length).toBeLessThan(8_192);
      await upstream.calls.at(-1)?.closed;
    }
  });

  test.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    const canary = await startUpstream(answering(200, chatAnswer('stolen')));
    for (const [, path, stream] of fourWays) {
      upstream.script = answering(status, '', { location: `${canary.url}/chat/completions` });
      const seen = await told(await gateway.post(path, { model: fresh(), messages, stream }));
      expect([seen.status, seen.code]).toEqual([502, 'upstream_redirect']);
      expect(seen.text).not.toContain(canary.url);
    }
    expect(canary.calls).toHaveLength(0);
    await canary.close();
  });

  const waits: [string, string | null, number, number][] = [
    ['seconds', '7', 7, 7],
    ['a date', new Date(Date.now() + 100_000).toUTCString(), 20, 101],
    ['a date gone by', 'Wed, 21 Oct 2015 07:28:00 GMT', 1, 1],
    ['absent', null, 1, 1],
    ['huge', '1000000000', 3600, 3600],
    ['infinite', '1e999', 1, 3600],
    ['negative', '-5', 1, 1],
    ['words', 'soon', 1, 1],
    ['half a second', '0.5', 1, 1],
  ];
  test.each(waits)('429 with Retry-After: %s', async (_, value, least, most) => {
    for (const [, path, stream] of fourWays) {
      upstream.script = answering(429, '{}', value === null ? {} : { 'retry-after': value });
      const model = fresh();
      const seen = await told(await gateway.post(path, { model, messages, stream }));
      expect([seen.status, seen.code]).toEqual([429, 'upstream_rate_limited']);
      const after = seen.headers.get('retry-after') ?? '';
      expect(after).toMatch(/^\d+$/);
      expect(Number(after)).toBeGreaterThanOrEqual(least);
      expect(Number(after)).toBeLessThanOrEqual(most);
      if (value !== '7') continue;
      // Left alone for as long as it asked.
      const before = upstream.calls.length;
      const next = await told(await gateway.post(path, { model, messages, stream }));
      expect([next.status, next.code]).toEqual([503, 'circuit_open']);
      expect(Number(next.headers.get('retry-after'))).toBeGreaterThanOrEqual(6);
      expect(upstream.calls).toHaveLength(before);
    }
  });
});

describe('no answer', () => {
  test.each(['refused', 'nowhere', 'tls'])('%s: 502', async (provider) => {
    rawProvider.answer = (socket) => socket.end('not a TLS hello');
    for (const [, path, stream] of fourWays) {
      const seen = await told(
        await gateway.post(path, { model: `${provider}/${fresh()}`, messages, stream }),
      );
      expect(seen.status).toBe(502);
      expect(['upstream_unreachable', 'upstream_error']).toContain(seen.code);
    }
  });

  test('never a byte: 504, and the socket is closed', async () => {
    for (const [, path, stream] of fourWays) {
      upstream.script = () => {};
      const seen = await told(await hasty.post(path, { model: fresh(), messages, stream }));
      expect([seen.status, seen.code]).toEqual([504, 'upstream_timeout']);
      await upstream.calls.at(-1)?.closed;
      expect((await hasty.row(seen.headers.get('x-request-id') ?? ''))['charged']).toBe('0.00');
    }
  });

  test('headers and then nothing: 504', async () => {
    for (const [, path, stream] of fourWays) {
      upstream.script = (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      };
      const seen = await told(await hasty.post(path, { model: fresh(), messages, stream }));
      expect([seen.status, seen.code]).toEqual([504, 'upstream_timeout']);
      await upstream.calls.at(-1)?.closed;
    }
  });

  test('a stream without end is cut at the total timeout, typed and billed', async () => {
    for (const [, path] of surfaces) {
      upstream.script = streaming({ parts: Array.from({ length: 1000 }, () => 'word '), every: 10 });
      const answer = await hasty.post(path, { model: priced, messages, stream: true });
      const text = await answer.text();
      expect(text).toMatch(/upstream_timeout|Status 504/);
      expect(text).not.toContain('[DONE]');
      await upstream.calls.at(-1)?.closed;
      const row = await hasty.row(answer.headers.get('x-request-id') ?? '');
      expect(row).toMatchObject({ ending: 'timeout', usage_source: 'counted' });
      expect(Number(row['charged'])).toBeGreaterThan(0);
    }
  });

  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
  const good = chatAnswer('hello');
  const bytes: [string, string][] = [
    ['closed without a byte', ''],
    ['not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['an HTTP version that is none', 'HTTP/9.9 200 OK\r\n\r\n'],
    ['headers cut off', head],
    ['a body shorter than its length', `${head}content-length: 5000\r\n\r\n${good}`],
    ['a chunk cut off', `${head}transfer-encoding: chunked\r\n\r\nfff\r\n${good}`],
    ['a chunk size that is none', `${head}transfer-encoding: chunked\r\n\r\nzz\r\n${good}\r\n0\r\n\r\n`],
    ['two lengths', `${head}content-length: 5\r\ncontent-length: 6\r\n\r\n${good}`],
    ['a hundred thousand headers', `${head}${'x-a: b\r\n'.repeat(100_000)}\r\n`],
    ['one header of a megabyte', `${head}x: ${'y'.repeat(1024 * 1024)}\r\n\r\n`],
    ['only informational answers', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(50)],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ];
  test.each(bytes)('%s: 502', async (_, text) => {
    for (const [way, path, stream] of fourWays) {
      rawProvider.answer = (socket) => socket.end(text);
      const seen = await told(await gateway.post(path, { model: `raw/${fresh()}`, messages, stream }));
      expect([way, seen.status]).toEqual([way, 502]);
      expect(['upstream_malformed', 'upstream_error', 'upstream_unreachable']).toContain(seen.code);
    }
  });

  test('an answer that comes unasked on an idle connection reaches nobody', async () => {
    rawProvider.answer = (socket) => {
      const body = chatAnswer('mine');
      const answer = (text: string): string =>
        `${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
      socket.write(answer(body));
      setTimeout(() => socket.destroyed || socket.write(answer(chatAnswer('poison'))), 20);
      socket.on('data', () => socket.write(answer(body)));
    };
    const model = `raw/${fresh()}`;
    for (let i = 0; i < 5; i++) {
      const answer = await gateway.post('/v1/chat/completions', { model, messages });
      const text = await answer.text();
      expect(text).not.toContain('poison');
      await sleep(40);
    }
  });
});

describe('a whole answer that is none', () => {
  const good = chatAnswer('hello');
  const cases: [string, string | Buffer, Record<string, string>][] = [
    ['empty', '', {}],
    ['cut off', good.slice(0, -20), {}],
    ['HTML', '<!doctype html><title>Sign in</title>', { 'content-type': 'text/html' }],
    ['an array', '[]', {}],
    ['an array of answers', `[${good}]`, {}],
    ['null', 'null', {}],
    ['a number', '7', {}],
    ['an empty object', '{}', {}],
    ['choices of null', '{"choices":null}', {}],
    ['choices that are an object', '{"choices":{"0":{}}}', {}],
    ['a choice that is a number', '{"choices":[7]}', {}],
    ['a choice that is null', '{"choices":[null]}', {}],
    ['a stream', contentEvent('x') + finishEvent(), { 'content-type': 'text/event-stream' }],
    ['gzip, though identity was asked', gzipSync(good), { 'content-encoding': 'gzip' }],
    ['a gzip bomb', gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' }],
    ['seven codings', 'x', { 'content-encoding': 'gzip, br, gzip, br, gzip, br, gzip' }],
    ['nested a hundred thousand deep', '['.repeat(100_000) + ']'.repeat(100_000), {}],
    ['binary', Buffer.from([0, 255, 254, 1, 2]), {}],
  ];
  test.each(cases)('%s: 502 upstream_malformed, nothing owed', async (_, body, headers) => {
    for (const [shape, path] of surfaces) {
      upstream.script = (_call, response) => {
        response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
      };
      const seen = await told(await gateway.post(path, { model: fresh(), messages }));
      expect([shape, seen.status, seen.code]).toEqual([shape, 502, 'upstream_malformed']);
      const row = await gateway.row(seen.headers.get('x-request-id') ?? '');
      expect(row['usage_source']).toBe('none');
    }
  });

  const odd: [string, string][] = [
    ['a message of null', '{"choices":[{"index":0,"message":null,"finish_reason":"stop"}]}'],
    ['content of a number', '{"choices":[{"message":{"content":7}}]}'],
    [
      'tool calls of junk',
      '{"choices":[{"message":{"tool_calls":[null,7,{"function":null},{"function":{"arguments":{}}}]}}]}',
    ],
    ['a finish reason of an object', '{"choices":[{"message":{"content":"x"},"finish_reason":{}}]}'],
    ['usage of junk', '{"choices":[{"message":{"content":"x"}}],"usage":[1]}'],
    [
      'usage inside usage',
      '{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":{"a":1},"completion_tokens":"7"}}',
    ],
    ['an index out of this world', '{"choices":[{"index":1e308,"message":{"content":"x"}}]}'],
    [
      'a __proto__',
      '{"choices":[{"message":{"content":"x","__proto__":{"polluted":1}}}],"__proto__":{"polluted":1}}',
    ],
    ['no choices at all', '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'],
  ];
  test.each(odd)('%s: an answer or a 502, never a crash', async (_, body) => {
    for (const [, path] of surfaces) {
      upstream.script = answering(200, body);
      const answer = await gateway.post(path, { model: fresh(), messages });
      expect([200, 502]).toContain(answer.status);
      JSON.parse(await answer.text());
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    }
  });

  test('invalid UTF-8 inside the text: 502', async () => {
    for (const [shape, path] of surfaces) {
      const body = Buffer.from(chatAnswer('caf\u00e9 #'), 'utf8');
      body[body.indexOf(0xc3)] = 0xff;
      upstream.script = (_call, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      };
      const seen = await told(await gateway.post(path, { model: fresh(), messages }));
      expect([shape, seen.status, seen.code]).toEqual([shape, 502, 'upstream_malformed']);
    }
  });

  test('an answer of more than 64 MiB is not kept', { timeout: 30_000 }, async () => {
    upstream.script = async (call, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const part = Buffer.alloc(1024 * 1024, 'x');
      for (let i = 0; i < 200 && call.closedAt === null; i++) {
        if (!response.write(part))
          await Promise.race([new Promise((go) => response.once('drain', go)), call.closed]);
      }
      response.end();
    };
    const seen = await told(await gateway.post('/v1/chat/completions', { model: fresh(), messages }));
    expect([seen.status, seen.code]).toEqual([502, 'upstream_malformed']);
    expect(upstream.calls.at(-1)?.closedAt).not.toBeNull();
  });
});

/** The text a stream delivered. */
function textOf(stream: string): string {
  let text = '';
  for (const { data } of frames(stream.replaceAll('\r\n', '\n'))) {
    if (data === '[DONE]') continue;
    const { choices } = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
    text += choices?.[0]?.delta?.content ?? '';
  }
  return text;
}

const writing =
  (chunks: readonly (string | Buffer)[], pauseMs = 0): Script =>
  async (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) {
      response.write(chunk);
      if (pauseMs > 0) await sleep(pauseMs);
      else await turn();
    }
    response.end();
  };

describe('a stream in odd pieces', () => {
  const text = 'a\r\n\n data: [DONE]\n\nevent: x\u2028\u2029\u0085\ufeff caf\u00e9 \u{1f980} \\" \u0000 end';
  const stream = (newline: string): Buffer =>
    Buffer.from(
      [contentEvent(text), contentEvent(text), finishEvent(), 'data: [DONE]\n\n']
        .join('')
        .replaceAll('\n', newline),
    );
  describe.each(surfaces)('%s', (_, path) => {
    const read = async (script: Script): Promise<string> => {
      upstream.script = script;
      const answer = await gateway.post(path, { model: fresh(), messages, stream: true });
      expect(answer.status).toBe(200);
      const body = await answer.text();
      expect(body.match(/^data: \[DONE\]$/gm)).toHaveLength(1);
      expect(body.trimEnd().endsWith('data: [DONE]')).toBe(true);
      return textOf(body);
    };
    test.each([
      ['LF', '\n'],
      ['CRLF', '\r\n'],
    ])('byte by byte, %s', async (_name, newline) => {
      const bytes = stream(newline);
      expect(await read(writing([...bytes].map((byte) => Buffer.from([byte]))))).toBe(text + text);
    });
    test('split in two at every byte', async () => {
      const bytes = stream('\r\n').subarray(0, 400);
      const rest = stream('\r\n').subarray(400);
      for (let at = 1; at < bytes.length; at += 6) {
        const parts = [0, 2, 4].map((more) => at + more).filter((end) => end < bytes.length);
        const chunks: Buffer[] = [];
        let from = 0;
        for (const end of parts) {
          chunks.push(bytes.subarray(from, end));
          from = end;
        }
        chunks.push(bytes.subarray(from), rest);
        expect(await read(writing(chunks))).toBe(text + text);
      }
    });
    test('one event of a megabyte', async () => {
      const long = 'x\u00e9'.repeat(350_000);
      expect(await read(writing([contentEvent(long), finishEvent(), 'data: [DONE]\n\n']))).toBe(long);
    });
    test('comments, ids, retries, a byte order mark, no space after the colon', async () => {
      const body = `\ufeff: hello\n\nid: 7\nretry: 10\n\n${contentEvent('one')}: keep\n\n${contentEvent('two').replace('data: ', 'event: message\nid: 8\ndata:')}${finishEvent()}data:[DONE]\n\n`;
      expect(await read(writing([body]))).toBe('onetwo');
    });
    test('an event of more than 4 MiB ends the stream typed', async () => {
      upstream.script = writing([
        contentEvent('first'),
        `data: {"choices":[{"delta":{"content":"${'x'.repeat(5_000_000)}`,
      ]);
      const answer = await gateway.post(path, { model: fresh(), messages, stream: true });
      const body = await answer.text();
      expect(body).toContain('first');
      expect(body).toMatch(/upstream_malformed|Status 502/);
      expect(body).not.toContain('[DONE]');
    });
  });
});

describe('a stream that is none, or stops making sense', () => {
  const before: [string, (string | Buffer)[]][] = [
    ['empty', []],
    ['HTML', ['<html><body>Sign in</body></html>']],
    ['garbage data', ['data: hello\n\n', 'data: {\n\n']],
    ['an array', ['data: [1]\n\n']],
    ['a string', ['data: "x"\n\n']],
    ['only events without data', ['event: ping\n\n', 'event: ping\n\n']],
    ['only comments', [': one\n\n', ': two\n\n']],
    [
      'bytes that are no UTF-8',
      [Buffer.from('data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', 'latin1')],
    ],
    ['a whole JSON array', ['[{"error":{"message":"x"}}]']],
    ['an error in JSON with 200', ['{"error":{"message":"boom","type":"server_error"}}']],
    ['an error event first', ['data: {"error":{"message":"boom","type":"server_error"}}\n\n']],
  ];
  test.each(before)('%s: an error status, not a stream', async (name, chunks) => {
    for (const [shape, path] of surfaces) {
      upstream.script = writing(chunks);
      const answer = await gateway.post(path, { model: fresh(), messages, stream: true });
      const body = await answer.text();
      const isRelayedAsIs = name === 'bytes that are no UTF-8' && shape === 'openai';
      if (isRelayedAsIs && answer.status === 200) continue;
      expect([shape, answer.status, body.slice(0, 300)]).toEqual([shape, 502, body.slice(0, 300)]);
      expect(body).toMatch(/upstream_(malformed|error)/);
      const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
      expect(row['usage_source']).toBe('none');
    }
  });

  const after: [string, (string | Buffer)[]][] = [
    ['garbage after text', [contentEvent('one'), 'data: {oops\n\n']],
    ['an array after text', [contentEvent('one'), 'data: []\n\n']],
    ['an error after text', [contentEvent('one'), 'data: {"error":{"message":"boom"}}\n\n']],
    ['the end after text', [contentEvent('one')]],
    ['half an event after text', [contentEvent('one'), contentEvent('two').slice(0, -40)]],
  ];
  test.each(after)('%s: a typed error, no [DONE], what was delivered is billed', async (_, chunks) => {
    for (const [shape, path] of surfaces) {
      upstream.script = writing(chunks, 10);
      const answer = await gateway.post(path, { model: priced, messages, stream: true });
      const body = await answer.text();
      expect([shape, answer.status]).toEqual([shape, 200]);
      expect(textOf(body)).toBe('one');
      expect(body).not.toContain('[DONE]');
      expect(body).toMatch(shape === 'native' ? /"error":"Status 502/ : /"error":\{/);
      const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
      expect(row).toMatchObject({ ending: 'upstream_error', usage_source: 'counted' });
      expect(Number(row['charged'])).toBeGreaterThan(0);
      // The priced model has one circuit for all cases.
      upstream.script = writing([contentEvent('ok'), finishEvent(), 'data: [DONE]\n\n']);
      for (let i = 0; i < 2; i++)
        await (await gateway.post(path, { model: priced, messages, stream: true })).text();
    }
  });

  const done = 'data: [DONE]\n\n';
  const endings: [string, string[]][] = [
    ['twice', [contentEvent('one'), finishEvent(), done, done]],
    ['never', [contentEvent('one'), finishEvent()]],
    ['before the finish reason', [contentEvent('one'), done, finishEvent()]],
    ['followed by text', [contentEvent('one'), finishEvent(), done + contentEvent('late')]],
    ['followed by garbage', [contentEvent('one'), finishEvent(), `${done}data: {\n\n`]],
    ['in the middle of a chunk', [contentEvent('one') + finishEvent() + done + contentEvent('late') + done]],
  ];
  test.each(endings)('[DONE] %s: the client gets one, last', async (_, chunks) => {
    for (const [shape, path] of surfaces) {
      upstream.script = writing(chunks);
      const answer = await gateway.post(path, { model: fresh(), messages, stream: true });
      const body = await answer.text();
      expect([shape, textOf(body)]).toEqual([shape, 'one']);
      expect(body.match(/^data: \[DONE\]$/gm)).toHaveLength(1);
      expect(body.trimEnd().endsWith(done.trim())).toBe(true);
    }
  });
});

describe('usage that cannot be believed', () => {
  // 0.15 and 0.60 US dollars per million tokens.
  const price = (input: number, output: number): string => String((input * 150 + output * 600) / 1e9);
  const usages: [string, string | null, 'provider' | 'counted', string | null][] = [
    ['missing', null, 'counted', null],
    ['null', 'null', 'counted', null],
    ['empty', '{}', 'counted', null],
    ['one side only', '{"prompt_tokens":10}', 'counted', null],
    ['words', '{"prompt_tokens":"ten","completion_tokens":"five"}', 'counted', null],
    ['zero', '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', 'provider', '0'],
    ['negative', '{"prompt_tokens":-10,"completion_tokens":-5,"total_tokens":-15}', 'provider', '0'],
    ['fractions', '{"prompt_tokens":10.9,"completion_tokens":5.9}', 'provider', price(10, 5)],
    [
      'more cached than there was',
      '{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":1000000}}',
      'provider',
      null,
    ],
    [
      'more reasoning than there was',
      '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":-3}}',
      'provider',
      price(10, 5),
    ],
  ];
  const whole = (usage: string | null): string =>
    usage === null
      ? chatAnswer('hello', null)
      : `${chatAnswer('hello', null).slice(0, -1)},"usage":${usage}}`;
  const streamed = (usage: string | null): string[] => [
    contentEvent('hello'),
    finishEvent(),
    ...(usage === null
      ? []
      : [`data: {"id":"x","object":"chat.completion.chunk","choices":[],"usage":${usage}}\n\n`]),
    'data: [DONE]\n\n',
  ];
  test.each(usages)('%s', async (_, usage, source, cost) => {
    for (const [way, path, stream] of fourWays) {
      upstream.script = stream ? writing(streamed(usage)) : answering(200, whole(usage));
      const answer = await gateway.post(path, { model: priced, messages, stream });
      const body = await answer.text();
      expect([way, answer.status, body.slice(0, 200)]).toEqual([way, 200, body.slice(0, 200)]);
      const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
      expect([way, row['usage_source']]).toEqual([way, source]);
      if (cost !== null) expect(Number(row['cost'])).toBeCloseTo(Number(cost), 12);
      else expect(Number(row['cost'])).toBeGreaterThan(0);
      if (source === 'counted' && !stream) expect(body).toContain('"estimated":true');
    }
  });

  test.each(['1e12', '9007199254740993', '1e300', '1e999'])(
    '%s tokens: a hard cap holds, the excess is flagged',
    async (count) => {
      for (const [way, path, stream] of fourWays) {
        const { id, apiKey } = await gateway.account('0.01');
        const usage = `{"prompt_tokens":10,"completion_tokens":${count}}`;
        upstream.script = stream ? writing(streamed(usage)) : answering(200, whole(usage));
        const answer = await gateway.post(path, { model: priced, messages, stream, max_tokens: 100 }, apiKey);
        expect([way, answer.status]).toEqual([way, 200]);
        await answer.text();
        const [row] = await gateway.requests(id);
        expect(Number(row?.['charged'])).toBeLessThanOrEqual(0.01);
        expect(Number(row?.['charged'])).toBeGreaterThan(0);
      }
    },
  );

  test('twice with other values: the last one stands; in the middle: it counts', async () => {
    for (const [, path] of surfaces) {
      const usage = (completion: number): string =>
        usageEvent({ prompt_tokens: 10, completion_tokens: completion });
      const end = [finishEvent(), 'data: [DONE]\n\n'];
      for (const [chunks, output] of [
        [[contentEvent('a'), usage(3), contentEvent('b'), usage(7), ...end], 7],
        [[contentEvent('a'), usage(3), contentEvent('b'), ...end], 3],
      ] as const) {
        upstream.script = writing([...chunks]);
        const answer = await gateway.post(path, { model: priced, messages, stream: true });
        await answer.text();
        const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
        expect(Number(row['cost'])).toBeCloseTo(Number(price(10, output)), 12);
      }
    }
  });

  test('in one piece with [DONE] but behind it: still billed', async () => {
    for (const [, path] of surfaces) {
      upstream.script = writing([
        contentEvent('a'),
        `${finishEvent()}data: [DONE]\n\n${usageEvent({ prompt_tokens: 1000, completion_tokens: 500 })}`,
      ]);
      const answer = await gateway.post(path, { model: priced, messages, stream: true });
      expect((await answer.text()).match(/^data: \[DONE\]$/gm)).toHaveLength(1);
      const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
      expect(row['usage_source']).toBe('provider');
      expect(Number(row['cost'])).toBeCloseTo(Number(price(1000, 500)), 12);
    }
  });
});
