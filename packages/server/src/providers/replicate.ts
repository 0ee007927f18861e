/** Replicate: a prediction is created, then asked for until it is over. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { GeneratedImage, ImageAnswer, ImageRequest } from '../contract/media.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import { pixelsOf, ratioOf } from './image-sizes.ts';
import { manyImages } from './many-images.ts';
import type { CallTarget, Exchange, ImageCodec, Provider, UpstreamFailure } from './provider.ts';

const pollMs = 500;
const ratios = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '4:5', '5:4', '21:9', '9:21'];
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const foreign = new Set(['style', 'user', 'moderation', 'background', 'output_compression', 'quality']);

async function draw(request: ImageRequest, target: CallTarget, exchange: Exchange): Promise<ImageAnswer> {
  const params = Object.fromEntries(Object.entries(request.params).filter(([name]) => !foreign.has(name)));
  const pixels = pixelsOf(request.size);
  const ratio = request.aspectRatio === null ? null : ratioOf(request, ratios);
  const [first] = request.images;
  const input = {
    ...params,
    prompt: request.prompt,
    ...(pixels === null ? {} : pixels),
    ...(ratio === null ? {} : { aspect_ratio: ratio }),
    ...(first === undefined
      ? {}
      : { image: `data:${first.contentType};base64,${first.bytes.toString('base64')}` }),
  };
  let job = parseUpstream(
    (
      await exchange.send({
        ...place(target.model),
        headers: { prefer: 'wait' },
        body: JSON.stringify({ ...version(target.model), input }),
      })
    ).body,
  );
  const id = text(job['id']);
  if (id === null || !/^\w{1,100}$/.test(id)) throw new GatewayError('upstream_malformed');
  for (;;) {
    const status = text(job['status']);
    if (status === 'succeeded') return { images: outputs(job['output']), usage: null };
    if (status === 'failed' || status === 'canceled' || status === 'aborted')
      throw new GatewayError(
        'upstream_error',
        text(job['error'])?.slice(0, 500) ?? 'The provider ended the work.',
      );
    await exchange.wait(pollMs);
    job = parseUpstream((await exchange.send({ method: 'GET', path: `/predictions/${id}` })).body);
  }
}

/** An official model has a path of its own; a version is named in the body. */
function place(model: string): { path: string } {
  if (!/^[\w.-]+\/[\w.-]+(:[\w]+)?$/.test(model))
    throw badField('model', "Invalid value for 'model': is no model of Replicate");
  return { path: model.includes(':') ? '/predictions' : `/models/${model}/predictions` };
}

const version = (model: string): { version?: string } => {
  const [, id] = model.split(':');
  return id === undefined ? {} : { version: id };
};

function outputs(output: unknown): GeneratedImage[] {
  const list = (Array.isArray(output) ? (output as unknown[]) : [output])
    .map(text)
    .filter((url) => url !== null);
  if (list.length === 0) throw new GatewayError('upstream_malformed');
  return list.map((url) => ({ url, contentType: null, revisedPrompt: null }));
}

const image: ImageCodec = {
  run: (request, target, exchange) => manyImages(request.n, () => draw(request, target, exchange)),
  decodeError,
};

/** `{title, detail, status}`, with `invalid_fields` where some are. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  if (!isObject(parsed)) return { status, code: null, message: null, param: null };
  const list: unknown = parsed['invalid_fields'];
  const first: unknown = Array.isArray(list) ? list[0] : null;
  return {
    status,
    code: text(parsed['title']),
    message: text(parsed['detail'])?.slice(0, 1000) ?? null,
    param: isObject(first) ? text(first['field']) : null,
  };
}

export const replicate: Provider = {
  id: 'replicate',
  name: 'Replicate',
  keyNames: ['REPLICATE_API_TOKEN', 'REPLICATE_API_KEY'],
  baseUrlNames: ['REPLICATE_BASE_URL'],
  baseUrl: 'https://api.replicate.com/v1',
  auth: { header: 'authorization', prefix: 'Bearer ' },
  image,
  proof: { sdk: null, covers: [] },
};
