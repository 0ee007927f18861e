/** Every modality without a key and without a network: the engines of @indoxhub/local behind the gateway's own routes. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf, type Json } from './client.ts';

// Another project's file: its own tests hold the engine to the same list.
const list = '../../../local/test/sentences.ts';
const { sentences } = (await import(list)) as { sentences: readonly string[] };

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.verify();
  await gateway.close();
});
const post = async (path: string, body: Json): Promise<Json> =>
  jsonOf(await gateway.post(`/api/v1${path}`, body));

const dot = (a: number[] = [], b: number[] = []): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

test('related texts embed closer than unrelated ones; the default model is the local one', async () => {
  const text = [
    'A cat sleeps on the sofa.',
    'A kitten naps on the couch.',
    'The stock market fell sharply today.',
  ];
  const answer = await post('/embeddings', { text });
  expect(answer).toMatchObject({ provider: 'local', model: 'use-lite', dimensions: 512, usage: { cost: 0 } });
  const [cat, kitten, market] = answer['data'] as number[][];
  expect(dot(cat, kitten)).toBeGreaterThan(dot(cat, market) + 0.2);
});

/** Words that must be put in, taken out or changed to make one of the other, a hundredth of the first's length each. */
function wordErrors(said: string, heard: string): number {
  const words = (text: string): string[] => text.toLowerCase().match(/[a-z']+/g) ?? [];
  const [a, b] = [words(said), words(heard)];
  let row = b.map((_, at) => at + 1);
  for (const [i, word] of a.entries()) {
    let diagonal = i;
    let left = i + 1;
    row = row.map((up, at) => {
      const cost = Math.min(up + 1, left + 1, diagonal + (word === b[at] ? 0 : 1));
      diagonal = up;
      left = cost;
      return cost;
    });
  }
  return (row.at(-1) ?? a.length) / a.length;
}

async function speak(input: string): Promise<ArrayBuffer> {
  const spoken = await post('/audio/tts/generations', { input, response_format: 'wav' });
  expect(spoken).toMatchObject({ provider: 'local', model: 'flite', data: { content_type: 'audio/wav' } });
  return (await fetch(String((spoken['data'] as Json)['audio_url']))).arrayBuffer();
}

async function hear(sound: ArrayBuffer): Promise<Json> {
  const form = new FormData();
  form.append('timestamp_granularities', '["word"]');
  form.append('file', new File([sound], 'speech.wav', { type: 'audio/*' }));
  const answer = await fetch(`${gateway.url}/api/v1/audio/stt/transcriptions`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${gateway.apiKey}` },
  });
  return jsonOf(answer);
}

describe('the whole loop', () => {
  test(
    'thirty sentences spoken and heard again: a median of at most a tenth of the words wrong',
    { timeout: 180_000 },
    async () => {
      const rates: number[] = [];
      for (const sentence of sentences) {
        const heard = await hear(await speak(sentence));
        rates.push(wordErrors(sentence, String(heard['text'])));
      }
      expect(rates.length).toBe(30);
      const sorted = rates.toSorted((a, b) => a - b);
      expect(((sorted[14] ?? 1) + (sorted[15] ?? 1)) / 2).toBeLessThanOrEqual(0.1);
    },
  );

  test('spoken, stored, fetched, heard, drawn', { timeout: 60_000 }, async () => {
    const heard = await hear(await speak('The birch canoe slid on the smooth planks.'));
    expect((heard['data'] as { words: Json[] }).words.length).toBeGreaterThan(5);
    const body = { prompt: String(heard['text']), size: '256x128', response_format: 'url' };
    const drawn = await post('/images/generations', body);
    const picture = await fetch(String((drawn['data'] as Json[])[0]?.['url']));
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(picture.headers.get('content-type')).toBe('image/png');
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([256, 128]);
  });
});

test('mp3, raw bytes on the OpenAI surface', async () => {
  const answer = await gateway.post('/v1/audio/speech', {
    input: 'Hello there.',
    model: 'local/flite',
    voice: 'alloy',
  });
  expect(answer.headers.get('content-type')).toBe('audio/mpeg');
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(bytes.length).toBeGreaterThan(2_000);
});

test.each([
  ['/audio/tts/generations', { input: 'x', response_format: 'opus' }, 'response_format'],
  ['/audio/tts/generations', { input: 'x', voice: 'nobody' }, 'voice'],
  ['/images/generations', { prompt: 'x', size: '16x16' }, 'size'],
  ['/embeddings', { text: 'x', dimensions: 7 }, 'dimensions'],
])('%s %j is a 400 that names %s', async (path, body, param) => {
  const answer = await gateway.post(`/api/v1${path}`, body);
  expect([answer.status, ((await jsonOf(answer)) as { details: Json }).details['param']]).toEqual([
    400,
    param,
  ]);
});

test('a sound that the local model cannot read: a 400 that names what it reads', async () => {
  const path = new URL('../fixtures/audio/', import.meta.url);
  for (const [name, problem] of [
    ['live.webm', /reads wav, mp3, flac, ogg \(Vorbis or Opus\)/],
    ['tone.m4a', /reads wav, mp3, flac, ogg \(Vorbis or Opus\)/],
    ['SOURCES.md', /reads wav, mp3, flac, ogg \(Vorbis or Opus\)/],
  ] as const) {
    const form = new FormData();
    form.append('model', 'local/pocketsphinx');
    form.append('file', new File([new Uint8Array(readFileSync(new URL(name, path)))], name));
    const headers = { authorization: `Bearer ${gateway.apiKey}` };
    const url = `${gateway.url}/api/v1/audio/stt/transcriptions`;
    const answer = await fetch(url, { method: 'POST', body: form, headers });
    expect([answer.status, await jsonOf(answer)]).toMatchObject([
      400,
      { message: expect.stringMatching(problem), details: { param: 'file' } },
    ]);
  }
});
