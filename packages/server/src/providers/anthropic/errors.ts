/** Anthropic's `{"type": "error", "error": {"type", "message"}}`. */
import type { JsonObject } from '../../contract/chat.ts';
import { isObject, tryParse } from '../exact-json.ts';
import type { UpstreamFailure } from '../provider.ts';

const statuses: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The status an error inside a stream would have had. */
export const statusOf = (type: unknown): number | null =>
  typeof type === 'string' ? (statuses[type] ?? null) : null;

/** `messages.0.content: must …` → `messages[0].content`; sentences that name no field give null. */
function blamed(message: string | null): string | null {
  const field = /^([a-z_]+(?:\.\w+)*): /.exec(message ?? '')?.[1];
  return field === undefined ? null : field.replace(/\.(\d+)/g, '[$1]');
}

interface ErrorWords {
  readonly code: string | null;
  readonly message: string | null;
}

/** The vendor's own code and sentence in an error object. */
export function errorWords(error: unknown): ErrorWords {
  if (!isObject(error)) return { code: null, message: null };
  const details: JsonObject = isObject(error['details']) ? error['details'] : {};
  const code = details['error_code'] ?? error['type'];
  return {
    code: typeof code === 'string' ? code : null,
    message: typeof error['message'] === 'string' ? error['message'] : null,
  };
}

export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const words = errorWords(isObject(parsed) ? parsed['error'] : null);
  return { status, ...words, param: status === 400 ? blamed(words.message) : null };
}
