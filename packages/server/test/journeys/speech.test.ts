/** POST /api/v1/audio/tts/generations, /v1/audio/speech. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { soundOf, speaking } from '../fakes/speech.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

const model = 'openai/tts-1';
const native = '/api/v1/audio/tts/generations';
const input = 'Grüße 🌍, spoken.';

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(speaking);
  const origin = upstream.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      ELEVENLABS_API_KEY: 'xi',
      ELEVENLABS_BASE_URL: origin,
      DEEPGRAM_API_KEY: 'dg',
      DEEPGRAM_BASE_URL: origin,
      GEMINI_API_KEY: 'g',
      GEMINI_BASE_URL: origin,
      MISTRAL_API_KEY: 'm',
      MISTRAL_BASE_URL: upstream.url,
      INDOXHUB_IDLE_TIMEOUT: '2s',
    },
  });
});
afterEach(async () => {
  upstream.script = speaking;
  upstream.calls.length = 0;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});
const until = async (done: () => unknown): Promise<void> => {
  for (let tries = 0; tries < 400 && !done(); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('the native answer: a link that a plain GET opens', async () => {
  const answer = await jsonOf(await gateway.post(native, { model, input, voice: 'nova' }));
  const { data } = answer as { data: Json };
  expect(answer).toMatchObject({
    success: true,
    provider: 'openai',
    model: 'tts-1',
    usage: { characters: 16, tokens_total: 0, cost: 0.00024 },
    data: { format: 'mp3', content_type: 'audio/mpeg', voice: 'nova', audio_url: data['url'] },
  });
  const sound = await fetch(String(data['audio_url']));
  expect(sound.headers.get('content-type')).toBe('audio/mpeg');
  expect(Buffer.from(await sound.arrayBuffer())).toEqual(soundOf(input));
  expect(await gateway.row(String(answer['request_id']))).toMatchObject({
    endpoint: 'tts',
    unit: 'characters',
    quantity: 16,
    cost: '0.00024',
  });
  expect(upstream.calls[0]?.body).toEqual({ model: 'tts-1', input, voice: 'nova', response_format: 'mp3' });
});

test('instructions, speed, format and extras travel; blank instructions do not', async () => {
  const more = { instructions: '  ', speed: 1.5, response_format: 'flac', additional_params: { x: 1 } };
  await gateway.post(native, { model, input, ...more });
  await gateway.post(native, { model, input, instructions: 'Whisper.' });
  expect(upstream.calls.map(({ body }) => body)).toEqual([
    { model: 'tts-1', input, voice: 'alloy', response_format: 'flac', speed: 1.5, x: 1 },
    { model: 'tts-1', input, voice: 'alloy', response_format: 'mp3', instructions: 'Whisper.' },
  ]);
});

describe('OpenAI’s shape', () => {
  test('its own client gets the bytes as they come', async () => {
    const client = new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const speech = await client.audio.speech.create({ model, input, voice: 'alloy' });
    expect(speech.headers.get('content-type')).toBe('audio/mpeg');
    expect(Buffer.from(await speech.arrayBuffer())).toEqual(soundOf(input));
    const row = await gateway.row(speech.headers.get('x-request-id') ?? '');
    expect(row).toMatchObject({ ending: 'completed', quantity: 16, cost: '0.00024' });
    expect(row['first_byte_ms']).not.toBeNull();
  });

  test('the first bytes arrive before the last exist', async () => {
    const answer = await gateway.post('/v1/audio/speech', { model, input: '[forever]' });
    const reader = answer.body?.getReader();
    expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
    await reader?.cancel();
    expect(await upstream.calls[0]?.closed).toBeGreaterThan(0);
    const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
    expect(row).toMatchObject({ ending: 'client_cancelled', http_status: 499, cost: '0.000135' });
  });

  test('a vendor that breaks off is never a clean end', async () => {
    const answer = await gateway.post('/v1/audio/speech', { model, input: '[break] x'.repeat(20) });
    expect(answer.status).toBe(502);
    upstream.script = async (_, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' });
      response.write(Buffer.alloc(1_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.write(Buffer.alloc(1_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.destroy();
    };
    const part = await gateway.post('/v1/audio/speech', { model, input });
    expect(part.status).toBe(200);
    await expect(part.arrayBuffer()).rejects.toThrow();
    expect(await gateway.row(part.headers.get('x-request-id') ?? '')).toMatchObject({
      ending: 'upstream_error',
      error_code: 'upstream_error',
    });
  });

  test('a vendor that falls silent is cut by the idle timeout', async () => {
    upstream.script = async (_, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' });
      response.write(Buffer.alloc(1_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.write(Buffer.alloc(1_000));
    };
    const part = await gateway.post('/v1/audio/speech', { model, input });
    await expect(part.arrayBuffer()).rejects.toThrow();
    expect(await gateway.row(part.headers.get('x-request-id') ?? '')).toMatchObject({ ending: 'timeout' });
  });

  test('a slow reader pauses the vendor', async () => {
    let written = 0;
    let finished = false;
    upstream.script = async (_, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' });
      for (let piece = 0; piece < 400 && !response.destroyed; piece++) {
        written += 65_536;
        if (!response.write(Buffer.alloc(65_536)))
          await new Promise((resolve) => response.once('drain', resolve));
      }
      finished = true;
      response.end();
    };
    const call = httpRequest(`${gateway.url}/v1/audio/speech`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json' },
    });
    call.end(JSON.stringify({ model, input }));
    const response = await new Promise<IncomingMessage>((resolve) => call.once('response', resolve));
    response.pause();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(finished).toBe(false);
    expect(written).toBeLessThan(20 * 2 ** 20);
    let read = 0;
    response.on('data', (chunk: Buffer) => (read += chunk.length));
    response.resume();
    await new Promise((resolve) => response.once('end', resolve));
    expect(read).toBe(400 * 65_536);
  });
});

test.each(['[empty]', '[words]'])('%s instead of sound is a 502, and nothing is charged', async (text) => {
  for (const path of [native, '/v1/audio/speech']) {
    const { apiKey, id } = await gateway.account('1.00');
    const answer = await gateway.post(path, { model: 'openai/tts-1-hd', input: text }, apiKey);
    expect(answer.status).toBe(502);
    expect((await gateway.requests(id))[0]).toMatchObject({
      error_code: 'upstream_malformed',
      charged: '0.00',
    });
  }
});

test.each([
  [{}, 'input'],
  [{ input: '' }, 'input'],
  [{ input: 'x', speed: 0.2 }, 'speed'],
  [{ input: 'x', speed: 5 }, 'speed'],
  [{ input: 'x', response_format: 'midi' }, 'response_format'],
  [{ input: 'x', voice: 7 }, 'voice'],
  [{ input: 'x', model: 'openai/gpt-4o' }, 'model'],
  [{ input: 'x', model: 'elevenlabs/eleven_multilingual_v2', speed: 3 }, 'speed'],
  [{ input: 'x', model: 'elevenlabs/eleven_multilingual_v2', voice: '../x' }, 'voice'],
  [{ input: 'x', model: 'google/gemini-2.5-flash-preview-tts', response_format: 'mp3' }, 'response_format'],
])('%j is a 400 that names %s', async (body, param) => {
  const answer = await gateway.post(native, { model, ...body });
  const { details } = (await jsonOf(answer)) as { details: Json };
  expect([answer.status, details['param']]).toEqual([400, param]);
  expect(upstream.calls).toEqual([]);
});

test('a capped account: 402 before the call; a repeat under one Idempotency-Key plays the same sound', async () => {
  const poor = await gateway.account('0.00001');
  expect((await gateway.post(native, { model, input }, poor.apiKey)).status).toBe(402);
  expect(upstream.calls).toEqual([]);
  const headers = { 'idempotency-key': 'speak-once' };
  for (const path of [native, '/v1/audio/speech']) {
    upstream.calls.length = 0;
    const key = { 'idempotency-key': `${headers['idempotency-key']}${path}` };
    const first = await gateway.post(path, { model, input }, undefined, key);
    const bytes = Buffer.from(await first.arrayBuffer());
    const again = await gateway.post(path, { model, input }, undefined, key);
    expect(Buffer.from(await again.arrayBuffer())).toEqual(bytes);
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(upstream.calls.length).toBe(1);
  }
});

describe('vendors in their own wire', () => {
  test('ElevenLabs: voice in the path, format in the query, pace in the settings', async () => {
    const more = { voice: 'JBFqnCBsd6RMkjVDRZzb', speed: 1.1, response_format: 'pcm' };
    const body = { model: 'elevenlabs/eleven_multilingual_v2', input, ...more };
    const answer = await jsonOf(await gateway.post(native, body));
    expect(answer['usage']).toMatchObject({ cost: 0.0016, characters: 16 });
    const [call] = upstream.calls;
    expect(call?.path).toBe('/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb?output_format=pcm_24000');
    expect(call?.headers['xi-api-key']).toBe('xi');
    expect(call?.body).toEqual({
      text: input,
      model_id: 'eleven_multilingual_v2',
      voice_settings: { speed: 1.1 },
    });
  });

  test('Deepgram: the voice is part of the model, the key a Token', async () => {
    const body = { model: 'deepgram/aura-2', input, voice: 'apollo', response_format: 'opus' };
    const answer = await jsonOf(await gateway.post(native, body));
    expect(answer['usage']).toMatchObject({ cost: 0.00048 });
    const [call] = upstream.calls;
    expect(call?.path).toBe('/v1/speak?model=aura-2-apollo-en&encoding=opus&container=ogg');
    expect([call?.headers['authorization'], call?.body]).toEqual(['Token dg', { text: input }]);
  });

  test('Gemini: raw sound gets a header; tokens are what it says', async () => {
    const pcm = Buffer.alloc(4_800, 7);
    const part = { inlineData: { mimeType: 'audio/L16;codec=pcm;rate=24000', data: pcm.toString('base64') } };
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 100, totalTokenCount: 109 };
    const said = { candidates: [{ content: { parts: [part] }, finishReason: 'STOP' }], usageMetadata };
    upstream.script = answering(200, JSON.stringify(said));
    const body = {
      model: 'google/gemini-2.5-flash-preview-tts',
      input,
      voice: 'Puck',
      response_format: 'wav',
    };
    const answer = await gateway.post('/v1/audio/speech', body);
    const sound = Buffer.from(await answer.arrayBuffer());
    expect([sound.toString('latin1', 0, 4), sound.readUInt32LE(24), sound.length]).toEqual([
      'RIFF',
      24_000,
      4_844,
    ]);
    const row = await gateway.row(answer.headers.get('x-request-id') ?? '');
    expect(row).toMatchObject({ cost: '0.0010045' });
    expect(upstream.calls[0]?.body['generationConfig']).toMatchObject({ responseModalities: ['AUDIO'] });
  });

  test('Mistral: base64 in JSON', async () => {
    upstream.script = answering(200, JSON.stringify({ audio_data: Buffer.from('sound').toString('base64') }));
    const answer = await gateway.post('/v1/audio/speech', { model: 'mistral/voxtral-mini-tts-2603', input });
    expect(await answer.text()).toBe('sound');
    expect(upstream.calls[0]?.body).toMatchObject({ input, stream: false });
  });
});

test('a caller’s own key pays, nothing is charged', async () => {
  const answer = await jsonOf(await gateway.post(native, { model, input, byok_api_key: 'sk-own' }));
  expect(answer).toMatchObject({ byok_api_key: true, usage: { cost: 0 } });
  expect(upstream.calls[0]?.headers['authorization']).toBe('Bearer sk-own');
});

test('a caller that leaves before the sound begins closes the vendor’s socket', async () => {
  upstream.script = () => {};
  const leave = new AbortController();
  const asked = gateway.post(native, { model, input }, undefined, {}, leave.signal).catch(() => null);
  await until(() => upstream.calls.length > 0);
  leave.abort();
  await asked;
  expect(await upstream.calls[0]?.closed).toBeGreaterThan(0);
});
