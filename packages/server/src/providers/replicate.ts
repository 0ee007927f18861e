/** Replicate: a prediction is created, then asked for until it is over. */
import { GatewayError } from '../contract/errors.ts';
import type { GeneratedImage, ImageAnswer, ImageRequest } from '../contract/media.ts';
import { parseUpstream } from './exact-json.ts';
import { pixelsOf, ratioOf } from './image-sizes.ts';
import { decodeError, predictionPlace, predictionVersion } from './replicate-predictions.ts';
import { replicateVideo } from './replicate-videos.ts';
import { manyImages } from './many-images.ts';
import type { CallTarget, Exchange, ImageCodec, Provider } from './provider.ts';

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
        ...predictionPlace(target.model),
        headers: { prefer: 'wait' },
        body: JSON.stringify({ ...predictionVersion(target.model), input }),
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

export const replicate: Provider = {
  id: 'replicate',
  name: 'Replicate',
  keyNames: ['REPLICATE_API_TOKEN', 'REPLICATE_API_KEY'],
  baseUrlNames: ['REPLICATE_BASE_URL'],
  baseUrl: 'https://api.replicate.com/v1',
  auth: { header: 'authorization', prefix: 'Bearer ' },
  image,
  video: replicateVideo,
  proof: {
    image: { sdk: 'replicate 1.4.0', covers: ['official models', 'versions', 'edits', 'waiting', 'polling'] },
    video: { sdk: 'replicate 1.4.0', covers: ['submit', 'poll', 'cancel', 'answers'] },
  },
};
