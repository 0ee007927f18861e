/** Prices of units that the configuration sets: charged over HTTP, for models of the catalogue and for models of one's own. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { drawing } from './fakes/images.ts';
import { speaking } from './fakes/speech.ts';
import { transcribing, wavOf } from './fakes/transcriptions.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { jsonOf, type Json } from './journeys/client.ts';
import { startUpstream, type Script, type Upstream } from './upstream.ts';

const yaml = `models:
  openai/tts-1: { unit_prices: { unit: character, price: 0.001 } }
  openai/whisper-1: { unit_prices: { unit: audio_second, price: 0.01, minimum: 5, step: 2 } }
  openai/dall-e-2:
    unit_prices:
      unit: image
      price: 0.5
      rows: [{ size: 256x256, price: 0.25 }]
  openai/gpt-4o-mini-tts: { prices: { input: 1, output: 2 } }
  mine/voice:
    targets: [{ provider: own, model: v1 }]
    unit_prices: { unit: character, price: 0.002 }
  mine/free: { targets: [{ provider: own, model: v2 }] }
providers:
  own: { type: openai-compatible, api_key: x, base_url: BASE }
`;

let upstream: Upstream;
let gateway: TestGateway;
const script: Script = (call, response) => {
  if (call.path.endsWith('/speech')) return speaking(call, response);
  return (call.path.includes('/audio/') ? transcribing : drawing)(call, response);
};
beforeAll(async () => {
  upstream = await startUpstream(script);
  gateway = await startGateway({
    yaml: yaml.replace('BASE', upstream.url),
    env: { OPENAI_API_KEY: 'sk', OPENAI_BASE_URL: upstream.url, INDOXHUB_ALLOW_PRIVATE_URLS: 'on' },
  });
});
afterEach(() => gateway.verify());
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const speak = async (model: string, apiKey = gateway.apiKey): Promise<Json> =>
  jsonOf(await gateway.post('/api/v1/audio/tts/generations', { model, input: '12345678' }, apiKey));
const costOf = (body: Json): unknown => (body['usage'] as Json | undefined)?.['cost'];

test('a character, of the catalogue’s model and of one’s own', async () => {
  expect(costOf(await speak('openai/tts-1'))).toBe(0.008);
  const body = await speak('mine/voice');
  expect(costOf(body)).toBe(0.016);
  expect(await gateway.row(String(body['request_id']))).toMatchObject({
    unit: 'characters',
    quantity: 8,
    cost: '0.016',
    model: 'voice',
  });
});

test('a picture, by its size', async () => {
  const draw = async (size: string, n: number): Promise<unknown> =>
    costOf(
      await jsonOf(
        await gateway.post('/api/v1/images/generations', { model: 'openai/dall-e-2', prompt: 'x', size, n }),
      ),
    );
  expect(await draw('256x256', 2)).toBe(0.5);
  expect(await draw('512x512', 1)).toBe(0.5);
});

test('a second of sound, with a least and in steps', async () => {
  const hear = async (seconds: number): Promise<unknown> => {
    const form = new FormData();
    form.append('model', 'openai/whisper-1');
    form.append('file', new File([new Uint8Array(wavOf(seconds))], 'a.wav'));
    const headers = { authorization: `Bearer ${gateway.apiKey}` };
    const url = `${gateway.url}/api/v1/audio/stt/transcriptions`;
    return costOf(await jsonOf(await fetch(url, { method: 'POST', body: form, headers })));
  };
  expect(await hear(1)).toBe(0.06);
  expect(await hear(7)).toBe(0.08);
});

test('what is held and refused follows from them; without any the price is unknown', async () => {
  const { apiKey, id } = await gateway.account('0.020');
  expect(costOf(await speak('mine/voice', apiKey))).toBe(0.016);
  expect(await speak('mine/voice', apiKey)).toMatchObject({ error: 'insufficient_credits' });
  expect(await speak('mine/free', apiKey)).toMatchObject({ error: 'price_unknown' });
  expect((await gateway.requests(id)).map(({ charged }) => charged)).toContain('0.016');
});

test('prices of tokens alone put those of units away, and the listing says whose they are', async () => {
  const body = await speak('openai/gpt-4o-mini-tts');
  expect(await gateway.row(String(body['request_id']))).toMatchObject({ usage_source: 'counted' });
  const model = await jsonOf(await gateway.get('/api/v1/models/openai/tts-1'));
  expect(JSON.stringify(model)).not.toContain('platform.openai.com');
});
