/**
 * Embeddings held against the vendors' own SDKs: the same call made by the SDK and through the gateway must reach the
 * vendor alike, and the vendor's answer must mean the same to both.
 */
import { GoogleGenAI } from '@google/genai';
import { Mistral } from '@mistralai/mistralai';
import { CohereClientV2 } from 'cohere-ai';
import OpenAI from 'openai';
import Together from 'together-ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf } from '../journeys/client.ts';
import { startRecorder, type Recorder, type RecordedRequest } from './recorder.ts';

const key = 'test-key-0123456789';
const texts = ['Grüße 🌍', 'second'];
const vectors = [
  [0.25, -0.5, 1],
  [0, 1, 2],
];

let recorder: Recorder;
let gateway: TestGateway;
beforeAll(async () => {
  recorder = await startRecorder({});
  const { origin } = recorder;
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: key,
      OPENAI_BASE_URL: `${origin}/v1`,
      MISTRAL_API_KEY: key,
      MISTRAL_BASE_URL: `${origin}/v1`,
      TOGETHER_API_KEY: key,
      TOGETHER_BASE_URL: `${origin}/v1`,
      GEMINI_API_KEY: key,
      GEMINI_BASE_URL: origin,
      COHERE_API_KEY: key,
      COHERE_BASE_URL: origin,
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await recorder.close();
});

const openaiAnswer = {
  object: 'list',
  data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
  model: 'm',
  id: 'x',
  usage: { prompt_tokens: 5, total_tokens: 5 },
};

interface Case {
  readonly model: string;
  readonly header: string;
  /** A documented answer of the vendor. */
  readonly answer: unknown;
  /** The call by the SDK; answers the vectors it read. */
  readonly sdk: (origin: string) => Promise<unknown>;
  readonly tokens: number;
}

const cases: Record<string, Case> = {
  // platform.openai.com/docs/api-reference/embeddings, 2026-11-25
  openai: {
    model: 'openai/text-embedding-3-small',
    header: 'authorization',
    answer: openaiAnswer,
    tokens: 5,
    sdk: async (origin) => {
      const client = new OpenAI({ apiKey: key, baseURL: `${origin}/v1` });
      const model = 'text-embedding-3-small';
      const answer = await client.embeddings.create({
        model,
        input: texts,
        dimensions: 3,
        encoding_format: 'float',
      });
      return answer.data.map(({ embedding }) => embedding);
    },
  },
  // docs.mistral.ai/api, 2026-11-25
  mistral: {
    model: 'mistral/mistral-embed',
    header: 'authorization',
    answer: openaiAnswer,
    tokens: 5,
    sdk: async (origin) => {
      const client = new Mistral({ apiKey: key, serverURL: origin });
      const answer = await client.embeddings.create({
        model: 'mistral-embed',
        inputs: texts,
        outputDimension: 3,
      });
      return answer.data.map(({ embedding }) => embedding);
    },
  },
  // docs.together.ai/reference/embeddings, 2026-11-25
  together: {
    model: 'together/intfloat/multilingual-e5-large-instruct',
    header: 'authorization',
    answer: { object: 'list', model: 'm', data: openaiAnswer.data },
    tokens: 4,
    sdk: async (origin) => {
      const client = new Together({ apiKey: key, baseURL: `${origin}/v1` });
      // The SDK's types do not know the last one; it sends it all the same.
      const request = { model: 'intfloat/multilingual-e5-large-instruct', input: texts, dimensions: 3 };
      const answer = await client.embeddings.create(request);
      return answer.data.map(({ embedding }) => embedding);
    },
  },
  // ai.google.dev/api/embeddings, 2026-11-25
  google: {
    model: 'google/gemini-embedding-001',
    header: 'x-goog-api-key',
    answer: { embeddings: vectors.map((values) => ({ values })), usageMetadata: { promptTokenCount: 6 } },
    tokens: 6,
    sdk: async (origin) => {
      const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: origin } });
      const answer = await client.models.embedContent({
        model: 'gemini-embedding-001',
        contents: texts,
        config: { outputDimensionality: 3 },
      });
      return answer.embeddings?.map(({ values }) => values);
    },
  },
  // docs.cohere.com/reference/embed, 2026-11-25
  cohere: {
    model: 'cohere/embed-v4.0',
    header: 'authorization',
    answer: {
      id: 'x',
      response_type: 'embeddings_by_type',
      embeddings: { float: vectors },
      texts,
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: 7 } },
    },
    tokens: 7,
    sdk: async (origin) => {
      const client = new CohereClientV2({ token: key, environment: origin });
      const answer = await client.embed({
        model: 'embed-v4.0',
        texts,
        inputType: 'search_document',
        embeddingTypes: ['float'],
        outputDimension: 3,
      });
      return answer.embeddings.float;
    },
  },
};

const bodyOf = (request: RecordedRequest | undefined): unknown => {
  const body = JSON.parse(request?.body ?? 'null') as Record<string, unknown>;
  // One spelling the SDK leaves out where it means the default; the other has one of Mistral's own.
  if (body['inputs'] !== undefined) {
    body['input'] = body['inputs'];
    delete body['inputs'];
  }
  return body;
};

test.each(Object.entries(cases))('%s', async (_, { model, header, answer, sdk, tokens }) => {
  recorder.answer({ body: answer });
  recorder.requests.length = 0;
  expect(await sdk(recorder.origin)).toEqual(vectors);
  const served = await gateway.post('/api/v1/embeddings', { model, text: texts, dimensions: 3 });
  const body = await jsonOf(served);
  expect(body).toMatchObject({ data: vectors, dimensions: 3, usage: { tokens_prompt: tokens } });
  const [theirs, ours] = recorder.requests;
  expect([ours?.method, ours?.path]).toEqual([theirs?.method, theirs?.path]);
  expect(ours?.headers[header]).toBe(theirs?.headers[header]);
  expect(bodyOf(ours)).toEqual(bodyOf(theirs));
  const row = await gateway.row(String(body['request_id']));
  if (!model.startsWith('together/')) expect(Number(row['cost'])).toBeGreaterThan(0);
  await gateway.verify();
});
