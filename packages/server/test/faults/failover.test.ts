/** Several targets of one model: order, weight, circuits, the retry budget, and what is never tried twice. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, streaming, type Script, type Upstream } from '../upstream.ts';
import { sleep } from './raw.ts';

const messages = [{ role: 'user', content: 'Tell me something.' }];
const model = 'openai/gpt-4o-mini';
const well: Script = (call, response) =>
  call.body['stream'] === true
    ? streaming({ parts: ['hello'] })(call, response)
    : answering(200, chatAnswer('hello'))(call, response);
const down: Script = answering(503, '{"error":{"message":"down"}}');
let first: Upstream;
let second: Upstream;
let gateway: TestGateway;
let yaml: string;

beforeAll(async () => {
  first = await startUpstream(well);
  second = await startUpstream(well);
});
afterAll(async () => {
  await first.close();
  await second.close();
});

/** A gateway with clean circuits for every test. */
beforeEach(async () => {
  first.script = well;
  second.script = well;
  first.calls.length = 0;
  second.calls.length = 0;
  yaml = `
providers:
  one: { type: openai, base_url: "${first.url}", api_key: sk-one }
  two: { type: openai, base_url: "${second.url}", api_key: sk-two }
models:
  ${model}:
    targets:
      - { provider: one, model: gpt-a, order: 0 }
      - { provider: two, model: gpt-b, order: 1 }
  team/even:
    targets:
      - { provider: one, model: gpt-a, weight: 3 }
      - { provider: two, model: gpt-b, weight: 1 }
`;
  gateway = await startGateway({ yaml });
});
afterEach(async () => {
  await gateway.verify();
  expect((await gateway.admin('POST', '/ledger/verify'))['open_holds']).toBe(0);
  await gateway.close();
});

const ask = (more: object = {}, path = '/v1/chat/completions'): Promise<Response> =>
  gateway.post(path, { model, messages, ...more });

async function circuit(provider: string): Promise<unknown> {
  const { providers } = (await gateway.admin('GET', '/providers')) as {
    providers: { id: string; targets: { circuit: string }[] }[];
  };
  return providers.find(({ id }) => id === provider)?.targets[0]?.circuit;
}

/** `total` calls, so many at once; how many came to which status. */
async function load(total: number, atOnce: number, more: object = {}): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next++ < total) {
        const answer = await ask(more);
        await answer.arrayBuffer();
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      }
    }),
  );
  return statuses;
}

test('the lower order serves, with its own model and key', async () => {
  expect(await load(20, 5)).toEqual({ 200: 20 });
  expect([first.calls.length, second.calls.length]).toEqual([20, 0]);
  expect(first.calls[0]?.body['model']).toBe('gpt-a');
  expect(first.calls[0]?.headers.authorization).toBe('Bearer sk-one');
});

test('within one order by weight', async () => {
  expect(await load(400, 10, { model: 'team/even' })).toEqual({ 200: 400 });
  // 300 expected, standard deviation 8.7: six of them either way.
  expect(first.calls.length).toBeGreaterThan(247);
  expect(first.calls.length).toBeLessThan(353);
});

describe.each([
  ['whole', false],
  ['streamed', true],
])('one target fully down, %s', (_, stream) => {
  test('every call is served, at no more than 1.2 calls each; its circuit opens', async () => {
    first.script = down;
    const startedAt = performance.now();
    const opened = (async () => {
      while ((await circuit('one')) !== 'open') {
        if (performance.now() - startedAt > 5_000) return Infinity;
        await sleep(20);
      }
      return performance.now() - startedAt;
    })();
    expect(await load(200, 4, { stream })).toEqual({ 200: 200 });
    expect(await opened).toBeLessThan(2_000);
    expect(second.calls).toHaveLength(200);
    expect(first.calls.length + second.calls.length).toBeLessThanOrEqual(240);
    expect(second.calls[0]?.headers.authorization).toBe('Bearer sk-two');
    expect(second.calls[0]?.body['model']).toBe('gpt-b');
  });
});

test('a burst that finds a target down is served by the other', async () => {
  first.script = down;
  expect(await load(40, 40)).toEqual({ 200: 40 });
});

test('seldom called, a dead target is found out too', async () => {
  first.script = down;
  // Slower than the window of the circuit counts failures.
  for (let i = 0; i < 7; i++) {
    expect((await ask()).status).toBe(200);
    await sleep(550);
  }
  expect(first.calls.length).toBeLessThan(7);
});

test('all down: 502, then 503 with Retry-After and no more calls', async () => {
  first.script = down;
  second.script = down;
  const statuses = await load(60, 4);
  expect(Object.keys(statuses).sort()).toEqual(['502', '503']);
  const before = first.calls.length + second.calls.length;
  // Retries come to a fifth of the calls, above a small float for quiet times.
  expect(before).toBeLessThanOrEqual(60 + 10 + 12);
  const answer = await ask();
  expect(answer.status).toBe(503);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await answer.json()).toMatchObject({ error: { code: 'circuit_open' } });
  expect(first.calls.length + second.calls.length).toBe(before);
});

test('back through half open: one probe at a time, then all', async () => {
  first.script = down;
  await load(20, 4);
  expect(await circuit('one')).toBe('open');
  first.calls.length = 0;
  second.calls.length = 0;
  first.script = async (call, response) => {
    await sleep(150);
    await well(call, response);
  };
  await expect.poll(() => circuit('one'), { timeout: 3_000 }).toBe('half_open');
  expect(await load(10, 10)).toEqual({ 200: 10 });
  expect(first.calls).toHaveLength(1);
  expect(await circuit('one')).toBe('closed');
  first.script = well;
  expect(await load(10, 5)).toEqual({ 200: 10 });
  expect(first.calls).toHaveLength(11);
});

test('a probe that finds it still down costs its caller nothing and doubles the wait', async () => {
  first.script = down;
  await load(20, 4);
  await expect.poll(() => circuit('one'), { timeout: 3_000 }).toBe('half_open');
  first.calls.length = 0;
  expect(await load(5, 1)).toEqual({ 200: 5 });
  expect(first.calls).toHaveLength(1);
  await sleep(1_200);
  expect(await circuit('one')).toBe('open');
});

test('a single target: retries come to a fifth of the calls, above a small float', async () => {
  const refusing: Script = answering(500, '{"error":{"message":"x"}}');
  let calls = 0;
  // Two of three fail, so the circuit stays closed for most of the time.
  first.script = (call, response) => (calls++ % 3 === 0 ? well(call, response) : refusing(call, response));
  await load(100, 4, { model: 'one/gpt-4o-mini' });
  expect(first.calls.length).toBeLessThanOrEqual(100 + 10 + 20);
});

test('a failure before the first byte is retried once it helps, and billed once', async () => {
  let calls = 0;
  first.script = (call, response) => (calls++ === 0 ? void response.destroy() : well(call, response));
  for (const stream of [false, true]) {
    calls = 0;
    const answer = await ask({ stream, model: 'one/gpt-4o-mini' });
    expect(answer.status).toBe(200);
    await answer.text();
    expect(calls).toBe(2);
    expect(await gateway.row(answer.headers.get('x-request-id') ?? '')).toMatchObject({ attempts: 2 });
  }
  expect(await gateway.requests()).toHaveLength(2);
});

test('the key of one target is revoked: the other serves, its own circuit opens', async () => {
  first.script = answering(401, '{"error":{"message":"Incorrect API key provided"}}');
  expect(await load(30, 2)).toEqual({ 200: 30 });
  expect(second.calls).toHaveLength(30);
  expect(first.calls.length).toBeLessThanOrEqual(8);
});

test('429 moves on at once and leaves that key alone for as long as it asked', async () => {
  first.script = answering(429, '{}', { 'retry-after': '7' });
  expect(await load(20, 1)).toEqual({ 200: 20 });
  expect(first.calls).toHaveLength(1);
  expect(second.calls).toHaveLength(20);
});

test.each([400, 404, 413, 422])(
  '%i is the caller’s own: one call, no other target, circuit closed',
  async (status) => {
    first.script = answering(status, '{"error":{"message":"no"}}');
    for (let i = 0; i < 8; i++) {
      for (const stream of [false, true])
        expect((await ask({ stream })).status).toBe(status === 404 ? 404 : 400);
    }
    expect([first.calls.length, second.calls.length]).toEqual([16, 0]);
    expect(await circuit('one')).not.toBe('open');
  },
);

test('redirects are not followed and not tried elsewhere', async () => {
  first.script = answering(302, '', { location: second.url });
  expect((await ask()).status).toBe(502);
  expect(second.calls).toHaveLength(0);
});

test('after the first byte nothing is retried', async () => {
  first.script = streaming({ parts: ['one ', 'two '], ending: 'reset' });
  const answer = await ask({ stream: true });
  const text = await answer.text();
  expect(text).toContain('one ');
  expect(text).not.toContain('[DONE]');
  expect([first.calls.length, second.calls.length]).toEqual([1, 0]);
});

test('a caller’s own key goes to one target’s vendor and never falls back to the gateway’s', async () => {
  first.script = answering(401, '{"error":{"message":"Incorrect API key provided"}}');
  const answer = await ask({ byok_api_key: 'sk-callers-own' });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { code: 'byok_rejected' } });
  for (const call of [...first.calls, ...second.calls])
    expect(call.headers.authorization).toBe('Bearer sk-callers-own');
  expect(second.calls).toHaveLength(0);
});

test('one caller’s own key that is limited or broken closes nothing to the others', async () => {
  for (const status of [429, 401, 403, 402, 500]) {
    first.script = answering(status, '{}', { 'retry-after': '3600' });
    second.script = first.script;
    for (let i = 0; i < 8; i++) await (await ask({ byok_api_key: 'sk-callers-own' })).text();
  }
  first.script = well;
  first.calls.length = 0;
  expect((await ask()).status).toBe(200);
  expect(first.calls).toHaveLength(1);
});

test('a probe whose request cannot be sent frees its place', async () => {
  first.script = down;
  await load(20, 4);
  await expect.poll(() => circuit('one'), { timeout: 3_000 }).toBe('half_open');
  first.script = answering(400, '{"error":{"message":"no"}}');
  expect((await ask()).status).toBe(400);
  first.script = well;
  first.calls.length = 0;
  expect((await ask()).status).toBe(200);
  expect(first.calls).toHaveLength(1);
});
