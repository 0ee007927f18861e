/** Stability AI: a form in, base64 out. */
import { GatewayError } from '../contract/errors.ts';
import type { ImageAnswer, ImageRequest } from '../contract/media.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import { ratioOf } from './image-sizes.ts';
import { manyImages } from './many-images.ts';
import { multipart } from './multipart.ts';
import type { CallTarget, Exchange, ImageCodec, Provider, UpstreamFailure } from './provider.ts';

const ratios = ['1:1', '16:9', '21:9', '2:3', '3:2', '4:5', '5:4', '9:16', '9:21'];
const known = ['negative_prompt', 'seed', 'style_preset', 'output_format', 'cfg_scale', 'strength'];

async function draw(
  request: ImageRequest,
  target: CallTarget,
  exchange: Exchange,
  index: number,
): Promise<ImageAnswer> {
  const family = target.model === 'core' || target.model === 'ultra' ? target.model : 'sd3';
  const parts: [string, string][] = [['prompt', request.prompt]];
  if (family === 'sd3') parts.push(['model', target.model]);
  for (const name of known) {
    const value = request.params[name];
    if (value === undefined || name === 'seed') continue;
    parts.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
  }
  const { seed } = request.params;
  // The same seed would draw the same picture n times.
  if (typeof seed === 'number') parts.push(['seed', String(seed + index)]);
  const [first] = request.images;
  const ratio = ratioOf(request, ratios);
  if (first === undefined && ratio !== null) parts.push(['aspect_ratio', ratio]);
  if (first !== undefined && family === 'sd3') parts.push(['mode', 'image-to-image']);
  if (first !== undefined && request.params['strength'] === undefined) parts.push(['strength', '0.7']);
  const files =
    first === undefined
      ? []
      : [
          {
            name: 'image',
            fileName: first.fileName,
            contentType: first.contentType,
            bytes: first.bytes.length,
            read: () => once(first.bytes),
          },
        ];
  const form = multipart([...parts, ...files]);
  const { body } = await exchange.send({
    path: `/v2beta/stable-image/generate/${family}`,
    headers: { 'content-type': form.contentType, accept: 'application/json' },
    body: form.body,
  });
  const answer = parseUpstream(body);
  if (answer['finish_reason'] === 'CONTENT_FILTERED')
    throw new GatewayError('upstream_bad_request', 'The provider filtered the picture.', { param: 'prompt' });
  if (typeof answer['image'] !== 'string') throw new GatewayError('upstream_malformed');
  const bytes = Buffer.from(answer['image'], 'base64');
  return { images: [{ bytes, contentType: null, revisedPrompt: null }], usage: null };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const image: ImageCodec = {
  run: (request, target, exchange) =>
    manyImages(request.n, (index) => draw(request, target, exchange, index)),
  decodeError,
};

/** `{name, errors: ["prompt: …"]}` */
function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  if (!isObject(parsed)) return { status, code: null, message: null, param: null };
  const list: unknown = parsed['errors'];
  const first: unknown = Array.isArray(list) ? list[0] : parsed['message'];
  const message = typeof first === 'string' ? first.slice(0, 1000) : null;
  const code = typeof parsed['name'] === 'string' ? parsed['name'] : null;
  return { status, code, message, param: /^(\w+):/.exec(message ?? '')?.[1] ?? null };
}

export const stability: Provider = {
  id: 'stability',
  name: 'Stability AI',
  keyNames: ['STABILITY_API_KEY'],
  baseUrlNames: ['STABILITY_BASE_URL'],
  baseUrl: 'https://api.stability.ai',
  auth: { header: 'authorization', prefix: 'Bearer ' },
  image,
  proof: {},
};
