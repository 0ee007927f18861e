/** Idempotency-Key: the same request again is the same answer, and is paid once. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failing, jsonOf, model, openScene, say, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

let count = 0;
const newKey = (): string => `key-${++count}`;
const send = (
  key: string,
  body: Json,
  path = '/api/v1/chat/completions',
  apiKey?: string,
): Promise<Response> =>
  scene.gateway.post(path, { model, messages: say('Hello'), ...body }, apiKey, { 'idempotency-key': key });

const paths = ['/api/v1/chat/completions', '/v1/chat/completions'];

describe.each(paths)('%s', (path) => {
  test('again: the same bytes, said to be a replay, paid once', async () => {
    const key = newKey();
    const { id, apiKey } = await scene.gateway.account('1.00');
    const before = scene.upstream.calls.length;
    const first = await send(key, {}, path, apiKey);
    const firstText = await first.text();
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    const again = await send(key, {}, path, apiKey);
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('x-request-id')).toBe(first.headers.get('x-request-id'));
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(await again.text()).toBe(firstText);
    expect(scene.upstream.calls.length - before).toBe(1);
    expect(await scene.gateway.requests(id)).toHaveLength(1);
  });

  test('a stream again: the same frames from beginning to end', async () => {
    const key = newKey();
    const before = scene.upstream.calls.length;
    const first = await send(key, { stream: true }, path);
    const firstText = await first.text();
    const again = await send(key, { stream: true }, path);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await again.text()).toBe(firstText);
    expect(firstText.trimEnd().endsWith('[DONE]')).toBe(true);
    expect(scene.upstream.calls.length - before).toBe(1);
  });

  test('fifty at once: one call upstream, one answer, the rest told to come back', async () => {
    const key = newKey();
    const { id, apiKey } = await scene.gateway.account('1.00');
    const before = scene.upstream.calls.length;
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(key, {}, path, apiKey)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(scene.upstream.calls.length - before).toBe(1);
    expect(await scene.gateway.requests(id)).toHaveLength(1);
    const good = texts.filter((_, at) => answers[at]?.status === 200);
    expect(good.length).toBeGreaterThan(0);
    expect(new Set(good).size).toBe(1);
    for (const [at, answer] of answers.entries()) {
      if (answer.status === 200) continue;
      expect(answer.status).toBe(409);
      expect(answer.headers.get('retry-after')).not.toBeNull();
      expect(texts[at]).toContain('idempotency_in_progress');
    }
    expect(await (await send(key, {}, path, apiKey)).text()).toBe(good[0]);
  });

  test('with another body: 409, nothing sent', async () => {
    const key = newKey();
    await (await send(key, {}, path)).text();
    const before = scene.upstream.calls.length;
    const answer = await send(key, { temperature: 0.1 }, path);
    expect(answer.status).toBe(409);
    expect(await answer.text()).toContain('idempotency_mismatch');
    expect(scene.upstream.calls.length).toBe(before);
  });
});

test('the same key on another path is another request', async () => {
  const key = newKey();
  await (await send(key, {})).text();
  expect((await send(key, {}, '/v1/chat/completions')).status).toBe(409);
});

test('another account’s key of the same name is its own', async () => {
  const key = newKey();
  const other = await scene.gateway.account(null);
  const first = await jsonOf(await send(key, {}));
  const answer = await send(key, {}, '/api/v1/chat/completions', other.apiKey);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('idempotent-replayed')).toBeNull();
  expect((await jsonOf(answer))['request_id']).not.toBe(first['request_id']);
});

test('two keys of one account share it', async () => {
  const key = newKey();
  const { id, apiKey } = await scene.gateway.account(null);
  const { api_key: more } = (await scene.gateway.admin('POST', '/keys', {
    account_id: id,
    name: 'more',
  })) as { api_key: string };
  await (await send(key, {}, '/api/v1/chat/completions', apiKey)).text();
  expect((await send(key, {}, '/api/v1/chat/completions', more)).headers.get('idempotent-replayed')).toBe(
    'true',
  );
});

test('a failure is not kept: the same key may be tried again', async () => {
  const key = newKey();
  const before = scene.upstream.calls.length;
  const failed = (): Promise<Response> => send(key, { model: failing, messages: say('[status 500]') });
  expect((await failed()).status).toBe(502);
  expect((await failed()).status).toBe(502);
  expect(scene.upstream.calls.length - before).toBe(2);
});

test('a bad request spends no key', async () => {
  const key = newKey();
  expect((await send(key, { temperature: 9 })).status).toBe(400);
  expect((await send(key, {})).status).toBe(200);
});

test('who left is answered when it asks again', async () => {
  const key = newKey();
  const before = scene.upstream.calls.length;
  const abort = new AbortController();
  const { script } = scene.upstream;
  const ready = Promise.withResolvers<void>();
  scene.upstream.script = async (call, response) => {
    await ready.promise;
    return script(call, response);
  };
  const headers = { 'idempotency-key': key };
  const pending = scene.gateway.post(
    '/api/v1/chat/completions',
    { model, messages: say('Hello') },
    undefined,
    headers,
    abort.signal,
  );
  while (scene.upstream.calls.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
  abort.abort();
  await expect(pending).rejects.toThrow();
  ready.resolve();
  scene.upstream.script = script;
  await expect.poll(async () => (await send(key, {})).status).toBe(200);
  expect(scene.upstream.calls.length - before).toBe(1);
});

test.each(['x'.repeat(256), 'ü'])('a key that is none is a 400 that names the header', async (key) => {
  const answer = await send(key, {});
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain('idempotency-key');
});
