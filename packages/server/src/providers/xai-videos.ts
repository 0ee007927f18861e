/** Videos of xAI. */
import { badField } from '../contract/errors.ts';
import { decodeError } from './openai-compatible/errors.ts';
import { malformed, objectOf, parseObject, textOf } from './openai-compatible/shape.ts';
import type { VideoCodec } from './provider.ts';
import { jobId, planOf, upTo, type VideoLimits } from './video-plans.ts';

const limits: VideoLimits = { seconds: upTo(15, 6), resolutions: ['480p', '720p'], most: 1, sound: 'always' };

export const xaiVideo: VideoCodec = {
  plan(request) {
    if (request.lastFrame !== null)
      throw badField('last_frame', "Invalid value for 'last_frame': this model takes a first picture only");
    return planOf(request, limits);
  },
  async submit(request, target, exchange) {
    const plan = planOf(request, limits);
    const { body } = await exchange.send({
      path: '/videos/generations',
      body: JSON.stringify({
        model: target.model,
        prompt: request.prompt,
        duration: plan.seconds,
        resolution: plan.resolution,
        ...(request.aspectRatio === null ? {} : { aspect_ratio: request.aspectRatio }),
        ...(request.image === null ? {} : { image: { url: request.image } }),
        ...(request.references.length === 0
          ? {}
          : { reference_images: request.references.map((url) => ({ url })) }),
      }),
    });
    const id = jobId(parseObject(body.toString('utf8'))['request_id']);
    if (id === null) throw malformed('no request_id');
    return id;
  },
  async poll(id, _, exchange) {
    const { body } = await exchange.send({ method: 'GET', path: `/videos/${id}` });
    const job = parseObject(body.toString('utf8'));
    const { status, progress } = job;
    const made = objectOf(job['video']);
    const url = textOf(made?.['url']);
    if (made?.['respect_moderation'] === false)
      return { status: 'failed', code: 'moderated', message: 'The provider filtered the video.' };
    if (status === 'done' || (status === undefined && url !== null)) {
      if (url === null) throw malformed('no url');
      const seconds = made?.['duration'];
      return { status: 'completed', files: [url], seconds: typeof seconds === 'number' ? seconds : null };
    }
    if (status === 'failed' || status === 'expired') {
      const error = objectOf(job['error']);
      return {
        status: 'failed',
        code: textOf(error?.['code']) ?? status,
        message: textOf(error?.['message']),
      };
    }
    return { status: 'pending', progress: typeof progress === 'number' ? progress : null };
  },
  fetch: (url, _, exchange) => exchange.open(url),
  decodeError,
};
