/** Runway: tasks that are asked about until they are done. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { VideoRequest } from '../contract/media.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import type { Provider, UpstreamFailure, VideoCodec } from './provider.ts';
import { jobId, planOf, upTo, type VideoLimits } from './video-plans.ts';

const limits: VideoLimits = { seconds: upTo(10, 5, 2), resolutions: ['720p'], most: 1, sound: 'never' };
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const ratios: Readonly<Record<string, string>> = {
  '16:9': '1280:720',
  '9:16': '720:1280',
  '4:3': '1104:832',
  '3:4': '832:1104',
  '1:1': '960:960',
  '21:9': '1584:672',
};

function ratioOf({ size, aspectRatio }: VideoRequest): string {
  if (size !== null) return size.replace('x', ':');
  return ratios[aspectRatio ?? '16:9'] ?? '1280:720';
}

const video: VideoCodec = {
  plan(request, target) {
    if (request.image === null && target.model.endsWith('_turbo'))
      throw badField('input_image', "'input_image' is required: this model works from a picture");
    return planOf(request, limits);
  },
  async submit(request, target, exchange) {
    const plan = planOf(request, limits);
    const { body } = await exchange.send({
      path: request.image === null ? '/v1/text_to_video' : '/v1/image_to_video',
      body: JSON.stringify({
        ...request.params,
        model: target.model,
        promptText: request.prompt,
        duration: plan.seconds,
        ratio: ratioOf(request),
        ...(request.image === null ? {} : { promptImage: request.image }),
      }),
    });
    const id = jobId(parseUpstream(body)['id']);
    if (id === null) throw new GatewayError('upstream_malformed');
    return id;
  },
  async poll(id, _, exchange) {
    const task = parseUpstream((await exchange.send({ method: 'GET', path: `/v1/tasks/${id}` })).body);
    const { status, progress } = task;
    if (status === 'SUCCEEDED') {
      const list: unknown[] = Array.isArray(task['output']) ? task['output'] : [];
      const files = list.map(text).filter((url) => url !== null);
      if (files.length === 0) throw new GatewayError('upstream_malformed');
      return { status: 'completed', files, seconds: null };
    }
    if (status === 'FAILED' || status === 'CANCELLED')
      return { status: 'failed', code: text(task['failureCode']), message: text(task['failure']) };
    return { status: 'pending', progress: typeof progress === 'number' ? progress * 100 : 0 };
  },
  async cancel(id, _, exchange) {
    await exchange.send({ method: 'DELETE', path: `/v1/tasks/${id}` });
  },
  fetch: (url, _, exchange) => exchange.open(url),
  decodeError,
};

function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const message = isObject(parsed) ? text(parsed['error'] ?? parsed['message']) : null;
  return { status, code: null, message: message?.slice(0, 1000) ?? null, param: null };
}

export const runway: Provider = {
  id: 'runway',
  name: 'Runway',
  keyNames: ['RUNWAY_API_KEY', 'RUNWAYML_API_SECRET'],
  baseUrlNames: ['RUNWAY_BASE_URL', 'RUNWAYML_BASE_URL'],
  baseUrl: 'https://api.dev.runwayml.com',
  auth: { header: 'authorization', prefix: 'Bearer ' },
  headers: { 'x-runway-version': '2024-11-06' },
  video,
  proof: {
    video: {
      sdk: '@runwayml/sdk 4.20.1',
      covers: ['submit from words and from a picture', 'poll', 'cancel', 'answers'],
    },
  },
};
