/** An image body or form → the canonical request, for both dialects. */
import type { ZodType } from 'zod';
import type { JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import type { ImageRequest, InputImage } from '../contract/media.ts';
import { firstIssue } from '../contract/validate.ts';
import { parseJsonObject } from './json-scan.ts';
import { isObject, mergeParams, ownFields, vendorParams } from './own-fields.ts';

const read = new Set([
  'prompt',
  'n',
  'size',
  'aspect_ratio',
  'quality',
  'response_format',
  'image',
  'images',
  'mask',
  'stream',
]);

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

export interface Pictures {
  readonly images: readonly InputImage[];
  readonly mask: InputImage | null;
}

const none: Pictures = { images: [], mask: null };

function requestOf(merged: JsonObject, schema: ZodType, { images, mask }: Pictures): ImageRequest {
  const valid = schema.safeParse(merged);
  if (!valid.success) throw firstIssue(valid.error);
  const { n, size, aspect_ratio: ratio, quality, response_format: format } = merged;
  return {
    kind: 'image',
    ...ownFields(merged),
    prompt: String(merged['prompt']),
    n: typeof n === 'number' ? n : 1,
    size: text(size),
    aspectRatio: text(ratio),
    quality: text(quality),
    responseFormat: format === 'url' || format === 'b64_json' ? format : null,
    images,
    mask,
    params: vendorParams(merged, read),
  };
}

/** Throws a 400 that names the field. */
export function decodeImage(body: Buffer, schema: ZodType): ImageRequest {
  return requestOf(mergeParams(parseJsonObject(body).value), schema, none);
}

/** Pictures of an edit sent as JSON: data: URLs, plain or in an object with `url` or `image_url`. */
export function decodeJsonEdit(body: Buffer, schema: ZodType): ImageRequest {
  const merged = mergeParams(parseJsonObject(body).value);
  const given = merged['images'] ?? merged['image'];
  const list: unknown[] = Array.isArray(given) ? given : given === undefined ? [] : [given];
  const images = list.map((each, at) => inline(each, 'image', at));
  const mask = merged['mask'] === undefined ? null : inline(merged['mask'], 'mask', 0);
  return requestOf(merged, schema, withPicture({ images, mask }));
}

/** The fields of a form; its files are the pictures. */
export function decodeFormEdit(
  fields: ReadonlyMap<string, readonly string[]>,
  pictures: Pictures,
  schema: ZodType,
): ImageRequest {
  const values: JsonObject = {};
  for (const [name, [value = '']] of fields) {
    if (name === '__proto__' || value === '') continue;
    const isNumber = name === 'n' || name === 'output_compression' || name === 'seed';
    values[name] = isNumber && value.trim() !== '' ? Number(value) : value;
  }
  return requestOf(mergeParams(values), schema, withPicture(pictures));
}

function withPicture(pictures: Pictures): Pictures {
  if (pictures.images.length > 0) return pictures;
  throw badField('image', "'image' is required: the picture to work on");
}

const maxBase64 = 64 * 1024 * 1024;

function inline(value: unknown, param: string, index: number): InputImage {
  const holder = isObject(value) ? (value['url'] ?? value['image_url'] ?? value['b64_json']) : value;
  const match = /^data:(image\/[\w.+-]+);base64,([A-Za-z0-9+/=\s]+)$/.exec(
    typeof holder === 'string' && holder.length <= maxBase64 ? holder : '',
  );
  if (match === null)
    throw badField(
      param,
      `Invalid value for '${param}': must be a data: URL of a picture, or send a form with files`,
    );
  const [, contentType = '', data = ''] = match;
  const extension = contentType.slice('image/'.length).replace('jpeg', 'jpg');
  return { bytes: Buffer.from(data, 'base64'), contentType, fileName: `${param}-${index}.${extension}` };
}
