/** What bad-input.test.ts does to chat, done to every other route that takes JSON and makes something. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { embedding } from '../fakes/embeddings.ts';
import { drawing } from '../fakes/images.ts';
import { speaking } from '../fakes/speech.ts';
import { fakeVideos } from '../fakes/videos.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { startUpstream, type Script, type Upstream } from '../upstream.ts';
import { pour } from './pour.ts';

type Json = Record<string, unknown>;

const maxBody = 1024 * 1024;
const text = { model: 'openai/text-embedding-3-small' };
const picture = { model: 'openai/dall-e-2', prompt: 'hi' };
const edit = { model: 'openai/gpt-image-1', prompt: 'hi', image: 'data:image/png;base64,AAAA' };
const sound = { model: 'openai/tts-1', input: 'hi' };
const film = { model: 'openai/sora-2', prompt: 'hi' };
/** Each with the field that holds its text. */
const routes: [string, Json, string][] = [
  ['/api/v1/embeddings', { ...text, text: 'hi' }, 'text'],
  ['/v1/embeddings', { ...text, input: 'hi' }, 'input'],
  ['/embeddings', { ...text, input: 'hi' }, 'input'],
  ['/api/v1/images/generations', picture, 'prompt'],
  ['/v1/images/generations', picture, 'prompt'],
  ['/images/generations', picture, 'prompt'],
  ['/v1/images/edits', edit, 'prompt'],
  ['/images/edits', edit, 'prompt'],
  ['/api/v1/audio/tts/generations', sound, 'input'],
  ['/v1/audio/speech', sound, 'input'],
  ['/audio/speech', sound, 'input'],
  ['/api/v1/videos/generations', film, 'prompt'],
  ['/v1/videos', film, 'prompt'],
];

let upstream: Upstream;
let gateway: TestGateway;
const films = fakeVideos(10_000).script;
const script: Script = (call, response) => {
  if (call.path.includes('/embeddings')) return embedding(call, response);
  if (call.path.includes('/videos')) return films(call, response);
  return (call.path.endsWith('/speech') ? speaking : drawing)(call, response);
};
beforeAll(async () => {
  upstream = await startUpstream(script);
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_MAX_BODY: String(maxBody),
      INDOXHUB_ALLOW_PRIVATE_URLS: 'on',
    },
  });
});
/** Jobs are sent when their time comes: a job that was taken would be in the answer. */
const served = (): number =>
  upstream.calls.filter(({ method, path }) => method === 'POST' && !path.includes('/videos')).length;
let before = 0;
const remember = (): void => {
  before = served();
};
afterEach(() => gateway.verify());
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

interface Problem {
  readonly status: number;
  readonly code: unknown;
  readonly param: unknown;
  readonly headers: string;
}
async function problemOf(answer: Response): Promise<Problem> {
  const { status } = answer;
  const headers = JSON.stringify([...answer.headers]);
  const json = (await answer.json()) as { error: unknown; details?: { param?: unknown } | null };
  if (typeof json.error !== 'object' || json.error === null)
    return { status, code: json.error, param: json.details?.param, headers };
  const { code, param } = json.error as { code: unknown; param: unknown };
  return { status, code, param, headers };
}
const raw = (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });

describe.each(routes)('%s', (path, body, field) => {
  const json = JSON.stringify(body);

  test('what is not one JSON object in UTF-8', async () => {
    remember();
    const bytes = (latin: string): Buffer => Buffer.from(latin, 'latin1');
    const cases: [string | Buffer, Record<string, string>, number, string][] = [
      [bytes('{"model":"\xff\xfe"}'), {}, 400, 'invalid_json'],
      [bytes('{"model":"\xed\xa0\x80"}'), {}, 400, 'invalid_json'],
      [`\ufeff${json}`, {}, 400, 'invalid_json'],
      ['', {}, 400, 'invalid_json'],
      ['{}{}', {}, 400, 'invalid_json'],
      ['[]', {}, 400, 'invalid_json'],
      ['"x"', {}, 400, 'invalid_json'],
      ['null', {}, 400, 'invalid_json'],
      [json.slice(0, -3), {}, 400, 'invalid_json'],
      [json, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
      [json, { 'content-type': 'application/xml' }, 415, 'unsupported_media_type'],
      [json, { 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_media_type'],
      [json, { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ];
    for (const [text, headers, status, code] of cases) {
      const problem = await problemOf(await raw(path, text, headers));
      expect([String(text).slice(0, 40), headers, problem.status, problem.code]).toEqual([
        String(text).slice(0, 40),
        headers,
        status,
        code,
      ]);
    }
    expect(served()).toBe(before);
  });

  test('bombs and names that change objects', async () => {
    remember();
    const rest = json.slice(1, -1);
    const many = (unit: string, count: number): string => unit.repeat(count);
    for (const bomb of [
      `{${rest},"x":${many('[', 64)}${many(']', 64)}}`,
      many('[', 900_000),
      many('{"a":', 200_000),
      `{${rest},"x":[${many('[],', 300_000)}[]]}`,
    ]) {
      const problem = await problemOf(await raw(path, bomb));
      expect([bomb.slice(0, 20), problem.status]).toEqual([bomb.slice(0, 20), 400]);
    }
    expect(served()).toBe(before);
    for (const evil of [
      `{"__proto__":{"polluted":1},${rest}}`,
      `{"constructor":{"prototype":{"polluted":1}},${rest}}`,
      `{"additional_params":{"__proto__":{"polluted":1}},${rest}}`,
    ]) {
      const answer = await raw(path, evil);
      expect(answer.status, evil).toBeLessThan(500);
      await answer.arrayBuffer();
    }
    expect(({} as Json)['polluted']).toBeUndefined();
    for (const call of upstream.calls) expect(call.body['polluted']).toBeUndefined();
  });

  // Chat's bodies are read by the same code; here its being used is shown.
  test.each([true, false])('one byte too many, and a gigabyte (in chunks: %s)', async (chunked) => {
    remember();
    const { status, text } = await pour(gateway.url, path, gateway.apiKey, maxBody + 1, chunked);
    expect(status).toBe(413);
    expect(text).toContain('body_too_large');
    const big = await pour(gateway.url, path, gateway.apiKey, 1024 ** 3, chunked);
    expect([big.status, big.closed]).toEqual([413, true]);
    expect(big.sent).toBeLessThan(maxBody + 16 * 1024 * 1024);
    expect(served()).toBe(before);
  });

  test('line ends and strange characters in what becomes a header: 400, and in no answer', async () => {
    remember();
    const evil = 'gpt\r\nX-Evil: yes';
    for (const change of [
      { model: `openai/${evil}` },
      { model: evil },
      { provider: evil, model: 'tts-1' },
      { byok_api_key: `sk-${evil}` },
      { byok_api_key: 'sk-é🦊' },
      { byok_api_key: 'k'.repeat(10_240) },
      { session_id: 7 },
      { model: 'm'.repeat(300) },
    ]) {
      const problem = await problemOf(await raw(path, JSON.stringify({ ...body, ...change })));
      expect([change, problem.status >= 400 && problem.status < 500]).toEqual([change, true]);
      expect(problem.headers).not.toMatch(/x-evil|sk-é|kkkkkkk/i);
    }
    const long = await problemOf(await raw(path, json, { 'idempotency-key': 'i'.repeat(256) }));
    expect([long.status, long.headers.includes('iiiiii')]).toEqual([400, false]);
    const cost = await problemOf(await raw(path, json, { 'x-indoxhub-max-cost': '-1' }));
    expect(cost.status).toBe(400);
    expect(served()).toBe(before);
  });

  test('fields of the wrong kind are named', async () => {
    remember();
    const cases: [string, string][] = [
      ['model', '7'],
      ['model', '{}'],
      [field, '7'],
      [field, 'null'],
      [field, '""'],
      [field, '{}'],
      ['max_cost', '-1'],
      ['max_cost', '1e999'],
      ['additional_params', '[]'],
      ['byok_api_key', '7'],
      ['provider', '7'],
      ...(path.includes('embeddings')
        ? ([
            ['dimensions', '0'],
            ['dimensions', '1.5'],
            ['dimensions', '"8"'],
            ['dimensions', '1e999'],
          ] as [string, string][])
        : []),
      ...(path.includes('images')
        ? ([
            ['n', '0'],
            ['n', '-1'],
            ['n', '1.5'],
            ['n', '10001'],
            ['n', '1e999'],
            ['size', '"1x1;rm"'],
            ['size', '"-1x5"'],
          ] as [string, string][])
        : []),
      ...(path.includes('audio')
        ? ([
            ['speed', '0.24'],
            ['speed', '4.01'],
            ['speed', '1e999'],
            ['speed', '"fast"'],
            ['response_format', '"exe"'],
          ] as [string, string][])
        : []),
      ...(path === '/api/v1/videos/generations'
        ? ([
            ['duration', '-1'],
            ['duration', '1e999'],
            ['n', '0'],
            ['size', '"1x1;rm"'],
            ['webhook_url', '"ftp://x"'],
          ] as [string, string][])
        : []),
      ...(path === '/v1/videos'
        ? ([
            ['seconds', '"-1"'],
            ['size', '"1x1;rm"'],
          ] as [string, string][])
        : []),
    ];
    for (const [name, value] of cases) {
      const { [name]: _, ...others } = body;
      const rest = JSON.stringify(others).slice(1, -1);
      const { status, param } = await problemOf(
        await raw(path, `{${rest},${JSON.stringify(name)}:${value}}`),
      );
      expect([name, value, status, String(param).split(/[.[]/)[0]]).toEqual([name, value, 400, name]);
    }
    expect(served()).toBe(before);
  });
});
