/** Videos of Replicate: predictions like its pictures, that take longer. */
import { GatewayError } from '../contract/errors.ts';
import { parseUpstream } from './exact-json.ts';
import type { VideoCodec } from './provider.ts';
import { decodeError, predictionPlace, predictionVersion } from './replicate-predictions.ts';
import { jobId, planOf, upTo, type VideoLimits } from './video-plans.ts';

const limits: VideoLimits = {
  seconds: upTo(20, 5),
  resolutions: ['720p', '480p', '540p', '1080p', '4k'],
  most: 1,
  sound: 'asked',
};
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const replicateVideo: VideoCodec = {
  plan: (request) => planOf(request, limits),
  async submit(request, target, exchange) {
    const input = {
      ...request.params,
      prompt: request.prompt,
      ...(request.seconds === null ? {} : { duration: request.seconds }),
      ...(request.aspectRatio === null ? {} : { aspect_ratio: request.aspectRatio }),
      ...(request.resolution === null ? {} : { resolution: request.resolution }),
      ...(request.negativePrompt === null ? {} : { negative_prompt: request.negativePrompt }),
      ...(request.image === null ? {} : { image: request.image }),
    };
    const { body } = await exchange.send({
      ...predictionPlace(target.model),
      body: JSON.stringify({ ...predictionVersion(target.model), input }),
    });
    const id = jobId(parseUpstream(body)['id']);
    if (id === null) throw new GatewayError('upstream_malformed');
    return id;
  },
  async poll(id, _, exchange) {
    const job = parseUpstream((await exchange.send({ method: 'GET', path: `/predictions/${id}` })).body);
    const status = text(job['status']);
    if (status === 'succeeded') {
      const list: unknown[] = Array.isArray(job['output']) ? job['output'] : [job['output']];
      const files = list.map(text).filter((url) => url !== null);
      if (files.length === 0) throw new GatewayError('upstream_malformed');
      return { status: 'completed', files, seconds: null };
    }
    if (status === 'failed' || status === 'canceled' || status === 'aborted')
      return { status: 'failed', code: status, message: text(job['error']) };
    return { status: 'pending', progress: status === 'processing' ? 50 : 0 };
  },
  async cancel(id, _, exchange) {
    await exchange.send({ path: `/predictions/${id}/cancel` });
  },
  fetch: (url, _, exchange) => exchange.open(url),
  decodeError,
};
