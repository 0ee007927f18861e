/** Videos of fal, through its queue. */
import { GatewayError } from '../contract/errors.ts';
import { isObject, parseUpstream } from './exact-json.ts';
import { decodeError } from './fal-errors.ts';
import type { VideoCodec } from './provider.ts';
import { jobId, planOf, upTo, type VideoLimits } from './video-plans.ts';

const limits: VideoLimits = {
  seconds: upTo(20, 5),
  resolutions: ['720p', '480p', '580p', '1080p', '4k'],
  most: 1,
  sound: 'asked',
};

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
/** The queue's addresses name the application without what follows its owner and name; some are in a namespace. */
const applicationOf = (model: string): string =>
  model
    .split('/')
    .slice(0, /^(workflows|comfy)\//.test(model) ? 3 : 2)
    .join('/');

export const falVideo: VideoCodec = {
  plan: (request) => planOf(request, limits),
  async submit(request, target, exchange) {
    const { body } = await exchange.send({
      place: 'queue',
      path: `/${target.model}`,
      body: JSON.stringify({
        ...request.params,
        prompt: request.prompt,
        ...(request.seconds === null ? {} : { duration: String(request.seconds) }),
        ...(request.aspectRatio === null ? {} : { aspect_ratio: request.aspectRatio }),
        ...(request.resolution === null ? {} : { resolution: request.resolution }),
        ...(request.audio === null ? {} : { generate_audio: request.audio }),
        ...(request.negativePrompt === null ? {} : { negative_prompt: request.negativePrompt }),
        ...(request.image === null ? {} : { image_url: request.image }),
        ...(request.lastFrame === null ? {} : { tail_image_url: request.lastFrame }),
      }),
    });
    const id = jobId(parseUpstream(body)['request_id']);
    if (id === null) throw new GatewayError('upstream_malformed');
    return id;
  },
  async poll(id, target, exchange) {
    const base = `/${applicationOf(target.model)}/requests/${id}`;
    const step = { method: 'GET', place: 'queue' } as const;
    const status = text(
      parseUpstream((await exchange.send({ ...step, path: `${base}/status` })).body)['status'],
    );
    if (status !== 'COMPLETED') return { status: 'pending', progress: status === 'IN_PROGRESS' ? 50 : 0 };
    const answer = parseUpstream((await exchange.send({ ...step, path: base })).body);
    const made: unknown = answer['video'] ?? (Array.isArray(answer['videos']) ? answer['videos'][0] : null);
    const url = isObject(made) ? text(made['url']) : null;
    if (url === null) return { status: 'failed', code: null, message: text(answer['detail']) };
    return { status: 'completed', files: [url], seconds: null };
  },
  async cancel(id, target, exchange) {
    await exchange.send({
      method: 'PUT',
      place: 'queue',
      path: `/${applicationOf(target.model)}/requests/${id}/cancel`,
    });
  },
  fetch: (url, _, exchange) => exchange.open(url),
  decodeError,
};
