/** What went wrong, from whatever a vendor wrote: a body of an error status, or an error inside a 200. */
import type { JsonObject } from '../../contract/chat.ts';
import type { UpstreamFailure } from '../provider.ts';
import { isObject, listOf, objectOf, textOf } from './shape.ts';

const maxBodyBytes = 64 * 1024;
const maxMessage = 1000;

/** Vendors like to quote the key they refuse. */
const keyLike =
  /\b(?:Bearer\s+\S+|(?:sk|gsk|csk|xai|nvapi|hf|pplx|key|fw|tgp|indox|AIza|api[-_]?key)[-_:=](?=\S*[\d*…])(?:[A-Za-z0-9_\-*…]|\.(?=\w)){6,}|AIza[\w-]{10,}|[A-Za-z0-9]{2,}\*{3,}[A-Za-z0-9*]*|[\w-]*[0-9a-f]{32,}(?:\.\w+)?)/gi;

/** One line, without keys, of bearable length. */
export function cleanMessage(text: string): string | null {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  const safe = line.slice(0, 4 * maxMessage).replace(keyLike, '[redacted]');
  if (safe === '') return null;
  return safe.length > maxMessage ? `${safe.slice(0, maxMessage - 1)}…` : safe;
}

/** FastAPI's list of complaints: `[{loc: ['body', 'messages', 0], msg}]`. */
function complaint(detail: unknown): { message: string | null; param: string | null } {
  const first = objectOf(listOf(detail)[0]);
  if (first === null) return { message: null, param: null };
  const path = listOf(first['loc']).filter((step) => step !== 'body');
  const param = path
    .map((step, at) =>
      typeof step === 'number' ? `[${step}]` : at === 0 ? String(step) : `.${String(step)}`,
    )
    .join('');
  return { message: textOf(first['msg']), param: param === '' ? null : param };
}

function codeOf(...candidates: readonly unknown[]): string | null {
  for (const each of candidates) {
    if (typeof each === 'string' && each !== '') return each.slice(0, 100);
    if (typeof each === 'number') return String(each);
  }
  return null;
}

/** Mistral's message may be an object, a list, or an object printed as text. */
function nestedMessage(message: unknown): JsonObject | null {
  if (typeof message !== 'string' || !message.startsWith('{')) {
    return objectOf(message) ?? (Array.isArray(message) ? { detail: message } : null);
  }
  try {
    return objectOf(JSON.parse(message));
  } catch {
    return null;
  }
}

function failureFrom(status: number, source: JsonObject): UpstreamFailure {
  const nested = nestedMessage(source['message']);
  const detail = nested?.['detail'] ?? source['detail'];
  const listed = complaint(detail);
  const sentence =
    (nested === null ? textOf(source['message']) : null) ??
    textOf(source['msg']) ??
    textOf(detail) ??
    listed.message ??
    textOf(nested?.['message']);
  return {
    status,
    code: codeOf(source['code'], source['type'], source['status']),
    message: sentence === null ? null : cleanMessage(sentence),
    param: textOf(source['param'])?.slice(0, 200) ?? listed.param,
  };
}

/** The failure a JSON object reports, or null when it reports none: `"error": null` is no error. */
export function failureIn(body: JsonObject, status: number): UpstreamFailure | null {
  const error = body['error'];
  if (isObject(error)) {
    const failure = failureFrom(httpStatus(error['code']) ?? httpStatus(error['status']) ?? status, error);
    return failure;
  }
  if (typeof error === 'string' && error !== '') {
    const code = codeOf(body['code'], body['type']);
    return { status, code, message: cleanMessage(error), param: textOf(body['param']) };
  }
  if (body['object'] === 'error' || body['object'] === 'Error' || body['type'] === 'error')
    return failureFrom(status, body);
  const minimax = body['base_resp'];
  if (isObject(minimax) && typeof minimax['status_code'] === 'number' && minimax['status_code'] !== 0) {
    const message = textOf(minimax['status_msg']);
    const code = String(minimax['status_code']);
    return { status, code, message: message === null ? null : cleanMessage(message), param: null };
  }
  return null;
}

/** OpenRouter puts an HTTP status into `code`. */
function httpStatus(value: unknown): number | null {
  return typeof value === 'number' && value >= 400 && value < 600 ? value : null;
}

/** The body of an error status. What cannot be read (HTML, nothing) gives a null message. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const unknown = { status, code: null, message: null, param: null };
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8', 0, maxBodyBytes));
  } catch {
    const text = body.toString('utf8', 0, maxMessage).trim();
    const isSentence = text !== '' && !/[<{[]/.test(text);
    return isSentence ? { ...unknown, message: cleanMessage(text) } : unknown;
  }
  const object = objectOf(value) ?? objectOf(listOf(value)[0]);
  if (object === null) {
    return typeof value === 'string' ? { ...unknown, message: cleanMessage(value) } : unknown;
  }
  const failure = failureIn(object, status) ?? failureFrom(status, object);
  return { ...failure, status };
}
