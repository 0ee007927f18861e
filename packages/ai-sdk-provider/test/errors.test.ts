/** Which of the gateway's errors the AI SDK tries again: those of its table, on both surfaces. */
import { generateText } from 'ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorTable, GatewayError, type ErrorCode } from '../../server/src/contract/errors.ts';
import { encodeNativeError } from '../../server/src/dialects/native/errors.ts';
import { encodeOpenaiError } from '../../server/src/dialects/openai/errors.ts';
import { errorHeaders } from '../../server/src/http/headers.ts';
import { model, openScene, type Scene } from '../../server/test/journeys/client.ts';
import { createIndoxHub } from '../src/index.ts';
import { errorStructure } from '../src/request.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene.gateway.verify();
  await scene.close();
});

test.each(Object.keys(errorTable) as ErrorCode[])('%s', (code) => {
  const error = new GatewayError(code, 'A sentence.');
  for (const isOpenai of [true, false]) {
    const text = isOpenai ? encodeOpenaiError(error) : encodeNativeError(error, 'id');
    const body = errorStructure.errorSchema.parse(JSON.parse(text));
    const answer = new Response(text, { status: error.status, headers: errorHeaders(error, isOpenai) });
    expect(errorStructure.errorToMessage(body)).toBe('A sentence.');
    expect(errorStructure.isRetryable(answer, body)).toBe(errorTable[code].retryable);
  }
});

test('what is no gateway’s answer is judged by its status', () => {
  const statuses = [400, 404, 408, 429, 500, 502, 504].map((status) => new Response('', { status }));
  expect(statuses.map((answer) => errorStructure.isRetryable(answer))).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
    true,
  ]);
});

test('under an Idempotency-Key a repeated call is paid once', async () => {
  const { id, apiKey } = await scene.gateway.account(null);
  const indoxhub = createIndoxHub({ apiKey, baseURL: scene.gateway.url });
  const call = () =>
    generateText({ model: indoxhub(model), prompt: 'Hello', headers: { 'Idempotency-Key': 'ai-sdk-1' } });
  const [first, second] = [await call(), await call()];
  expect(second.text).toBe(first.text);
  expect(await scene.gateway.requests(id)).toHaveLength(1);
});
