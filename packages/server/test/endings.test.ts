/** docs/streams.md, row by row: how a stream ends, what the caller, the upstream and the ledger see of it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frames, startGateway, type TestGateway } from './gateway.ts';
import {
  answering,
  contentEvent,
  finishEvent,
  startUpstream,
  streaming,
  usageEvent,
  type Upstream,
} from './upstream.ts';

const model = 'openai/gpt-4o-mini';
const messages = [{ role: 'user', content: 'Tell me something.' }];
let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream(answering(500, '{}'));
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_IDLE_TIMEOUT: '700ms',
      INDOXHUB_FIRST_BYTE_TIMEOUT: '700ms',
      INDOXHUB_MAX_RETRIES: '2',
      INDOXHUB_DRAIN_TIMEOUT: '300ms',
    },
  });
});
afterEach(() => gateway.verify());
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const paths = [
  ['native', '/api/v1/chat/completions'],
  ['openai', '/v1/chat/completions'],
] as const;

async function read(answer: Response): Promise<{ id: string; text: string }> {
  return { id: answer.headers.get('x-request-id') ?? '', text: await answer.text() };
}

/** Reads until the text holds `needle`. */
async function readUntil(
  answer: Response,
  needle: string,
): Promise<{ reader: ReadableStreamDefaultReader<Uint8Array>; text: string }> {
  if (answer.body === null) throw new Error('no body');
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes(needle)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended before ${needle}: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  return { reader, text };
}

async function rest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}

describe.each(paths)('%s', (shape, path) => {
  test('completed: provider usage billed, one [DONE], last', async () => {
    upstream.script = streaming({
      parts: ['Hel', 'lo'],
      usage: { prompt_tokens: 100, completion_tokens: 50 },
    });
    const { id, text } = await read(await gateway.post(path, { model, messages, stream: true }));
    const seen = frames(text);
    expect(seen.at(-1)?.data).toBe('[DONE]');
    expect(seen.filter(({ data }) => data === '[DONE]')).toHaveLength(1);
    const row = await gateway.row(id);
    // 100 × 0.15 + 50 × 0.60 US dollars per million
    expect(row).toMatchObject({
      ending: 'completed',
      http_status: 200,
      usage_source: 'provider',
      cost: '0.000045',
    });
    if (shape === 'native')
      expect(seen.find(({ event }) => event === 'usage_final')?.data).toContain('"cost_usd":0.000045');
  });

  test('completed by a vendor that does not close: the terminal ends the stream, and the socket a moment later', async () => {
    upstream.script = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const usage = usageEvent({ prompt_tokens: 100, completion_tokens: 50 });
      response.write(`${contentEvent('Hello')}${finishEvent()}${usage}data: [DONE]\n\n`);
    };
    const before = upstream.calls.length;
    const startedAt = Date.now();
    const { id, text } = await read(await gateway.post(path, { model, messages, stream: true }));
    expect(Date.now() - startedAt).toBeLessThan(600);
    expect(text).toContain('Hello');
    expect(frames(text).at(-1)?.data).toBe('[DONE]');
    expect(text).not.toContain('"error"');
    expect(await gateway.row(id)).toMatchObject({ ending: 'completed', cost: '0.000045' });
    expect(await upstream.calls[before]?.closed).toBeGreaterThan(startedAt);
  });

  test('stopped: socket closed within 500 ms, delivered billed, cancelled with usage', async () => {
    upstream.script = streaming({ parts: Array.from({ length: 500 }, () => 'word '), every: 20 });
    const before = upstream.calls.length;
    const answer = await gateway.post(path, { model, messages, stream: true });
    const id = answer.headers.get('x-request-id') ?? '';
    const { reader } = await readUntil(answer, 'word ');
    const stoppedAt = Date.now();
    const stop = await gateway.post(`/api/v1/completions/stop-stream/${id}`, '');
    expect(await stop.json()).toEqual({ success: true });
    const text = await rest(reader);
    const closedAt = await upstream.calls[before]?.closed;
    expect((closedAt ?? Infinity) - stoppedAt).toBeLessThan(500);
    expect(text).toContain('"finish_reason":"cancelled"');
    expect(text).toMatch(shape === 'native' ? /"cost_usd":[0-9.e-]+/ : /"cost":[0-9.e-]+/);
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    const row = await gateway.row(id);
    expect(row).toMatchObject({ ending: 'stopped', usage_source: 'counted', finish_reason: 'cancelled' });
    expect(Number(row['cost'])).toBeGreaterThan(0);
    expect(await (await gateway.post(`/api/v1/chat/stop-stream/${id}`, '')).json()).toEqual({
      success: false,
    });
  });

  test('client disconnected after the first byte: upstream closed, delivered billed', async () => {
    upstream.script = streaming({ parts: Array.from({ length: 500 }, () => 'word '), every: 20 });
    const before = upstream.calls.length;
    const abort = new AbortController();
    const answer = await gateway.post(path, { model, messages, stream: true }, undefined, {}, abort.signal);
    const id = answer.headers.get('x-request-id') ?? '';
    await readUntil(answer, 'word ');
    const leftAt = Date.now();
    abort.abort();
    expect(((await upstream.calls[before]?.closed) ?? Infinity) - leftAt).toBeLessThan(500);
    expect(await gateway.row(id)).toMatchObject({ ending: 'client_cancelled', usage_source: 'counted' });
  });

  test('client disconnected before the first byte: upstream closed, input billed', async () => {
    upstream.script = () => {};
    const before = upstream.calls.length;
    const abort = new AbortController();
    const pending = gateway.post(path, { model, messages, stream: true }, undefined, {}, abort.signal);
    while (upstream.calls.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await expect(pending).rejects.toThrow();
    await upstream.calls[before]?.closed;
    await expect
      .poll(async () => (await gateway.requests('default'))[0]?.['ending'])
      .toBe('client_cancelled');
    expect((await gateway.requests('default'))[0]).toMatchObject({ usage_source: 'counted', attempts: 1 });
  });

  test('upstream error before the first byte: tried again, billed once', async () => {
    let calls = 0;
    upstream.script = (call, response) => {
      calls++;
      if (calls === 1) return response.writeHead(500).end('{"error":{"message":"oops"}}') as unknown as void;
      return streaming({ parts: ['ok'] })(call, response);
    };
    const { id, text } = await read(await gateway.post(path, { model, messages, stream: true }));
    expect(text).toContain('ok');
    expect(await gateway.row(id)).toMatchObject({ ending: 'completed', attempts: 2 });
  });

  test('connection cut before the first event: tried again', async () => {
    let calls = 0;
    upstream.script = (call, response) => {
      calls++;
      return calls === 1
        ? streaming({ parts: [], ending: 'reset' })(call, response)
        : streaming({ parts: ['ok'] })(call, response);
    };
    const { text } = await read(await gateway.post(path, { model, messages, stream: true }));
    expect(text).toContain('ok');
    expect(calls).toBe(2);
  });

  test.each(['reset', 'end', 'error'] as const)(
    'upstream %s after the first byte: typed error, no [DONE], delivered billed',
    async (then) => {
      upstream.script = streaming({ parts: ['some ', 'words'], every: 10, ending: then });
      const before = upstream.calls.length;
      const { id, text } = await read(await gateway.post(path, { model, messages, stream: true }));
      expect(text).toContain('words');
      expect(text).not.toContain('[DONE]');
      const last = JSON.parse(frames(text).at(-1)?.data ?? '{}');
      if (shape === 'native') expect(last.error).toMatch(/^Status 502: /);
      else expect(last.error).toMatchObject({ code: 'upstream_error', type: 'api_error' });
      expect(upstream.calls.length).toBe(before + 1);
      const row = await gateway.row(id);
      expect(row).toMatchObject({
        ending: 'upstream_error',
        usage_source: 'counted',
        error_code: 'upstream_error',
      });
      expect(Number(row['cost'])).toBeGreaterThan(0);
    },
  );

  test('idle timeout: cut, typed, delivered billed', async () => {
    upstream.script = streaming({ parts: ['some'], ending: 'hang' });
    const before = upstream.calls.length;
    const { id, text } = await read(await gateway.post(path, { model, messages, stream: true }));
    expect(text).toMatch(/Status 504|upstream_timeout/);
    expect(text).not.toContain('[DONE]');
    await upstream.calls[before]?.closed;
    expect(await gateway.row(id)).toMatchObject({ ending: 'timeout', usage_source: 'counted' });
  });

  test('first byte timeout: 504 before a stream began, nothing billed', async () => {
    upstream.script = () => {};
    const answer = await gateway.post(path, { model, messages, stream: true });
    expect(answer.status).toBe(504);
    const { id } = await read(answer);
    expect(await gateway.row(id)).toMatchObject({ ending: 'timeout', cost: '0.00' });
  });

  test('budget reached: partial answer, finish_reason length, cap kept', async () => {
    const { id: account, apiKey } = await gateway.account('0.002');
    upstream.script = streaming({
      parts: Array.from({ length: 3000 }, () => 'many words of a long answer '),
      usage: null,
      every: 0,
    });
    const { id, text } = await read(
      await gateway.post(path, { model, messages, stream: true, max_tokens: 16_000 }, apiKey),
    );
    expect(text).toContain('"finish_reason":"length"');
    const row = await gateway.row(id);
    expect(row).toMatchObject({ ending: 'budget_reached', account_id: account });
    expect(Number(row['charged'])).toBeLessThanOrEqual(0.002);
  });

  test('max_cost reached: partial answer, never more than it', async () => {
    upstream.script = streaming({
      parts: Array.from({ length: 3000 }, () => 'many words of a long answer '),
      usage: null,
    });
    const { id, text } = await read(
      await gateway.post(path, { model, messages, stream: true, max_tokens: 16_000 }, undefined, {
        'x-indoxhub-max-cost': '0.001',
      }),
    );
    expect(text).toContain('"finish_reason":"length"');
    const row = await gateway.row(id);
    expect(row).toMatchObject({ ending: 'budget_reached' });
    expect(Number(row['charged'])).toBeLessThanOrEqual(0.001);
  });
});

test('a slow reader pauses the upstream', async () => {
  const big = contentEvent('x'.repeat(64 * 1024));
  let written = 0;
  upstream.script = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const more = (): void => {
      while (written < 3000 && response.write(big)) written++;
      if (written < 3000) response.once('drain', more);
    };
    more();
  };
  const abort = new AbortController();
  const answer = await gateway.post(
    '/v1/chat/completions',
    { model, messages, stream: true },
    undefined,
    {},
    abort.signal,
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  // 3,000 × 64 KiB would be 190 MiB; sockets and our buffer hold a few.
  expect(written).toBeLessThan(400);
  abort.abort();
  await answer.text().catch(() => {});
});

test('server draining: a running stream ends typed and settled', async () => {
  const other = await startGateway({
    env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url, INDOXHUB_DRAIN_TIMEOUT: '200ms' },
  });
  upstream.script = streaming({ parts: Array.from({ length: 500 }, () => 'word '), every: 20 });
  const answer = await other.post('/api/v1/chat/completions', { model, messages, stream: true });
  const { reader } = await readUntil(answer, 'word ');
  const closing = other.running.close();
  const text = await rest(reader);
  expect(text).toContain('Status 503');
  expect(text).not.toContain('[DONE]');
  await closing;
  const again = await startGateway({ dataDir: other.dataDir });
  expect((await again.requests('default')).map((row) => row['ending'])).toContain('server_shutdown');
  await again.verify();
  await again.close();
});
