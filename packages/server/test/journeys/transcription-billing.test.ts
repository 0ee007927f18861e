/** What a transcription costs, and what is said when it fails after the provider was used. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { fieldsOf, transcribing, wavOf } from '../fakes/transcriptions.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, type Script, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(transcribing);
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      GROQ_API_KEY: 'g',
      GROQ_BASE_URL: upstream.url,
    },
  });
});
afterEach(async () => {
  upstream.script = transcribing;
  upstream.calls.length = 0;
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const send = (
  path: string,
  fields: Record<string, string>,
  sound = wavOf(3),
  key = gateway.apiKey,
): Promise<Response> => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('file', new File([new Uint8Array(sound)], 'clip.wav', { type: 'audio/wav' }));
  const headers = { authorization: `Bearer ${key}` };
  return fetch(gateway.url + path, { method: 'POST', body: form, headers });
};
const stt = '/api/v1/audio/stt/transcriptions';
const noise = Buffer.alloc(1_000_000, 1);

test('a sound whose length is hidden is billed by the length the provider tells in plain json', async () => {
  upstream.script = answering(200, '{"text":"Hi.","usage":{"type":"duration","seconds":60}}');
  const body = await jsonOf(await send(stt, { model: 'openai/whisper-1' }, noise));
  expect(body).toMatchObject({ data: { duration: 60 }, usage: { cost: 0.006 } });
  expect(await gateway.row(String(body['request_id']))).toMatchObject({
    quantity: 60_000,
    usage_source: 'provider',
  });
});

test('where nobody tells the length, 32 kbit/s are assumed and the row is flagged', async () => {
  upstream.script = answering(200, '{"text":"Hi."}');
  const body = await jsonOf(await send(stt, { model: 'openai/whisper-1' }, noise));
  expect(body).toMatchObject({ data: { duration: null }, usage: { cost: 0.025 } });
  expect(await gateway.row(String(body['request_id']))).toMatchObject({
    quantity: 250_000,
    usage_source: 'counted',
  });
});

const silent = JSON.stringify({
  task: 'transcribe',
  language: 'english',
  duration: 3,
  text: '',
  segments: [],
});

test('subtitles of silence are empty', async () => {
  upstream.script = answering(200, silent);
  const path = '/v1/audio/transcriptions';
  const srt = await send(path, { model: 'openai/whisper-1', response_format: 'srt' });
  expect([srt.status, await srt.text()]).toEqual([200, '']);
  const vtt = await send(path, { model: 'openai/whisper-1', response_format: 'vtt' });
  expect([vtt.status, await vtt.text()]).toEqual([200, 'WEBVTT\n']);
  const native = await send(stt, { model: 'openai/whisper-1', response_format: 'srt' });
  expect(await jsonOf(native)).toMatchObject({ text: '', data: { segments: [] } });
});
