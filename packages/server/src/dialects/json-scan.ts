/**
 * One pass over the bytes of a JSON body before it is parsed: refuses what would block the event loop (deep nests,
 * hundreds of thousands of tokens) in microseconds, and notes where each top-level member's value stands, so that a big
 * prompt can be sent on as the bytes it came in.
 */
import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../contract/errors.ts';

const maxDepth = 64;
const maxTokens = 400_000;
/** Members of objects, all together: to the parser each costs many times what an element of a list does. */
const maxMembers = 100_000;
/** Members of the outermost object. */
const maxFields = 1_000;
/** After an escaped quote the next is likely near: so many bytes are looked at one by one before searching again. */
const nearby = 64;

const quote = 34;
const comma = 44;
const colon = 58;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

export type Members = Map<string, readonly [number, number]>;

/** The index after the string that begins at `start`. */
function skipString(bytes: Buffer, start: number): number {
  let at = start + 1;
  for (;;) {
    const end = bytes.indexOf(quote, at);
    if (end < 0) return bytes.length;
    let slashes = 0;
    while (bytes[end - 1 - slashes] === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
    const stop = Math.min(bytes.length, end + nearby);
    for (at = end + 1; at < stop; at++) {
      const byte = bytes[at];
      if (byte === quote) return at + 1;
      if (byte === backslash) at++;
    }
  }
}

const refuse = (what: string): GatewayError =>
  new GatewayError('invalid_json', `The request body has more than ${what}.`);

function keyAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1);
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

function trimmed(bytes: Buffer, start: number, end: number): readonly [number, number] {
  let from = start;
  let to = end;
  while (from < to && (bytes[from] ?? 0) <= 32) from++;
  while (to > from && (bytes[to - 1] ?? 0) <= 32) to--;
  return [from, to];
}

/** Top-level members of the object in `bytes`. Throws invalid_json; whether it is JSON at all is JSON.parse's to say. */
export function scanJson(bytes: Buffer): Members {
  if (!isUtf8(bytes)) throw new GatewayError('invalid_json', 'The request body is not valid UTF-8.');
  const members: Members = new Map();
  let depth = 0;
  let tokens = 0;
  let pairs = 0;
  let key: string | null = null;
  let valueFrom = 0;
  let at = 0;
  const length = bytes.length;
  while (at < length) {
    const byte = bytes[at];
    if (byte === quote) {
      const end = skipString(bytes, at);
      if (depth === 1 && key === null) key = keyAt(bytes, at, end);
      at = end;
      continue;
    }
    if (byte === openBrace || byte === openBracket) {
      depth++;
      if (depth > maxDepth)
        throw new GatewayError('invalid_json', `The request body nests deeper than ${maxDepth} levels.`);
      tokens++;
    } else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 1 && key !== null) members.set(key, trimmed(bytes, valueFrom, at));
      depth--;
    } else if (byte === comma) {
      tokens++;
      if (depth === 1 && key !== null) {
        members.set(key, trimmed(bytes, valueFrom, at));
        key = null;
      }
    } else if (byte === colon) {
      pairs++;
      if (depth === 1) valueFrom = at + 1;
    }
    if (tokens > maxTokens) throw refuse(`${maxTokens} values`);
    if (pairs > maxMembers) throw refuse(`${maxMembers} members`);
    if (members.size > maxFields) throw refuse(`${maxFields} fields`);
    at++;
  }
  return members;
}

/** The object in `bytes` and where its members stand. Throws a 400 for anything that is not one JSON object. */
export function parseJsonObject(bytes: Buffer): { value: Record<string, unknown>; members: Members } {
  if (bytes.length === 0)
    throw new GatewayError('invalid_json', 'The request body is empty; a JSON object is expected.');
  const members = scanJson(bytes);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new GatewayError('invalid_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GatewayError('invalid_json', 'The request body must be a JSON object.');
  }
  return { value: value as Record<string, unknown>, members };
}
