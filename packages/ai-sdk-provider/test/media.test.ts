/** The `ai` package itself: embeddings, images, speech and transcription through this provider. */
import {
  cosineSimilarity,
  embed,
  embedMany,
  experimental_generateVideo,
  generateImage,
  generateSpeech,
  transcribe,
  APICallError,
} from 'ai';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { png } from '../../server/test/fakes/images.ts';
import { soundOf } from '../../server/test/fakes/speech.ts';
import { fieldsOf, partsOf, wavOf } from '../../server/test/fakes/transcriptions.ts';
import { openScene, type Scene } from '../../server/test/journeys/client.ts';
import type { SeenCall } from '../../server/test/upstream.ts';
import { mp4 } from '../../server/test/fakes/videos.ts';
import { createIndoxHub, type IndoxHubMetadata, type IndoxHubProvider } from '../src/index.ts';
import { languageCode } from '../src/transcription-model.ts';

const pixel = new Uint8Array(png);
let scene: Scene;
let indoxhub: IndoxHubProvider;
beforeAll(async () => {
  scene = await openScene({ env: { INDOXHUB_VIDEO_POLL: '20ms' } });
  indoxhub = createIndoxHub({ apiKey: scene.gateway.apiKey, baseURL: scene.gateway.url });
});
afterEach(() => scene.gateway.verify());
afterAll(() => scene.close());

/** The cost that was told, once it is the one of the usage row. */
async function costOf(told: Record<string, unknown> | undefined): Promise<number> {
  const { cost, requestId } = (told?.['indoxhub'] ?? { cost: null }) as IndoxHubMetadata;
  expect(cost).toBeGreaterThan(0);
  expect(Number((await scene.gateway.row(requestId ?? ''))['cost'])).toBe(cost);
  return cost ?? 0;
}
function lastCall(): SeenCall {
  const call = scene.upstream.calls.at(-1);
  if (call === undefined) throw new Error('no call');
  return call;
}

test('embed: the vector, tokens, cost', async () => {
  const result = await embed({
    model: indoxhub.embeddingModel('openai/text-embedding-3-small'),
    value: 'abc',
  });
  expect(result.embedding).toEqual([3, 0.125, 0.25, 0.375]);
  expect(result.usage).toMatchObject({ tokens: 3 });
  await costOf(result.providerMetadata);
});

test('embedMany: in order, in one call whatever the number, with the whole cost', async () => {
  const values = Array.from({ length: 2_500 }, (_, at) => 'x'.repeat(1 + (at % 7)));
  const before = scene.upstream.calls.length;
  const result = await embedMany({
    model: indoxhub.embeddingModel('openai/text-embedding-3-small'),
    values,
    providerOptions: { indoxhub: { dimensions: 8 } },
  });
  expect(result.embeddings.map(([length]) => length)).toEqual(values.map(({ length }) => length));
  expect(result.embeddings.every((vector) => vector.length === 8)).toBe(true);
  expect(cosineSimilarity(result.embeddings[0] ?? [], result.embeddings[7] ?? [])).toBeCloseTo(1);
  expect(result.usage).toMatchObject({ tokens: 7_500 });
  expect(scene.upstream.calls.length - before).toBe(2);
  await costOf(result.providerMetadata);
});

test('generateImage: the pictures, what each cost', async () => {
  const result = await generateImage({
    model: indoxhub.imageModel('openai/dall-e-2'),
    prompt: 'A fox',
    n: 2,
    size: '256x256',
  });
  expect(result.images.map((image) => image.uint8Array)).toEqual([pixel, pixel]);
  expect(result.image.mediaType).toBe('image/png');
  expect(result.warnings).toEqual([]);
  expect(lastCall().body).toMatchObject({ prompt: 'A fox', n: 2, size: '256x256' });
  const whole = await costOf(result.calls[0]?.providerMetadata);
  const parts = result.providerMetadata['indoxhub']?.images as { cost: number }[];
  expect(parts.reduce((sum, { cost }) => sum + cost, 0)).toBeCloseTo(whole, 12);
});

test('generateImage from pictures: files and mask arrive, tokens are told', async () => {
  const result = await generateImage({
    model: indoxhub.imageModel('openai/gpt-image-1'),
    prompt: { text: 'A hat', images: [pixel, pixel], mask: pixel },
    providerOptions: { indoxhub: { quality: 'high' } },
  });
  expect(result.image.uint8Array).toEqual(pixel);
  expect(result.usage).toMatchObject({ inputTokens: 20, outputTokens: 1_056 });
  const call = lastCall();
  expect(call.path).toBe('/v1/images/edits');
  expect(Object.fromEntries(fieldsOf(call))).toMatchObject({ prompt: 'A hat', quality: 'high' });
  const files = partsOf(call).filter(({ fileName }) => fileName !== null);
  expect(files.map(({ name }) => name).sort()).toEqual(['image[]', 'image[]', 'mask']);
  expect(files.every(({ body, type }) => body.equals(png) && type === 'image/png')).toBe(true);
  await costOf(result.calls[0]?.providerMetadata);
});

test('generateImage: aspect ratio and seed are the gateway’s to fit', async () => {
  const model = indoxhub.imageModel('local/canvas');
  const drawn = async (seed: number, aspectRatio: `${number}:${number}`): Promise<Uint8Array> => {
    const { image, warnings } = await generateImage({ model, prompt: 'A fox', aspectRatio, seed });
    expect(warnings).toEqual([]);
    return image.uint8Array;
  };
  const size = (bytes: Uint8Array): number[] => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return [view.getUint32(16), view.getUint32(20)];
  };
  const [wide = 0, low = 1] = size(await drawn(1, '16:9'));
  expect(wide / low).toBeCloseTo(16 / 9, 1);
  expect(await drawn(1, '1:1')).toEqual(await drawn(1, '1:1'));
  expect(await drawn(1, '1:1')).not.toEqual(await drawn(2, '1:1'));
});

test('generateSpeech: the sound, its type, characters, cost', async () => {
  const result = await generateSpeech({
    model: indoxhub.speechModel('openai/tts-1'),
    text: 'Hello there',
    voice: 'nova',
    outputFormat: 'mp3',
    speed: 1.1,
  });
  expect(Buffer.from(result.audio.uint8Array)).toEqual(soundOf('Hello there'));
  expect(result.audio.format).toBe('mp3');
  expect(result.warnings).toEqual([]);
  expect(lastCall().body).toMatchObject({
    input: 'Hello there',
    voice: 'nova',
    response_format: 'mp3',
    speed: 1.1,
  });
  await costOf(result.providerMetadata);
});

test('generateSpeech: a language is a warning; links of another address are opened at the gateway', async () => {
  const other = await openScene({ env: { INDOXHUB_PUBLIC_URL: 'https://nowhere.invalid' } });
  try {
    const provider = createIndoxHub({ apiKey: other.gateway.apiKey, baseURL: other.gateway.url });
    const { audio, warnings } = await generateSpeech({
      model: provider.speechModel('openai/tts-1'),
      text: 'Hei',
      language: 'no',
    });
    expect(Buffer.from(audio.uint8Array)).toEqual(soundOf('Hei'));
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'language' }]);
  } finally {
    await other.close();
  }
});

test('transcribe: the text and its cost; times, words and the language where they are asked for', async () => {
  const model = indoxhub.transcriptionModel('openai/whisper-1');
  const audio = new Uint8Array(wavOf(3));
  const plain = await transcribe({ model, audio });
  expect(plain.text).toBe('Hello there. General Kenobi.');
  expect(plain.durationInSeconds).toBe(3);
  expect(plain.providerMetadata['indoxhub']?.['usage']).toMatchObject({ seconds: 3 });
  await costOf(plain.providerMetadata);
  const file = partsOf(lastCall()).find(({ fileName }) => fileName !== null);
  expect(file?.body.equals(wavOf(3))).toBe(true);

  const timed = await transcribe({
    model,
    audio,
    timestampGranularities: ['word', 'segment'],
    providerOptions: { indoxhub: { language: 'en', prompt: 'Kenobi' } },
  });
  expect(timed.language).toBe('en');
  expect(timed.segments[1]).toEqual({ text: ' General Kenobi.', startSecond: 2.25, endSecond: 3.04 });
  expect(timed.words?.[0]).toEqual({ text: 'Hello', startSecond: 0, endSecond: 0.7 });
  expect(Object.fromEntries(fieldsOf(lastCall()))).toMatchObject({ language: 'en', prompt: 'Kenobi' });
});

test('errors of every kind of model: the gateway’s sentence, and whether a retry is of use', async () => {
  const calls = {
    embedding: () =>
      embed({
        model: indoxhub.embeddingModel('openai/text-embedding-3-small'),
        value: 'x',
        providerOptions: { indoxhub: { dimensions: -1 } },
      }),
    image: () => generateImage({ model: indoxhub.imageModel('openai/dall-e-2'), prompt: 'x', size: '7x0' }),
    speech: () => generateSpeech({ model: indoxhub.speechModel('openai/tts-1'), text: 'x', speed: 9 }),
    transcription: () =>
      transcribe({
        model: indoxhub.transcriptionModel('openai/whisper-1'),
        audio: new Uint8Array(wavOf(1)),
        providerOptions: { indoxhub: { temperature: 'hot' } },
      }),
  };
  for (const [kind, call] of Object.entries(calls)) {
    const error: unknown = await call().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(APICallError.isInstance(error), kind).toBe(true);
    expect(error, kind).toMatchObject({ statusCode: 400, isRetryable: false });
    expect(String(error), kind).toMatch(/dimensions|size|speed|temperature/);
  }
  const failing = await generateSpeech({
    model: indoxhub.speechModel('openai/tts-1'),
    text: '[status 500]',
    maxRetries: 0,
  }).catch((error: unknown) => error);
  expect(failing).toMatchObject({ statusCode: 502, isRetryable: true });
  const refused = await generateSpeech({
    model: indoxhub.speechModel('openai/tts-1-hd'),
    text: '[status 401]',
    maxRetries: 0,
  }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ statusCode: 502, isRetryable: false });
});

test('abort: a call that is not streamed is left', async () => {
  const abort = new AbortController();
  abort.abort();
  const { length } = scene.upstream.calls;
  await expect(
    generateImage({ model: indoxhub.imageModel('openai/dall-e-2'), prompt: 'x', abortSignal: abort.signal }),
  ).rejects.toMatchObject({ name: 'AbortError' });
  expect(scene.upstream.calls.length).toBe(length);
});

test('language names become codes', () => {
  const told = ['english', 'Norwegian', 'hebrew', 'yiddish', 'indonesian', 'EN', 'welsh', 'klingonish'];
  expect(told.map(languageCode)).toEqual(['en', 'no', 'he', 'yi', 'id', 'en', 'cy', undefined]);
});

test('generateVideo: a job is started, waited for, its file and cost told', async () => {
  const result = await experimental_generateVideo({
    model: indoxhub.videoModel('openai/sora-2'),
    prompt: { text: 'A fox', image: pixel },
    duration: 4,
    resolution: '1280x720',
    seed: 3,
    poll: { intervalMs: 20 },
  });
  expect(Buffer.from(result.video.uint8Array)).toEqual(mp4);
  expect(result.video.mediaType).toBe('video/mp4');
  expect(result.warnings).toMatchObject([{ type: 'unsupported', feature: 'seed' }]);
  expect(result.providerMetadata['indoxhub']?.['cost']).toBe(0.4);
  await expect(
    experimental_generateVideo({
      model: indoxhub.videoModel('openai/sora-2'),
      prompt: 'A fox [fail]',
      poll: { intervalMs: 20 },
    }),
  ).rejects.toThrow();
});
