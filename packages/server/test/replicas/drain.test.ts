/** A gateway told to go lets its calls end; one whose database is away keeps what it owes and recovers by itself. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { frames } from '../gateway.ts';
import { freshDatabase, postgresUrl, type Database } from '../storage/databases.ts';
import { startProxy, type Proxy } from '../storage/proxy.ts';
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
import { startChild, temporaryDir, type Child } from './child.ts';

const model = 'openai/gpt-4o-mini';
const messages = [{ role: 'user', content: 'hi' }];
const paths = ['/v1/chat/completions', '/api/v1/chat/completions'] as const;
const [chat] = paths;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Reading {
  readonly id: string;
  /** What has come so far. */
  text(): string;
  /** Everything, once it is over. */
  readonly whole: Promise<string>;
}

/** Reads a stream in the background; resolves at its first content. */
async function reading(pending: Promise<Response>): Promise<Reading> {
  const answer = await pending;
  if (answer.status !== 200 || answer.body === null)
    throw new Error(`${answer.status} ${await answer.text()}`);
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const more = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (!done) text += decoder.decode(value, { stream: true });
    return !done;
  };
  while (!text.includes('word') && (await more()));
  const whole = (async () => {
    while (await more());
    return text;
  })();
  whole.catch(() => {});
  return { id: answer.headers.get('x-request-id') ?? '', text: () => text, whole };
}

/** A stream of `seconds`, then its proper end. */
const lasting = (seconds: number): Script =>
  streaming({ parts: Array.from({ length: seconds * 20 }, () => 'word '), every: 50 });

let folder: ReturnType<typeof temporaryDir>;
let upstream: Upstream;
let env: Record<string, string>;

beforeEach(async () => {
  folder = temporaryDir();
  upstream = await startUpstream(answering(500, '{}'));
  env = { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url };
});
afterEach(async () => {
  await upstream.close();
  folder.remove();
});

async function rowOf(child: Child, id: string): Promise<Record<string, unknown>[]> {
  return (await child.admin('GET', `/requests?id=${id}`))['requests'] as Record<string, unknown>[];
}

/** The rows of a gateway that has ended, read by its successor. */
async function afterwards(ids: readonly string[]): Promise<Record<string, unknown>[]> {
  const next = await startChild({ dataDir: folder.path, env });
  try {
    const rows = await Promise.all(ids.map((id) => rowOf(next, id)));
    expect(await next.admin('POST', '/ledger/verify')).toMatchObject({ ok: true, open_holds: 0 });
    expect(rows.map((each) => each.length)).toEqual(ids.map(() => 1));
    return rows.flat();
  } finally {
    await next.stop();
  }
}

describe('SIGTERM', () => {
  test('not ready at once, new calls refused, what runs comes to its own end, exit code 0', async () => {
    const child = await startChild({
      dataDir: folder.path,
      env: { ...env, INDOXHUB_DRAIN_TIMEOUT: '20s' },
    });
    const { apiKey } = await child.account('1.00');
    upstream.script = lasting(2);
    const streams = await Promise.all(
      paths.map((path) => reading(child.post(path, { model, messages, stream: true }, apiKey))),
    );
    upstream.script = async (call, response) => {
      await pause(1000);
      return answering(200, chatAnswer('whole'))(call, response);
    };
    const before = upstream.calls.length;
    const whole = child.post(chat, { model, messages }, apiKey);
    await expect.poll(() => upstream.calls.length).toBe(before + 1);

    child.signal('SIGTERM');
    await expect.poll(async () => (await child.get('/readyz')).status, { interval: 10 }).toBe(503);
    const refused = await child.post(chat, { model, messages }, apiKey);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down' } });

    const answer = await whole;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'whole' } }] });
    for (const stream of streams) {
      const seen = frames(await stream.whole);
      expect(seen.at(-1)?.data).toBe('[DONE]');
    }
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(upstream.calls.length).toBe(before + 1);
    const ids = [...streams.map(({ id }) => id), answer.headers.get('x-request-id') ?? ''];
    const rows = await afterwards(ids);
    expect(rows.map((row) => [row['ending'], row['usage_source']])).toEqual(
      ids.map(() => ['completed', 'provider']),
    );
  });

  test('what does not end in time is ended typed and settled; a call waiting for its answer too', async () => {
    const child = await startChild({
      dataDir: folder.path,
      env: { ...env, INDOXHUB_DRAIN_TIMEOUT: '1s' },
    });
    const { apiKey } = await child.account('1.00');
    upstream.script = lasting(60);
    const [openai, native] = await Promise.all(
      paths.map((path) => reading(child.post(path, { model, messages, stream: true }, apiKey))),
    );
    upstream.script = () => {};
    const before = upstream.calls.length;
    const whole = child.post(chat, { model, messages }, apiKey);
    await expect.poll(() => upstream.calls.length).toBe(before + 1);

    child.signal('SIGTERM');
    const answer = await whole;
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { code: 'shutting_down' } });
    expect(JSON.parse(frames((await openai?.whole) ?? '').at(-1)?.data ?? '{}')).toMatchObject({
      error: { code: 'shutting_down' },
    });
    expect(JSON.parse(frames((await native?.whole) ?? '').at(-1)?.data ?? '{}')).toMatchObject({
      error: expect.stringMatching(/^Status 503: /),
    });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    for (const call of upstream.calls) await call.closed;

    const ids = [openai?.id ?? '', native?.id ?? '', answer.headers.get('x-request-id') ?? ''];
    const rows = await afterwards(ids);
    expect(rows.map((row) => [row['ending'], row['usage_source']])).toEqual([
      ['server_shutdown', 'counted'],
      ['server_shutdown', 'counted'],
      ['server_shutdown', 'none'],
    ]);
    expect(rows.map((row) => Number(row['charged']) > 0)).toEqual([true, true, false]);
  });

  test('a second one ends it at once', async () => {
    const child = await startChild({ dataDir: folder.path, env });
    const { apiKey } = await child.account('1.00');
    upstream.script = lasting(60);
    const stream = await reading(child.post(chat, { model, messages, stream: true }, apiKey));
    child.signal('SIGTERM');
    await expect.poll(async () => (await child.get('/readyz')).status, { interval: 10 }).toBe(503);
    expect(stream.text()).not.toContain('shutting_down');
    child.signal('SIGTERM');
    expect(await child.exited).toEqual({ code: 1, signal: null });
    await expect(stream.whole).rejects.toThrow();
  });
});

describe.skipIf(postgresUrl === null)('the database is away', () => {
  let database: Database;
  let proxy: Proxy;
  let child: Child;
  let apiKey: string;
  let accountId: string;

  beforeAll(async () => {
    database = await freshDatabase();
    proxy = await startProxy(database.url);
  });
  beforeEach(async () => {
    child = await startChild({
      dataDir: join(folder.path, 'a'),
      env: { ...env, INDOXHUB_DATABASE_URL: proxy.url, INDOXHUB_HEARTBEAT: '300ms' },
    });
    ({ apiKey, id: accountId } = await child.account('1.00'));
    // Its key is known to the gateway from here on: the next poll has seen the account's making.
    await pause(500);
    expect((await child.get('/api/v1/user/me', apiKey)).status).toBe(200);
  });
  afterEach(async () => {
    proxy.mode = 'up';
    expect((await child.stop()).code).toBe(0);
  });
  afterAll(async () => {
    await proxy.close();
    await database.drop();
  });

  const goAway = (): void => {
    proxy.mode = 'down';
    proxy.cut();
  };

  /** Streams a word, then waits until `go` for its end. */
  const waiting =
    (go: Promise<void>): Script =>
    async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(contentEvent('word '));
      await go;
      response.write(finishEvent());
      response.write(usageEvent({ prompt_tokens: 100, completion_tokens: 50 }));
      response.end('data: [DONE]\n\n');
    };

  /** Milliseconds until a call is served again. */
  async function recovered(): Promise<number> {
    const from = Date.now();
    upstream.script = answering(200, chatAnswer('back'));
    await expect
      .poll(async () => (await child.post(chat, { model, messages }, apiKey)).status, { timeout: 15_000 })
      .toBe(200);
    return Date.now() - from;
  }

  test.each(paths)('%s: a finished stream is settled once it is back, behind heartbeats', async (path) => {
    const go = Promise.withResolvers<void>();
    upstream.script = waiting(go.promise);
    const stream = await reading(child.post(path, { model, messages, stream: true }, apiKey));
    goAway();
    go.resolve();
    const beats = (): number =>
      stream
        .text()
        .split('\n')
        .filter((line) => line.startsWith(':')).length;
    const beatsBefore = beats();
    await expect.poll(beats, { timeout: 10_000 }).toBeGreaterThan(beatsBefore + 2);
    expect(stream.text()).not.toContain('[DONE]');

    // A known key and one never seen: neither is told that its key is wrong.
    const known = await child.post(chat, { model, messages }, apiKey);
    expect([known.status, known.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await known.json()).toMatchObject({ error: { code: 'ledger_unavailable' } });
    expect((await child.get('/readyz')).status).toBe(503);
    expect((await child.get('/healthz')).status).toBe(200);

    proxy.mode = 'up';
    expect(await recovered()).toBeLessThan(5000);
    expect(frames(await stream.whole).at(-1)?.data).toBe('[DONE]');
    // 100 × 0.15 + 50 × 0.60 US dollars per million
    expect(await rowOf(child, stream.id)).toMatchObject([
      { ending: 'completed', usage_source: 'provider', charged: '0.000045', account_id: accountId },
    ]);
    await expect
      .poll(() => child.admin('POST', '/ledger/verify'), { timeout: 5000 })
      .toMatchObject({ ok: true, open_holds: 0 });
  });

  test('a key never seen before is told 503, not 401; so is who wants to stop a stream', async () => {
    const other = await child.account('1.00');
    await pause(500);
    expect((await child.get('/api/v1/user/me', apiKey)).status).toBe(200);
    goAway();
    const answers = await Promise.all([
      child.post(chat, { model, messages }, other.apiKey),
      child.get('/api/v1/user/me', other.apiKey),
      child.post('/api/v1/chat/stop-stream/none', {}, other.apiKey),
      child.post('/api/v1/chat/stop-stream/none', {}, apiKey),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    expect(answers.map(({ headers }) => headers.get('retry-after'))).toEqual(['1', '1', '1', '1']);
    proxy.mode = 'up';
    expect(await recovered()).toBeLessThan(5000);
    expect((await child.get('/api/v1/user/me', other.apiKey)).status).toBe(200);
  });

  test('an answer that came while it was away is kept, and given once it is settled', async () => {
    const go = Promise.withResolvers<void>();
    upstream.script = async (call, response) => {
      await go.promise;
      return answering(200, chatAnswer('late'))(call, response);
    };
    const before = upstream.calls.length;
    const whole = child.post(chat, { model, messages }, apiKey);
    await expect.poll(() => upstream.calls.length).toBe(before + 1);
    goAway();
    go.resolve();
    await pause(1500);
    proxy.mode = 'up';
    const answer = await whole;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'late' } }] });
    expect(await rowOf(child, answer.headers.get('x-request-id') ?? '')).toMatchObject([
      { ending: 'completed', charged: '0.0000045' },
    ]);
    expect(await child.admin('POST', '/ledger/verify')).toMatchObject({ ok: true, open_holds: 0 });
  });

  test('an admission whose answer was lost is undone: nothing stays held', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    expect((await child.post(chat, { model, messages }, apiKey)).status).toBe(200);
    const before = upstream.calls.length;
    // The database does the work, its answer is lost, and then it is away.
    const answering503 = (async () => {
      for (let i = 0; i < 40; i++) {
        proxy.mode = 'lose';
        const pending = child.post(chat, { model, messages }, apiKey);
        while (proxy.mode === 'lose') await pause(1);
        goAway();
        const { status } = await pending;
        proxy.mode = 'up';
        if (status === 503) return true;
      }
      return false;
    })();
    expect(await answering503).toBe(true);
    await recovered();
    expect(upstream.calls.length).toBeGreaterThanOrEqual(before);
    await expect
      .poll(() => child.admin('POST', '/ledger/verify'), { timeout: 10_000 })
      .toMatchObject({ ok: true, open_holds: 0 });
  });
});
