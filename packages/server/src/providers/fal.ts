/** fal: one path a model, an answer with links. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { GeneratedImage } from '../contract/media.ts';
import { isObject, parseUpstream } from './exact-json.ts';
import { decodeError } from './fal-errors.ts';
import { falVideo } from './fal-videos.ts';
import { pixelsFor } from './image-sizes.ts';
import type { ImageCodec, Provider } from './provider.ts';

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
/** Of OpenAI's shape, without meaning here. */
const foreign = new Set(['style', 'user', 'moderation', 'background', 'output_compression', 'quality']);

const image: ImageCodec = {
  async run(request, target, exchange) {
    const pixels = pixelsFor(request);
    const [first, ...more] = request.images;
    const url = ({ contentType, bytes }: { contentType: string; bytes: Buffer }): string =>
      `data:${contentType};base64,${bytes.toString('base64')}`;
    const params = Object.fromEntries(Object.entries(request.params).filter(([name]) => !foreign.has(name)));
    if (!/^[\w.-]+(\/[\w.-]+)+$/.test(target.model) || target.model.includes('..'))
      throw badField('model', "Invalid value for 'model': is no model of fal");
    const { body } = await exchange.send({
      path: `/${target.model}`,
      body: JSON.stringify({
        ...params,
        prompt: request.prompt,
        num_images: request.n,
        ...(pixels === null ? {} : { image_size: pixels }),
        ...(first === undefined
          ? {}
          : more.length === 0
            ? { image_url: url(first) }
            : { image_urls: request.images.map(url) }),
      }),
    });
    const answer = parseUpstream(body);
    const list: unknown[] = Array.isArray(answer['images']) ? answer['images'] : [answer['image']];
    const images = list.filter(isObject).map((row): GeneratedImage => {
      const place = text(row['url']);
      if (place === null) throw new GatewayError('upstream_malformed');
      const inline = /^data:[^,]*;base64,(.*)$/s.exec(place)?.[1];
      const shared = { contentType: null, revisedPrompt: null };
      return inline === undefined
        ? { url: place, ...shared }
        : { bytes: Buffer.from(inline, 'base64'), ...shared };
    });
    if (images.length === 0) throw new GatewayError('upstream_malformed');
    return { images, usage: null };
  },
  decodeError,
};

export const fal: Provider = {
  id: 'fal',
  name: 'fal',
  keyNames: ['FAL_API_KEY', 'FAL_KEY'],
  baseUrlNames: ['FAL_BASE_URL'],
  baseUrl: 'https://fal.run',
  auth: { header: 'authorization', prefix: 'Key ' },
  hosts: ['fal.run', 'fal.ai'],
  places: { queue: 'https://queue.fal.run' },
  image,
  video: falVideo,
  proof: {
    image: { sdk: '@fal-ai/client 1.10.1', covers: ['requests', 'edits', 'answers'] },
    video: { sdk: '@fal-ai/client 1.10.1', covers: ['queue: submit, status, answer, cancel'] },
  },
};
