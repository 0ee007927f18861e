/**
 * Messages on their way to a vendor. Most go as they came; they are rebuilt only where they hold what this vendor would
 * refuse: IndoxHub's own image parts, the role `developer`, or members of earlier answers that callers send back.
 */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import type { Quirks, ReplayedMember } from './quirks.ts';
import { isObject, listOf, textOf } from './shape.ts';

const answerMembers: readonly ReplayedMember[] = [
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'images',
  'extra_content',
];

export interface Span {
  readonly bytes: Buffer;
  /** [start, end) of the messages. */
  readonly range: readonly [number, number];
}

/** True when the bytes may hold something to change; says so rather once too often, as it only looks for words. */
export function messagesMustChange(span: Span | null, messages: unknown, quirks: Quirks): boolean {
  const words = wordsOf(quirks);
  if (span === null) {
    const text = JSON.stringify(messages);
    return words.some((word) => text.includes(word));
  }
  const part = span.bytes.subarray(span.range[0], span.range[1]);
  return words.some((word) => part.includes(word, 0, 'latin1'));
}

const wordCache = new WeakMap<Quirks, readonly string[]>();

function wordsOf(quirks: Quirks): readonly string[] {
  const known = wordCache.get(quirks);
  if (known !== undefined) return known;
  const members = answerMembers.filter((member) => !quirks.replays.includes(member));
  const words = [
    '"image"',
    ...(quirks.developerRole ? [] : ['"developer"']),
    ...members.map((each) => `"${each}"`),
  ];
  wordCache.set(quirks, words);
  return words;
}

/** Throws a 400 naming the part for an image that has neither data nor URL. */
export function outgoingMessages(messages: unknown, quirks: Quirks): unknown {
  return listOf(messages).map((message, at) =>
    isObject(message) ? outgoingMessage(message, `messages[${at}]`, quirks) : message,
  );
}

function outgoingMessage(message: JsonObject, where: string, quirks: Quirks): JsonObject {
  const out: JsonObject = { ...message };
  if (out['role'] === 'developer' && !quirks.developerRole) out['role'] = 'system';
  if (out['role'] === 'assistant') {
    for (const member of answerMembers) if (!quirks.replays.includes(member)) delete out[member];
    if (Array.isArray(out['tool_calls']) && !quirks.replays.includes('extra_content')) {
      out['tool_calls'] = out['tool_calls'].map(withoutExtra);
    }
  }
  if (Array.isArray(out['content'])) {
    out['content'] = out['content'].map((part, at) => outgoingPart(part, `${where}.content[${at}]`));
  }
  return out;
}

function withoutExtra(call: unknown): unknown {
  if (!isObject(call)) return call;
  const { extra_content: _, ...rest } = call;
  return rest;
}

/** `{type: 'image', image: {data, media_type} | {url}}` is IndoxHub's own way to say `image_url`. */
function outgoingPart(part: unknown, where: string): unknown {
  if (!isObject(part) || part['type'] !== 'image' || !isObject(part['image'])) return part;
  const { image, type: _, ...rest } = part;
  const url = textOf(image['url']);
  const data = textOf(image['data']);
  if (url === null && data === null) {
    throw badField(`${where}.image`, `Invalid value for '${where}.image': needs 'data' or 'url'`);
  }
  const mediaType = textOf(image['media_type']) ?? 'image/png';
  const detail = textOf(image['detail']);
  const target =
    data === null || data.startsWith('data:') ? (url ?? data) : `data:${mediaType};base64,${data}`;
  return { ...rest, type: 'image_url', image_url: { url: target, ...(detail === null ? {} : { detail }) } };
}
