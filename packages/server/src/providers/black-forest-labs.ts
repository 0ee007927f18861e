/** Black Forest Labs: asked for, then polled at the address it names. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { ImageAnswer, ImageRequest } from '../contract/media.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import { pixelsFor, ratioOf } from './image-sizes.ts';
import { manyImages } from './many-images.ts';
import type { CallTarget, Exchange, ImageCodec, Provider, UpstreamFailure } from './provider.ts';

const pollMs = 500;
const ratios = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9', '9:21'];
/** Models that take a ratio; the others take pixels. */
const takesRatio = /kontext|ultra/;

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

async function draw(request: ImageRequest, target: CallTarget, exchange: Exchange): Promise<ImageAnswer> {
  const body: Record<string, unknown> = { ...pick(request.params), prompt: request.prompt };
  if (takesRatio.test(target.model)) {
    const ratio = ratioOf(request, ratios);
    if (ratio !== null) body['aspect_ratio'] = ratio;
  } else Object.assign(body, pixelsFor(request) ?? {});
  request.images.forEach(({ bytes }, at) => {
    body[at === 0 ? 'input_image' : `input_image_${at + 1}`] = bytes.toString('base64');
  });
  if (!/^[\w.-]+$/.test(target.model))
    throw badField('model', "Invalid value for 'model': is no model of Black Forest Labs");
  const created = parseUpstream(
    (await exchange.send({ path: `/v1/${target.model}`, body: JSON.stringify(body) })).body,
  );
  const id = text(created['id']);
  if (id === null) throw new GatewayError('upstream_malformed');
  const place = text(created['polling_url']) ?? `/v1/get_result?id=${encodeURIComponent(id)}`;
  for (;;) {
    const job = parseUpstream((await exchange.send({ method: 'GET', path: place })).body);
    const status = text(job['status']);
    const { result } = job;
    if (status === 'Ready') {
      const url = isObject(result) ? text(result['sample']) : null;
      if (url === null) throw new GatewayError('upstream_malformed');
      return { images: [{ url, contentType: null, revisedPrompt: null }], usage: null };
    }
    if (status === 'Request Moderated' || status === 'Content Moderated')
      throw new GatewayError('upstream_bad_request', `The provider refused: ${status}.`, { param: 'prompt' });
    if (status !== 'Pending' && status !== 'Queued' && status !== 'Processing')
      throw new GatewayError('upstream_error', `The provider ended the work: ${status ?? 'unknown'}.`);
    await exchange.wait(pollMs);
  }
}

const known = [
  'seed',
  'prompt_upsampling',
  'safety_tolerance',
  'output_format',
  'guidance',
  'steps',
  'raw',
  'image_prompt',
  'image_prompt_strength',
];
const pick = (params: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(known.filter((name) => params[name] !== undefined).map((name) => [name, params[name]]));

const image: ImageCodec = {
  run: (request, target, exchange) => manyImages(request.n, () => draw(request, target, exchange)),
  decodeError,
};

function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const detail: unknown = isObject(parsed) ? parsed['detail'] : null;
  const first: unknown = Array.isArray(detail) ? detail[0] : null;
  if (!isObject(first))
    return { status, code: null, message: text(detail)?.slice(0, 1000) ?? null, param: null };
  const path: unknown = first['loc'];
  return {
    status,
    code: null,
    message: text(first['msg']),
    param: Array.isArray(path) ? String(path.at(-1)) : null,
  };
}

export const blackForestLabs: Provider = {
  id: 'bfl',
  name: 'Black Forest Labs',
  keyNames: ['BFL_API_KEY'],
  baseUrlNames: ['BFL_BASE_URL'],
  baseUrl: 'https://api.bfl.ai',
  auth: { header: 'x-key' },
  hosts: ['bfl.ai'],
  image,
  proof: {
    image: {
      sdk: "@ai-sdk/black-forest-labs 2.0.41 (Vercel's)",
      covers: ['requests', 'edits', 'polling', 'answers'],
    },
  },
};
