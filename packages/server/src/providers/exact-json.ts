/** JSON that keeps what JavaScript numbers cannot hold: ids of 17 digits and more in tool arguments. */
import { isUtf8 } from 'node:buffer';
import type { JsonObject } from '../contract/chat.ts';
import { GatewayError } from '../contract/errors.ts';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Present since V8 11.4 (Node 22); not in the standard library's types yet. */
interface RawJson {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
}
const json = JSON as unknown as RawJson;

/**
 * `JSON.parse`, but a number that would change on the way back is kept as written: it prints verbatim with
 * `JSON.stringify`. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  if (!/\d[\d.]{15}/.test(text)) return JSON.parse(text) as unknown;
  return json.parse(text, (_key, value, context) =>
    typeof value === 'number' &&
    context.source !== undefined &&
    context.source.length > 15 &&
    String(value) !== context.source
      ? json.rawJSON(context.source)
      : value,
  );
}

const malformed = (): GatewayError => new GatewayError('upstream_malformed');

/** A JSON object that an upstream sent. Throws `upstream_malformed` for anything else. */
export function parseUpstream(text: Buffer | string): JsonObject {
  if (typeof text !== 'string' && !isUtf8(text)) throw malformed();
  let value: unknown;
  try {
    value = parseExact(text.toString());
  } catch {
    throw malformed();
  }
  if (!isObject(value)) throw malformed();
  return value;
}

/** The same for an error's body, which may be anything: null when it is no JSON. */
export function tryParse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return null;
  }
}
