/**
 * A chat or text-completion body → the canonical request, for both dialects: everything that is not the gateway's own is
 * left as the caller wrote it.
 */
import type { ChatRequest } from '../contract/chat.ts';
import type { Validate } from '../contract/validate.ts';
import { parseJsonObject } from './json-scan.ts';
import { extraParams, isObject, mergeParams, ownFields, vendorParams } from './own-fields.ts';

/** Throws a 400 that names the field. */
export function decodeChat(kind: 'chat' | 'completion', bytes: Buffer, validate: Validate): ChatRequest {
  const { value, members } = parseJsonObject(bytes);
  const extra = extraParams(value);
  const merged = mergeParams(value, extra);
  // The Python client always sends a temperature: one given among the extras is the one that was meant.
  if ('temperature' in extra) merged['temperature'] = extra['temperature'];
  const problem = validate(merged);
  if (problem !== null) throw problem;

  const content = kind === 'chat' ? 'messages' : 'prompt';
  const bound = merged['max_completion_tokens'] ?? merged['max_tokens'];
  const options = merged['stream_options'];
  return {
    ...ownFields(merged),
    kind,
    includeUsage: isObject(options) && options['include_usage'] === true,
    params: vendorParams(merged),
    raw: members.has(content) && value[content] !== null ? { bytes, members } : null,
    bodyBytes: bytes.length,
    maxTokens: typeof bound === 'number' ? bound : null,
    choices: typeof merged['n'] === 'number' ? merged['n'] : 1,
  };
}
