/** Speech held against the vendors' own SDKs; xAI, which has none on npm, against the AI SDK's package for it. */
import { createXai } from '@ai-sdk/xai';
import { DeepgramClient } from '@deepgram/sdk';
import { ElevenLabsClient } from '@elevenlabs/elevenlabs-js';
import { GoogleGenAI } from '@google/genai';
import Groq from 'groq-sdk';
import { Mistral } from '@mistralai/mistralai';
import OpenAI, { AzureOpenAI } from 'openai';
import Together from 'together-ai';
import { soundOf } from '../fakes/speech.ts';
import type { TestGateway } from '../gateway.ts';
import { key, prove, type Proof } from './sdk-proof.ts';

const input = 'Grüße 🌍, spoken.';
const sound = soundOf(input);

const env = (origin: string): Record<string, string> => ({
  OPENAI_API_KEY: key,
  OPENAI_BASE_URL: `${origin}/v1`,
  AZURE_API_KEY: key,
  AZURE_BASE_URL: `${origin}/openai/deployments/tts-1`,
  GROQ_API_KEY: key,
  GROQ_BASE_URL: `${origin}/openai/v1`,
  TOGETHER_API_KEY: key,
  TOGETHER_BASE_URL: `${origin}/v1`,
  MISTRAL_API_KEY: key,
  MISTRAL_BASE_URL: `${origin}/v1`,
  XAI_API_KEY: key,
  XAI_BASE_URL: `${origin}/v1`,
  GEMINI_API_KEY: key,
  GEMINI_BASE_URL: origin,
  ELEVENLABS_API_KEY: key,
  ELEVENLABS_BASE_URL: origin,
  DEEPGRAM_API_KEY: key,
  DEEPGRAM_BASE_URL: origin,
});

const bytesOf = async (answer: { arrayBuffer: () => Promise<ArrayBuffer> }): Promise<string> =>
  Buffer.from(await answer.arrayBuffer()).toString('base64');

async function spoken(gateway: TestGateway, body: object): Promise<string> {
  const answer = await gateway.post('/v1/audio/speech', { input, ...body });
  if (answer.status !== 200) throw new Error(await answer.text());
  return bytesOf(answer);
}

const mpeg = { headers: { 'content-type': 'audio/mpeg' }, body: sound };

// platform.openai.com/docs/api-reference/audio/createSpeech, 2026-11-25
const ofOpenai: Proof<string>[] = [
  {
    title: 'openai: everything that can be asked',
    header: 'authorization',
    answer: () => mpeg,
    sdk: async (origin) =>
      bytesOf(
        await new OpenAI({ apiKey: key, baseURL: `${origin}/v1` }).audio.speech.create({
          model: 'gpt-4o-mini-tts',
          input,
          voice: 'nova',
          instructions: 'Cheerfully',
          response_format: 'opus',
          speed: 1.5,
        }),
      ),
    ours: (gateway) =>
      spoken(gateway, {
        model: 'openai/gpt-4o-mini-tts',
        voice: 'nova',
        instructions: 'Cheerfully',
        response_format: 'opus',
        speed: 1.5,
      }),
  },
  {
    title: 'azure: everything that can be asked',
    header: 'api-key',
    answer: () => mpeg,
    async sdk(origin) {
      const client = new AzureOpenAI({ apiKey: key, apiVersion: '2025-04-01-preview', endpoint: origin });
      const request = { model: 'tts-1', input, voice: 'nova', response_format: 'flac', speed: 2 } as const;
      return bytesOf(await client.audio.speech.create(request));
    },
    ours: (gateway) =>
      spoken(gateway, { model: 'azure/tts-1', voice: 'nova', response_format: 'flac', speed: 2 }),
    // The SDK always names a version; the gateway names one where it is configured.
    alike: ({ query }) => delete query['api-version'],
  },
];

// console.groq.com/docs/text-to-speech, 2026-11-25
const ofGroq: Proof<string>[] = [
  {
    title: 'groq: Opus is called by its container',
    header: 'authorization',
    answer: () => mpeg,
    async sdk(origin) {
      const client = new Groq({ apiKey: key, baseURL: origin });
      return bytesOf(
        await client.audio.speech.create({
          model: 'canopylabs/orpheus-v1-english',
          input,
          voice: 'troy',
          response_format: 'ogg',
          sample_rate: 48_000,
          speed: 1.2,
        }),
      );
    },
    ours: (gateway) =>
      spoken(gateway, {
        model: 'groq/canopylabs/orpheus-v1-english',
        voice: 'troy',
        response_format: 'opus',
        sample_rate: 48_000,
        speed: 1.2,
      }),
  },
];

// docs.together.ai/reference/audio-speech, 2026-11-25
const together = (origin: string): Together => new Together({ apiKey: key, baseURL: `${origin}/v1` });
const ofTogether: Proof<string>[] = [
  {
    title: 'together: mp3',
    header: 'authorization',
    answer: () => mpeg,
    sdk: async (origin) =>
      bytesOf(
        await together(origin).audio.speech.create({
          model: 'hexgrad/Kokoro-82M',
          input,
          voice: 'af_alloy',
          response_format: 'mp3',
          language: 'en',
        }),
      ),
    ours: (gateway) =>
      spoken(gateway, { model: 'together/hexgrad/Kokoro-82M', voice: 'af_alloy', language: 'en' }),
  },
  {
    title: 'together: PCM is raw, and as 16 bits at 24 kHz',
    header: 'authorization',
    answer: () => mpeg,
    sdk: async (origin) =>
      bytesOf(
        await together(origin).audio.speech.create({
          model: 'cartesia/sonic',
          input,
          voice: 'friendly sidekick',
          response_format: 'raw',
          response_encoding: 'pcm_s16le',
          sample_rate: 24_000,
        }),
      ),
    ours: (gateway) =>
      spoken(gateway, {
        model: 'together/cartesia/sonic',
        voice: 'friendly sidekick',
        response_format: 'pcm',
      }),
  },
];

// docs.mistral.ai/api/endpoint/audio/speech, 2026-11-25
const ofMistral: Proof<string>[] = [
  {
    title: 'mistral: a voice by its id',
    header: 'authorization',
    answer: () => ({ body: { audio_data: sound.toString('base64') } }),
    async sdk(origin) {
      const client = new Mistral({ apiKey: key, serverURL: origin });
      const answer = await client.audio.speech.complete({
        model: 'voxtral-mini-tts-2603',
        input,
        voiceId: 'en_paul_neutral',
        responseFormat: 'mp3',
        stream: false,
      });
      return answer.audioData;
    },
    ours: (gateway) => spoken(gateway, { model: 'mistral/voxtral-mini-tts-2603', voice: 'en_paul_neutral' }),
  },
];

// ai.google.dev/gemini-api/docs/speech-generation, 2026-11-25
const ofGoogle: Proof<string>[] = [
  {
    title: 'google: raw sound',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [
          {
            content: {
              role: 'model',
              parts: [
                {
                  inlineData: { mimeType: 'audio/L16;codec=pcm;rate=24000', data: sound.toString('base64') },
                },
              ],
            },
            finishReason: 'STOP',
          },
        ],
        usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 80, totalTokenCount: 85 },
      },
    }),
    async sdk(origin) {
      const client = new GoogleGenAI({ apiKey: key, apiVersion: 'v1beta', httpOptions: { baseUrl: origin } });
      const answer = await client.models.generateContent({
        model: 'gemini-2.5-flash-preview-tts',
        contents: input,
        config: {
          responseModalities: ['AUDIO'],
          speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Puck' } } },
        },
      });
      return answer.data ?? '';
    },
    ours: (gateway) =>
      spoken(gateway, {
        model: 'google/gemini-2.5-flash-preview-tts',
        voice: 'Puck',
        response_format: 'pcm',
      }),
  },
];

// elevenlabs.io/docs/api-reference/text-to-speech/convert, 2026-11-25
const ofElevenlabs: Proof<string>[] = [
  {
    title: 'elevenlabs: a voice in the path, its settings in the body',
    header: 'xi-api-key',
    answer: () => mpeg,
    async sdk(origin) {
      const client = new ElevenLabsClient({ apiKey: key, baseUrl: origin });
      const answer = await client.textToSpeech.convert('JBFqnCBsd6RMkjVDRZzb', {
        text: input,
        modelId: 'eleven_multilingual_v2',
        outputFormat: 'mp3_44100_128',
        languageCode: 'de',
        seed: 7,
        voiceSettings: { stability: 0.5, similarityBoost: 0.75, speed: 1.1 },
      });
      return bytesOf(new Response(answer));
    },
    ours: (gateway) =>
      spoken(gateway, {
        model: 'elevenlabs/eleven_multilingual_v2',
        voice: 'JBFqnCBsd6RMkjVDRZzb',
        response_format: 'mp3',
        speed: 1.1,
        language_code: 'de',
        seed: 7,
        voice_settings: { stability: 0.5, similarity_boost: 0.75 },
      }),
  },
  ...(['opus', 'pcm', 'wav'] as const).map((format): Proof<string> => {
    const formats = { opus: 'opus_48000_128', pcm: 'pcm_24000', wav: 'wav_24000' } as const;
    return {
      title: `elevenlabs: ${format}`,
      header: 'xi-api-key',
      answer: () => mpeg,
      async sdk(origin) {
        const client = new ElevenLabsClient({ apiKey: key, baseUrl: origin });
        const outputFormat = formats[format];
        const request = { text: input, modelId: 'eleven_flash_v2_5', outputFormat };
        return bytesOf(new Response(await client.textToSpeech.convert('v1', request)));
      },
      ours: (gateway) =>
        spoken(gateway, { model: 'elevenlabs/eleven_flash_v2_5', voice: 'v1', response_format: format }),
    };
  }),
];

// developers.deepgram.com/reference/text-to-speech/speak-request, 2026-11-25
const deepgramFormats = {
  mp3: { encoding: 'mp3' },
  opus: { encoding: 'opus', container: 'ogg' },
  aac: { encoding: 'aac' },
  flac: { encoding: 'flac' },
  wav: { encoding: 'linear16', container: 'wav' },
  pcm: { encoding: 'linear16', container: 'none' },
} as const;
const ofDeepgram = (Object.keys(deepgramFormats) as (keyof typeof deepgramFormats)[]).map(
  (format): Proof<string> => ({
    title: `deepgram: ${format}`,
    header: 'authorization',
    answer: () => mpeg,
    async sdk(origin) {
      const client = new DeepgramClient({
        apiKey: key,
        environment: { base: origin, production: origin, agent: origin, agentRest: origin },
      });
      const request = {
        text: input,
        model: 'aura-2-thalia-en',
        speed: 1.2,
        ...deepgramFormats[format],
      } as const;
      return bytesOf(await client.speak.v1.audio.generate(request));
    },
    ours: (gateway) =>
      spoken(gateway, { model: 'deepgram/aura-2', voice: 'thalia', response_format: format, speed: 1.2 }),
  }),
);

// docs.x.ai/docs/guides/voice, 2026-11-25
const ofXai: Proof<string>[] = [
  {
    title: 'xai: a voice, a language, a codec',
    header: 'authorization',
    answer: () => mpeg,
    async sdk(origin) {
      const model = createXai({ apiKey: key, baseURL: `${origin}/v1` }).speech();
      const answer = await model.doGenerate({
        text: input,
        voice: 'ara',
        outputFormat: 'wav',
        language: 'de',
        speed: 1.2,
        providerOptions: { xai: { sampleRate: 24_000 } },
      });
      return Buffer.from(answer.audio as Uint8Array).toString('base64');
    },
    ours: (gateway) =>
      spoken(gateway, {
        model: 'xai/grok-tts',
        voice: 'ara',
        response_format: 'wav',
        language: 'de',
        speed: 1.2,
      }),
  },
];

prove(env, [
  ...ofOpenai,
  ...ofGroq,
  ...ofTogether,
  ...ofMistral,
  ...ofGoogle,
  ...ofElevenlabs,
  ...ofDeepgram,
  ...ofXai,
]);
