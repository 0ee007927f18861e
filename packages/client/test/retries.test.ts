/** Retries, time limits, per-call options and secrets, against a scripted server. */
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { errorTable, type ErrorRow } from '../../server/src/contract/errors.ts';
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  BadRequestError,
  IndoxHubError,
  RateLimitError,
  ServiceUnavailableError,
  type Logger,
} from '../src/index.ts';
import { errorClass } from '../src/errors.ts';
import { isWorthRetrying, pauseBefore } from '../src/retry.ts';
import { answering, failure, question, withServer, type Script } from './server.ts';

/** Failures first, then an answer. */
const after =
  (failures: readonly Script[], last: Script = answering(200, '{"data":"done"}')): Script =>
  (call, response) =>
    (left(failures, call.headers['x-test-run'] as string) ?? last)(call, response);
const runs = new Map<string, number>();
function left(failures: readonly Script[], run: string): Script | undefined {
  const at = runs.get(run) ?? 0;
  runs.set(run, at + 1);
  return failures[at];
}
const fast = { 'retry-after-ms': '1' };
let run = 0;
const fresh = (): { headers: Record<string, string> } => ({ headers: { 'x-test-run': `run ${++run}` } });

const body = (code: string, status: number): string =>
  JSON.stringify({ error: code, message: 'why', status_code: status, details: null, request_id: 'r-1' });
const apiError = (status: number, code: string, headers: Record<string, string> = {}): APIError =>
  new APIError('x', {
    status,
    code,
    headers: new Headers(headers),
    retryAfter: headers['retry-after'] === undefined ? null : Number(headers['retry-after']),
    requestId: null,
    details: null,
  });

describe('which', () => {
  test.each(Object.entries<ErrorRow>(errorTable))('%s as the table of the gateway says', (code, row) => {
    const isRetried = isWorthRetrying(apiError(row.status, code), true);
    expect(isRetried).toBe(row.retryable);
    expect(new (errorClass(row.status))('x', apiError(row.status, code))).toBeInstanceOf(APIError);
    expect(errorClass(row.status)).not.toBe(APIError);
  });

  test('x-should-retry wins, a far Retry-After is not waited for', () => {
    expect(isWorthRetrying(apiError(400, 'bad_request', { 'x-should-retry': 'true' }), true)).toBe(true);
    expect(isWorthRetrying(apiError(503, 'overloaded', { 'x-should-retry': 'false' }), true)).toBe(false);
    expect(isWorthRetrying(apiError(429, 'rate_limit_exceeded', { 'retry-after': '59' }), true)).toBe(true);
    expect(isWorthRetrying(apiError(429, 'rate_limit_exceeded', { 'retry-after': '61' }), true)).toBe(false);
    expect(isWorthRetrying(apiError(408, ''), true)).toBe(true);
    expect(isWorthRetrying(new APIConnectionError('x'), true)).toBe(true);
    expect(isWorthRetrying(new APIUserAbortError('x'), true)).toBe(false);
  });

  test('without a key, only what was surely not done is sent again', () => {
    expect(isWorthRetrying(new APIConnectionError('x'), false)).toBe(false);
    expect(isWorthRetrying(apiError(502, 'upstream_error'), false)).toBe(false);
    expect(isWorthRetrying(apiError(429, 'rate_limit_exceeded'), false)).toBe(true);
    expect(isWorthRetrying(apiError(503, 'overloaded'), false)).toBe(true);
  });

  test('pauses: half a second doubled to eight, less up to a quarter; or what the server says', () => {
    const pauses = (random: number): number[] =>
      [0, 1, 2, 3, 4, 9].map((at) => pauseBefore(at, null, () => random));
    expect(pauses(0)).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    expect(pauses(1)).toEqual([375, 750, 1500, 3000, 6000, 6000]);
    expect(pauseBefore(0, apiError(429, '', { 'retry-after': '7' }))).toBe(7000);
  });
});

describe('over the wire', () => {
  test('a POST is sent again with the same body and Idempotency-Key', async () => {
    const failures = [
      answering(503, body('overloaded', 503), fast),
      ((_, response) => void response.destroy()) satisfies Script,
    ];
    await withServer(after(failures), async (server, client) => {
      const answer = await client().chat(question('hi'), {}, { ...fresh(), maxRetries: 3 });
      expect(answer.data).toBe('done');
      expect(server.calls).toHaveLength(3);
      const keys = server.calls.map(({ headers }) => headers['idempotency-key']);
      expect(new Set(keys).size).toBe(1);
      expect(keys[0]).toMatch(/^indoxhub-[\da-f-]{36}$/);
      expect(new Set(server.calls.map(({ text }) => text)).size).toBe(1);
    });
  });

  test('a key of the caller is kept; null, or no retries, sends none; a GET has none', async () => {
    await withServer(answering(200, '{}'), async (server, client) => {
      await client().embeddings('a', {}, { idempotencyKey: 'mine' });
      await client().embeddings('a', {}, { idempotencyKey: null });
      await client().embeddings('a', {}, { maxRetries: 0 });
      await client().usage.retrieve();
      await client().embeddings('a');
      await client().embeddings('a');
      const keys = server.calls.map(({ headers }) => headers['idempotency-key']);
      expect(keys.slice(0, 4)).toEqual(['mine', undefined, undefined, undefined]);
      expect(keys[4]).not.toBe(keys[5]);
    });
  });

  test('without a key a POST that may have arrived is not sent again', async () => {
    await withServer(
      (_, response) => void response.destroy(),
      async (server, client) => {
        const call = client().embeddings('a', {}, { idempotencyKey: null });
        await failure(APIConnectionError, call);
        expect(server.calls).toHaveLength(1);
      },
    );
  });

  test('two retries by default, then the last error', async () => {
    await withServer(answering(503, body('overloaded', 503), fast), async (server, client) => {
      const error = await failure(ServiceUnavailableError, client().usage.retrieve());
      expect(error).toMatchObject({ status: 503, code: 'overloaded', requestId: 'r-1', retryAfter: 0.001 });
      expect(server.calls).toHaveLength(3);
      await failure(ServiceUnavailableError, client({ maxRetries: 1 }).usage.retrieve());
      expect(server.calls).toHaveLength(5);
      await failure(ServiceUnavailableError, client().usage.retrieve({}, { maxRetries: 0 }));
      expect(server.calls).toHaveLength(6);
    });
  });

  test('a half answer is asked for again', async () => {
    const half: Script = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"data":', () => response.destroy());
    };
    await withServer(after([half]), async (server, client) => {
      expect((await client().chat(question('hi'), {}, fresh())).data).toBe('done');
      expect(server.calls).toHaveLength(2);
    });
  });

  test('Retry-After as a date, and one too far away', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    const script = answering(429, body('rate_limit_exceeded', 429), { 'retry-after': date });
    await withServer(script, async (server, client) => {
      const error = await failure(RateLimitError, client().usage.retrieve());
      expect(error.retryAfter).toBeGreaterThan(3_500);
      expect(server.calls).toHaveLength(1);
    });
  });

  test('an aborted call is not sent again, and ends its pause', async () => {
    const slow = answering(503, body('overloaded', 503), { 'retry-after': '30' });
    await withServer(slow, async (server, client) => {
      const stopper = new AbortController();
      const call = client({
        logLevel: 'info',
        logger: { ...silent, info: () => stopper.abort() },
      }).usage.retrieve({}, { signal: stopper.signal });
      await failure(APIUserAbortError, call);
      expect(server.calls).toHaveLength(1);
      await failure(APIUserAbortError, client().usage.retrieve({}, { signal: AbortSignal.abort() }));
      expect(server.calls).toHaveLength(1);
    });
  });

  test('a time limit covers the whole answer, and an attempt that ran into it is repeated', async () => {
    const half: Script = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"data":');
    };
    for (const hang of [() => {}, half]) {
      await withServer(hang, async (server, client) => {
        const options = { timeout: 40, maxRetries: 1 };
        const error = await failure(APIConnectionTimeoutError, client(options).usage.retrieve());
        expect(error.message).toContain('40 ms');
        expect(server.calls).toHaveLength(2);
        const once = client().usage.retrieve({}, { timeout: 30, maxRetries: 0 });
        expect((await failure(APIConnectionTimeoutError, once)).message).toContain('30 ms');
      });
    }
  });

  test('a redirect is not followed, HTML is no answer', async () => {
    await withServer(answering(307, '', { location: 'http://127.0.0.1:9/' }), async (server, client) => {
      const error = await failure(IndoxHubError, client().usage.retrieve());
      expect(error.message).toContain('redirect');
      expect(server.calls).toHaveLength(1);
    });
    await withServer(answering(200, '<html>'), async (_, client) => {
      await failure(APIConnectionError, client().usage.retrieve());
    });
    await withServer(answering(502, '<html>Bad gateway</html>', fast), async (_, client) => {
      const error = await failure(APIError, client().usage.retrieve());
      expect(error).toMatchObject({ status: 502, code: null });
      expect(error.message).toContain('Bad gateway');
    });
  });
});

describe('options', () => {
  test('headers and query of the client and of the call; null removes', async () => {
    await withServer(answering(200, '{}'), async (server, client) => {
      const mine = client({
        defaultHeaders: { 'x-a': '1', 'x-b': '1', 'user-agent': 'mine/1' },
        defaultQuery: { q: 1, w: 'x' },
        fetchOptions: { keepalive: false },
      });
      const options = { headers: { 'x-b': null, 'x-c': '3' }, query: { w: null, e: true } };
      await mine.usage.retrieve({ start_date: '2026-01-01' }, options);
      const [call] = server.calls;
      expect(call?.headers).toMatchObject({
        'x-a': '1',
        'x-c': '3',
        'user-agent': 'mine/1',
        authorization: 'Bearer indox-secret0123456789',
      });
      expect(call?.headers['x-b']).toBeUndefined();
      expect(call?.path).toBe('/api/v1/user/usage?q=1&start_date=2026-01-01&e=true');
    });
  });

  test('a signal is let go of when the call is over', async () => {
    await withServer(answering(200, '{}'), async (_, client) => {
      const { signal } = new AbortController();
      await client().usage.retrieve({}, { signal });
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    });
  });

  test('a fetch of your own', async () => {
    await withServer(answering(200, '{}'), async (_, client) => {
      const seen: string[] = [];
      const mine = client({
        fetch: async (url, init) => {
          seen.push(url);
          return fetch(url, init);
        },
      });
      await mine.models.list();
      expect(seen[0]).toMatch(/\/api\/v1\/models$/);
    });
  });

  test('byokApiKey goes with calls of models only; the call wins', async () => {
    await withServer(answering(200, '{}'), async (server, client) => {
      const mine = client({ byokApiKey: 'sk-client-0123456789' });
      await mine.embeddings('a');
      await mine.embeddings('a', { byok_api_key: 'sk-call' });
      await mine.embeddings('a', { byok_api_key: null });
      await mine.videos.cancel('id');
      await mine.speechToText(new Blob(['x']));
      const keys = server.calls.slice(0, 4).map(({ body }) => body['byok_api_key']);
      expect(keys).toEqual(['sk-client-0123456789', 'sk-call', null, undefined]);
      expect(server.calls[4]?.text).toContain('sk-client-0123456789');
    });
  });
});

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {} };

describe('secrets', () => {
  test('are in no log line, no error and no printed client', async () => {
    const leak = JSON.stringify({
      error: 'byok_rejected',
      message: 'wrong: sk-byok-0123456789, indox-secret0123456789',
    });
    await withServer(answering(400, leak), async (_, client) => {
      const lines: unknown[] = [];
      const note = (...line: unknown[]): void => void lines.push(line);
      const logger = { error: note, warn: note, info: note, debug: note };
      const mine = client({ logger, logLevel: 'debug', byokApiKey: 'sk-byok-0123456789' });
      const error = await failure(BadRequestError, mine.chat(question('hi')));
      expect(error.message).toContain('wrong: ***');
      const all = `${inspect(lines, { depth: 9 })} ${inspect(error, { depth: 9 })} ${inspect(mine, { depth: 9, showHidden: true })}`;
      expect(lines.length).toBeGreaterThan(1);
      expect(all).not.toMatch(/sk-byok|secret0123/);
    });
    const lost = { apiKey: 'indox-secret0123456789', baseURL: 'http://127.0.0.1:9', maxRetries: 0 };
    const { IndoxHub } = await import('../src/index.ts');
    const failing = new IndoxHub({
      ...lost,
      fetch: async () => {
        throw new TypeError('headers: Bearer indox-secret0123456789');
      },
    });
    const error = await failure(APIConnectionError, failing.usage.retrieve());
    expect(inspect(error, { depth: 9 })).not.toContain('secret0123');
  });

  test('a key that cannot be a header is not quoted, spaces around one are dropped', async () => {
    await withServer(answering(200, '{}'), async (server, client) => {
      const error = await failure(IndoxHubError, client({ apiKey: 'indox-sec\nret' }).usage.retrieve());
      expect(error.message).toContain('authorization');
      expect(String(error.stack)).not.toContain('indox-sec');
      await client({ apiKey: ' indox-a\n' }).usage.retrieve();
      expect(server.calls[0]?.headers.authorization).toBe('Bearer indox-a');
      await client({ timeout: Infinity }).usage.retrieve();
    });
  });

  test('what looks like a key is in no line either, nor is a header with such a name', async () => {
    await withServer(answering(400, '{"message":"sk-unknown0123456789"}'), async (_, client) => {
      const lines: unknown[] = [];
      const logger = {
        ...silent,
        info: (...line: unknown[]) => void lines.push(line),
        debug: (...line: unknown[]) => void lines.push(line),
      };
      const mine = client({ logger, logLevel: 'debug', defaultHeaders: { 'x-api-key': 'plain-value' } });
      const error = await failure(BadRequestError, mine.chat(question('my key is sk-other0123456789')));
      expect(error.message).toBe('400 sk-***');
      expect(inspect(lines, { depth: 9 })).toContain('my key is sk-***');
      expect(inspect(lines, { depth: 9 })).not.toMatch(/plain-value|other0123/);
    });
  });

  test('a level leaves out what is below it', async () => {
    await withServer(answering(200, '{}'), async (_, client) => {
      const lines: string[] = [];
      const logger = { ...silent, debug: (line: string) => void lines.push(line) };
      await client({ logger, logLevel: 'info' }).usage.retrieve();
      expect(lines).toEqual([]);
      process.env['INDOXHUB_LOG'] = 'debug';
      await client({ logger }).usage.retrieve();
      delete process.env['INDOXHUB_LOG'];
      expect(lines).toHaveLength(2);
    });
  });
});
