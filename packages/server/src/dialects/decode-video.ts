/** A video body or form → the canonical request, for both dialects. */
import type { ZodType } from 'zod';
import type { JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import type { VideoRequest } from '../contract/media.ts';
import { firstIssue } from '../contract/validate.ts';
import { parseJsonObject } from './json-scan.ts';
import { isObject, mergeParams, ownFields, vendorParams } from './own-fields.ts';

const read = new Set([
  'prompt',
  'duration',
  'duration_seconds',
  'seconds',
  'size',
  'dimension',
  'resolution',
  'aspect_ratio',
  'n',
  'generate_audio',
  'negative_prompt',
  'input_image',
  'input_reference',
  'reference_image',
  'reference_images',
  'last_frame',
  'response_format',
  'webhook_url',
  'wait',
]);

export interface DecodedVideo {
  readonly request: VideoRequest;
  readonly webhookUrl: string | null;
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Guides call the length by three names, and write it as text now and then. */
function secondsOf(merged: JsonObject): Pick<VideoRequest, 'seconds' | 'secondsField'> {
  for (const name of ['duration', 'seconds', 'duration_seconds']) {
    const value = merged[name];
    if (value === undefined) continue;
    const seconds = Number(typeof value === 'string' ? value.replace(/s$/, '') : value);
    if (!(seconds >= 1 && seconds <= 600))
      throw badField(name, `Invalid value for '${name}': must be 1 to 600 seconds`);
    return { seconds, secondsField: name };
  }
  return { seconds: null, secondsField: 'duration' };
}

/** A data: URL, a link, or plain base64. Throws a 400 that names the field. */
function pictureOf(value: unknown, param: string): string | null {
  const given = isObject(value) ? (value['image_url'] ?? value['url']) : value;
  if (given === undefined || given === null) return null;
  if (typeof given === 'string') {
    if (/^data:image\/[\w.+-]+;base64,[A-Za-z0-9+/=]+$/.test(given)) return given;
    if (/^https?:\/\//i.test(given) && URL.canParse(given)) return given;
    if (given.length > 100 && /^[A-Za-z0-9+/]+={0,2}$/.test(given))
      return `data:image/${given.startsWith('/9j/') ? 'jpeg' : 'png'};base64,${given}`;
  }
  throw badField(param, `Invalid value for '${param}': must be a data: URL, base64 or a link of a picture`);
}

const maxReferences = 3;

function referencesOf(merged: JsonObject): string[] {
  const many = merged['reference_images'];
  const list: unknown[] = Array.isArray(many) ? many : [];
  if (list.length > maxReferences)
    throw badField('reference_images', `Invalid value for 'reference_images': at most ${maxReferences}`);
  const found = list.map((each, at) => pictureOf(each, `reference_images[${at}]`));
  found.push(pictureOf(merged['reference_image'], 'reference_image'));
  return found.filter((each) => each !== null);
}

/** Throws a 400 that names the field. */
export function decodeVideo(body: JsonObject, schema: ZodType): DecodedVideo {
  const merged = mergeParams(body);
  const valid = schema.safeParse(merged);
  if (!valid.success) throw firstIssue(valid.error);
  const { n, generate_audio: audio } = merged;
  const image =
    pictureOf(merged['input_image'], 'input_image') ??
    pictureOf(merged['input_reference'], 'input_reference');
  return {
    request: {
      kind: 'video',
      ...ownFields(merged),
      stream: false,
      prompt: String(merged['prompt']),
      ...secondsOf(merged),
      size: text(merged['size']) ?? text(merged['dimension']),
      resolution: text(merged['resolution'])?.toLowerCase() ?? null,
      aspectRatio: text(merged['aspect_ratio']),
      n: typeof n === 'number' ? n : 1,
      audio: typeof audio === 'boolean' ? audio : null,
      negativePrompt: text(merged['negative_prompt']),
      image,
      lastFrame: pictureOf(merged['last_frame'], 'last_frame'),
      references: referencesOf(merged),
      params: vendorParams(merged, read),
    },
    webhookUrl: text(merged['webhook_url']),
  };
}

export function decodeJsonVideo(bytes: Buffer, schema: ZodType): DecodedVideo {
  return decodeVideo(parseJsonObject(bytes).value, schema);
}
