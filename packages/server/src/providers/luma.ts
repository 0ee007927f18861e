/** Luma: generations that are asked about until they are done. */
import { badField, GatewayError } from '../contract/errors.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import type { Provider, UpstreamFailure, VideoCodec } from './provider.ts';
import { inlinePicture, jobId, planOf, type VideoLimits } from './video-plans.ts';

const limits: VideoLimits = {
  seconds: [5, 9],
  resolutions: ['720p', '540p', '1080p', '4k'],
  most: 1,
  sound: 'never',
};
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const video: VideoCodec = {
  plan(request) {
    for (const [url, param] of [
      [request.image, 'input_image'],
      [request.lastFrame, 'last_frame'],
    ] as const)
      if (url !== null && inlinePicture(url) !== null)
        throw badField(param, `Invalid value for '${param}': this provider takes a link`);
    return planOf(request, limits);
  },
  async submit(request, target, exchange) {
    const plan = planOf(request, limits);
    const frame = (url: string): object => ({ type: 'image', url });
    const keyframes = {
      ...(request.image === null ? {} : { frame0: frame(request.image) }),
      ...(request.lastFrame === null ? {} : { frame1: frame(request.lastFrame) }),
    };
    const { body } = await exchange.send({
      path: '/generations/video',
      body: JSON.stringify({
        ...request.params,
        model: target.model,
        prompt: request.prompt,
        duration: `${plan.seconds}s`,
        resolution: plan.resolution,
        ...(request.aspectRatio === null ? {} : { aspect_ratio: request.aspectRatio }),
        ...(Object.keys(keyframes).length === 0 ? {} : { keyframes }),
      }),
    });
    const id = jobId(parseUpstream(body)['id']);
    if (id === null) throw new GatewayError('upstream_malformed');
    return id;
  },
  async poll(id, _, exchange) {
    const job = parseUpstream((await exchange.send({ method: 'GET', path: `/generations/${id}` })).body);
    const state = text(job['state']);
    if (state === 'failed') return { status: 'failed', code: null, message: text(job['failure_reason']) };
    if (state !== 'completed') return { status: 'pending', progress: state === 'dreaming' ? 50 : 0 };
    const assets: unknown = job['assets'];
    const url = isObject(assets) ? text(assets['video']) : null;
    if (url === null) throw new GatewayError('upstream_malformed');
    return { status: 'completed', files: [url], seconds: null };
  },
  async cancel(id, _, exchange) {
    await exchange.send({ method: 'DELETE', path: `/generations/${id}` });
  },
  fetch: (url, _, exchange) => exchange.open(url),
  decodeError,
};

function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const message = isObject(parsed) ? text(parsed['detail'] ?? parsed['message']) : null;
  return { status, code: null, message: message?.slice(0, 1000) ?? null, param: null };
}

export const luma: Provider = {
  id: 'luma',
  name: 'Luma',
  keyNames: ['LUMA_API_KEY', 'LUMAAI_API_KEY'],
  baseUrlNames: ['LUMA_BASE_URL'],
  baseUrl: 'https://api.lumalabs.ai/dream-machine/v1',
  auth: { header: 'authorization', prefix: 'Bearer ' },
  video,
  proof: { video: { sdk: 'lumaai 1.19.1', covers: ['submit with frames', 'poll', 'cancel', 'answers'] } },
};
