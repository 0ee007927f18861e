/** POST /api/v1/audio/stt/transcriptions and /translations, /v1/audio/transcriptions and /translations. */
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fieldsOf, partsOf, transcribing, wavOf } from '../fakes/transcriptions.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, chatAnswer, startUpstream, type Upstream } from '../upstream.ts';
import { jsonOf, type Json } from './client.ts';

const native = '/api/v1/audio/stt/transcriptions';
const text = 'Hello there. General Kenobi.';
const wav = wavOf(3);

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(transcribing);
  const origin = upstream.url.replace('/v1', '');
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      GROQ_API_KEY: 'g',
      GROQ_BASE_URL: upstream.url,
      MISTRAL_API_KEY: 'm',
      MISTRAL_BASE_URL: upstream.url,
      DEEPGRAM_API_KEY: 'dg',
      DEEPGRAM_BASE_URL: origin,
      ELEVENLABS_API_KEY: 'xi',
      ELEVENLABS_BASE_URL: origin,
      ASSEMBLYAI_API_KEY: 'aai',
      ASSEMBLYAI_BASE_URL: origin,
      GEMINI_API_KEY: 'gem',
      GEMINI_BASE_URL: origin,
      INDOXHUB_MAX_UPLOAD: '200KiB',
    },
  });
});
const spooled = (): string[] => {
  const dir = join(gateway.dataDir, 'spool');
  return existsSync(dir) ? readdirSync(dir) : [];
};
afterEach(async () => {
  upstream.script = transcribing;
  upstream.calls.length = 0;
  await gateway.verify();
  expect(spooled()).toEqual([]);
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

type Fields = Record<string, string | readonly string[]>;
function formOf(fields: Fields, file: Buffer | null = wav, name = 'clip.wav', type = 'audio/*'): FormData {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields))
    for (const each of typeof value === 'string' ? [value] : value) form.append(key, each);
  if (file !== null) form.append('file', new File([new Uint8Array(file)], name, { type }));
  return form;
}
const send = (
  path: string,
  body: FormData | string | Uint8Array<ArrayBuffer>,
  key = gateway.apiKey,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(gateway.url + path, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${key}`, ...headers },
  });

test('the native envelope, text at the top and inside', async () => {
  const answer = await send(
    native,
    formOf({ model: 'openai/whisper-1', temperature: '0.0', language: 'en', prompt: 'Star' }),
  );
  const body = await jsonOf(answer);
  expect(body).toMatchObject({
    success: true,
    provider: 'openai',
    model: 'whisper-1',
    text,
    data: { text, duration: 3, words: null },
    usage: { type: 'audio', seconds: 3, cost: 0.0003 },
  });
  expect(await gateway.row(String(body['request_id']))).toMatchObject({
    endpoint: 'stt',
    unit: 'audio_ms',
    quantity: 3_000,
    cost: '0.0003',
  });
  const [call] = upstream.calls;
  expect(call?.path).toBe('/v1/audio/transcriptions');
  expect(call === undefined ? [] : fieldsOf(call)).toEqual([
    ['model', 'whisper-1'],
    ['language', 'en'],
    ['prompt', 'Star'],
    ['response_format', 'json'],
  ]);
  const file = call === undefined ? undefined : partsOf(call).find(({ name }) => name === 'file');
  expect(file).toMatchObject({ fileName: 'clip.wav', body: wav });
});

test('as the Python client asks for times: a JSON list in one field, unknown fields beside it', async () => {
  const fields = {
    model: 'openai/whisper-1',
    timestamp_granularities: '["word","segment"]',
    response_format: 'verbose_json',
    extra: 'x',
  };
  const body = await jsonOf(await send(native, formOf(fields)));
  const { data } = body as { data: { words: Json[]; segments: Json[] } };
  expect(data.words.map(({ word }) => word)).toEqual(['Hello', 'there', 'General', 'Kenobi']);
  expect(data.segments[1]).toMatchObject({
    start: 2.25,
    end: 3.04,
    text: ' General Kenobi.',
    avg_logprob: -0.2,
  });
  expect(body['segments']).toEqual(data.segments);
  expect(upstream.calls.flatMap(fieldsOf)).toEqual(
    expect.arrayContaining([
      ['extra', 'x'],
      ['timestamp_granularities[]', 'word'],
    ]),
  );
});

test('subtitles are built here, and stay inside JSON on the native surface', async () => {
  const srt = await jsonOf(await send(native, formOf({ model: 'openai/whisper-1', response_format: 'srt' })));
  const want =
    '1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n00:00:02,250 --> 00:00:03,040\nGeneral Kenobi.\n';
  expect([srt['text'], (srt['data'] as Json)['text']]).toEqual([want, want]);
  const vtt = await jsonOf(await send(native, formOf({ model: 'openai/whisper-1', response_format: 'vtt' })));
  expect(vtt['text']).toMatch(/^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.500\nHello there\.\n/);
});

describe('OpenAI’s shape', () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const file = (): Promise<File> => toFile(wav, 'speech.wav');

  test('its own client: json, verbose_json with words, text, srt', async () => {
    const { audio } = client();
    const model = 'openai/whisper-1';
    const json = await audio.transcriptions.create({ file: await file(), model });
    expect(json).toMatchObject({ text, usage: { type: 'duration', seconds: 3, cost: 0.0003 } });
    const verbose = await audio.transcriptions.create({
      file: await file(),
      model,
      response_format: 'verbose_json',
      timestamp_granularities: ['word', 'segment'],
    });
    expect([verbose.words?.length, verbose.segments?.length, verbose.duration]).toEqual([4, 2, 3]);
    const plain: unknown = await audio.transcriptions.create({
      file: await file(),
      model,
      response_format: 'text',
    });
    expect(plain).toBe(`${text}\n`);
    const srt: unknown = await audio.transcriptions.create({
      file: await file(),
      model,
      response_format: 'srt',
    });
    expect(srt).toMatch(/^1\n00:00:00,000/);
  });

  test('tokens where the model counts so, and a stream', async () => {
    const { audio } = client();
    const model = 'openai/gpt-4o-mini-transcribe';
    const answer = await audio.transcriptions.create({ file: await file(), model });
    expect(answer.usage).toMatchObject({
      type: 'tokens',
      input_tokens: 60,
      output_tokens: 12,
      cost: 0.0002225,
    });
    const events: string[] = [];
    let last = '';
    for await (const event of await audio.transcriptions.create({
      file: await file(),
      model,
      stream: true,
    })) {
      events.push(event.type);
      if (event.type === 'transcript.text.done') last = event.text;
    }
    expect([events, last]).toEqual([['transcript.text.delta', 'transcript.text.done'], text]);
  });

  test('translations: by the model that can', async () => {
    const answer = await client().audio.translations.create({
      file: await file(),
      model: 'openai/whisper-1',
    });
    expect(answer.text).toBe(text);
    expect(upstream.calls[0]?.path).toBe('/v1/audio/translations');
  });
});

test('a model that does not translate is helped by a chat model, and the answer says so', async () => {
  upstream.script = (call, response) => {
    if (call.path.endsWith('/chat/completions'))
      return answering(200, chatAnswer('1. Hello in English.\n2. General in English.'))(call, response);
    return call.path.startsWith('/v1/listen')
      ? answering(200, JSON.stringify(deepgramAnswer))(call, response)
      : transcribing(call, response);
  };
  const answer = await send(
    '/api/v1/audio/stt/translations',
    formOf({ model: 'deepgram/nova-3', response_format: 'srt' }),
  );
  const body = (await jsonOf(answer)) as { text: string; translation: Json; request_id: string };
  expect(body.text).toBe(
    '1\n00:00:00,000 --> 00:00:01,000\nHello in English.\n\n2\n00:00:02,000 --> 00:00:03,000\nGeneral in English.\n',
  );
  expect(body.translation).toMatchObject({ model: expect.stringContaining('openai/') });
  expect(await gateway.row(body.request_id)).toMatchObject({ endpoint: 'translation', quantity: 3_000 });
  const chat = await gateway.row(String(body.translation['request_id']));
  expect(chat).toMatchObject({ endpoint: 'chat', session_id: body.request_id });
});

const deepgramAnswer = {
  metadata: { duration: 3.01 },
  results: {
    channels: [
      {
        detected_language: 'de',
        alternatives: [
          {
            transcript: 'Hallo. General.',
            words: [{ word: 'hallo', punctuated_word: 'Hallo.', start: 0, end: 1 }],
          },
        ],
      },
    ],
    utterances: [
      { transcript: 'Hallo.', start: 0, end: 1 },
      { transcript: 'General.', start: 2, end: 3 },
    ],
  },
};

describe('vendors in their own wire', () => {
  test('Deepgram: the sound is the body', async () => {
    upstream.script = answering(200, JSON.stringify(deepgramAnswer));
    const body = await jsonOf(await send(native, formOf({ model: 'deepgram/nova-3', language: 'de' })));
    expect(body).toMatchObject({
      text: 'Hallo. General.',
      data: { language: 'de', duration: 3 },
      usage: { cost: 0.000215 },
    });
    const [call] = upstream.calls;
    expect(call?.path).toBe('/v1/listen?model=nova-3&smart_format=true&utterances=true&language=de');
    expect([call?.headers['authorization'], call?.bytes]).toEqual(['Token dg', wav]);
  });

  test('ElevenLabs: words with their gaps taken out', async () => {
    const words = [
      { text: 'Hi', type: 'word', start: 0, end: 0.5 },
      { text: ' ', type: 'spacing', start: 0.5, end: 0.6 },
      { text: 'you.', type: 'word', start: 0.6, end: 1 },
    ];
    upstream.script = answering(200, JSON.stringify({ language_code: 'eng', text: 'Hi you.', words }));
    const fields = { model: 'elevenlabs/scribe_v1', timestamp_granularities: '["word"]' };
    const body = await jsonOf(await send(native, formOf(fields)));
    expect(body).toMatchObject({
      text: 'Hi you.',
      data: { words: [{ word: 'Hi' }, { word: 'you.', end: 1 }], segments: [{ text: 'Hi you.', end: 1 }] },
    });
    expect(upstream.calls[0]?.headers['xi-api-key']).toBe('xi');
  });

  test('AssemblyAI: uploaded, created, asked until it is done', async () => {
    let polls = 0;
    upstream.script = (call, response) => {
      if (call.path === '/v2/upload')
        return answering(200, '{"upload_url":"https://cdn.assemblyai.com/upload/1"}')(call, response);
      if (call.method === 'POST') return answering(200, '{"id":"t1","status":"queued"}')(call, response);
      polls++;
      const words = [{ text: 'Hi.', start: 0, end: 900 }];
      const done = {
        id: 't1',
        status: 'completed',
        text: 'Hi.',
        words,
        audio_duration: 3,
        language_code: 'en',
      };
      return answering(200, JSON.stringify(polls < 2 ? { id: 't1', status: 'processing' } : done))(
        call,
        response,
      );
    };
    const body = await jsonOf(await send(native, formOf({ model: 'assemblyai/universal' })));
    expect(body).toMatchObject({ text: 'Hi.', usage: { cost: 0.000125 } });
    expect(upstream.calls[0]?.bytes).toEqual(wav);
    expect(upstream.calls[1]?.body).toMatchObject({
      audio_url: 'https://cdn.assemblyai.com/upload/1',
      language_detection: true,
    });
    expect(upstream.calls.every(({ headers }) => headers['authorization'] === 'aai')).toBe(true);
  });

  test('Gemini: the sound inline, tokens as it counts them', async () => {
    const usageMetadata = {
      promptTokenCount: 100,
      candidatesTokenCount: 5,
      promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 90 }],
    };
    const said = {
      candidates: [{ content: { parts: [{ text: 'Hi.\n' }] }, finishReason: 'STOP' }],
      usageMetadata,
    };
    upstream.script = answering(200, JSON.stringify(said));
    const body = await jsonOf(await send(native, formOf({ model: 'google/gemini-2.5-flash' })));
    expect(body['text']).toBe('Hi.');
    expect((body['usage'] as Json)['cost']).toBeGreaterThan(0);
    const refused = await send(native, formOf({ model: 'google/gemini-2.5-flash', response_format: 'srt' }));
    expect([refused.status, (await jsonOf(refused))['details']]).toEqual([
      400,
      expect.objectContaining({ param: 'response_format' }),
    ]);
  });

  test('Groq bills ten seconds at least', async () => {
    const body = await jsonOf(await send(native, formOf({ model: 'groq/whisper-large-v3-turbo' })));
    expect((body['usage'] as Json)['cost']).toBe(0.000111111);
  });
});

test.each<[string, Fields, Buffer | null, number, string | undefined]>([
  ['no file', {}, null, 400, 'file'],
  ['an empty file', {}, Buffer.alloc(0), 400, 'file'],
  ['too large a file', {}, Buffer.alloc(300_000), 413, 'file'],
  ['a format nobody knows', { response_format: 'docx' }, wav, 400, 'response_format'],
  ['times of another kind', { timestamp_granularities: '["page"]' }, wav, 400, 'timestamp_granularities'],
  ['times that are no JSON', { timestamp_granularities: '[' }, wav, 400, 'timestamp_granularities'],
  ['too warm', { temperature: '7' }, wav, 400, 'temperature'],
  ['a language that is none', { language: 'x/../y' }, wav, 400, 'language'],
  ['a chat model', { model: 'openai/gpt-4o' }, wav, 400, 'model'],
  [
    'subtitles of a model without times',
    { model: 'openai/gpt-4o-transcribe', response_format: 'vtt' },
    wav,
    400,
    'response_format',
  ],
])('%s: refused, named, nothing spooled, nothing sent', async (_, fields, file, status, param) => {
  const answer = await send(native, formOf({ model: 'openai/whisper-1', ...fields }, file));
  expect([answer.status, ((await jsonOf(answer)) as { details: Json }).details['param']]).toEqual([
    status,
    param,
  ]);
  expect(upstream.calls).toEqual([]);
});

test('what is no form, a form without boundary, a second file, a file under another name', async () => {
  const json = await send(native, '{"file":"x"}', gateway.apiKey, { 'content-type': 'application/json' });
  expect(json.status).toBe(415);
  const bare = await send(native, 'x', gateway.apiKey, { 'content-type': 'multipart/form-data' });
  expect([400, 415]).toContain(bare.status);
  const two = formOf({ model: 'openai/whisper-1' });
  two.append('file', new File(['abc'], 'b.wav'));
  expect((await send(native, two)).status).toBe(400);
  const other = new FormData();
  other.append('picture', new File(['abc'], 'b.wav'));
  expect(await jsonOf(await send(native, other))).toMatchObject({ details: { param: 'picture' } });
});

test('a file name never becomes a path, nor a header', async () => {
  const name = '../../etc/pass"wd\r\nx-evil: 1.wav';
  const answer = await send(native, formOf({ model: 'openai/whisper-1' }, wav, name));
  expect(answer.status).toBe(200);
  const seen = upstream.calls.flatMap(partsOf).find(({ fileName }) => fileName !== null)?.fileName ?? '';
  expect(seen).not.toMatch(/[/\\\r\n"]/);
});

test.each([
  ['cut off in the middle', 900],
  ['cut off in its head', 60],
])('an upload %s leaves nothing behind', async (_, bytes) => {
  const boundary = 'b0undary';
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`),
    wav,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  socket.write(
    `POST ${native} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-type: multipart/form-data; boundary=${boundary}\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  socket.write(body.subarray(0, bytes));
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.destroy();
  for (let tries = 0; tries < 100 && spooled().length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(spooled()).toEqual([]);
  expect(upstream.calls).toEqual([]);
});

test('a form that ends before its last boundary is a 400', async () => {
  const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';
  const type = { 'content-type': 'multipart/form-data; boundary=x' };
  const answer = await send(
    native,
    new Uint8Array(Buffer.concat([Buffer.from(head), wav])),
    gateway.apiKey,
    type,
  );
  expect(answer.status).toBe(400);
});

test('a capped account: 402 before anything is sent; a repeat under one key is answered from memory', async () => {
  const poor = await gateway.account('0.0001');
  const refused = await send(native, formOf({ model: 'openai/whisper-1' }), poor.apiKey);
  expect([refused.status, upstream.calls]).toEqual([402, []]);
  const key = { 'idempotency-key': 'listen-once' };
  const first = await (await send(native, formOf({ model: 'openai/whisper-1' }), undefined, key)).text();
  const again = await send(native, formOf({ model: 'openai/whisper-1' }), undefined, key);
  expect([await again.text(), again.headers.get('idempotent-replayed')]).toEqual([first, 'true']);
  const other = await send(native, formOf({ model: 'openai/whisper-1' }, wavOf(2)), undefined, key);
  expect(other.status).toBe(409);
});

test('a sound whose length is hidden is held by its size and charged by what the provider says', async () => {
  const { apiKey, id } = await gateway.account('1.00');
  const noise = Buffer.alloc(7_500, 1);
  const body = await jsonOf(
    await send(native, formOf({ model: 'openai/whisper-1', response_format: 'verbose_json' }, noise), apiKey),
  );
  expect(body).toMatchObject({ data: { duration: 3.05 }, usage: { cost: 0.000305 } });
  expect((await gateway.requests(id))[0]).toMatchObject({ quantity: 3_050 });
});
