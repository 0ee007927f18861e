/** Google's `{"error": {"code", "message", "status", "details"}}`. */
import type { JsonObject } from '../../contract/chat.ts';
import { isObject, tryParse } from '../exact-json.ts';
import type { UpstreamFailure } from '../provider.ts';

const statuses: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNKNOWN: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

/** Google answers 400 for these, but it is the key that is wrong. */
const keyReasons = new Set(['API_KEY_INVALID', 'API_KEY_EXPIRED']);

/** Google's field → the caller's. */
const fields: Readonly<Record<string, string>> = {
  maxOutputTokens: 'max_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  candidateCount: 'n',
  stopSequences: 'stop',
  seed: 'seed',
  responseMimeType: 'response_format',
  responseSchema: 'response_format',
  responseJsonSchema: 'response_format',
  contents: 'messages',
  systemInstruction: 'messages',
  tools: 'tools',
  toolConfig: 'tool_choice',
  thinkingConfig: 'reasoning_effort',
};

function reasonOf(details: readonly JsonObject[]): string | null {
  for (const each of details) if (typeof each['reason'] === 'string') return each['reason'];
  return null;
}

/** `generation_config.temperature` → `temperature` */
function blamed(details: readonly JsonObject[]): string | null {
  for (const each of details) {
    const violations: unknown[] = Array.isArray(each['fieldViolations']) ? each['fieldViolations'] : [];
    for (const violation of violations) {
      const path = isObject(violation) && typeof violation['field'] === 'string' ? violation['field'] : '';
      for (const step of path.split('.')) {
        const camel = step
          .replace(/\[.*$/, '')
          .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
        const field = fields[camel];
        if (field !== undefined) return field;
      }
    }
  }
  return null;
}

/** An error object as a failure; `status` is what HTTP said, null inside a stream. */
export function failureOf(
  error: unknown,
  status: number | null,
): Omit<UpstreamFailure, 'status'> & { status: number | null } {
  if (!isObject(error)) return { status, code: null, message: null, param: null };
  const word = typeof error['status'] === 'string' ? error['status'] : null;
  const list: unknown[] = Array.isArray(error['details']) ? error['details'] : [];
  const details = list.filter(isObject);
  const reason = reasonOf(details);
  const own =
    typeof error['code'] === 'number' ? error['code'] : word === null ? null : (statuses[word] ?? null);
  const real = status ?? own;
  return {
    status: real === 400 && reason !== null && keyReasons.has(reason) ? 401 : real,
    code: reason ?? word,
    message: typeof error['message'] === 'string' ? error['message'] : null,
    param: real === 400 ? blamed(details) : null,
  };
}

export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  // Streams that fail before they start answer with a list.
  const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const failure = failureOf(isObject(first) ? first['error'] : null, status);
  return { ...failure, status: failure.status ?? status };
}
