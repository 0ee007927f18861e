/** The AI SDK (`ai`) through three providers: OpenAI-compatible, OpenAI's own, and the one of this repository. */
import assert from 'node:assert/strict';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  APICallError,
  embedMany,
  experimental_generateVideo,
  generateImage,
  generateSpeech,
  generateText,
  isStepCount,
  jsonSchema,
  Output,
  streamText,
  tool,
  transcribe,
  type EmbeddingModel,
  type ImageModel,
  type LanguageModel,
  type SpeechModel,
  type TranscriptionModel,
} from 'ai';
import { createIndoxHub } from '../packages/ai-sdk-provider/src/index.ts';
import { png } from '../packages/server/test/fakes/images.ts';
import { soundOf } from '../packages/server/test/fakes/speech.ts';
import { wavOf } from '../packages/server/test/fakes/transcriptions.ts';
import { mp4 } from '../packages/server/test/fakes/videos.ts';
import { installed, type Check, type Scene, type Suite } from './checks.ts';

/** Models of one provider; what it has not is left out, and has no check. */
interface Models {
  readonly chat: (scene: Scene, id?: string, apiKey?: string) => LanguageModel;
  readonly completion: (scene: Scene) => LanguageModel;
  readonly embedding: (scene: Scene) => EmbeddingModel;
  readonly image: (scene: Scene) => ImageModel;
  readonly speech?: (scene: Scene) => SpeechModel;
  readonly transcription?: (scene: Scene) => TranscriptionModel;
}

const citySchema = jsonSchema<{ city: string }>({
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
});
const tools = {
  weather: tool({ inputSchema: citySchema, execute: ({ city }) => `rain in ${city}` }),
};
const failure = async (call: PromiseLike<unknown>): Promise<APICallError> => {
  const thrown: unknown = await Promise.resolve(call).then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  if (!APICallError.isInstance(thrown)) throw thrown;
  return thrown;
};

const chatChecks = ({ chat, completion }: Models): Check[] => [
  {
    capability: 'chat',
    name: 'generateText',
    async run(scene) {
      const { text, usage } = await generateText({ model: chat(scene), prompt: 'Hello' });
      assert.equal(text, 'You said: Hello');
      assert.deepEqual([usage.inputTokens, usage.outputTokens], [12, 8]);
    },
  },
  {
    capability: 'stream',
    name: 'streamText, with tokens at its end',
    async run(scene) {
      const result = streamText({ model: chat(scene), prompt: 'a b c' });
      let text = '';
      for await (const part of result.textStream) text += part;
      assert.equal(text, 'You said: a b c');
      assert.equal((await result.usage).totalTokens, 20);
    },
  },
  {
    capability: 'stop',
    name: 'abort closes the connection to the provider',
    async run(scene) {
      const abort = new AbortController();
      const before = scene.upstream.calls.length;
      const result = streamText({
        model: chat(scene),
        prompt: '[slow]',
        abortSignal: abort.signal,
        onError: () => {},
      });
      for await (const part of result.fullStream) if (part.type === 'text-delta') abort.abort();
      assert.ok(((await scene.upstream.calls[before]?.closed) ?? 0) > 0);
    },
  },
  {
    capability: 'tools',
    name: 'the call, its result, the answer after it; whole and streamed',
    async run(scene) {
      const given = { model: chat(scene), prompt: 'The weather?', tools, stopWhen: isStepCount(3) };
      assert.equal((await generateText(given)).text, 'The tool said: rain in Oslo');
      assert.equal(await streamText(given).text, 'The tool said: rain in Oslo');
    },
  },
  {
    capability: 'schema',
    name: 'Output.object, whole and streamed',
    async run(scene) {
      const given = {
        model: chat(scene),
        prompt: 'Which city?',
        output: Output.object({ schema: citySchema }),
      };
      assert.deepEqual((await generateText(given)).output, { city: 'Oslo' });
      assert.deepEqual(await streamText(given).output, { city: 'Oslo' });
    },
  },
  {
    capability: 'completion',
    name: 'a completion model',
    async run(scene) {
      const { text } = await generateText({ model: completion(scene), prompt: 'Once upon' });
      assert.match(text, /^You said: /);
      assert.equal(scene.upstream.calls.at(-1)?.path, '/v1/completions');
    },
  },
  {
    capability: 'errors',
    name: 'APICallError with the gateway’s sentence: 400, 401, 404; inside a stream',
    async run(scene) {
      const bad = await failure(generateText({ model: chat(scene), prompt: 'x', temperature: 9 }));
      assert.equal(bad.statusCode, 400);
      assert.match(bad.message, /temperature/);
      const stranger = chat(scene, undefined, `indox-${'e'.repeat(32)}`);
      assert.equal((await failure(generateText({ model: stranger, prompt: 'x' }))).statusCode, 401);
      const nobody = await failure(generateText({ model: chat(scene, 'nobody/x'), prompt: 'x' }));
      assert.equal(nobody.statusCode, 404);
      const told: unknown[] = [];
      const broken = streamText({
        model: chat(scene),
        prompt: '[break]',
        onError: ({ error }) => void told.push(error),
      });
      let text = '';
      for await (const part of broken.textStream) text += part;
      assert.equal(text, 'You said: [break]');
      assert.match(JSON.stringify(told[0]) + String(told[0]), /fell over/);
    },
  },
  {
    capability: 'retry',
    name: 'a 402 is not tried again, a 429 may be',
    async run(scene) {
      const poor = await scene.gateway.account('0.000001');
      const refused = await failure(
        generateText({ model: chat(scene, undefined, poor.apiKey), prompt: 'x', maxOutputTokens: 1000 }),
      );
      assert.deepEqual([refused.statusCode, refused.isRetryable], [402, false]);
      const limited = chat(scene, undefined, (await scene.gateway.account(null, { rpm: 1 })).apiKey);
      await generateText({ model: limited, prompt: 'x' });
      const late = await failure(generateText({ model: limited, prompt: 'x', maxRetries: 0 }));
      assert.deepEqual([late.statusCode, late.isRetryable], [429, true]);
      assert.ok(Number(late.responseHeaders?.['retry-after-ms']) > 0);
    },
  },
];

const mediaChecks = ({ embedding, image, speech, transcription }: Models): Check[] => [
  {
    capability: 'embed',
    name: 'embedMany, in order',
    async run(scene) {
      const { embeddings } = await embedMany({ model: embedding(scene), values: ['a', 'abc'] });
      assert.deepEqual(
        embeddings.map(([length]) => length),
        [1, 3],
      );
    },
  },
  {
    capability: 'image',
    name: 'generateImage',
    async run(scene) {
      const { images } = await generateImage({ model: image(scene), prompt: 'A fox', n: 2, size: '256x256' });
      assert.deepEqual(
        images.map(({ base64 }) => base64),
        [png.toString('base64'), png.toString('base64')],
      );
    },
  },
  ...(speech === undefined
    ? []
    : [
        {
          capability: 'speech' as const,
          name: 'generateSpeech',
          async run(scene: Scene) {
            const { audio } = await generateSpeech({ model: speech(scene), text: 'Hello', voice: 'alloy' });
            assert.ok(Buffer.from(audio.uint8Array).equals(soundOf('Hello')));
          },
        },
      ]),
  ...(transcription === undefined
    ? []
    : [
        {
          capability: 'transcribe' as const,
          name: 'transcribe',
          async run(scene: Scene) {
            const audio = new Uint8Array(wavOf(3));
            const { text } = await transcribe({ model: transcription(scene), audio });
            assert.equal(text, 'Hello there. General Kenobi.');
          },
        },
      ]),
];

const pictures = 'openai/dall-e-2';
const vectors = 'openai/text-embedding-3-small';

const compatible = (scene: Scene, apiKey = scene.gateway.apiKey) =>
  createOpenAICompatible({
    name: 'gateway',
    apiKey,
    baseURL: `${scene.gateway.url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
const compatibleModels: Models = {
  chat: (scene, id = scene.model, apiKey) => compatible(scene, apiKey)(id),
  completion: (scene) => compatible(scene).completionModel(scene.model),
  embedding: (scene) => compatible(scene).embeddingModel(vectors),
  image: (scene) => compatible(scene).imageModel(pictures),
};
export const openaiCompatible: Suite = {
  client: `${installed('ai')} + ${installed('@ai-sdk/openai-compatible')}`,
  checks: [
    ...chatChecks(compatibleModels),
    {
      capability: 'cost',
      name: 'in usage.raw',
      async run(scene) {
        const { usage } = await generateText({ model: compatibleModels.chat(scene), prompt: 'x' });
        assert.equal(usage.raw?.['cost'], 0.0000066);
      },
    },
    ...mediaChecks(compatibleModels),
  ],
};

const openai = (scene: Scene, apiKey = scene.gateway.apiKey) =>
  createOpenAI({ apiKey, baseURL: `${scene.gateway.url}/v1` });
const openaiModels: Models = {
  chat: (scene, id = scene.model, apiKey) => openai(scene, apiKey).chat(id),
  completion: (scene) => openai(scene).completion(scene.model),
  embedding: (scene) => openai(scene).embedding(vectors),
  image: (scene) => openai(scene).image(pictures),
  speech: (scene) => openai(scene).speech('openai/tts-1'),
  transcription: (scene) => openai(scene).transcription('openai/whisper-1'),
};
export const openaiProvider: Suite = {
  client: `${installed('ai')} + ${installed('@ai-sdk/openai')}`,
  checks: [
    ...chatChecks(openaiModels),
    ...mediaChecks(openaiModels),
    {
      capability: 'errors',
      name: 'its default model calls /responses: a 404 that names openai.chat()',
      async run(scene) {
        const error = await failure(generateText({ model: openai(scene)(scene.model), prompt: 'x' }));
        assert.equal(error.statusCode, 404);
        assert.match(error.message, /openai\.chat\('…'\)/);
      },
    },
  ],
};

const indoxhub = (scene: Scene, apiKey = scene.gateway.apiKey) =>
  createIndoxHub({ apiKey, baseURL: scene.gateway.url });
const ourModels: Models = {
  chat: (scene, id = scene.model, apiKey) => indoxhub(scene, apiKey)(id),
  completion: (scene) => indoxhub(scene).completion(scene.model),
  embedding: (scene) => indoxhub(scene).embeddingModel(vectors),
  image: (scene) => indoxhub(scene).imageModel(pictures),
  speech: (scene) => indoxhub(scene).speechModel('openai/tts-1'),
  transcription: (scene) => indoxhub(scene).transcriptionModel('openai/whisper-1'),
};
export const ourProvider: Suite = {
  client: `${installed('ai')} + ${installed('@indoxhub/ai-sdk-provider')}`,
  checks: [
    ...chatChecks(ourModels),
    {
      capability: 'cost',
      name: 'in providerMetadata, whole and streamed',
      async run(scene) {
        const model = ourModels.chat(scene);
        const whole = await generateText({ model, prompt: 'x' });
        const streamed = await streamText({ model, prompt: 'x' }).providerMetadata;
        const told = [whole.providerMetadata, streamed].map((each) => each?.['indoxhub']?.['cost']);
        assert.deepEqual(told, [0.0000066, 0.0000066]);
      },
    },
    ...mediaChecks(ourModels),
    {
      capability: 'video',
      name: 'generateVideo waits for the job',
      async run(scene) {
        const { video } = await experimental_generateVideo({
          model: indoxhub(scene).videoModel('openai/sora-2'),
          prompt: 'A fox',
          duration: 4,
          poll: { intervalMs: 20 },
        });
        assert.ok(Buffer.from(video.uint8Array).equals(mp4));
      },
    },
  ],
};
