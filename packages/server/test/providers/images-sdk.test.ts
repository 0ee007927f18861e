/** Pictures held against the vendors' own SDKs; where a vendor has none, against the AI SDK's package for it. */
import { createBlackForestLabs } from '@ai-sdk/black-forest-labs';
import { createXai } from '@ai-sdk/xai';
import { createFalClient } from '@fal-ai/client';
import { GoogleGenAI } from '@google/genai';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import Replicate from 'replicate';
import Together from 'together-ai';
import { png } from '../fakes/images.ts';
import type { TestGateway } from '../gateway.ts';
import { redirected } from './redirected.ts';
import { key, prove, resultPath, type Proof } from './sdk-proof.ts';

const base64 = png.toString('base64');
const dataUrl = `data:image/png;base64,${base64}`;
const prompt = 'A fox 🦊';

const env = (origin: string): Record<string, string> => ({
  OPENAI_API_KEY: key,
  OPENAI_BASE_URL: `${origin}/v1`,
  GEMINI_API_KEY: key,
  GEMINI_BASE_URL: origin,
  VERTEX_API_KEY: key,
  VERTEX_BASE_URL: `${origin}/v1`,
  XAI_API_KEY: key,
  XAI_BASE_URL: `${origin}/v1`,
  FAL_KEY: key,
  FAL_BASE_URL: origin,
  REPLICATE_API_TOKEN: key,
  REPLICATE_BASE_URL: `${origin}/v1`,
  TOGETHER_API_KEY: key,
  TOGETHER_BASE_URL: `${origin}/v1`,
  BFL_API_KEY: key,
  BFL_BASE_URL: origin,
  AZURE_API_KEY: key,
  AZURE_BASE_URL: `${origin}/openai/deployments/gpt-image-1`,
});

/** The pictures a caller gets, in base64. */
async function drawn(gateway: TestGateway, body: object, path = '/v1/images/generations'): Promise<string[]> {
  const answer = await gateway.post(path, { response_format: 'b64_json', prompt, ...body });
  const json = (await answer.json()) as { data?: { b64_json: string }[] };
  if (json.data === undefined) throw new Error(JSON.stringify(json));
  return json.data.map(({ b64_json: picture }) => picture);
}

async function edited(
  gateway: TestGateway,
  fields: Record<string, string>,
  files: [string, string][],
): Promise<string[]> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [name, file] of files) form.append(name, new Blob([png], { type: 'image/png' }), file);
  const answer = await fetch(`${gateway.url}/v1/images/edits`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.apiKey}` },
    body: form,
  });
  const json = (await answer.json()) as { data?: { b64_json: string }[] };
  if (json.data === undefined) throw new Error(JSON.stringify(json));
  return json.data.map(({ b64_json: picture }) => picture);
}

const fetched = async (url: string): Promise<string> =>
  Buffer.from(await (await fetch(url)).arrayBuffer()).toString('base64');
const isResult = (path: string): boolean => path.startsWith(resultPath);
const picture = { headers: { 'content-type': 'image/png' }, body: png };

const openaiAnswer = (n: number) => ({
  created: 1_764_000_000,
  background: 'opaque',
  output_format: 'png',
  quality: 'high',
  size: '1024x1536',
  data: Array.from({ length: n }, () => ({ b64_json: base64 })),
  usage: {
    input_tokens: 50,
    input_tokens_details: { image_tokens: 0, text_tokens: 50 },
    output_tokens: 6_240,
    total_tokens: 6_290,
  },
});
const pictures = (answer: OpenAI.ImagesResponse): string[] =>
  (answer.data ?? []).map(({ b64_json: each = '' }) => each);
const openai = (origin: string): OpenAI => new OpenAI({ apiKey: key, baseURL: `${origin}/v1` });

// platform.openai.com/docs/api-reference/images, 2026-11-25
const ofOpenai: Proof<string[]>[] = [
  {
    title: 'openai: a picture of gpt-image-1 with everything that can be asked',
    header: 'authorization',
    answer: () => ({ body: openaiAnswer(2) }),
    sdk: async (origin) =>
      pictures(
        await openai(origin).images.generate({
          model: 'gpt-image-1',
          prompt,
          n: 2,
          size: '1024x1536',
          quality: 'high',
          background: 'opaque',
          moderation: 'low',
          output_format: 'webp',
          output_compression: 80,
          user: 'u-1',
        }),
      ),
    ours: (gateway) =>
      drawn(gateway, {
        model: 'openai/gpt-image-1',
        n: 2,
        size: '1024x1536',
        quality: 'high',
        background: 'opaque',
        moderation: 'low',
        output_format: 'webp',
        output_compression: 80,
        user: 'u-1',
      }),
  },
  {
    title: 'openai: a picture of dall-e-3',
    header: 'authorization',
    answer: () => ({ body: { created: 1, data: [{ b64_json: base64, revised_prompt: 'A red fox' }] } }),
    sdk: async (origin) =>
      pictures(
        await openai(origin).images.generate({
          model: 'dall-e-3',
          prompt,
          n: 1,
          size: '1792x1024',
          quality: 'hd',
          style: 'natural',
          response_format: 'b64_json',
        }),
      ),
    ours: (gateway) =>
      drawn(gateway, { model: 'openai/dall-e-3', size: '1792x1024', quality: 'hd', style: 'natural' }),
  },
  {
    title: 'openai: an edit of two pictures with a mask',
    header: 'authorization',
    answer: () => ({ body: openaiAnswer(1) }),
    sdk: async (origin) =>
      pictures(
        await openai(origin).images.edit({
          model: 'gpt-image-1',
          prompt,
          n: 1,
          size: '1024x1024',
          input_fidelity: 'high',
          image: [
            await toFile(png, 'a.png', { type: 'image/png' }),
            await toFile(png, 'b.png', { type: 'image/png' }),
          ],
          mask: await toFile(png, 'm.png', { type: 'image/png' }),
        }),
      ),
    ours: (gateway) =>
      edited(gateway, { model: 'openai/gpt-image-1', prompt, size: '1024x1024', input_fidelity: 'high' }, [
        ['image[]', 'a.png'],
        ['image[]', 'b.png'],
        ['mask', 'm.png'],
      ]),
  },
  {
    title: 'openai: an edit of one picture',
    header: 'authorization',
    answer: () => ({ body: { created: 1, data: [{ b64_json: base64 }] } }),
    sdk: async (origin) =>
      pictures(
        await openai(origin).images.edit({
          model: 'dall-e-2',
          prompt,
          n: 2,
          response_format: 'b64_json',
          image: await toFile(png, 'a.png', { type: 'image/png' }),
        }),
      ),
    ours: (gateway) =>
      edited(gateway, { model: 'openai/dall-e-2', prompt, n: '2', response_format: 'b64_json' }, [
        ['image', 'a.png'],
      ]),
  },
  {
    title: 'azure: a picture',
    header: 'api-key',
    answer: () => ({ body: openaiAnswer(1) }),
    sdk: async (origin) => {
      const client = new AzureOpenAI({ apiKey: key, apiVersion: '2025-04-01-preview', endpoint: origin });
      return pictures(await client.images.generate({ model: 'gpt-image-1', prompt, n: 1, quality: 'low' }));
    },
    ours: (gateway) => drawn(gateway, { model: 'azure/gpt-image-1', quality: 'low' }),
    // The SDK always names a version; the gateway names one where it is configured.
    alike: ({ query }) => delete query['api-version'],
  },
];

// ai.google.dev/api/models#method:-models.predict and /gemini-api/docs/image-generation, 2026-11-25
const google = (origin: string): GoogleGenAI =>
  new GoogleGenAI({ apiKey: key, apiVersion: 'v1beta', httpOptions: { baseUrl: origin } });
const ofGoogle: Proof<string[]>[] = [
  {
    title: 'google: pictures of Imagen',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        predictions: [
          { mimeType: 'image/png', bytesBase64Encoded: base64 },
          { mimeType: 'image/png', bytesBase64Encoded: base64 },
        ],
      },
    }),
    async sdk(origin) {
      // The SDK knows Imagen at Vertex only; the body is the same, the path differs.
      const client = new GoogleGenAI({ vertexai: true, apiKey: key, httpOptions: { baseUrl: origin } });
      const answer = await client.models.generateImages({
        model: 'imagen-4.0-generate-001',
        prompt,
        config: {
          numberOfImages: 2,
          aspectRatio: '16:9',
          personGeneration: 'allow_adult' as never,
          outputMimeType: 'image/jpeg',
          outputCompressionQuality: 80,
          guidanceScale: 7,
          includeRaiReason: true,
          safetyFilterLevel: 'BLOCK_LOW_AND_ABOVE' as never,
        },
      });
      return (answer.generatedImages ?? []).map(({ image }) => image?.imageBytes ?? '');
    },
    ours: (gateway) =>
      drawn(gateway, {
        model: 'google/imagen-4.0-generate-001',
        n: 2,
        aspect_ratio: '16:9',
        person_generation: 'allow_adult',
        output_mime_type: 'image/jpeg',
        output_compression: 80,
        guidance_scale: 7,
        include_rai_reason: true,
        safety_filter_level: 'BLOCK_LOW_AND_ABOVE',
      }),
    alike: (seen) => Object.assign(seen, { path: seen.path.replace(/^.*\/models\//, '') }),
  },
  {
    title: 'google: a picture of Gemini',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [
          {
            content: {
              role: 'model',
              parts: [{ text: 'Here it is.' }, { inlineData: { mimeType: 'image/png', data: base64 } }],
            },
            finishReason: 'STOP',
            index: 0,
          },
        ],
        usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 1_290, totalTokenCount: 1_297 },
      },
    }),
    async sdk(origin) {
      const answer = await google(origin).models.generateContent({
        model: 'gemini-2.5-flash-image',
        contents: prompt,
        config: { responseModalities: ['TEXT', 'IMAGE'], seed: 7, imageConfig: { aspectRatio: '16:9' } },
      });
      return [answer.data ?? ''];
    },
    ours: (gateway) =>
      drawn(gateway, { model: 'google/gemini-2.5-flash-image', aspect_ratio: '16:9', seed: 7 }),
  },
  {
    title: 'google: a picture worked on by Gemini',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [
          {
            content: { role: 'model', parts: [{ inlineData: { mimeType: 'image/png', data: base64 } }] },
            finishReason: 'STOP',
          },
        ],
      },
    }),
    async sdk(origin) {
      const answer = await google(origin).models.generateContent({
        model: 'gemini-2.5-flash-image',
        contents: [{ text: prompt }, { inlineData: { mimeType: 'image/png', data: base64 } }],
        config: { responseModalities: ['TEXT', 'IMAGE'] },
      });
      return [answer.data ?? ''];
    },
    ours: (gateway) =>
      edited(gateway, { model: 'google/gemini-2.5-flash-image', prompt, response_format: 'b64_json' }, [
        ['image', 'a.png'],
      ]),
  },
];

// cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api, 2026-11-25
const vertexAi = (origin: string): GoogleGenAI =>
  new GoogleGenAI({ vertexai: true, apiKey: key, apiVersion: 'v1', httpOptions: { baseUrl: origin } });
const ofVertex: Proof<string[]>[] = [
  {
    title: 'vertex: pictures of Imagen',
    header: 'x-goog-api-key',
    answer: () => ({ body: { predictions: [{ mimeType: 'image/png', bytesBase64Encoded: base64 }] } }),
    async sdk(origin) {
      const answer = await vertexAi(origin).models.generateImages({
        model: 'imagen-4.0-generate-001',
        prompt,
        config: {
          numberOfImages: 1,
          aspectRatio: '1:1',
          negativePrompt: 'cats',
          seed: 7,
          addWatermark: false,
        },
      });
      return (answer.generatedImages ?? []).map(({ image }) => image?.imageBytes ?? '');
    },
    ours: (gateway) =>
      drawn(gateway, {
        model: 'vertex/imagen-4.0-generate-001',
        size: '1024x1024',
        negative_prompt: 'cats',
        seed: 7,
        add_watermark: false,
      }),
  },
  {
    title: 'vertex: a picture of Gemini',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [
          { content: { role: 'model', parts: [{ inlineData: { mimeType: 'image/png', data: base64 } }] } },
        ],
      },
    }),
    async sdk(origin) {
      const answer = await vertexAi(origin).models.generateContent({
        model: 'gemini-2.5-flash-image',
        contents: prompt,
        config: { responseModalities: ['TEXT', 'IMAGE'] },
      });
      return [answer.data ?? ''];
    },
    ours: (gateway) => drawn(gateway, { model: 'vertex/gemini-2.5-flash-image' }),
  },
  {
    title: 'vertex: chat, which goes the same way',
    header: 'x-goog-api-key',
    answer: () => ({
      body: {
        candidates: [
          { content: { role: 'model', parts: [{ text: 'Hello' }] }, finishReason: 'STOP', index: 0 },
        ],
        usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 6 },
      },
    }),
    async sdk(origin) {
      const answer = await vertexAi(origin).models.generateContent({
        model: 'gemini-2.5-flash',
        contents: prompt,
        config: { temperature: 0.5, maxOutputTokens: 100 },
      });
      return [answer.text ?? ''];
    },
    async ours(gateway) {
      const request = { model: 'vertex/gemini-2.5-flash', temperature: 0.5, max_tokens: 100 };
      const messages = [{ role: 'user', content: prompt }];
      const answer = await gateway.post('/v1/chat/completions', { ...request, messages });
      const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
      return choices.map(({ message }) => message.content);
    },
  },
];

// docs.x.ai/docs/guides/image-generations, 2026-11-25. xAI has no SDK of its own on npm.
const xaiDrawn = async (
  origin: string,
  options: { n: number; aspectRatio?: `${number}:${number}`; files?: [] },
): Promise<string[]> => {
  const model = createXai({ apiKey: key, baseURL: `${origin}/v1` }).image('grok-imagine-image');
  const answer = await model.doGenerate({
    prompt,
    size: undefined,
    aspectRatio: undefined,
    seed: undefined,
    files: undefined,
    mask: undefined,
    providerOptions: {},
    ...options,
  });
  return answer.images.map((each) =>
    typeof each === 'string' ? each : Buffer.from(each).toString('base64'),
  );
};
const ofXai: Proof<string[]>[] = [
  {
    title: 'xai: pictures',
    header: 'authorization',
    answer: () => ({ body: { data: [{ b64_json: base64 }, { b64_json: base64 }] } }),
    sdk: (origin) => xaiDrawn(origin, { n: 2, aspectRatio: '16:9' }),
    ours: (gateway) => drawn(gateway, { model: 'xai/grok-imagine-image', n: 2, aspect_ratio: '16:9' }),
  },
  {
    title: 'xai: an edit',
    header: 'authorization',
    answer: () => ({ body: { data: [{ b64_json: base64 }] } }),
    sdk: (origin) =>
      xaiDrawn(origin, {
        n: 1,
        files: [{ type: 'file', mediaType: 'image/png', data: base64 }] as never,
      }),
    ours: (gateway) =>
      edited(gateway, { model: 'xai/grok-imagine-image', prompt, response_format: 'b64_json' }, [
        ['image', 'a.png'],
      ]),
  },
];

// fal.ai/models/fal-ai/flux/dev/api, 2026-11-25
const fal = (origin: string) => createFalClient({ credentials: key, fetch: redirected(origin) });
const falAnswer = (path: string, origin: string) =>
  isResult(path)
    ? picture
    : {
        body: {
          images: [
            { url: `${origin}${resultPath}.png`, width: 1024, height: 768, content_type: 'image/png' },
          ],
          timings: { inference: 0.5 },
          seed: 7,
          has_nsfw_concepts: [false],
          prompt,
        },
      };
const falPictures = (data: { images: { url: string }[] }): Promise<string[]> =>
  Promise.all(data.images.map(({ url }) => fetched(url)));
const ofFal: Proof<string[]>[] = [
  {
    title: 'fal: a picture',
    header: 'authorization',
    answer: ({ path }, origin) => falAnswer(path, origin),
    async sdk(origin) {
      const input = {
        prompt,
        num_images: 1,
        image_size: { width: 1024, height: 768 },
        seed: 7,
        guidance_scale: 3.5,
        num_inference_steps: 28,
      };
      return falPictures((await fal(origin).run('fal-ai/flux/dev', { input })).data);
    },
    ours: (gateway) =>
      drawn(gateway, {
        model: 'fal/fal-ai/flux/dev',
        size: '1024x768',
        seed: 7,
        guidance_scale: 3.5,
        additional_params: { num_inference_steps: 28 },
      }),
  },
  {
    title: 'fal: a picture worked on',
    header: 'authorization',
    answer: ({ path }, origin) => falAnswer(path, origin),
    async sdk(origin) {
      const input = { prompt, num_images: 1, image_url: dataUrl };
      return falPictures((await fal(origin).run('fal-ai/flux-pro/kontext', { input })).data);
    },
    ours: (gateway) =>
      edited(gateway, { model: 'fal/fal-ai/flux-pro/kontext', prompt, response_format: 'b64_json' }, [
        ['image', 'a.png'],
      ]),
  },
];

// replicate.com/docs/reference/http#predictions.create, 2026-11-25
const prediction = (origin: string) => ({
  id: 'gm3qorzdhgbfurvjtvhg6dckhu',
  model: 'black-forest-labs/flux-schnell',
  version: 'hidden',
  input: { prompt },
  logs: '',
  output: [`${origin}${resultPath}.png`],
  data_removed: false,
  error: null,
  status: 'succeeded',
  created_at: '2026-11-25T10:00:00Z',
  urls: {
    get: `${origin}/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu`,
    cancel: `${origin}/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu/cancel`,
  },
});
const replicate = (origin: string): Replicate =>
  new Replicate({ auth: key, baseUrl: `${origin}/v1`, useFileOutput: false });
const ofReplicate: Proof<string[]>[] = [
  {
    title: 'replicate: a picture of an official model, waited for',
    header: 'authorization',
    headers: ['prefer'],
    answer: ({ path }, origin) => (isResult(path) ? picture : { body: prediction(origin) }),
    async sdk(origin) {
      const input = { prompt, aspect_ratio: '16:9', seed: 7, go_fast: true };
      const made = await replicate(origin).predictions.create({
        model: 'black-forest-labs/flux-schnell',
        input,
        wait: true,
      });
      return Promise.all((made.output as string[]).map(fetched));
    },
    ours: (gateway) =>
      drawn(gateway, {
        model: 'replicate/black-forest-labs/flux-schnell',
        aspect_ratio: '16:9',
        seed: 7,
        additional_params: { go_fast: true },
      }),
  },
  {
    title: 'replicate: a picture of a version, asked about until it is done',
    header: 'authorization',
    headers: ['prefer'],
    answer: ({ method, path }, origin) => {
      if (isResult(path)) return picture;
      return {
        body: { ...prediction(origin), ...(method === 'POST' ? { status: 'starting', output: null } : {}) },
      };
    },
    async sdk(origin) {
      const client = replicate(origin);
      const made = await client.predictions.create({
        version: 'a'.repeat(64),
        input: { prompt, image: dataUrl },
        wait: true,
      });
      const done = await client.wait(made, { interval: 1 });
      return Promise.all((done.output as string[]).map(fetched));
    },
    ours: (gateway) =>
      edited(
        gateway,
        { model: `replicate/owner/model:${'a'.repeat(64)}`, prompt, response_format: 'b64_json' },
        [['image', 'a.png']],
      ),
  },
];

// docs.together.ai/reference/post-images-generations, 2026-11-25
const ofTogether: Proof<string[]>[] = [
  {
    title: 'together: pictures',
    header: 'authorization',
    answer: () => ({
      body: {
        id: 'x',
        model: 'black-forest-labs/FLUX.1-schnell',
        object: 'list',
        data: [
          { index: 0, type: 'b64_json', b64_json: base64 },
          { index: 1, type: 'b64_json', b64_json: base64 },
        ],
      },
    }),
    async sdk(origin) {
      const client = new Together({ apiKey: key, baseURL: `${origin}/v1` });
      const answer = await client.images.generate({
        model: 'black-forest-labs/FLUX.1-schnell',
        prompt,
        n: 2,
        width: 1024,
        height: 768,
        steps: 4,
        seed: 7,
        negative_prompt: 'cats',
        response_format: 'base64',
      });
      return answer.data.map(({ b64_json: each }) => each);
    },
    ours: (gateway) =>
      drawn(gateway, {
        model: 'together/black-forest-labs/FLUX.1-schnell',
        n: 2,
        size: '1024x768',
        steps: 4,
        seed: 7,
        negative_prompt: 'cats',
      }),
  },
];

// docs.bfl.ai/kontext/kontext_text_to_image, 2026-11-25. Black Forest Labs has no SDK of its own on npm.
const ofBfl: Proof<string[]>[] = ['flux-kontext-pro', 'flux-pro-1.1-ultra'].map((model) => ({
  title: `bfl: a picture of ${model}, asked about until it is ready`,
  header: 'x-key',
  answer: ({ method, path }, origin) => {
    if (isResult(path)) return picture;
    if (method === 'POST') return { body: { id: 'b-1', polling_url: `${origin}/v1/get_result?id=b-1` } };
    return {
      body: { id: 'b-1', status: 'Ready', result: { sample: `${origin}${resultPath}.png`, seed: 7, prompt } },
    };
  },
  async sdk(origin) {
    const provider = createBlackForestLabs({ apiKey: key, baseURL: `${origin}/v1`, pollIntervalMillis: 1 });
    const answer = await provider.image(model).doGenerate({
      prompt,
      n: 1,
      size: undefined,
      aspectRatio: '16:9',
      seed: 7,
      files: [{ type: 'file', mediaType: 'image/png', data: base64 }],
      mask: undefined,
      providerOptions: {
        blackForestLabs: { outputFormat: 'jpeg', safetyTolerance: 2, promptUpsampling: true },
      },
    });
    return answer.images.map((each) =>
      typeof each === 'string' ? each : Buffer.from(each).toString('base64'),
    );
  },
  ours: (gateway) =>
    drawn(
      gateway,
      {
        model: `bfl/${model}`,
        aspect_ratio: '16:9',
        seed: 7,
        output_format: 'jpeg',
        additional_params: { safety_tolerance: 2, prompt_upsampling: true },
        image: dataUrl,
      },
      '/v1/images/edits',
    ),
}));

prove(env, [
  ...ofOpenai,
  ...ofGoogle,
  ...ofVertex,
  ...ofXai,
  ...ofFal,
  ...ofReplicate,
  ...ofTogether,
  ...ofBfl,
]);
