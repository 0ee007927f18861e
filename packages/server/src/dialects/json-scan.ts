/**
 * One pass over the bytes of a JSON body before it is parsed: refuses what would block the event loop (deep nests,
 * hundreds of thousands of tokens) in microseconds, and notes where each top-level member's value stands, so that a big
 * prompt can be sent on as the bytes it came in.
 */
import { isAscii, isUtf8 } from 'node:buffer';
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
function skipString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const end = text.indexOf('"', at);
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
    const stop = Math.min(text.length, end + nearby);
    for (at = end + 1; at < stop; at++) {
      const char = text.charCodeAt(at);
      if (char === quote) return at + 1;
      if (char === backslash) at++;
    }
  }
}

const refuse = (what: string): GatewayError =>
  new GatewayError('invalid_json', `The request body has more than ${what}.`);

/** A key as the parser would have it, from its bytes seen as characters. */
function keyOf(bytes: string, isPlain: boolean): string {
  const text = isPlain || /^[\0-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

function trimmed(text: string, start: number, end: number): readonly [number, number] {
  let from = start;
  let to = end;
  while (from < to && text.charCodeAt(from) <= 32) from++;
  while (to > from && text.charCodeAt(to - 1) <= 32) to--;
  return [from, to];
}

/**
 * Top-level members of the object in `text`, each byte of which is one character, so that places are those of bytes.
 * `isPlain`: all of it is known to be ASCII. Throws invalid_json; whether it is JSON at all is JSON.parse's to say.
 */
export function scanJson(text: string, isPlain = false): Members {
  const members: Members = new Map();
  let depth = 0;
  let tokens = 0;
  let pairs = 0;
  let key: string | null = null;
  let valueFrom = 0;
  let at = 0;
  const { length } = text;
  while (at < length) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      const end = skipString(text, at);
      if (depth === 1 && key === null) key = keyOf(text.slice(at + 1, end - 1), isPlain);
      at = end;
      continue;
    }
    if (char === openBrace || char === openBracket) {
      depth++;
      if (depth > maxDepth)
        throw new GatewayError('invalid_json', `The request body nests deeper than ${maxDepth} levels.`);
      tokens++;
    } else if (char === closeBrace || char === closeBracket) {
      if (depth === 1 && key !== null) members.set(key, trimmed(text, valueFrom, at));
      depth--;
    } else if (char === comma) {
      tokens++;
      if (depth === 1 && key !== null) {
        members.set(key, trimmed(text, valueFrom, at));
        key = null;
      }
    } else if (char === colon) {
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
  const isPlain = isAscii(bytes);
  if (!isPlain && !isUtf8(bytes))
    throw new GatewayError('invalid_json', 'The request body is not valid UTF-8.');
  const text = bytes.toString('latin1');
  const members = scanJson(text, isPlain);
  let value: unknown;
  try {
    value = JSON.parse(isPlain ? text : bytes.toString('utf8'));
  } catch {
    throw new GatewayError('invalid_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GatewayError('invalid_json', 'The request body must be a JSON object.');
  }
  return { value: value as Record<string, unknown>, members };
}
