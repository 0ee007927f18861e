/**
 * Videos held against the vendors' own SDKs; xAI, which has none on npm, and Google, whose SDK knows videos at Vertex only,
 * against the AI SDK's packages for them.
 */
import { createGoogle } from '@ai-sdk/google';
import { createXai } from '@ai-sdk/xai';
import { createFalClient } from '@fal-ai/client';
import { GoogleGenAI } from '@google/genai';
import { LumaAI } from 'lumaai';
import OpenAI, { toFile } from 'openai';
import Replicate from 'replicate';
import RunwayML from '@runwayml/sdk';
import { png } from '../fakes/images.ts';
import { mp4 } from '../fakes/videos.ts';
import type { TestGateway } from '../gateway.ts';
import type { RecordedRequest } from './recorder.ts';
import { redirected } from './redirected.ts';
import { key, prove, resultPath, type Proof } from './sdk-proof.ts';

const dataUrl = `data:image/png;base64,${png.toString('base64')}`;
const link = 'https://example.com/first.png';
const prompt = 'A fox runs 🦊';

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
  LUMA_API_KEY: key,
  LUMA_BASE_URL: origin,
  RUNWAY_API_KEY: key,
  RUNWAY_BASE_URL: origin,
  INDOXHUB_VIDEO_POLL: '20ms',
});

const video = { headers: { 'content-type': 'video/mp4' }, body: mp4 };
const isResult = (path: string): boolean => path.startsWith(resultPath);
const fetched = async (url: string | null | undefined): Promise<string> =>
  Buffer.from(await (await fetch(url ?? '')).arrayBuffer()).toString('base64');

/** The file of a job that was seen through, in base64. */
async function filmed(gateway: TestGateway, body: object): Promise<string> {
  const started = await gateway.post('/api/v1/videos/generations', { prompt, ...body });
  const answer = (await started.json()) as { data: { job_id: string } };
  if (!started.ok) throw new Error(JSON.stringify(answer));
  const id = answer.data.job_id;
  for (let tries = 0; tries < 500; tries++) {
    const job = (await (await gateway.get(`/api/v1/videos/jobs/${id}`)).json()) as {
      status: string;
      result: { url: string } | null;
    };
    if (job.status === 'completed') return fetched(job.result?.url);
    if (job.status === 'failed') throw new Error(JSON.stringify(job));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the job never ended');
}

/** The AI SDK's video models, of whichever version a package brings. */
interface VideoModel {
  doStart?(options: never): PromiseLike<{ readonly operation: unknown }>;
  doStatus?(
    options: never,
  ): PromiseLike<{ readonly status: string; readonly videos?: readonly { type: string; url?: string }[] }>;
}
async function filmedBy(model: VideoModel, options: object): Promise<string> {
  const started = await model.doStart?.(options as never);
  const state = await model.doStatus?.({ operation: started?.operation } as never);
  const [made] = state?.videos ?? [];
  return fetched(made?.url);
}

// platform.openai.com/docs/api-reference/videos, 2026-11-25
const sora = (status: string) => ({
  id: 'video_1',
  object: 'video',
  created_at: 1_764_000_000,
  completed_at: null,
  expires_at: null,
  error: null,
  model: 'sora-2',
  progress: status === 'completed' ? 100 : 0,
  prompt,
  remixed_from_video_id: null,
  seconds: '8',
  size: '720x1280',
  status,
});
const openai = (origin: string): OpenAI => new OpenAI({ apiKey: key, baseURL: `${origin}/v1` });
const soraAnswer: Proof<string>['answer'] = ({ method, path }) => {
  if (path.endsWith('/content')) return video;
  return { body: sora(method === 'POST' ? 'queued' : 'completed') };
};
async function soraVideo(client: OpenAI, request: OpenAI.VideoCreateParams): Promise<string> {
  const made = await client.videos.create(request);
  const { id, status } = await client.videos.retrieve(made.id);
  if (status !== 'completed') throw new Error(status);
  const content = await client.videos.downloadContent(id);
  return Buffer.from(await content.arrayBuffer()).toString('base64');
}
const ofOpenai: Proof<string>[] = [
  {
    title: 'openai: submitted, asked about, fetched',
    header: 'authorization',
    answer: soraAnswer,
    sdk: (origin) => soraVideo(openai(origin), { prompt, model: 'sora-2', seconds: '8', size: '720x1280' }),
    ours: (gateway) => filmed(gateway, { model: 'openai/sora-2', seconds: '8', size: '720x1280' }),
  },
  {
    title: 'openai: from a picture',
    header: 'authorization',
    answer: soraAnswer,
    sdk: async (origin) =>
      soraVideo(openai(origin), {
        prompt,
        model: 'sora-2',
        seconds: '4',
        size: '720x1280',
        input_reference: await toFile(png, 'reference.png', { type: 'image/png' }),
      }),
    ours: (gateway) => filmed(gateway, { model: 'openai/sora-2', size: '720x1280', input_image: dataUrl }),
  },
];

// ai.google.dev/gemini-api/docs/video, 2026-11-25
const ofGoogle: Proof<string>[] = [
  {
    title: 'google: a long-running operation of Veo',
    header: 'x-goog-api-key',
    answer: ({ method, path }, origin) => {
      if (isResult(path)) return video;
      const name = 'models/veo-3.1-generate-preview/operations/o-1';
      if (method === 'POST') return { body: { name } };
      return {
        body: {
          name,
          done: true,
          response: {
            '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse',
            generateVideoResponse: {
              generatedSamples: [{ video: { uri: `${origin}${resultPath}/f-1:download?alt=media` } }],
            },
          },
        },
      };
    },
    async sdk(origin) {
      const model = createGoogle({ apiKey: key, baseURL: `${origin}/v1beta` }).video(
        'veo-3.1-generate-preview',
      );
      const image = { type: 'file', mediaType: 'image/png', data: png.toString('base64') } as const;
      const frameImages = [
        { frameType: 'first_frame', image },
        { frameType: 'last_frame', image },
      ];
      const options = { n: 1, duration: 8, aspectRatio: '16:9', resolution: '1920x1080', frameImages };
      const google = { negativePrompt: 'cats', personGeneration: 'allow_adult' };
      return filmedBy(model, { prompt, ...options, providerOptions: { google } });
    },
    ours: (gateway) =>
      filmed(gateway, {
        model: 'google/veo-3.1-generate-preview',
        duration: 8,
        aspect_ratio: '16:9',
        resolution: '1080p',
        negative_prompt: 'cats',
        person_generation: 'allow_adult',
        input_image: dataUrl,
        last_frame: dataUrl,
      }),
  },
];

// cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation, 2026-11-25
const operation = 'projects/p/locations/l/publishers/google/models/veo-3.1-generate-preview/operations/o-1';
const ofVertex: Proof<string>[] = [
  {
    title: 'vertex: an operation that holds its film',
    header: 'x-goog-api-key',
    answer: ({ path }) =>
      path.endsWith(':predictLongRunning')
        ? { body: { name: operation } }
        : {
            body: {
              name: operation,
              done: true,
              response: {
                '@type': 'type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse',
                videos: [{ bytesBase64Encoded: mp4.toString('base64'), mimeType: 'video/mp4' }],
              },
            },
          },
    async sdk(origin) {
      const httpOptions = { baseUrl: origin };
      const client = new GoogleGenAI({ vertexai: true, apiKey: key, apiVersion: 'v1', httpOptions });
      const image = { imageBytes: png.toString('base64'), mimeType: 'image/png' };
      const started = await client.models.generateVideos({
        model: 'veo-3.1-generate-preview',
        source: { prompt, image },
        config: {
          numberOfVideos: 1,
          durationSeconds: 8,
          aspectRatio: '16:9',
          resolution: '1080p',
          negativePrompt: 'cats',
          personGeneration: 'allow_adult',
          generateAudio: false,
          lastFrame: image,
        },
      });
      const done = await client.operations.getVideosOperation({ operation: started });
      return done.response?.generatedVideos?.[0]?.video?.videoBytes ?? '';
    },
    ours: (gateway) =>
      filmed(gateway, {
        model: 'vertex/veo-3.1-generate-preview',
        duration: 8,
        aspect_ratio: '16:9',
        resolution: '1080p',
        negative_prompt: 'cats',
        person_generation: 'allow_adult',
        generate_audio: false,
        input_image: dataUrl,
        last_frame: dataUrl,
      }),
    // The SDK asks below the project that the operation names; here that is in the base URL.
    alike: (seen) => {
      seen.path = seen.path.replace('/projects/p/locations/l', '');
    },
    // The gateway asks once more when it fetches the film.
    polls: ({ path }) => path.endsWith(':fetchPredictOperation'),
  },
];

// docs.x.ai/docs/guides/video-generation, 2026-11-25
const ofXai: Proof<string>[] = [
  {
    title: 'xai: submitted and asked about',
    header: 'authorization',
    answer: ({ method, path }, origin) => {
      if (isResult(path)) return video;
      if (method === 'POST') return { body: { request_id: 'x-1' } };
      return {
        body: {
          status: 'done',
          video: { url: `${origin}${resultPath}.mp4`, duration: 6, respect_moderation: true },
          model: 'grok-imagine-video',
        },
      };
    },
    sdk: (origin) =>
      filmedBy(createXai({ apiKey: key, baseURL: `${origin}/v1` }).video('grok-imagine-video'), {
        prompt,
        n: 1,
        duration: 6,
        aspectRatio: '16:9',
        image: { type: 'url', url: link },
        providerOptions: { xai: { resolution: '720p' } },
      }),
    ours: (gateway) =>
      filmed(gateway, {
        model: 'xai/grok-imagine-video',
        duration: 6,
        aspect_ratio: '16:9',
        resolution: '720p',
        input_image: link,
      }),
  },
];

// fal.ai/docs/model-endpoints/queue, 2026-11-25
const falVideo = async (origin: string, model: string, input: object): Promise<string> => {
  const { queue } = createFalClient({ credentials: key, fetch: redirected(origin) });
  const { request_id: requestId } = await queue.submit(model, { input });
  const { status } = await queue.status(model, { requestId });
  if (status !== 'COMPLETED') throw new Error(status);
  const { data } = await queue.result(model, { requestId });
  return fetched((data as { video: { url: string } }).video.url);
};
const falAnswer: Proof<string>['answer'] = ({ method, path }, origin) => {
  if (isResult(path)) return video;
  const { pathname } = new URL(path, origin);
  if (method === 'POST')
    return { body: { request_id: 'q-1', response_url: origin, status_url: origin, cancel_url: origin } };
  if (pathname.endsWith('/status')) return { body: { status: 'COMPLETED', request_id: 'q-1' } };
  return { body: { video: { url: `${origin}${resultPath}.mp4`, content_type: 'video/mp4' } } };
};
const withoutLogs: Proof<string>['alike'] = ({ query }) => delete query['logs'];
const ofFal: Proof<string>[] = [
  {
    title: 'fal: the queue, and a duration as text',
    header: 'authorization',
    answer: falAnswer,
    sdk: (origin) =>
      falVideo(origin, 'fal-ai/kling-video/v2.1/standard/image-to-video', {
        prompt,
        duration: '10',
        aspect_ratio: '16:9',
        negative_prompt: 'cats',
        image_url: link,
        cfg_scale: 0.5,
      }),
    ours: (gateway) =>
      filmed(gateway, {
        model: 'fal/fal-ai/kling-video/v2.1/standard/image-to-video',
        duration: 10,
        aspect_ratio: '16:9',
        negative_prompt: 'cats',
        input_image: link,
        additional_params: { cfg_scale: 0.5 },
      }),
    // The SDK asks for no logs, as the queue does anyhow.
    alike: withoutLogs,
  },
  {
    title: 'fal: an application in a namespace',
    header: 'authorization',
    answer: falAnswer,
    sdk: (origin) => falVideo(origin, 'workflows/acme/film/v1', { prompt }),
    ours: (gateway) => filmed(gateway, { model: 'fal/workflows/acme/film/v1' }),
    alike: withoutLogs,
  },
];

// replicate.com/docs/reference/http#predictions.create, 2026-11-25
const ofReplicate: Proof<string>[] = [
  {
    title: 'replicate: a prediction',
    header: 'authorization',
    answer: ({ method, path }, origin) => {
      if (isResult(path)) return video;
      const isMade = method !== 'POST';
      return {
        body: {
          id: 'gm3qorzdhgbfurvjtvhg6dckhu',
          model: 'wan-video/wan-2.2-t2v-fast',
          version: 'hidden',
          input: { prompt },
          logs: '',
          output: isMade ? `${origin}${resultPath}.mp4` : null,
          data_removed: false,
          error: null,
          status: isMade ? 'succeeded' : 'starting',
          created_at: '2026-11-25T10:00:00Z',
          urls: { get: `${origin}/v1/predictions/g`, cancel: `${origin}/v1/predictions/g/cancel` },
        },
      };
    },
    async sdk(origin) {
      const client = new Replicate({ auth: key, baseUrl: `${origin}/v1`, useFileOutput: false });
      const made = await client.predictions.create({
        model: 'wan-video/wan-2.2-t2v-fast',
        input: { prompt, duration: 5, aspect_ratio: '16:9', resolution: '480p', image: link, go_fast: true },
      });
      const { status, output } = await client.predictions.get(made.id);
      if (status !== 'succeeded') throw new Error(status);
      return fetched(output as string);
    },
    ours: (gateway) =>
      filmed(gateway, {
        model: 'replicate/wan-video/wan-2.2-t2v-fast',
        duration: 5,
        aspect_ratio: '16:9',
        resolution: '480p',
        input_image: link,
        additional_params: { go_fast: true },
      }),
  },
];

// docs.lumalabs.ai/docs/video-generation, 2026-11-25
const ofLuma: Proof<string>[] = [
  {
    title: 'luma: a generation between two frames',
    header: 'authorization',
    answer: ({ method, path }, origin) => {
      if (isResult(path)) return video;
      const isMade = method !== 'POST';
      return {
        body: {
          id: 'l-1',
          generation_type: 'video',
          state: isMade ? 'completed' : 'queued',
          failure_reason: null,
          assets: isMade ? { video: `${origin}${resultPath}.mp4` } : null,
          model: 'ray-2',
        },
      };
    },
    async sdk(origin) {
      const client = new LumaAI({ authToken: key, baseURL: origin });
      const made = await client.generations.video.create({
        model: 'ray-2',
        prompt,
        duration: '9s',
        resolution: '1080p',
        aspect_ratio: '16:9',
        loop: true,
        keyframes: { frame0: { type: 'image', url: link }, frame1: { type: 'image', url: link } },
      });
      const { assets } = await client.generations.get(made.id ?? '');
      return fetched(assets?.video);
    },
    ours: (gateway) =>
      filmed(gateway, {
        model: 'luma/ray-2',
        duration: 9,
        resolution: '1080p',
        aspect_ratio: '16:9',
        input_image: link,
        last_frame: link,
        additional_params: { loop: true },
      }),
  },
];

// docs.dev.runwayml.com/api, 2026-11-25
const runwayAnswer: Proof<string>['answer'] = ({ method, path }, origin) => {
  if (isResult(path)) return video;
  if (method === 'POST') return { body: { id: 'd2e3d1f4-1b3c-4b5c-8d46-1c1d7ce86892' } };
  return {
    body: {
      id: 'd2e3d1f4-1b3c-4b5c-8d46-1c1d7ce86892',
      status: 'SUCCEEDED',
      createdAt: '2026-11-25T10:00:00Z',
      output: [`${origin}${resultPath}.mp4`],
      cost: { credits: 25 },
    },
  };
};
async function runwayFile(client: RunwayML, id: string): Promise<string> {
  const task = await client.tasks.retrieve(id);
  return fetched(task.status === 'SUCCEEDED' ? task.output[0] : null);
}
const ofRunway: Proof<string>[] = [
  {
    title: 'runway: from a picture',
    header: 'authorization',
    headers: ['x-runway-version'],
    answer: runwayAnswer,
    async sdk(origin) {
      const client = new RunwayML({ apiKey: key, baseURL: origin });
      const { id } = await client.imageToVideo.create({
        model: 'gen4_turbo',
        promptText: prompt,
        promptImage: dataUrl,
        duration: 10,
        ratio: '720:1280',
        seed: 7,
      });
      return runwayFile(client, id);
    },
    ours: (gateway) =>
      filmed(gateway, {
        model: 'runway/gen4_turbo',
        duration: 10,
        aspect_ratio: '9:16',
        input_image: dataUrl,
        additional_params: { seed: 7 },
      }),
  },
  {
    title: 'runway: from words alone',
    header: 'authorization',
    headers: ['x-runway-version'],
    answer: runwayAnswer,
    async sdk(origin) {
      const client = new RunwayML({ apiKey: key, baseURL: origin });
      const { id } = await client.textToVideo.create({
        model: 'gen4.5',
        promptText: prompt,
        duration: 5,
        ratio: '1280:720',
      });
      return runwayFile(client, id);
    },
    ours: (gateway) => filmed(gateway, { model: 'runway/gen4.5', duration: 5 }),
  },
];

const isEnd = ({ method, path }: { method: string; path: string }): boolean =>
  method === 'DELETE' || path.endsWith('/cancel');

/** A job that is cancelled while the vendor is at it. */
async function cancelled(
  gateway: TestGateway,
  requests: readonly RecordedRequest[],
  model: string,
): Promise<string> {
  const picture = model.startsWith('openai/') ? {} : { input_image: link };
  const started = await gateway.post('/api/v1/videos/generations', { prompt, model, ...picture });
  const { data } = (await started.json()) as { data: { job_id: string } };
  const until = async (done: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 500 && !done(); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until(() => requests.some(({ method }) => method === 'GET'));
  await gateway.post(`/api/v1/videos/jobs/${data.job_id}/cancel`, {});
  await until(() => requests.some(isEnd));
  return '';
}
/** The vendors' words for a job that goes on. */
const goingOn = {
  id: 'v-1',
  request_id: 'v-1',
  status: 'queued',
  state: 'queued',
  urls: { get: 'x', cancel: 'x' },
  createdAt: '2026-11-25T10:00:00Z',
};
const ends: readonly [model: string, sdk: (origin: string) => Promise<unknown>][] = [
  ['openai/sora-2', (origin) => openai(origin).videos.delete('v-1')],
  [
    'fal/fal-ai/kling-video/v2.1/standard/image-to-video',
    (origin) =>
      createFalClient({ credentials: key, fetch: redirected(origin) }).queue.cancel(
        'fal-ai/kling-video/v2.1/standard/image-to-video',
        { requestId: 'v-1' },
      ),
  ],
  [
    'replicate/wan-video/wan-2.2-t2v-fast',
    (origin) => new Replicate({ auth: key, baseUrl: `${origin}/v1` }).predictions.cancel('v-1'),
  ],
  ['luma/ray-2', (origin) => new LumaAI({ authToken: key, baseURL: origin }).generations.delete('v-1')],
  ['runway/gen4_turbo', (origin) => new RunwayML({ apiKey: key, baseURL: origin }).tasks.delete('v-1')],
];
const ofEnds = ends.map(([model, sdk]): Proof<string> => ({
  title: `${model.split('/')[0] ?? ''}: cancelled`,
  header: 'authorization',
  answer: (request) =>
    isEnd(request)
      ? { body: { ...goingOn, status: 'canceled', deleted: true, object: 'video.deleted' } }
      : { body: goingOn },
  async sdk(origin) {
    await sdk(origin);
    return '';
  },
  ours: (gateway, requests) => cancelled(gateway, requests, model),
  counts: isEnd,
}));

prove(env, [
  ...ofEnds,
  ...ofOpenai,
  ...ofGoogle,
  ...ofVertex,
  ...ofXai,
  ...ofFal,
  ...ofReplicate,
  ...ofLuma,
  ...ofRunway,
]);
