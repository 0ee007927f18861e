/** What a hostile client does below HTTP: every vector is refused, the connection ends, and nothing is smuggled. */
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, type Upstream } from '../upstream.ts';
import { raw, request, sleep } from './raw.ts';

const path = '/v1/chat/completions';
const body = JSON.stringify({ model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] });
const length = Buffer.byteLength(body);
let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream(answering(200, chatAnswer('hello')));
  gateway = await startGateway({ env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url } });
});
beforeEach(() => {
  upstream.calls.length = 0;
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const auth = (): Record<string, string> => ({
  authorization: `Bearer ${gateway.apiKey}`,
  'content-type': 'application/json',
});
const headersText = (): string =>
  `authorization: Bearer ${gateway.apiKey}\r\ncontent-type: application/json\r\n`;
const smuggled = (): string => request('POST', path, auth(), body);

test('a proper request on a raw socket is served, so the refusals below mean something', async () => {
  const { statuses, closed } = await raw(gateway.url, request('POST', path, auth(), body), 500);
  expect([statuses, closed]).toEqual([[200], false]);
  expect(upstream.calls).toHaveLength(1);
});

const head = `POST ${path} HTTP/1.1\r\n`;
const host = 'host: gateway\r\n';
const chunked = `${length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

describe('refused with a 4xx, closed, no second request served', () => {
  const vectors: [string, () => string][] = [
    [
      'Content-Length and Transfer-Encoding',
      () =>
        `${head}${host}${headersText()}content-length: ${length}\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`,
    ],
    [
      'two equal Content-Length',
      () =>
        `${head}${host}${headersText()}content-length: ${length}\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'two different Content-Length',
      () => `${head}${host}${headersText()}content-length: ${length}\r\ncontent-length: 5\r\n\r\n${body}`,
    ],
    [
      'Transfer-Encoding: xchunked',
      () => `${head}${host}${headersText()}transfer-encoding: xchunked\r\n\r\n${chunked}`,
    ],
    [
      'space before the colon',
      () => `${head}${host}${headersText()}transfer-encoding : chunked\r\n\r\n${chunked}`,
    ],
    [
      'chunked, identity',
      () => `${head}${host}${headersText()}transfer-encoding: chunked, identity\r\n\r\n${chunked}`,
    ],
    ['Content-Length: +4', () => `${head}${host}${headersText()}content-length: +${length}\r\n\r\n${body}`],
    [
      'Content-Length: 0x4',
      () => `${head}${host}${headersText()}content-length: 0x${length.toString(16)}\r\n\r\n${body}`,
    ],
    ['Content-Length: -1', () => `${head}${host}${headersText()}content-length: -1\r\n\r\n${body}`],
    [
      'Content-Length: 4, 4',
      () => `${head}${host}${headersText()}content-length: ${length}, ${length}\r\n\r\n${body}`,
    ],
    [
      'bare LF between headers',
      () => `${head}${host}${headersText()}x: y\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    ['no Host', () => `${head}${headersText()}content-length: ${length}\r\n\r\n${body}`],
    [
      'a folded header',
      () => `${head}${host}${headersText()}x: a\r\n b\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'NUL in a header',
      () => `${head}${host}${headersText()}x: a\0b\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'a chunk size that is no number',
      () => `${head}${host}${headersText()}transfer-encoding: chunked\r\n\r\nzz\r\n${body}\r\n0\r\n\r\n`,
    ],
    [
      'a chunk extension of 20 KB',
      () =>
        `${head}${host}${headersText()}transfer-encoding: chunked\r\n\r\n${length.toString(16)};${'x'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`,
    ],
    [
      'a header of 17 KB',
      () =>
        `${head}${host}${headersText()}x: ${'y'.repeat(17_000)}\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'an unknown Expect',
      () => `${head}${host}${headersText()}expect: 200-ok\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'two Hosts',
      () => `${head}${host}host: other\r\n${headersText()}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'a Host with a path',
      () => `${head}host: x?/evil#\r\n${headersText()}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'a Host with user information',
      () => `${head}host: a@b\r\n${headersText()}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'an absolute target',
      () =>
        `POST http://evil.example${path} HTTP/1.1\r\n${host}${headersText()}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'an asterisk target',
      () => `POST * HTTP/1.1\r\n${host}${headersText()}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'two Authorization headers',
      () =>
        `${head}${host}${headersText()}authorization: Bearer x\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'GET with a body',
      () => `GET /api/v1/models HTTP/1.1\r\n${host}content-length: ${length}\r\n\r\n${body}`,
    ],
    [
      'GET with a chunked body',
      () => `GET /api/v1/models HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n${chunked}`,
    ],
    ['HEAD with a body', () => `HEAD /healthz HTTP/1.1\r\n${host}content-length: ${length}\r\n\r\n${body}`],
    [
      'an upgrade to h2c',
      () =>
        `GET /healthz HTTP/1.1\r\n${host}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n`,
    ],
    [
      'an upgrade to websocket',
      () =>
        `GET /healthz HTTP/1.1\r\n${host}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    ],
    ['CONNECT', () => `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${host}\r\n`],
    ['a TLS hello', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/2 without an upgrade', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a control character in the path', () => `GET /api/v1/mod\x01els HTTP/1.1\r\n${host}\r\n`],
    ['a method that is none', () => `EVIL ${path} HTTP/1.1\r\n${host}\r\n`],
  ];
  test.each(vectors)('%s', async (_, bytes) => {
    // Whatever stands behind it on the same connection must never be read as a request.
    const { statuses, closed } = await raw(gateway.url, Buffer.from(bytes() + smuggled(), 'latin1'));
    for (const status of statuses) expect([400, 405, 413, 417, 431]).toContain(status);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(closed).toBe(true);
    // A call that was let through is on its way.
    await sleep(20);
    expect(upstream.calls).toHaveLength(0);
  });
});

describe('after a 4xx sent before the body was read, what follows is not a request', () => {
  // The declared body is longer than what is sent at first: its end is a whole request.
  const cases: [string, string, () => Record<string, string>][] = [
    ['no key', path, () => ({ 'content-type': 'application/json' })],
    ['a wrong key', '/api/v1/chat/completions', () => ({ ...auth(), authorization: 'Bearer indox-x' })],
    ['a media type that is not JSON', path, () => ({ ...auth(), 'content-type': 'text/plain' })],
    ['a compressed body', path, () => ({ ...auth(), 'content-encoding': 'gzip' })],
    ['an admin route without a key', '/admin/v1/accounts', () => ({ 'content-type': 'application/json' })],
    ['a path that is none', '/api/v1/none', () => auth()],
    ['a path that takes no POST', '/api/v1/models', () => auth()],
  ];
  test.each(cases)('%s', async (_, target, headers) => {
    const hidden = smuggled();
    const { statuses } = await raw(gateway.url, request('POST', target, headers(), hidden), 300);
    expect(statuses).toHaveLength(1);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(statuses[0]).toBeLessThan(500);
    expect(upstream.calls).toHaveLength(0);
  });
});

test('a refusal below the routes has the shape of the prefix and a request id', async () => {
  const native = await raw(gateway.url, `GET /api/v1/models HTTP/1.1\r\n${host}content-length: 1\r\n\r\nx`);
  expect(native.text).toMatch(/x-request-id: [-0-9a-f]{36}/i);
  expect(native.text).toContain('"error":"bad_request"');
  const openai = await raw(gateway.url, `GET /v1/models HTTP/1.1\r\n${host}content-length: 1\r\n\r\nx`);
  expect(openai.text).toMatch(/x-request-id: [-0-9a-f]{36}/i);
  expect(openai.text).toContain('"code":"bad_request"');
});

test('two whole requests pipelined are both answered, in order', async () => {
  const both = request('GET', '/healthz', {}) + request('GET', '/api/v1/none', {});
  const { statuses } = await raw(gateway.url, both, 700);
  expect(statuses).toEqual([200, 404]);
});

describe('header injection', () => {
  const evil = ['gpt\r\nx-evil: 1', 'gpt\nx-evil: 1', 'gpt\u0000x'];
  test.each(evil)('model %j', async (model) => {
    const answer = await gateway.post(path, { model, messages: [{ role: 'user', content: 'x' }] });
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers.get('x-evil')).toBeNull();
    expect([...answer.headers.values()].join()).not.toContain('x-evil');
  });
  const keys: [string, unknown][] = [
    ['CR and LF', 'sk\r\nx-evil: 1'],
    ['LF', 'sk\n'],
    ['beyond ASCII', 'sk\u00e9'],
    ['10 KB', 'k'.repeat(10_240)],
    ['nothing', ''],
    ['a space', ' '],
    ['a number', 7],
    ['an object', {}],
    ['a list', []],
  ];
  test.each(keys)('byok_api_key: %s', async (_, byok_api_key) => {
    for (const target of [path, '/api/v1/chat/completions']) {
      const answer = await gateway.post(target, {
        model: 'openai/gpt-4o-mini',
        messages: [{ role: 'user', content: 'x' }],
        byok_api_key,
      });
      expect(answer.status).toBe(400);
      const text = await answer.text();
      expect(text).toContain('byok_api_key');
      if (typeof byok_api_key === 'string' && byok_api_key.trim() !== '')
        expect(text).not.toContain(byok_api_key.slice(0, 40));
    }
    expect(upstream.calls).toHaveLength(0);
  });
  test.each([
    ['256 characters', 'k'.repeat(256)],
    ['beyond ASCII', '\u00e9'],
    ['a tab', 'a\tb'],
  ])('Idempotency-Key: %s', async (_, key) => {
    const bytes = request('POST', path, { ...auth(), 'idempotency-key': key }, body);
    const { statuses, text } = await raw(gateway.url, Buffer.from(bytes, 'latin1'), 400);
    expect(statuses).toEqual([400]);
    expect(text).toContain('idempotency-key');
    expect(text).not.toContain(key);
    expect(upstream.calls).toHaveLength(0);
  });
  test('X-IndoxHub-Max-Cost that is no amount', async () => {
    for (const cost of ['-1', 'NaN', '1e3', 'x'.repeat(33), '0x1']) {
      const answer = await gateway.post(path, body, undefined, { 'x-indoxhub-max-cost': cost });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { code: 'bad_request' } });
    }
  });
});

test(
  'headers that never end are cut off within 15 s, and do not hold the others up',
  { timeout: 30_000 },
  async () => {
    const { hostname, port } = new URL(gateway.url);
    const closed: Promise<number>[] = [];
    const startedAt = Date.now();
    for (let i = 0; i < 100; i++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n');
      const timer = setInterval(() => socket.write('x'), 2_000);
      closed.push(
        new Promise((resolve) => {
          socket.on('data', () => {});
          socket.on('close', () => {
            clearInterval(timer);
            resolve(Date.now() - startedAt);
          });
        }),
      );
    }
    const answer = await gateway.post(path, body);
    expect(answer.status).toBe(200);
    for (const ms of await Promise.all(closed)) expect(ms).toBeLessThan(15_000);
  },
);
