/** Speech to text held against the vendors' own SDKs. */
import { AssemblyAI } from 'assemblyai';
import { DeepgramClient } from '@deepgram/sdk';
import { ElevenLabsClient } from '@elevenlabs/elevenlabs-js';
import { GoogleGenAI } from '@google/genai';
import Groq from 'groq-sdk';
import { Mistral } from '@mistralai/mistralai';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import Together from 'together-ai';
import { wavOf } from '../fakes/transcriptions.ts';
import type { TestGateway } from '../gateway.ts';
import { key, prove, type Proof } from './sdk-proof.ts';

const wav = wavOf(3);
const text = 'Hello there. General Kenobi.';
const file = (): Promise<File> => toFile(wav, 'clip.wav', { type: 'audio/wav' });

const env = (origin: string): Record<string, string> => ({
  OPENAI_API_KEY: key,
  OPENAI_BASE_URL: `${origin}/v1`,
  AZURE_API_KEY: key,
  AZURE_BASE_URL: `${origin}/openai/deployments/whisper`,
  GROQ_API_KEY: key,
  GROQ_BASE_URL: `${origin}/openai/v1`,
  TOGETHER_API_KEY: key,
  TOGETHER_BASE_URL: `${origin}/v1`,
  MISTRAL_API_KEY: key,
  MISTRAL_BASE_URL: `${origin}/v1`,
  GEMINI_API_KEY: key,
  GEMINI_BASE_URL: origin,
  ELEVENLABS_API_KEY: key,
  ELEVENLABS_BASE_URL: origin,
  DEEPGRAM_API_KEY: key,
  DEEPGRAM_BASE_URL: origin,
  ASSEMBLYAI_API_KEY: key,
  ASSEMBLYAI_BASE_URL: origin,
});

/** What both must have read: the text, and when each word was said, where asked. */
interface Heard {
  readonly text: string;
  readonly words?: readonly (readonly [string, number, number])[];
  readonly segments?: readonly (readonly [string, number, number])[];
}
interface Timed {
  readonly start?: number | null | undefined;
  readonly end?: number | null | undefined;
}
const timed = (name: string, { start, end }: Timed): readonly [string, number, number] => [
  name,
  start ?? -1,
  end ?? -1,
];

type Fields = Readonly<Record<string, string | readonly string[]>>;

/** The answer a caller of OpenAI's wire gets. */
async function asked(
  gateway: TestGateway,
  fields: Fields,
  task: 'transcriptions' | 'translations' = 'transcriptions',
): Promise<OpenAI.Audio.TranscriptionVerbose> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields))
    for (const each of typeof value === 'string' ? [value] : value) form.append(name, each);
  form.append('file', await file());
  const answer = await fetch(`${gateway.url}/v1/audio/${task}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.apiKey}` },
    body: form,
  });
  const body = (await answer.json()) as OpenAI.Audio.TranscriptionVerbose;
  if (!answer.ok) throw new Error(JSON.stringify(body));
  return body;
}

const verbose = {
  response_format: 'verbose_json',
  'timestamp_granularities[]': ['word', 'segment'],
} as const;

async function heard(gateway: TestGateway, fields: Fields): Promise<Heard> {
  const answer = await asked(gateway, fields);
  return {
    text: answer.text,
    ...(answer.words === undefined ? {} : { words: answer.words.map((each) => timed(each.word, each)) }),
  };
}

async function heardSegments(gateway: TestGateway, fields: Fields): Promise<Heard> {
  const answer = await asked(gateway, fields);
  return { text: answer.text, segments: (answer.segments ?? []).map((each) => timed(each.text, each)) };
}

// platform.openai.com/docs/api-reference/audio/createTranscription, 2026-11-25
const words = [
  { word: 'Hello', start: 0, end: 0.7 },
  { word: 'there', start: 0.8, end: 1.5 },
];
const segments = [
  {
    id: 0,
    start: 0,
    end: 1.5,
    text: ' Hello there.',
    seek: 0,
    temperature: 0,
    tokens: [1],
    avg_logprob: -0.1,
  },
  {
    id: 1,
    start: 2.25,
    end: 3.04,
    text: ' General Kenobi.',
    seek: 0,
    temperature: 0,
    tokens: [2],
    avg_logprob: -0.2,
  },
];
const whisper = { task: 'transcribe', language: 'english', duration: 3, text, words, segments };

const openai = (origin: string): OpenAI => new OpenAI({ apiKey: key, baseURL: `${origin}/v1` });
const ofOpenai: Proof<Heard>[] = [
  {
    title: 'openai: text, with a language, a prompt and a temperature',
    header: 'authorization',
    answer: () => ({
      body: {
        text,
        usage: {
          type: 'tokens',
          input_tokens: 60,
          input_token_details: { text_tokens: 10, audio_tokens: 50 },
          output_tokens: 12,
          total_tokens: 72,
        },
      },
    }),
    async sdk(origin) {
      const answer = await openai(origin).audio.transcriptions.create({
        model: 'gpt-4o-transcribe',
        file: await file(),
        language: 'en',
        prompt: 'Star Wars',
        temperature: 0.2,
        response_format: 'json',
        chunking_strategy: 'auto',
      });
      return { text: answer.text };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'openai/gpt-4o-transcribe',
        language: 'en',
        prompt: 'Star Wars',
        temperature: '0.2',
        chunking_strategy: 'auto',
      }),
  },
  {
    title: 'openai: words and segments',
    header: 'authorization',
    answer: () => ({ body: whisper }),
    async sdk(origin) {
      const answer = await openai(origin).audio.transcriptions.create({
        model: 'whisper-1',
        file: await file(),
        response_format: 'verbose_json',
        timestamp_granularities: ['word', 'segment'],
      });
      return { text: answer.text, words: (answer.words ?? []).map((each) => timed(each.word, each)) };
    },
    ours: (gateway) => heard(gateway, { model: 'openai/whisper-1', ...verbose }),
  },
  {
    title: 'openai: a translation',
    header: 'authorization',
    answer: () => ({ body: { text } }),
    async sdk(origin) {
      const answer = await openai(origin).audio.translations.create({
        model: 'whisper-1',
        file: await file(),
        prompt: 'Star Wars',
        response_format: 'json',
      });
      return { text: answer.text };
    },
    async ours(gateway) {
      const answer = await asked(gateway, { model: 'openai/whisper-1', prompt: 'Star Wars' }, 'translations');
      return { text: answer.text };
    },
  },
];

const azure = (origin: string): AzureOpenAI =>
  new AzureOpenAI({ apiKey: key, apiVersion: '2025-04-01-preview', endpoint: origin, deployment: 'whisper' });
// The SDK always names a version; the gateway names one where it is configured.
const withoutVersion: Proof<Heard>['alike'] = ({ query }) => delete query['api-version'];
const ofAzure: Proof<Heard>[] = [
  {
    title: 'azure: words',
    header: 'api-key',
    answer: () => ({ body: whisper }),
    async sdk(origin) {
      const answer = await azure(origin).audio.transcriptions.create({
        model: 'whisper',
        file: await file(),
        response_format: 'verbose_json',
        timestamp_granularities: ['word', 'segment'],
      });
      return { text: answer.text, words: (answer.words ?? []).map((each) => timed(each.word, each)) };
    },
    ours: (gateway) => heard(gateway, { model: 'azure/whisper', ...verbose }),
    alike: withoutVersion,
  },
  {
    title: 'azure: a translation',
    header: 'api-key',
    answer: () => ({ body: { text } }),
    async sdk(origin) {
      const request = { model: 'whisper', file: await file(), response_format: 'json' } as const;
      return { text: (await azure(origin).audio.translations.create(request)).text };
    },
    async ours(gateway) {
      return { text: (await asked(gateway, { model: 'azure/whisper' }, 'translations')).text };
    },
    alike: withoutVersion,
  },
];

// console.groq.com/docs/speech-to-text, 2026-11-25
const groq = (origin: string): Groq => new Groq({ apiKey: key, baseURL: origin });
const ofGroq: Proof<Heard>[] = [
  {
    title: 'groq: words and segments',
    header: 'authorization',
    answer: () => ({ body: { ...whisper, x_groq: { id: 'req_1' } } }),
    async sdk(origin) {
      const answer = (await groq(origin).audio.transcriptions.create({
        model: 'whisper-large-v3-turbo',
        file: await file(),
        language: 'en',
        prompt: 'Star Wars',
        temperature: 0.2,
        response_format: 'verbose_json',
        timestamp_granularities: ['word', 'segment'],
      })) as OpenAI.Audio.TranscriptionVerbose;
      return { text: answer.text, words: (answer.words ?? []).map((each) => timed(each.word, each)) };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'groq/whisper-large-v3-turbo',
        language: 'en',
        prompt: 'Star Wars',
        temperature: '0.2',
        ...verbose,
      }),
  },
  {
    title: 'groq: a translation',
    header: 'authorization',
    answer: () => ({ body: { text, x_groq: { id: 'req_1' } } }),
    async sdk(origin) {
      const request = { model: 'whisper-large-v3', file: await file(), response_format: 'json' } as const;
      return { text: (await groq(origin).audio.translations.create(request)).text };
    },
    async ours(gateway) {
      return { text: (await asked(gateway, { model: 'groq/whisper-large-v3' }, 'translations')).text };
    },
  },
];

// docs.together.ai/reference/audio-transcriptions, 2026-11-25
const ofTogether: Proof<Heard>[] = [
  {
    title: 'together: words and segments',
    header: 'authorization',
    answer: () => ({ body: { ...whisper, words: words.map((each, id) => ({ id, ...each })) } }),
    async sdk(origin) {
      const client = new Together({ apiKey: key, baseURL: `${origin}/v1` });
      const answer = (await client.audio.transcriptions.create({
        model: 'openai/whisper-large-v3',
        file: await file(),
        language: 'en',
        prompt: 'Star Wars',
        temperature: 0.2,
        response_format: 'verbose_json',
        timestamp_granularities: ['word', 'segment'],
      })) as OpenAI.Audio.TranscriptionVerbose;
      return { text: answer.text, words: (answer.words ?? []).map((each) => timed(each.word, each)) };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'together/openai/whisper-large-v3',
        language: 'en',
        prompt: 'Star Wars',
        temperature: '0.2',
        ...verbose,
      }),
  },
  {
    title: 'together: a translation',
    header: 'authorization',
    answer: () => ({ body: { text } }),
    async sdk(origin) {
      const client = new Together({ apiKey: key, baseURL: `${origin}/v1` });
      const request = {
        model: 'openai/whisper-large-v3',
        file: await file(),
        response_format: 'json',
      } as const;
      return { text: (await client.audio.translations.create(request)).text };
    },
    async ours(gateway) {
      return {
        text: (await asked(gateway, { model: 'together/openai/whisper-large-v3' }, 'translations')).text,
      };
    },
  },
];

// docs.mistral.ai/api/endpoint/audio/transcriptions, 2026-11-25
const mistralAnswer = {
  model: 'voxtral-mini-2507',
  text,
  language: 'en',
  segments: [
    { type: 'transcription_segment', text: 'Hello there.', start: 0, end: 1.5 },
    { type: 'transcription_segment', text: 'General Kenobi.', start: 2.25, end: 3.04 },
  ],
  usage: { prompt_audio_seconds: 3, prompt_tokens: 4, total_tokens: 50, completion_tokens: 46 },
};
const ofMistral: Proof<Heard>[] = [
  {
    title: 'mistral: segments, with a language, a temperature and words to expect',
    header: 'authorization',
    answer: () => ({ body: mistralAnswer }),
    async sdk(origin) {
      const answer = await new Mistral({ apiKey: key, serverURL: origin }).audio.transcriptions.complete({
        model: 'voxtral-mini-latest',
        file: await file(),
        temperature: 0.2,
        language: 'en',
        diarize: true,
        contextBias: ['Kenobi', 'Jedi'],
        timestampGranularities: ['segment'],
      });
      return {
        text: answer.text,
        segments: (answer.segments ?? []).map((each) => timed(each.text, each)),
      };
    },
    ours: (gateway) =>
      heardSegments(gateway, {
        model: 'mistral/voxtral-mini-latest',
        language: 'en',
        temperature: '0.2',
        diarize: 'true',
        context_bias: ['Kenobi', 'Jedi'],
        response_format: 'verbose_json',
      }),
    // The SDK writes down what is so anyhow.
    alike: ({ body }) => delete (body as Record<string, unknown>)['stream'],
  },
];

// ai.google.dev/gemini-api/docs/audio, 2026-11-25
const ofGoogle: Proof<Heard>[] = [
  {
    title: 'google: the sound goes inline',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 110, candidatesTokenCount: 8, totalTokenCount: 118 },
      },
    }),
    async sdk(origin) {
      const client = new GoogleGenAI({ apiKey: key, apiVersion: 'v1beta', httpOptions: { baseUrl: origin } });
      const answer = await client.models.generateContent({
        model: 'gemini-2.5-flash',
        contents: [
          {
            text: 'Transcribe the speech of this audio word for word, in the language spoken. Answer with the transcript alone.',
          },
          { inlineData: { mimeType: 'audio/wav', data: wav.toString('base64') } },
        ],
        config: { temperature: 0.2 },
      });
      return { text: answer.text ?? '' };
    },
    ours: (gateway) => heard(gateway, { model: 'google/gemini-2.5-flash', temperature: '0.2' }),
  },
  {
    title: 'google: a model made for it, with the times of words',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        id: 'v1_1',
        object: 'interaction',
        model: 'gemini-3.5-transcribe',
        status: 'completed',
        created: '2026-11-25T10:00:00Z',
        steps: [
          {
            type: 'model_output',
            content: [
              {
                type: 'text',
                text: 'Hello there',
                annotations: words.map(({ word, start, end }) => ({
                  type: 'word_info',
                  text: word,
                  start_offset: `${start}s`,
                  end_offset: `${end}s`,
                })),
              },
            ],
          },
        ],
        usage: {
          total_input_tokens: 100,
          input_tokens_by_modality: [{ modality: 'audio', tokens: 96 }],
          total_output_tokens: 5,
          total_tokens: 105,
        },
      },
    }),
    async sdk(origin) {
      const client = new GoogleGenAI({ apiKey: key, apiVersion: 'v1beta', httpOptions: { baseUrl: origin } });
      const answer = await client.interactions.create({
        model: 'gemini-3.5-transcribe',
        input: [{ type: 'audio', data: wav.toString('base64'), mime_type: 'audio/wav' }],
        generation_config: {
          transcription_config: {
            language_codes: ['en'],
            custom_vocabulary: ['Kenobi', 'Jedi'],
            mode: { type: 'verbatim', timestamp_granularities: ['word'] },
          },
        },
      });
      const said = (answer.steps ?? []).flatMap((step) =>
        step.type === 'model_output' ? (step.content ?? []) : [],
      );
      const [first] = said;
      if (first?.type !== 'text') throw new Error('no text');
      const timedWords = (first.annotations ?? []).map((each) => {
        if (each.type !== 'word_info') throw new Error('no word');
        const offset = (value: string | undefined): number => Number.parseFloat(value ?? '');
        return timed(each.text ?? '', { start: offset(each.start_offset), end: offset(each.end_offset) });
      });
      return { text: first.text, words: timedWords };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'google/gemini-3.5-transcribe',
        language: 'en',
        prompt: 'Kenobi, Jedi',
        ...verbose,
      }),
  },
];

// elevenlabs.io/docs/api-reference/speech-to-text/convert, 2026-11-25
const ofElevenlabs: Proof<Heard>[] = [
  {
    title: 'elevenlabs: words',
    header: 'xi-api-key',
    answer: () => ({
      body: {
        language_code: 'eng',
        language_probability: 0.98,
        text: 'Hello there',
        transcription_id: 't-1',
        words: [
          { text: 'Hello', start: 0, end: 0.7, type: 'word', speaker_id: 'speaker_0', logprob: 0 },
          { text: ' ', start: 0.7, end: 0.8, type: 'spacing', speaker_id: 'speaker_0', logprob: 0 },
          { text: 'there', start: 0.8, end: 1.5, type: 'word', speaker_id: 'speaker_0', logprob: 0 },
        ],
      },
    }),
    async sdk(origin) {
      const client = new ElevenLabsClient({ apiKey: key, baseUrl: origin });
      const answer = await client.speechToText.convert({
        modelId: 'scribe_v1',
        file: await file(),
        languageCode: 'en',
        temperature: 0.2,
        timestampsGranularity: 'word',
        diarize: true,
        tagAudioEvents: false,
        keyterms: ['Kenobi', 'Jedi'],
      });
      if (!('words' in answer)) throw new Error('no words');
      return {
        text: answer.text,
        words: answer.words.filter(({ type }) => type === 'word').map((each) => timed(each.text, each)),
      };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'elevenlabs/scribe_v1',
        language: 'en',
        temperature: '0.2',
        diarize: 'true',
        tag_audio_events: 'false',
        keyterms: ['Kenobi', 'Jedi'],
        ...verbose,
      }),
  },
];

// developers.deepgram.com/reference/speech-to-text/listen-pre-recorded, 2026-11-25
const ofDeepgram: Proof<Heard>[] = [
  {
    title: 'deepgram: words, everything in the query',
    header: 'authorization',
    answer: () => ({
      body: {
        metadata: {
          transaction_key: 'deprecated',
          request_id: 'r-1',
          sha256: 'x',
          created: '2026-11-25T10:00:00Z',
          duration: 3,
          channels: 1,
          models: ['m'],
          model_info: {},
        },
        results: {
          channels: [
            {
              alternatives: [
                {
                  transcript: 'Hello there.',
                  confidence: 0.99,
                  words: [
                    { word: 'hello', punctuated_word: 'Hello', start: 0, end: 0.7, confidence: 0.99 },
                    { word: 'there', punctuated_word: 'there.', start: 0.8, end: 1.5, confidence: 0.99 },
                  ],
                },
              ],
            },
          ],
          utterances: [
            {
              id: 'u-1',
              transcript: 'Hello there.',
              start: 0,
              end: 1.5,
              confidence: 0.99,
              channel: 0,
              words: [],
            },
          ],
        },
      },
    }),
    async sdk(origin) {
      const client = new DeepgramClient({
        apiKey: key,
        environment: { base: origin, production: origin, agent: origin, agentRest: origin },
      });
      const answer = await client.listen.v1.media.transcribeFile(
        { data: wav, contentType: 'audio/wav' },
        {
          model: 'nova-3',
          smart_format: true,
          utterances: true,
          language: 'en',
          diarize: true,
          keyterm: ['Kenobi', 'Jedi'],
        },
      );
      if (!('results' in answer)) throw new Error('no results');
      const best = answer.results.channels[0]?.alternatives?.[0];
      return {
        text: best?.transcript ?? '',
        words: (best?.words ?? []).map((each) =>
          timed((each as { punctuated_word?: string }).punctuated_word ?? '', each),
        ),
      };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'deepgram/nova-3',
        language: 'en',
        diarize: 'true',
        keyterm: ['Kenobi', 'Jedi'],
        ...verbose,
      }),
  },
];

// assemblyai.com/docs/api-reference, 2026-11-25
const job = {
  id: 'a-1',
  status: 'completed',
  audio_url: 'https://cdn.assemblyai.com/upload/u-1',
  text: 'Hello there',
  language_code: 'en',
  audio_duration: 3,
  words: [
    { text: 'Hello', start: 0, end: 700, confidence: 0.99, speaker: null },
    { text: 'there', start: 800, end: 1_500, confidence: 0.99, speaker: null },
  ],
};
const ofAssemblyai: Proof<Heard>[] = [
  {
    title: 'assemblyai: uploaded, asked for, asked about',
    header: 'authorization',
    answer: ({ path, method }) => {
      if (path === '/v2/upload') return { body: { upload_url: 'https://cdn.assemblyai.com/upload/u-1' } };
      if (method === 'POST') return { body: { ...job, status: 'queued', text: null, words: null } };
      return { body: job };
    },
    async sdk(origin) {
      const client = new AssemblyAI({ apiKey: key, baseUrl: origin });
      const answer = await client.transcripts.transcribe(
        {
          audio: wav,
          speech_model: 'slam-1',
          language_code: 'en',
          speaker_labels: true,
          prompt: 'Star Wars',
        },
        { pollingInterval: 1 },
      );
      return {
        text: answer.text ?? '',
        words: (answer.words ?? []).map(
          ({ text: word, start, end }) => [word, start / 1000, end / 1000] as const,
        ),
      };
    },
    ours: (gateway) =>
      heard(gateway, {
        model: 'assemblyai/slam-1',
        language: 'en',
        prompt: 'Star Wars',
        speaker_labels: 'true',
        ...verbose,
      }),
  },
];

prove(env, [
  ...ofOpenai,
  ...ofAzure,
  ...ofGroq,
  ...ofTogether,
  ...ofMistral,
  ...ofGoogle,
  ...ofElevenlabs,
  ...ofDeepgram,
  ...ofAssemblyai,
]);
