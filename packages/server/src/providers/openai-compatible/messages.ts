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

/** True when a message holds something this vendor would refuse. Looks at the parsed form: bytes take longer to search. */
export function messagesMustChange(messages: unknown, quirks: Quirks): boolean {
  return listOf(messages).some((message) => isObject(message) && mustChange(message, quirks));
}

function mustChange(message: JsonObject, quirks: Quirks): boolean {
  const role = message['role'];
  if (role === 'developer' && !quirks.developerRole) return true;
  if (role === 'assistant') {
    for (const member of answerMembers) {
      if (member in message && !quirks.replays.includes(member)) return true;
    }
    const calls = message['tool_calls'];
    if (Array.isArray(calls) && !quirks.replays.includes('extra_content')) {
      if (calls.some((call) => isObject(call) && 'extra_content' in call)) return true;
    }
  }
  const content = message['content'];
  return Array.isArray(content) && content.some(isOwnImage);
}

const isOwnImage = (part: unknown): boolean =>
  isObject(part) && part['type'] === 'image' && isObject(part['image']);

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
