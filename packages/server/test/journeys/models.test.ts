/** GET /api/v1/models…, /v1/models…: open to anybody, each in the shape of its prefix. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonOf, openScene, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const open = (path: string): Promise<Response> => fetch(scene.gateway.url + path, { redirect: 'error' });

const lists = [
  'text_completions',
  'embeddings',
  'image_generation',
  'text_to_speech',
  'speech_to_text',
  'video_generation',
];

test.each(['/api/v1/models', '/api/v1/models/'])(
  '%s: an array of providers, no key, no redirect',
  async (path) => {
    const answer = await open(path);
    expect(answer.status).toBe(200);
    const providers = (await answer.json()) as Json[];
    expect(Array.isArray(providers)).toBe(true);
    expect(providers.map((each) => each['id'])).toEqual(
      expect.arrayContaining(['openai', 'anthropic', 'google', 'local']),
    );
    for (const provider of providers) {
      expect(provider).toMatchObject({
        name: expect.any(String) as string,
        models: expect.any(Array) as unknown[],
      });
      for (const list of lists)
        expect(provider[list], `${String(provider['id'])}.${list}`).toBeInstanceOf(Array);
    }
  },
);

test('one provider, one of its lists, one model by id and by name', async () => {
  expect(await jsonOf(await open('/api/v1/models/openai'))).toMatchObject({ id: 'openai' });
  const chat = (await (await open('/api/v1/models/openai/text_completions')).json()) as Json[];
  expect(chat.some((each) => each['id'] === 'gpt-4o-mini')).toBe(true);
  const one = await jsonOf(await open('/api/v1/models/openai/gpt-4o-mini'));
  expect(one).toMatchObject({
    id: 'gpt-4o-mini',
    provider: 'openai',
    byok: true,
    max_tokens: expect.any(Number) as number,
    context_window: 128_000,
    pricing: { input: 0.00015, output: 0.0006, currency: 'USD', unit: '1K tokens' },
  });
  expect(one['capabilities']).toContain('chat');
  expect(
    await jsonOf(await open(`/api/v1/models/openai/${encodeURIComponent(String(one['modelName']))}`)),
  ).toMatchObject({ id: 'gpt-4o-mini' });
});

test('an id with slashes of its own is found whole and encoded', async () => {
  const together = await jsonOf(await open('/api/v1/models/together'));
  const id =
    (together['models'] as Json[]).map((each) => String(each['id'])).find((each) => each.includes('/')) ?? '';
  expect(id).toContain('/');
  expect((await jsonOf(await open(`/api/v1/models/together/${id}`)))['id']).toBe(id);
  expect((await jsonOf(await open(`/api/v1/models/together/${encodeURIComponent(id)}`)))['id']).toBe(id);
});

test('what does not exist is 404 in the words the Python client looks for', async () => {
  const provider = await open('/api/v1/models/nobody');
  expect(provider.status).toBe(404);
  expect((await jsonOf(provider))['detail']).toMatch(/provider/i);
  const model = await open('/api/v1/models/openai/no-such');
  expect(model.status).toBe(404);
  const { detail } = await jsonOf(model);
  expect(detail).toMatch(/model/i);
  expect(detail).not.toMatch(/provider/i);
});

test('/v1: OpenAI’s list; ids retrieve, plain and encoded', async () => {
  const list = (await jsonOf(await open('/v1/models'))) as { object: string; data: Json[] };
  expect(list.object).toBe('list');
  const ids = list.data.map((each) => String(each['id']));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toContain('openai/gpt-4o-mini');
  for (const each of list.data)
    expect(each).toMatchObject({
      object: 'model',
      created: expect.any(Number) as number,
      owned_by: expect.any(String) as string,
    });
  for (const id of ['openai/gpt-4o-mini', 'openai%2Fgpt-4o-mini', 'gpt-4o-mini'])
    expect((await open(`/v1/models/${id}`)).status, id).toBe(200);
  expect(await jsonOf(await open('/v1/models/openai/no-such'))).toMatchObject({
    error: { code: 'model_not_found', type: 'not_found_error', param: 'model' },
  });
});

test('every listed model is one the gateway resolves', async () => {
  const { data } = (await jsonOf(await open('/v1/models'))) as { data: { id: string }[] };
  const { models } = scene.gateway.running.gateway;
  const lost = data.filter(({ id }) => {
    try {
      return models.resolve(id, null, 'chat', { byok: true }).id !== id;
    } catch (error) {
      // A model of another capability, or a host without an address, says so; a lost one says not found.
      return /not found/.test(String(error));
    }
  });
  expect(lost).toEqual([]);
});

test('a listing is saved by its tag', async () => {
  const first = await open('/api/v1/models');
  const again = await fetch(`${scene.gateway.url}/api/v1/models`, {
    headers: { 'if-none-match': first.headers.get('etag') ?? '' },
  });
  expect(again.status).toBe(304);
});
