/** A speech body → the canonical request, for both dialects. */
import type { ZodType } from 'zod';
import type { AudioFormat, SpeechRequest } from '../contract/media.ts';
import { firstIssue } from '../contract/validate.ts';
import { parseJsonObject } from './json-scan.ts';
import { isObject, mergeParams, ownFields, vendorParams } from './own-fields.ts';

const read = new Set(['input', 'voice', 'instructions', 'response_format', 'speed', 'stream_format']);

/** Throws a 400 that names the field. */
export function decodeSpeech(bytes: Buffer, schema: ZodType): SpeechRequest {
  const merged = mergeParams(parseJsonObject(bytes).value);
  const valid = schema.safeParse(merged);
  if (!valid.success) throw firstIssue(valid.error);
  const { voice, instructions, response_format: format, speed } = merged;
  const name = isObject(voice) ? voice['id'] : voice;
  return {
    kind: 'tts',
    ...ownFields(merged),
    input: String(merged['input']),
    voice: typeof name === 'string' ? name : null,
    // Blank instructions are none.
    instructions: typeof instructions === 'string' && instructions.trim() !== '' ? instructions : null,
    format: (format ?? 'mp3') as AudioFormat,
    speed: typeof speed === 'number' ? speed : 1,
    params: vendorParams(merged, read),
  };
}
