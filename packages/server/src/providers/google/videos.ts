/** Videos of Google (Veo): a long-running operation, whose file is behind the same key. */
import { badField, GatewayError } from '../../contract/errors.ts';
import type { VideoPlan, VideoRequest } from '../../contract/media.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { CallTarget, VideoCodec } from '../provider.ts';
import { inlinePicture, jobId, planOf, type VideoLimits } from '../video-plans.ts';
import { decodeError } from './errors.ts';
import { geminiPath } from './model.ts';

const veo3: VideoLimits = { seconds: [8, 4, 6], resolutions: ['720p', '1080p'], most: 1, sound: 'always' };
const veo31: VideoLimits = { ...veo3, resolutions: ['720p', '1080p', '4k'] };
const veo2: VideoLimits = { seconds: [8, 5, 6, 7], resolutions: ['720p'], most: 2, sound: 'never' };

export const limitsOf = ({ model }: CallTarget): VideoLimits =>
  model.startsWith('veo-2') ? veo2 : model.startsWith('veo-3.1') ? veo31 : veo3;

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const version = (target: CallTarget): string => target.options['api_version'] ?? 'v1beta';

function picture(url: string, param: string): { bytesBase64Encoded: string; mimeType: string } {
  const inline = inlinePicture(url);
  if (inline === null) throw badField(param, `Invalid value for '${param}': this provider takes a data: URL`);
  return { bytesBase64Encoded: inline.base64, mimeType: inline.contentType };
}

function instanceOf(request: VideoRequest): Record<string, unknown> {
  return {
    prompt: request.prompt,
    ...(request.image === null ? {} : { image: picture(request.image, 'input_image') }),
    ...(request.lastFrame === null ? {} : { lastFrame: picture(request.lastFrame, 'last_frame') }),
    ...(request.references.length === 0
      ? {}
      : {
          referenceImages: request.references.map((url) => ({
            image: picture(url, 'reference_images'),
            referenceType: 'asset',
          })),
        }),
  };
}

/** Throws a 400 that names the field. */
export function planVideo(request: VideoRequest, limits: VideoLimits): VideoPlan {
  instanceOf(request);
  if (request.aspectRatio !== null && !['16:9', '9:16'].includes(request.aspectRatio))
    throw badField('aspect_ratio', "Invalid value for 'aspect_ratio': this model makes 16:9 and 9:16");
  const plan = planOf(request, limits);
  if (plan.resolution !== '720p' && plan.seconds !== 8)
    throw badField(
      request.secondsField,
      `Invalid value for '${request.secondsField}': above 720p this model makes 8 seconds`,
    );
  return plan;
}

/** The body that starts a video; `more` parameters are one place's own. */
export function videoBody(request: VideoRequest, plan: VideoPlan, more: object = {}): string {
  const { person_generation: person, seed } = request.params;
  const parameters = {
    sampleCount: plan.n,
    durationSeconds: plan.seconds,
    ...(request.aspectRatio === null ? {} : { aspectRatio: request.aspectRatio }),
    ...(request.resolution === null && request.size === null ? {} : { resolution: plan.resolution }),
    ...(request.negativePrompt === null ? {} : { negativePrompt: request.negativePrompt }),
    ...(person === undefined ? {} : { personGeneration: person }),
    ...(seed === undefined ? {} : { seed }),
    ...more,
  };
  return JSON.stringify({ instances: [instanceOf(request)], parameters });
}

export const video: VideoCodec = {
  plan: (request, target) => planVideo(request, limitsOf(target)),
  async submit(request, target, exchange) {
    const { body } = await exchange.send({
      path: geminiPath(target, 'predictLongRunning'),
      body: videoBody(request, planOf(request, limitsOf(target))),
    });
    const name = jobId(parseUpstream(body)['name']);
    if (name === null) throw new GatewayError('upstream_malformed');
    return name;
  },
  async poll(id, target, exchange) {
    const { body } = await exchange.send({ method: 'GET', path: `/${version(target)}/${id}` });
    const operation = parseUpstream(body);
    if (operation['done'] !== true) return { status: 'pending', progress: null };
    const error: unknown = operation['error'];
    if (isObject(error))
      return { status: 'failed', code: text(error['status']), message: text(error['message']) };
    const response: unknown = operation['response'];
    const generated: unknown = isObject(response) ? response['generateVideoResponse'] : null;
    const samples: unknown = isObject(generated) ? generated['generatedSamples'] : null;
    const files = (Array.isArray(samples) ? samples : [])
      .filter(isObject)
      .map(({ video: made }) => (isObject(made) ? text(made['uri']) : null))
      .filter((uri) => uri !== null);
    if (files.length > 0) return { status: 'completed', files, seconds: null };
    const reasons: unknown = isObject(generated) ? generated['raiMediaFilteredReasons'] : null;
    const reason: unknown = Array.isArray(reasons) ? reasons[0] : null;
    return {
      status: 'failed',
      code: 'filtered',
      message: text(reason) ?? 'The provider made no video of this prompt.',
    };
  },
  // The file's address is the vendor's own and wants the key.
  fetch: (uri, _, exchange) => exchange.stream({ method: 'GET', path: uri }),
  decodeError,
};
