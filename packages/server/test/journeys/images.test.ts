/** POST /api/v1/images/generations, /v1/images/generations, /v1/images/edits. */
import OpenAI, { toFile } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { drawing, png } from '../fakes/images.ts';
import { partsOf } from '../fakes/transcriptions.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

const native = '/api/v1/images/generations';
const prompt = 'A fox 🦊';
const base64 = png.toString('base64');

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(drawing);
  const origin = upstream.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      XAI_API_KEY: 'x',
      XAI_BASE_URL: upstream.url,
      GEMINI_API_KEY: 'g',
      GEMINI_BASE_URL: origin,
      BFL_API_KEY: 'b',
      BFL_BASE_URL: origin,
      FAL_KEY: 'f',
      FAL_BASE_URL: origin,
      REPLICATE_API_TOKEN: 'r',
      REPLICATE_BASE_URL: upstream.url,
      STABILITY_API_KEY: 's',
      STABILITY_BASE_URL: origin,
    },
  });
});
afterEach(async () => {
  upstream.script = drawing;
  upstream.calls.length = 0;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const dataOf = (body: Json): Json[] => body['data'] as Json[];
const opened = async (url: unknown): Promise<[string | null, Buffer]> => {
  const answer = await fetch(String(url));
  return [answer.headers.get('content-type'), Buffer.from(await answer.arrayBuffer())];
};
const row = async (body: Json): Promise<Json> => gateway.row(String(body['request_id']));

test('a link of ours that opens, the vendor’s never handed on', async () => {
  const body = await jsonOf(
    await gateway.post(native, { model: 'openai/dall-e-3', prompt, size: '1024x1792', quality: 'hd' }),
  );
  expect(body).toMatchObject({
    success: true,
    provider: 'openai',
    usage: { cost: 0.12 },
    data: [{ revised_prompt: 'A better prompt', index: 0 }],
  });
  const [image] = dataOf(body);
  expect(image).not.toHaveProperty('b64_json');
  expect(String(image?.['url'])).toContain(`${gateway.url}/media/`);
  expect(await opened(image?.['url'])).toEqual(['image/png', png]);
  expect(await row(body)).toMatchObject({ endpoint: 'image', unit: 'images', quantity: 1, cost: '0.12' });
  expect(upstream.calls[0]?.body).toEqual({
    model: 'dall-e-3',
    prompt,
    n: 1,
    size: '1024x1792',
    quality: 'hd',
    response_format: 'url',
  });
});

test('base64 when asked, whatever the vendor gives; several, also of a model that makes one at a time', async () => {
  const body = await jsonOf(
    await gateway.post(native, { model: 'openai/dall-e-3', prompt, n: 3, response_format: 'b64_json' }),
  );
  expect(dataOf(body).map((image) => [image['b64_json'], 'url' in image])).toEqual(
    [1, 2, 3].map(() => [base64, false]),
  );
  expect(upstream.calls.length).toBe(3);
  expect((body['usage'] as Json)['cost']).toBe(0.12);
  expect(await row(body)).toMatchObject({ quantity: 3 });
});

test('gpt-image: bytes unless a link is asked for, billed by its tokens', async () => {
  const model = 'openai/gpt-image-1';
  const plain = await jsonOf(await gateway.post(native, { model, prompt, background: 'transparent' }));
  expect(dataOf(plain)[0]).toEqual({ b64_json: base64, index: 0 });
  expect((plain['usage'] as Json)['cost']).toBeCloseTo((8 * 5 + 12 * 10 + 1_056 * 40) / 1e6, 9);
  expect(upstream.calls[0]?.body).toEqual({ model: 'gpt-image-1', prompt, n: 1, background: 'transparent' });
  const linked = await jsonOf(await gateway.post(native, { model, prompt, response_format: 'url' }));
  expect(await opened(dataOf(linked)[0]?.['url'])).toEqual(['image/png', png]);
});

describe('OpenAI’s shape', () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

  test('its own client: generate', async () => {
    const answer = await client().images.generate({
      model: 'openai/dall-e-2',
      prompt,
      n: 2,
      size: '256x256',
    });
    expect(answer.data?.length).toBe(2);
    expect(await opened(answer.data?.[0]?.url)).toEqual(['image/png', png]);
    expect(answer.usage).toMatchObject({ cost: 0.032 });
  });

  test('its own client: edit with a mask', async () => {
    const image = await toFile(png, 'in.png', { type: 'image/png' });
    const mask = await toFile(png, 'mask.png', { type: 'image/png' });
    const answer = await client().images.edit({
      model: 'openai/gpt-image-1',
      prompt,
      image,
      mask,
      quality: 'high',
    });
    expect(answer.data?.[0]?.b64_json).toBe(base64);
    const parts = upstream.calls.flatMap(partsOf);
    expect(
      parts.filter(({ fileName }) => fileName !== null).map(({ name, body }) => [name, body.equals(png)]),
    ).toEqual([
      ['image', true],
      ['mask', true],
    ]);
    expect(parts.find(({ name }) => name === 'quality')?.body.toString()).toBe('high');
    expect(upstream.calls[0]?.path).toBe('/v1/images/edits');
  });

  test('many pictures stay in the order they were sent in, the largest first', async () => {
    const names = Array.from({ length: 8 }, (_, at) => `${at}.png`);
    const image = names.map(
      (name, at) => new File([png, Buffer.alloc(at === 0 ? 2_000_000 : 0)], name, { type: 'image/png' }),
    );
    for (let round = 0; round < 5; round++) {
      await client().images.edit({ model: 'openai/gpt-image-1', prompt, image });
      const parts = upstream.calls.splice(0).flatMap(partsOf);
      expect(parts.map(({ fileName }) => fileName).filter((name) => name !== null)).toEqual(names);
    }
  });

  test('an edit as JSON; pictures that are none', async () => {
    const body = {
      model: 'openai/gpt-image-1',
      prompt,
      images: [{ image_url: `data:image/png;base64,${base64}` }],
    };
    expect((await gateway.post('/v1/images/edits', body)).status).toBe(200);
    for (const image of ['https://example.com/x.png', 'x', 7]) {
      const refused = await gateway.post('/v1/images/edits', { ...body, images: [image] });
      expect([refused.status, await jsonOf(refused)]).toMatchObject([400, { error: { param: 'image' } }]);
    }
    const form = new FormData();
    form.append('prompt', prompt);
    form.append('image', new File(['no picture'], 'a.png'));
    const answer = await fetch(`${gateway.url}/v1/images/edits`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${gateway.apiKey}` },
    });
    expect([answer.status, await jsonOf(answer)]).toMatchObject([400, { error: { param: 'image' } }]);
  });
});

describe('vendors in their own wire', () => {
  test('xAI takes ratios', async () => {
    const body = await jsonOf(
      await gateway.post(native, {
        model: 'xai/grok-imagine-image',
        prompt,
        size: '1792x1024',
        style: 'vivid',
      }),
    );
    expect(upstream.calls[0]?.body).toEqual({
      model: 'grok-imagine-image',
      prompt,
      n: 1,
      aspect_ratio: '16:9',
      response_format: 'url',
    });
    expect((body['usage'] as Json)['cost']).toBe(0.02);
  });

  test('Imagen: ratio from the size, its own names, several at once', async () => {
    const prediction = { bytesBase64Encoded: base64, mimeType: 'image/png' };
    upstream.script = answering(200, JSON.stringify({ predictions: [prediction, prediction] }));
    const more = {
      size: '1024x1792',
      n: 2,
      negative_prompt: 'rain',
      person_generation: 'dont_allow',
      seed: 7,
    };
    const body = await jsonOf(
      await gateway.post(native, { model: 'google/imagen-4.0-generate-001', prompt, ...more }),
    );
    expect(dataOf(body).map((image) => image['b64_json'])).toEqual([base64, base64]);
    expect((body['usage'] as Json)['cost']).toBe(0.08);
    expect(upstream.calls[0]?.path).toBe('/v1beta/models/imagen-4.0-generate-001:predict');
    expect(upstream.calls[0]?.body).toEqual({
      instances: [{ prompt }],
      parameters: {
        sampleCount: 2,
        aspectRatio: '9:16',
        negativePrompt: 'rain',
        personGeneration: 'dont_allow',
        seed: 7,
      },
    });
    upstream.script = answering(200, JSON.stringify({ predictions: [{ raiFilteredReason: 'Unsafe.' }] }));
    const filtered = await gateway.post(native, { model: 'google/imagen-4.0-generate-001', prompt });
    expect([filtered.status, await jsonOf(filtered)]).toMatchObject([400, { message: 'Unsafe.' }]);
  });

  test('Gemini draws in a chat answer', async () => {
    const parts = [{ text: 'Here.' }, { inlineData: { mimeType: 'image/png', data: base64 } }];
    const usageMetadata = {
      promptTokenCount: 5,
      candidatesTokenCount: 1_290,
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1_290 }],
    };
    upstream.script = answering(200, JSON.stringify({ candidates: [{ content: { parts } }], usageMetadata }));
    const body = await jsonOf(
      await gateway.post(native, { model: 'google/gemini-2.5-flash-image', prompt, aspect_ratio: '16:9' }),
    );
    expect(dataOf(body)[0]?.['b64_json']).toBe(base64);
    expect((body['usage'] as Json)['cost']).toBeGreaterThan(0);
    expect(upstream.calls[0]?.body['generationConfig']).toEqual({
      responseModalities: ['TEXT', 'IMAGE'],
      imageConfig: { aspectRatio: '16:9' },
    });
  });

  test('Black Forest Labs: asked for, polled where it says', async () => {
    let polls = 0;
    upstream.script = (call, response) => {
      const origin = `http://${call.headers.host ?? ''}`;
      if (call.method === 'POST')
        return answering(200, JSON.stringify({ id: 'j1', polling_url: `${origin}/v1/get_result?id=j1` }))(
          call,
          response,
        );
      if (call.path === '/result.png') return drawing(call, response);
      polls++;
      return answering(
        200,
        JSON.stringify(
          polls < 2 ? { status: 'Pending' } : { status: 'Ready', result: { sample: `${origin}/result.png` } },
        ),
      )(call, response);
    };
    const body = await jsonOf(
      await gateway.post(native, { model: 'bfl/flux-pro-1.1', prompt, size: '768x1024', style: 'vivid' }),
    );
    expect(await opened(dataOf(body)[0]?.['url'])).toEqual(['image/png', png]);
    expect(upstream.calls[0]?.body).toEqual({ prompt, width: 768, height: 1024 });
    expect(upstream.calls.slice(0, 3).map(({ headers }) => headers['x-key'])).toEqual(['b', 'b', 'b']);
    // The picture itself is fetched without the key.
    expect(upstream.calls.at(-1)?.headers['x-key']).toBeUndefined();
    expect((body['usage'] as Json)['cost']).toBe(0.04);
  });

  test('a poll address that is not the vendor’s gets no key', async () => {
    upstream.script = answering(200, JSON.stringify({ id: 'j1', polling_url: 'https://evil.example/steal' }));
    expect((await gateway.post(native, { model: 'bfl/flux-dev', prompt })).status).toBe(502);
  });

  test('fal: a path a model', async () => {
    upstream.script = (call, response) =>
      call.path === '/result.png'
        ? drawing(call, response)
        : answering(
            200,
            JSON.stringify({ images: [{ url: `http://${call.headers.host ?? ''}/result.png` }] }),
          )(call, response);
    const body = await jsonOf(
      await gateway.post(native, {
        model: 'fal/fal-ai/flux/schnell',
        prompt,
        size: '512x512',
        additional_params: { num_inference_steps: 4 },
      }),
    );
    expect(upstream.calls[0]?.path).toBe('/fal-ai/flux/schnell');
    expect(upstream.calls[0]?.headers['authorization']).toBe('Key f');
    expect(upstream.calls[0]?.body).toEqual({
      prompt,
      num_images: 1,
      image_size: { width: 512, height: 512 },
      num_inference_steps: 4,
    });
    expect((body['usage'] as Json)['cost']).toBe(0.003);
  });

  test('Replicate: a prediction until it is over', async () => {
    upstream.script = (call, response) => {
      if (call.path === '/result.png') return drawing(call, response);
      const done = {
        id: 'p1',
        status: 'succeeded',
        output: [`http://${call.headers.host ?? ''}/result.png`],
      };
      return answering(
        200,
        JSON.stringify(call.method === 'POST' ? { id: 'p1', status: 'processing' } : done),
      )(call, response);
    };
    const body = await jsonOf(
      await gateway.post(native, {
        model: 'replicate/black-forest-labs/flux-schnell',
        prompt,
        aspect_ratio: '3:2',
      }),
    );
    expect(await opened(dataOf(body)[0]?.['url'])).toEqual(['image/png', png]);
    expect(upstream.calls[0]?.path).toBe('/v1/models/black-forest-labs/flux-schnell/predictions');
    expect(upstream.calls[0]?.body).toEqual({ input: { prompt, aspect_ratio: '3:2' } });
    expect((body['usage'] as Json)['cost']).toBe(0.003);
  });

  test('Stability: a form in, base64 out', async () => {
    upstream.script = answering(200, JSON.stringify({ image: base64, finish_reason: 'SUCCESS', seed: 1 }));
    const body = await jsonOf(
      await gateway.post(native, {
        model: 'stability/sd3.5-large',
        prompt,
        n: 2,
        seed: 5,
        aspect_ratio: '16:9',
      }),
    );
    expect(dataOf(body).length).toBe(2);
    const fields = upstream.calls.map((call) =>
      Object.fromEntries(partsOf(call).map(({ name, body: value }) => [name, value.toString()])),
    );
    expect(fields.map(({ seed, model }) => `${seed} ${model}`).toSorted((x, y) => (x < y ? -1 : 1))).toEqual([
      '5 sd3.5-large',
      '6 sd3.5-large',
    ]);
    expect(fields[0]).toMatchObject({ prompt, aspect_ratio: '16:9' });
    expect((body['usage'] as Json)['cost']).toBe(0.13);
  });
});

test.each([
  [{ prompt: '' }, 'prompt'],
  [{ n: 0 }, 'n'],
  [{ n: 11 }, 'n'],
  [{ size: 'big' }, 'size'],
  [{ aspect_ratio: '16x9' }, 'aspect_ratio'],
  [{ response_format: 'gif' }, 'response_format'],
  [{ output_compression: 101 }, 'output_compression'],
  [{ person_generation: 'maybe' }, 'person_generation'],
  [{ model: 'openai/gpt-4o' }, 'model'],
])('%j is a 400 that names %s', async (change, param) => {
  const answer = await gateway.post(native, { model: 'openai/dall-e-3', prompt, ...change });
  expect([answer.status, ((await jsonOf(answer)) as { details: Json }).details['param']]).toEqual([
    400,
    param,
  ]);
  expect(upstream.calls).toEqual([]);
});

test('what is no picture is a 502, and nothing is charged', async () => {
  const { apiKey, id } = await gateway.account('1.00');
  for (const data of [
    [],
    [{}],
    [{ b64_json: '' }],
    [{ b64_json: Buffer.from('<svg/>').toString('base64') }],
  ]) {
    upstream.script = answering(200, JSON.stringify({ data }));
    expect((await gateway.post(native, { model: 'openai/dall-e-2', prompt }, apiKey)).status).toBe(502);
    expect((await gateway.requests(id))[0]).toMatchObject({ charged: '0.00' });
  }
});

test('a capped account: 402 before the call; a size without a price is unknown', async () => {
  const poor = await gateway.account('0.03');
  expect((await gateway.post(native, { model: 'openai/dall-e-3', prompt }, poor.apiKey)).status).toBe(402);
  const odd = await gateway.post(native, { model: 'openai/dall-e-3', prompt, size: '123x456' }, poor.apiKey);
  expect([odd.status, (await jsonOf(odd))['error']]).toEqual([402, 'price_unknown']);
  expect(upstream.calls).toEqual([]);
  const rich = await gateway.account('0.04');
  expect((await gateway.post(native, { model: 'openai/dall-e-3', prompt }, rich.apiKey)).status).toBe(200);
});

test('a repeat under one Idempotency-Key is the same picture, drawn once', async () => {
  const key = { 'idempotency-key': 'draw-once' };
  const body = { model: 'openai/gpt-image-1', prompt };
  const first = await (await gateway.post(native, body, undefined, key)).text();
  const again = await gateway.post(native, body, undefined, key);
  expect([await again.text(), upstream.calls.length]).toEqual([first, 1]);
});

test('a model of a provider without its key: a 400 that names the variable, as for a key the Python client lost', async () => {
  const bare = await startGateway();
  const answer = await bare.post(native, { model: 'openai/gpt-image-1', prompt });
  expect([answer.status, String((await jsonOf(answer))['detail'])]).toEqual([
    400,
    expect.stringContaining('OPENAI_API_KEY'),
  ]);
  await bare.close();
});
