/** Speech servers of one's own: Speaches, and the server of whisper.cpp. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { fieldsOf, transcribing, wavOf } from '../fakes/transcriptions.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';
import { jsonOf } from './client.ts';

let upstream: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(transcribing);
  gateway = await startGateway({
    env: { SPEACHES_BASE_URL: upstream.url, WHISPERCPP_BASE_URL: upstream.url.replace('/v1', '') },
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

const send = (kind: 'transcriptions' | 'translations', fields: Record<string, string>): Promise<Response> => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('file', new File([new Uint8Array(wavOf(3))], 'clip.wav'));
  const headers = { authorization: `Bearer ${gateway.apiKey}` };
  return fetch(`${gateway.url}/api/v1/audio/stt/${kind}`, { method: 'POST', body: form, headers });
};
const sent = (): [string, [string, string][]] => {
  const [call] = upstream.calls;
  if (call === undefined) throw new Error('nothing was sent');
  return [call.path, fieldsOf(call)];
};

test('Speaches: OpenAI’s paths, without a key', async () => {
  const model = 'Systran/faster-whisper-small';
  const body = await jsonOf(
    await send('transcriptions', { model: `speaches/${model}`, response_format: 'srt' }),
  );
  expect(body).toMatchObject({ provider: 'speaches', model, text: expect.stringContaining('-->') });
  expect(sent()).toEqual([
    '/v1/audio/transcriptions',
    [
      ['model', model],
      ['response_format', 'verbose_json'],
      ['timestamp_granularities[]', 'segment'],
    ],
  ]);
  expect(upstream.calls[0]?.headers['authorization']).toBeUndefined();
  upstream.calls.length = 0;
  await send('translations', { model: `speaches/${model}` });
  expect(sent()[0]).toBe('/v1/audio/translations');
});

/** As its server answers `verbose_json`. */
const whisper = {
  task: 'transcribe',
  language: 'german',
  duration: 3,
  text: ' Hallo.\n',
  segments: [
    {
      id: 0,
      text: ' Hallo.',
      start: 0,
      end: 1.2,
      tokens: [1],
      words: [{ word: ' Hallo', start: 0.1, end: 0.9, t_dtw: -1, probability: 0.9 }],
      temperature: 0,
      avg_logprob: -0.2,
    },
  ],
};

test('whisper.cpp: one path, its words inside the segments, the language found out', async () => {
  upstream.script = answering(200, JSON.stringify(whisper));
  const body = await jsonOf(
    await send('transcriptions', { model: 'whispercpp/base', timestamp_granularities: '["word"]' }),
  );
  expect(body).toMatchObject({
    data: { language: 'german', words: [{ word: ' Hallo', start: 0.1, end: 0.9 }], segments: [{ end: 1.2 }] },
    usage: { cost: null },
  });
  expect(sent()).toEqual([
    '/inference',
    expect.arrayContaining([
      ['language', 'auto'],
      ['response_format', 'verbose_json'],
    ]),
  ]);
});

test('whisper.cpp translates by a field', async () => {
  upstream.script = answering(200, JSON.stringify({ text: ' Hello.\n' }));
  const body = await jsonOf(await send('translations', { model: 'whispercpp/base' }));
  expect(String(body['text']).trim()).toBe('Hello.');
  expect(sent()).toEqual(['/inference', expect.arrayContaining([['translate', 'true']])]);
});

test('neither chats', async () => {
  for (const model of ['speaches/x', 'whispercpp/x']) {
    const answer = await gateway.post('/api/v1/chat/completions', {
      model,
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(answer.status).toBe(400);
  }
});
