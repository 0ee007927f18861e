/** Clients that send almost nothing for ever: each is let go within 15 s, and nobody else waits for them. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, type Upstream } from '../upstream.ts';

const each = 60;
let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream(answering(200, chatAnswer('hello')));
  gateway = await startGateway({ env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url } });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

interface Ended {
  /** null: still open when the test gave up. */
  readonly afterMs: number | null;
  readonly text: string;
}

/** Sends `start`, then `part` every `everyMs`, until the server closes. */
function drip(start: string, part: string, everyMs: number): Promise<Ended> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let text = '';
    const socket = connect(Number(port), hostname);
    const end = (afterMs: number | null): void => {
      clearTimeout(limit);
      clearInterval(timer);
      socket.destroy();
      resolve({ afterMs, text });
    };
    const limit = setTimeout(() => end(null), 20_000);
    const timer = setInterval(() => part !== '' && socket.write(part), everyMs);
    socket.on('connect', () => start !== '' && socket.write(start));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => end(performance.now() - startedAt));
  });
}

const post = (path: string, type: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-type: ${type}\r\ncontent-length: 1000000\r\n\r\n`;
const form = 'multipart/form-data; boundary=x';
const file = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';

test('headers, bodies and uploads of a hundred bytes a second', { timeout: 40_000 }, async () => {
  const kinds: Record<string, () => Promise<Ended>> = {
    'not a byte': () => drip('', '', 1_000),
    'a byte of headers every 5 s': () => drip('POST /v1/chat/completions HTTP/1.1\r\nx: ', 'a', 5_000),
    'a body of the OpenAI surface': () =>
      drip(`${post('/v1/chat/completions', 'application/json')}{`, ' '.repeat(100), 1_000),
    'a body of the native surface': () =>
      drip(`${post('/api/v1/embeddings', 'application/json')}{`, ' '.repeat(100), 1_000),
    'an upload': () => drip(post('/api/v1/audio/stt/transcriptions', form) + file, 'a'.repeat(100), 1_000),
  };
  const slow = Object.entries(kinds).map(async ([kind, start]) => ({
    kind,
    ended: await Promise.all(Array.from({ length: each }, start)),
  }));
  let served = 0;
  const until = performance.now() + 8_000;
  while (performance.now() < until) {
    const answer = await gateway.post('/v1/chat/completions', {
      model: 'openai/gpt-4o-mini',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
    served++;
  }
  const calls = upstream.calls.length;
  for (const { kind, ended } of await Promise.all(slow)) {
    const times = ended.map(({ afterMs }) => afterMs ?? Number.POSITIVE_INFINITY);
    expect(Math.max(...times), kind).toBeLessThan(15_000);
    if (kind.startsWith('a body') || kind.startsWith('an upload'))
      for (const { text } of ended) expect(text, kind).toMatch(/^HTTP\/1\.1 400 [^]*too slowly/);
  }
  expect([served > 0, calls]).toEqual([true, served]);
});
