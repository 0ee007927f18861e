/** Videos of OpenAI (Sora), and of servers that speak its wire. */
import { badField } from '../../contract/errors.ts';
import type { VideoRequest } from '../../contract/media.ts';
import { multipart, type FilePart } from '../multipart.ts';
import type { CallTarget, VideoCodec } from '../provider.ts';
import { inlinePicture, jobId, planOf, type VideoLimits } from '../video-plans.ts';
import { decodeError } from './errors.ts';
import { malformed, objectOf, parseObject, textOf } from './shape.ts';

const sora: VideoLimits = { seconds: [4, 8, 12], resolutions: ['720p'], most: 1, sound: 'always' };
const soraPro: VideoLimits = { ...sora, resolutions: ['720p', '1024p'] };

const limitsOf = ({ model }: CallTarget): VideoLimits => (model.includes('pro') ? soraPro : sora);

function sizeOf(request: VideoRequest): string | null {
  if (request.size !== null) return request.size;
  if (request.aspectRatio === null && request.resolution === null) return null;
  const isPro = request.resolution === '1024p';
  const isTall = request.aspectRatio === '9:16';
  if (isPro) return isTall ? '1024x1792' : '1792x1024';
  return isTall ? '720x1280' : '1280x720';
}

function pictureOf(request: VideoRequest): FilePart[] {
  const picture = request.image === null ? null : inlinePicture(request.image);
  if (picture === null) return [];
  const bytes = Buffer.from(picture.base64, 'base64');
  return [
    {
      name: 'input_reference',
      fileName: `reference.${picture.contentType.slice('image/'.length)}`,
      contentType: picture.contentType,
      bytes: bytes.length,
      async *read() {
        yield bytes;
      },
    },
  ];
}

export const openaiVideo: VideoCodec = {
  plan(request, target) {
    if (request.lastFrame !== null)
      throw badField('last_frame', "Invalid value for 'last_frame': this model takes a first picture only");
    if (request.image !== null && inlinePicture(request.image) === null)
      throw badField('input_image', "Invalid value for 'input_image': this provider takes a data: URL");
    return planOf(request, limitsOf(target));
  },
  async submit(request, target, exchange) {
    const plan = planOf(request, limitsOf(target));
    const size = sizeOf(request);
    // A form even without a picture, as the vendor documents it.
    const fields: [string, string][] = [
      ['prompt', request.prompt],
      ['model', target.model],
      ['seconds', String(plan.seconds)],
    ];
    if (size !== null) fields.push(['size', size]);
    const form = multipart([...fields, ...pictureOf(request)]);
    const headers = { 'content-type': form.contentType };
    const { body } = await exchange.send({ path: '/videos', headers, body: form.body });
    const id = jobId(parseObject(body.toString('utf8'))['id']);
    if (id === null) throw malformed('no id');
    return id;
  },
  async poll(id, _, exchange) {
    const { body } = await exchange.send({ method: 'GET', path: `/videos/${id}` });
    const job = parseObject(body.toString('utf8'));
    const { status, progress, seconds } = job;
    if (status === 'completed') {
      const length = Number(textOf(seconds) ?? Number.NaN);
      return { status, files: [id], seconds: Number.isFinite(length) ? length : null };
    }
    if (status === 'failed') {
      const error = objectOf(job['error']);
      return { status, code: textOf(error?.['code']), message: textOf(error?.['message']) };
    }
    if (status !== 'queued' && status !== 'in_progress') throw malformed('an unknown status');
    return { status: 'pending', progress: typeof progress === 'number' ? progress : null };
  },
  async cancel(id, _, exchange) {
    await exchange.send({ method: 'DELETE', path: `/videos/${id}` });
  },
  fetch: (id, _, exchange) => exchange.stream({ method: 'GET', path: `/videos/${id}/content` }),
  decodeError,
};
