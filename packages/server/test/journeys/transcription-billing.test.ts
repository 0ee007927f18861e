/** What a transcription costs, and what is said when it fails after the provider was used. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { transcribing, wavOf } from '../fakes/transcriptions.ts';
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
      GEMINI_API_KEY: 'gem',
      GEMINI_BASE_URL: upstream.url.replace('/v1', ''),
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

const utterances = [
  { start: 0, end: 1, transcript: 'Hallo.' },
  { start: 1, end: 2, transcript: 'Adieu.' },
];
const alternatives = [{ transcript: 'Hallo. Adieu.', words: [] }];
test.each([
  ['srt', stt, 'openai/whisper-1'],
  ['vtt', '/v1/audio/transcriptions', 'groq/whisper-large-v3'],
  ['srt', '/api/v1/audio/stt/translations', 'groq/whisper-large-v3-turbo'],
])(
  'a provider that tells no times for %s on %s has failed: 502, and nothing is charged',
  async (format, path, model) => {
    const { apiKey, id } = await gateway.account('1.00');
    upstream.script = answering(200, '{"text":"Hi.","duration":3}');
    const answer = await send(path, { model, response_format: format }, wavOf(3), apiKey);
    expect([answer.status, await answer.text()]).toEqual([502, expect.stringContaining('told no times')]);
    // It was paid for once; asking again would be paid for as well.
    expect(upstream.calls.length).toBe(1);
    expect((await gateway.requests(id))[0]).toMatchObject({ http_status: 502, charged: '0.00' });
    const plain = await send(stt, { model, response_format: 'verbose_json' }, wavOf(3), apiKey);
    expect([plain.status, await jsonOf(plain)]).toMatchObject([200, { data: { segments: null } }]);
  },
);

describe('a file that tells another length than the provider heard', () => {
  const audio = (name: string): Buffer => readFileSync(new URL(`../fixtures/audio/${name}`, import.meta.url));
  const heard = (seconds: number): string =>
    JSON.stringify({ text: 'Hi.', usage: { type: 'duration', seconds } });

  test('one that was cut off is billed by what was heard', async () => {
    const whole = wavOf(60);
    // Its header still says a minute.
    const flac = audio('tone.flac');
    for (const [sound, seconds, quantity] of [
      [flac.subarray(0, 9_000), 2, 2_000],
      [whole.subarray(0, 44 + 160_000), 10, 10_000],
      [audio('live.webm'), 2.5, 2_500],
    ] as const) {
      upstream.script = answering(200, heard(seconds));
      const body = await jsonOf(await send(stt, { model: 'openai/whisper-1' }, sound));
      expect(body).toMatchObject({ data: { duration: quantity / 1000 } });
      expect(await gateway.row(String(body['request_id']))).toMatchObject({
        quantity,
        usage_source: 'provider',
      });
    }
  });

  test('a header that lies saves nobody money', async () => {
    const forged = audio('vbr.mp3');
    forged.writeUInt32BE(1, forged.indexOf('Xing') + 8);
    upstream.script = answering(200, '{"text":"Hi."}');
    const body = await jsonOf(await send(stt, { model: 'openai/whisper-1' }, forged));
    expect(await gateway.row(String(body['request_id']))).toMatchObject({ quantity: 2_592 });
    upstream.script = answering(200, heard(600));
    const short = await jsonOf(await send(stt, { model: 'openai/whisper-1' }, wavOf(1)));
    expect(short).toMatchObject({ data: { duration: 600 }, usage: { cost: 0.06 } });
  });
});

const german = JSON.stringify({
  metadata: { duration: 3 },
  results: { channels: [{ detected_language: 'de', alternatives }], utterances },
});
/** Deepgram does not translate, so a chat model helps. */
const helped = (chat: readonly Script[]): Script => {
  let asked = 0;
  return (call, response) =>
    call.path.endsWith('/chat/completions')
      ? chat[asked++]?.(call, response)
      : answering(200, german)(call, response);
};
const translate = async (
  chat: readonly Script[],
  env: Record<string, string> = {},
  key: object | null = null,
): Promise<{ status: number; body: Json; rows: Json[] }> => {
  const other = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      DEEPGRAM_API_KEY: 'd',
      DEEPGRAM_BASE_URL: upstream.url.replace('/v1', ''),
      INDOXHUB_MAX_RETRIES: '0',
      ...env,
    },
  });
  const apiKey = key === null ? other.apiKey : (await other.account('5.00', key)).apiKey;
  upstream.script = helped(chat);
  const form = new FormData();
  form.append('model', 'deepgram/nova-3');
  form.append('response_format', 'verbose_json');
  form.append('file', new File([new Uint8Array(wavOf(3))], 'clip.wav'));
  const headers = { authorization: `Bearer ${apiKey}` };
  const url = `${other.url}/api/v1/audio/stt/translations`;
  const answer = await fetch(url, { method: 'POST', body: form, headers });
  const body = await jsonOf(answer);
  await other.verify();
  const rows = (await other.requests()) as Json[];
  await other.close();
  return { status: answer.status, body, rows };
};
const saying = (text: string): Script => answering(200, chatAnswer(text));

test('a chat model that leaves lines out is asked once more, then it is a 502; the transcription is owed', async () => {
  const good = await translate([saying('Here you are!'), saying('1. Hello.\n2. Farewell.')]);
  expect([good.status, good.body['text']]).toEqual([200, 'Hello. Farewell.']);
  const bad = await translate([saying('1.\n2. Farewell.'), saying('1. Hello.')]);
  expect([bad.status, bad.body['error']]).toEqual([502, 'upstream_malformed']);
  const row = bad.rows.find(({ endpoint }) => endpoint === 'translation');
  expect(row).toMatchObject({ quantity: 3_000, error_code: 'upstream_malformed' });
});

test('the chat model that translates can be set, and is tried before anything is heard', async () => {
  const model = (): unknown =>
    upstream.calls.find(({ path }) => path.endsWith('/chat/completions'))?.body['model'];
  const said = saying('1. Hello.\n2. Farewell.');
  const set = await translate([said], { INDOXHUB_TRANSLATION_MODEL: 'openai/gpt-4.1-mini' });
  expect([set.status, model()]).toEqual([200, 'gpt-4.1-mini']);
  expect(set.body).toMatchObject({ translation: { model: expect.stringContaining('openai/gpt-4') } });
  for (const [translator, status, code] of [
    ['openai/whisper-1', 400, 'bad_request'],
    ['anthropic/claude-sonnet-4-5', 400, 'provider_not_configured'],
    ['nobody/none', 404, 'provider_not_found'],
  ] as const) {
    upstream.calls.length = 0;
    const bad = await translate([said], { INDOXHUB_TRANSLATION_MODEL: translator });
    expect([bad.status, bad.body['error'], upstream.calls.length], translator).toEqual([status, code, 0]);
  }
  const limited = await translate([said], {}, { allowed_models: ['deepgram/*'] });
  expect([limited.status, limited.body['error'], upstream.calls.length]).toEqual([
    403,
    'model_not_allowed',
    0,
  ]);
});

test('a chat call that fails after the transcription leaves the transcription charged', async () => {
  const { status, rows } = await translate([answering(500, '{"error":{"message":"no"}}')]);
  expect(status).toBe(502);
  const row = rows.find(({ endpoint }) => endpoint === 'translation');
  expect(row).toMatchObject({ quantity: 3_000, http_status: 502 });
  expect(Number(row?.['cost'])).toBeGreaterThan(0);
});

test.each(['srt', 'vtt', 'verbose_json'])('a stream as %s is refused by name', async (format) => {
  const fields = { model: 'openai/whisper-1', stream: 'true', response_format: format };
  const answer = await send('/v1/audio/transcriptions', fields);
  expect([answer.status, await jsonOf(answer)]).toEqual([
    400,
    { error: expect.objectContaining({ param: 'response_format' }) },
  ]);
  expect(upstream.calls).toEqual([]);
});

test('Gemini is refused for verbose_json, which it cannot fill', async () => {
  const fields = { model: 'google/gemini-2.5-flash', response_format: 'verbose_json' };
  const answer = await send(stt, fields);
  expect([answer.status, await jsonOf(answer)]).toMatchObject([
    400,
    { details: { param: 'response_format' } },
  ]);
  expect(upstream.calls).toEqual([]);
});

test('text fields of more than 2 MiB together are refused', async () => {
  const fields: Record<string, string> = { model: 'openai/whisper-1' };
  for (let at = 0; at < 5; at++) fields[`extra${at}`] = 'x'.repeat(1_000_000);
  const answer = await send(stt, fields);
  expect([answer.status, await jsonOf(answer)]).toMatchObject([413, { error: 'body_too_large' }]);
  expect(upstream.calls).toEqual([]);
});

test('a caller’s own key is never helped out by the gateway’s: such a translation is refused', async () => {
  const path = '/api/v1/audio/stt/translations';
  const answer = await send(path, { model: 'openai/gpt-4o-transcribe', byok_api_key: 'sk-mine' });
  expect([answer.status, await jsonOf(answer)]).toMatchObject([400, { details: { param: 'byok_api_key' } }]);
  expect(upstream.calls).toEqual([]);
  const native = await send(path, { model: 'openai/whisper-1', byok_api_key: 'sk-mine' });
  expect([native.status, upstream.calls[0]?.path]).toEqual([200, '/v1/audio/translations']);
});

test.each(['openai/gpt-4o-transcribe', 'groq/whisper-large-v3-turbo'])(
  '%s does not translate itself, whatever others of its provider do',
  async (model) => {
    upstream.script = (call, response) =>
      (call.path.endsWith('/chat/completions') ? saying('1. Hello.') : transcribing)(call, response);
    const answer = await send('/v1/audio/translations', { model });
    expect(answer.status).toBe(200);
    expect(upstream.calls.map(({ path }) => path)).toEqual([
      '/v1/audio/transcriptions',
      '/v1/chat/completions',
    ]);
  },
);
