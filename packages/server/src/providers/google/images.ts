/** Pictures of Google: Imagen by `:predict`, Gemini's own by `:generateContent`. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField, GatewayError } from '../../contract/errors.ts';
import type { GeneratedImage, ImageAnswer, ImageRequest } from '../../contract/media.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import { ratioOf } from '../image-sizes.ts';
import { manyImages } from '../many-images.ts';
import type { CallTarget, Exchange, ImageCodec } from '../provider.ts';
import { partsOf } from './answer.ts';
import { decodeError } from './errors.ts';
import type { PathOf } from './model.ts';
import { blockedPrompt, decodeUsage } from './parts.ts';

const imagenRatios = ['1:1', '3:4', '4:3', '9:16', '16:9'];
const geminiRatios = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'];
const maxImagen = 4;

/** Our names of Imagen's parameters, and its own. */
const imagenParams: Readonly<Record<string, string>> = {
  negative_prompt: 'negativePrompt',
  guidance_scale: 'guidanceScale',
  seed: 'seed',
  safety_filter_level: 'safetySetting',
  person_generation: 'personGeneration',
  include_safety_attributes: 'includeSafetyAttributes',
  include_rai_reason: 'includeRaiReason',
  language: 'language',
  add_watermark: 'addWatermark',
  enhance_prompt: 'enhancePrompt',
};

export const imageAt = (pathOf: PathOf): ImageCodec => ({
  async run(request, target, exchange) {
    if (!target.model.includes('imagen'))
      return manyImages(request.n, () => gemini(pathOf, request, target, exchange));
    if (request.images.length > 0) throw badField('image', 'Imagen does not edit pictures; Gemini models do');
    if (request.n > maxImagen)
      throw badField('n', `Invalid value for 'n': this model makes at most ${maxImagen} pictures`);
    return imagen(pathOf, request, target, exchange);
  },
  decodeError,
});

async function imagen(
  pathOf: PathOf,
  request: ImageRequest,
  target: CallTarget,
  exchange: Exchange,
): Promise<ImageAnswer> {
  const { params } = request;
  const parameters: JsonObject = { sampleCount: request.n };
  for (const [name, theirs] of Object.entries(imagenParams))
    if (params[name] !== undefined) parameters[theirs] = params[name];
  const ratio = ratioOf(request, imagenRatios);
  if (ratio !== null) parameters['aspectRatio'] = ratio;
  const type = params['output_mime_type'];
  const compression = params['output_compression'];
  if (type !== undefined || compression !== undefined)
    parameters['outputOptions'] = {
      ...(type === undefined ? {} : { mimeType: type }),
      ...(compression === undefined ? {} : { compressionQuality: compression }),
    };
  const { body } = await exchange.send({
    path: pathOf(target, 'predict'),
    body: JSON.stringify({ instances: [{ prompt: request.prompt }], parameters }),
  });
  const answer = parseUpstream(body);
  const list: unknown[] = Array.isArray(answer['predictions']) ? answer['predictions'] : [];
  const images = list.filter(isObject).flatMap((row): GeneratedImage[] =>
    typeof row['bytesBase64Encoded'] === 'string'
      ? [
          {
            bytes: Buffer.from(row['bytesBase64Encoded'], 'base64'),
            contentType: null,
            revisedPrompt: typeof row['prompt'] === 'string' ? row['prompt'] : null,
          },
        ]
      : [],
  );
  if (images.length > 0) return { images, usage: null };
  const reason = list.filter(isObject).find((row) => typeof row['raiFilteredReason'] === 'string');
  throw refusal(reason === undefined ? null : String(reason['raiFilteredReason']));
}

/** All were filtered: the prompt is at fault, as far as can be told. */
const refusal = (why: string | null): GatewayError =>
  new GatewayError('upstream_bad_request', why ?? 'The provider made no picture of this prompt.', {
    param: 'prompt',
  });

async function gemini(
  pathOf: PathOf,
  request: ImageRequest,
  target: CallTarget,
  exchange: Exchange,
): Promise<ImageAnswer> {
  const ratio = ratioOf(request, geminiRatios);
  const parts: JsonObject[] = [{ text: request.prompt }];
  for (const { bytes, contentType } of request.images)
    parts.push({ inlineData: { mimeType: contentType, data: bytes.toString('base64') } });
  const { seed } = request.params;
  const { body } = await exchange.send({
    path: pathOf(target, 'generateContent'),
    body: JSON.stringify({
      contents: [{ role: 'user', parts }],
      generationConfig: {
        responseModalities: ['TEXT', 'IMAGE'],
        ...(seed === undefined ? {} : { seed }),
        ...(ratio === null ? {} : { imageConfig: { aspectRatio: ratio } }),
      },
    }),
  });
  const answer = parseUpstream(body);
  const blocked = blockedPrompt(answer);
  if (blocked !== null) throw refusal(blocked);
  const candidates: unknown = answer['candidates'];
  const first: unknown = Array.isArray(candidates) ? candidates[0] : null;
  const drawn = isObject(first) ? partsOf(first).filter((part) => part['thought'] !== true) : [];
  const text = drawn.map((part) => (typeof part['text'] === 'string' ? part['text'] : '')).join('');
  const images = drawn
    .map((part) => part['inlineData'])
    .filter(isObject)
    .map(({ data }): GeneratedImage => ({
      bytes: Buffer.from(typeof data === 'string' ? data : '', 'base64'),
      contentType: null,
      revisedPrompt: null,
    }));
  if (images.length === 0) throw refusal(text === '' ? null : text.slice(0, 500));
  return { images, usage: decodeUsage(answer['usageMetadata'], 0) };
}
