/** Pictures of vendors that speak OpenAI's wire, one row of differences each. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import type { GeneratedImage, ImageAnswer, ImageRequest, InputImage } from '../../contract/media.ts';
import { count, noUsage, type TokenUsage } from '../../contract/usage.ts';
import { pixelsFor, ratioOf } from '../image-sizes.ts';
import { manyImages } from '../many-images.ts';
import { multipart } from '../multipart.ts';
import type { CallTarget, Exchange, ImageCodec, MediaStep } from '../provider.ts';
import { decodeError } from './errors.ts';
import { isObject, listOf, malformed, objectOf, parseObject, textOf } from './shape.ts';

interface ImageQuirks {
  /** Pictures a request. */
  readonly limit: number;
  readonly size: 'size' | 'ratio' | 'pixels';
  readonly ratios?: readonly string[];
  /** Parameters it knows beside prompt, model, n and size; others change nothing and are not sent. */
  readonly params: readonly string[];
  readonly edits?: 'form' | 'json';
  /** What it calls bytes. */
  readonly bytes?: 'base64';
  readonly apiVersion?: boolean;
}

const openai: ImageQuirks = {
  limit: 10,
  size: 'size',
  params: [
    'quality',
    'style',
    'user',
    'background',
    'moderation',
    'output_compression',
    'output_format',
    'input_fidelity',
    'partial_images',
  ],
  edits: 'form',
};
const ratios = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '2:1', '1:2', '20:9', '9:20'];
/** A server of somebody's own gets whatever the caller wrote. */
const own: ImageQuirks = { ...openai, params: ['*'] };

const rows: Readonly<Record<string, ImageQuirks>> = {
  openai,
  azure: { ...openai, apiVersion: true },
  xai: { limit: 10, size: 'ratio', ratios, params: ['user', 'resolution'], edits: 'json' },
  together: {
    limit: 4,
    size: 'pixels',
    bytes: 'base64',
    params: ['seed', 'negative_prompt', 'steps', 'guidance_scale', 'output_format', 'image_url'],
  },
  deepinfra: { limit: 4, size: 'size', params: ['user', 'seed'] },
  zhipu: { limit: 1, size: 'size', params: ['quality', 'user'] },
  'openai-compatible': own,
};

export function imageCodecOf(vendor: string): ImageCodec | undefined {
  const quirks = rows[vendor];
  return quirks === undefined ? undefined : codec(quirks);
}

/** Models of OpenAI that always answer bytes and refuse to be asked how. */
const isGptImage = (model: string): boolean => /^(gpt-image|chatgpt-image)/.test(model);

function codec(quirks: ImageQuirks): ImageCodec {
  return {
    async run(request, target, exchange) {
      if (request.images.length > 0 && quirks.edits === undefined)
        throw badField('image', `'${target.provider}' does not edit pictures`);
      const limit = target.model === 'dall-e-3' ? 1 : quirks.limit;
      if (request.n <= limit) return ask(request, request.n, target, quirks, exchange);
      if (limit > 1) throw badField('n', `Invalid value for 'n': this model makes at most ${limit} pictures`);
      return manyImages(request.n, () => ask(request, 1, target, quirks, exchange));
    },
    decodeError,
  };
}

async function ask(
  request: ImageRequest,
  n: number,
  target: CallTarget,
  quirks: ImageQuirks,
  exchange: Exchange,
): Promise<ImageAnswer> {
  const version = quirks.apiVersion === true ? target.options['api_version'] : undefined;
  const query = version === undefined ? '' : `?api-version=${encodeURIComponent(version)}`;
  const fields = fieldsOf(request, n, target, quirks);
  const { body } = await exchange.send(step(request, fields, quirks, query));
  return decode(body, n, fields);
}

function fieldsOf(request: ImageRequest, n: number, target: CallTarget, quirks: ImageQuirks): JsonObject {
  const body: JsonObject = { model: target.model, prompt: request.prompt, n };
  for (const [name, value] of Object.entries(request.params))
    if (quirks.params.includes('*') || quirks.params.includes(name)) body[name] = value;
  if (request.quality !== null && (quirks.params.includes('quality') || quirks.params.includes('*')))
    body['quality'] = request.quality;
  if (quirks.size === 'size') {
    const pixels = pixelsFor(request);
    if (request.size !== null) body['size'] = request.size;
    else if (pixels !== null && request.aspectRatio !== null)
      body['size'] = openaiSize(request, target.model);
  } else if (quirks.size === 'ratio') {
    const ratio = ratioOf(request, quirks.ratios ?? ['1:1']);
    if (ratio !== null) body['aspect_ratio'] = ratio;
  } else {
    const pixels = pixelsFor(request);
    if (pixels !== null) Object.assign(body, pixels);
  }
  // Bytes whenever the caller wants them; a link is cheaper to carry otherwise.
  if (!isGptImage(target.model))
    body['response_format'] = request.responseFormat === 'b64_json' ? (quirks.bytes ?? 'b64_json') : 'url';
  return body;
}

/** The size nearest to a ratio that the model has. */
function openaiSize(request: ImageRequest, model: string): string {
  const wide = isGptImage(model) ? '1536x1024' : '1792x1024';
  const tall = isGptImage(model) ? '1024x1536' : '1024x1792';
  const ratio = ratioOf(request, ['1:1', '3:2', '2:3']);
  return ratio === '3:2' ? wide : ratio === '2:3' ? tall : '1024x1024';
}

const dataUrl = ({ bytes, contentType }: InputImage): string =>
  `data:${contentType};base64,${bytes.toString('base64')}`;

function step(request: ImageRequest, fields: JsonObject, quirks: ImageQuirks, query: string): MediaStep {
  const [first] = request.images;
  if (first === undefined) return { path: `/images/generations${query}`, body: JSON.stringify(fields) };
  if (quirks.edits === 'json') {
    const urls = request.images.map((image) => ({ url: dataUrl(image), type: 'image_url' }));
    const image = urls.length === 1 ? { image: urls[0] } : { images: urls };
    return { path: `/images/edits${query}`, body: JSON.stringify({ ...fields, ...image }) };
  }
  const parts = Object.entries(fields).map(
    ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
  );
  const file = (name: string, { bytes, contentType, fileName }: InputImage) => ({
    name,
    fileName,
    contentType,
    bytes: bytes.length,
    async *read() {
      yield bytes;
    },
  });
  const name = request.images.length > 1 ? 'image[]' : 'image';
  const form = multipart([
    ...parts,
    ...request.images.map((image) => file(name, image)),
    ...(request.mask === null ? [] : [file('mask', request.mask)]),
  ]);
  return { path: `/images/edits${query}`, headers: { 'content-type': form.contentType }, body: form.body };
}

/** What the vendor says it made, else what it was asked for. */
function decode(body: Buffer, n: number, asked: JsonObject): ImageAnswer {
  const answer = parseObject(body.toString('utf8'));
  const images = listOf(answer['data']).filter(isObject).map(imageOf);
  if (images.length === 0 || images.length > n) throw malformed(`${images.length} pictures for ${n}`);
  const size = textOf(answer['size']) ?? textOf(asked['size']);
  const quality = textOf(answer['quality']) ?? textOf(asked['quality']);
  return {
    images,
    usage: usageOf(objectOf(answer['usage'])),
    made: { ...(size === null ? {} : { size }), ...(quality === null ? {} : { quality }) },
  };
}

function imageOf(row: JsonObject): GeneratedImage {
  const shared = { contentType: null, revisedPrompt: textOf(row['revised_prompt']) };
  const base64 = textOf(row['b64_json']);
  if (base64 !== null && base64 !== '') return { bytes: Buffer.from(base64, 'base64'), ...shared };
  const url = textOf(row['url']);
  if (url === null || url === '') throw malformed('a picture is missing');
  const inline = /^data:[^,]*;base64,(.*)$/s.exec(url)?.[1];
  return inline === undefined ? { url, ...shared } : { bytes: Buffer.from(inline, 'base64'), ...shared };
}

/** Of models billed by tokens; pictures that went in are counted apart. */
function usageOf(usage: JsonObject | null): TokenUsage | null {
  if (usage === null || typeof usage['input_tokens'] !== 'number') return null;
  const input = count(usage['input_tokens']);
  const imageInput = Math.min(count(objectOf(usage['input_tokens_details'])?.['image_tokens']), input);
  const told = objectOf(usage['output_tokens_details']);
  const output = count(usage['output_tokens']);
  const text = Math.min(count(told?.['text_tokens']), output);
  return { ...noUsage, input: input - imageInput, imageInput, output: text, imageOutput: output - text };
}
