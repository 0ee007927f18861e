/** OpenAI-shaped messages → `system` and `messages`: roles merged, tool results in user turns, blocks in place. */
import type { ChatRequest, JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import {
  messagesOf,
  readContent,
  readReasoning,
  readToolCalls,
  unsupported,
  type ContentPart,
  type MediaPart,
} from '../openai-messages.ts';

export interface Turns {
  readonly system: string | JsonObject[] | null;
  readonly messages: JsonObject[];
  /** The turn being continued calls tools but carries no thinking, so thinking with a budget would be refused. */
  readonly unthoughtTools: boolean;
}

const cacheControl = (source: JsonObject | null): JsonObject =>
  source !== null && isObject(source['cache_control']) ? { cache_control: source['cache_control'] } : {};

function sourceOf(part: MediaPart): JsonObject {
  if (part.fileId !== null) return { type: 'file', file_id: part.fileId };
  if (part.url !== null) return { type: 'url', url: part.url };
  return { type: 'base64', media_type: part.mediaType, data: part.data };
}

function mediaBlock(part: MediaPart): JsonObject {
  const type = part.source['type'];
  const image = type !== 'file' && type !== 'input_audio' && type !== 'video_url' && type !== 'audio_url';
  const mediaType = part.mediaType ?? (image ? 'image/' : 'application/pdf');
  if (mediaType.startsWith('image/')) {
    return { type: 'image', source: sourceOf(part), ...cacheControl(part.source) };
  }
  if (type === 'video_url' || !/^(application|text)\//.test(mediaType)) {
    throw unsupported(part.param, 'Anthropic', `It reads text, images and documents, not ${mediaType}.`);
  }
  const text = part.data !== null && mediaType.startsWith('text/');
  const source = text
    ? {
        type: 'text',
        media_type: 'text/plain',
        data: Buffer.from(part.data ?? '', 'base64').toString('utf8'),
      }
    : sourceOf(part);
  const title = part.name === null ? {} : { title: part.name };
  return { type: 'document', source, ...title, ...cacheControl(part.source) };
}

/** null for empty text, which Anthropic refuses. Its own blocks pass untouched. */
function block(part: ContentPart): JsonObject | null {
  if (part.kind === 'foreign') return part.source;
  if (part.kind === 'media') return mediaBlock(part);
  if (part.text === '') return null;
  const citations = part.source?.['citations'];
  return {
    type: 'text',
    text: part.text,
    ...cacheControl(part.source),
    ...(citations === undefined ? {} : { citations }),
  };
}

function blocksOf(content: unknown, param: string): JsonObject[] {
  return readContent(content, param)
    .map(block)
    .filter((each) => each !== null);
}

/** A message-level `cache_control` marks its last block. */
function marked(blocks: JsonObject[], message: JsonObject): JsonObject[] {
  const last = blocks.at(-1);
  if (last === undefined || !isObject(message['cache_control']) || 'cache_control' in last) return blocks;
  return [...blocks.slice(0, -1), { ...last, ...cacheControl(message) }];
}

/** One plain text needs no block. */
function slim(blocks: JsonObject[]): string | JsonObject[] {
  const [only] = blocks;
  if (
    blocks.length !== 1 ||
    only === undefined ||
    only['type'] !== 'text' ||
    Object.keys(only).length !== 2
  ) {
    return blocks;
  }
  return String(only['text']);
}

/** Ids of other vendors may hold characters that Anthropic refuses; call and result are changed alike. */
const toolId = (id: string): string => id.replace(/[^a-zA-Z0-9_-]/g, '_');

function thinkingBlocks(message: JsonObject): JsonObject[] {
  return readReasoning(message, 'anthropic').map((each) =>
    each.redacted === null
      ? { type: 'thinking', thinking: each.text, signature: each.signature }
      : { type: 'redacted_thinking', data: each.redacted },
  );
}

function assistantBlocks(message: JsonObject, param: string): JsonObject[] {
  const calls = readToolCalls(message, param).map((call) => ({
    type: 'tool_use',
    id: toolId(call.id),
    name: call.name,
    input: call.input,
    ...cacheControl(call.source),
  }));
  return [...thinkingBlocks(message), ...blocksOf(message['content'], `${param}.content`), ...calls];
}

function toolResult(message: JsonObject, param: string): JsonObject {
  const id = message['tool_call_id'];
  if (typeof id !== 'string' || id === '') {
    throw badField(`${param}.tool_call_id`, `Invalid value for '${param}.tool_call_id': is required`);
  }
  const content = slim(blocksOf(message['content'], `${param}.content`));
  return {
    type: 'tool_result',
    tool_use_id: toolId(id),
    ...(content.length === 0 ? {} : { content }),
    ...(message['is_error'] === true ? { is_error: true } : {}),
    ...cacheControl(message),
  };
}

function append(turns: { role: string; blocks: JsonObject[] }[], role: string, blocks: JsonObject[]): void {
  if (blocks.length === 0) return;
  const last = turns.at(-1);
  if (last !== undefined && last.role === role) last.blocks.push(...blocks);
  else turns.push({ role, blocks: [...blocks] });
}

function isUnthought(turns: readonly { role: string; blocks: JsonObject[] }[]): boolean {
  const [assistant, user] = turns.slice(-2);
  if (assistant?.role !== 'assistant' || user?.blocks[0]?.['type'] !== 'tool_result') return false;
  return !String(assistant.blocks[0]?.['type']).endsWith('thinking');
}

/** Throws a 400 naming the message at fault. */
export function encodeMessages(request: ChatRequest): Turns {
  const turns: { role: string; blocks: JsonObject[] }[] = [];
  const system: JsonObject[] = [];
  for (const [at, message] of messagesOf(request).entries()) {
    const param = `messages[${at}]`;
    switch (message['role']) {
      case 'system':
      case 'developer':
        system.push(...marked(blocksOf(message['content'], `${param}.content`), message));
        break;
      case 'user':
        append(turns, 'user', marked(blocksOf(message['content'], `${param}.content`), message));
        break;
      case 'assistant':
        append(turns, 'assistant', marked(assistantBlocks(message, param), message));
        break;
      case 'tool':
        append(turns, 'user', [toolResult(message, param)]);
        break;
      default:
        throw badField(
          `${param}.role`,
          `Invalid value for '${param}.role': must be system, developer, user, assistant or tool`,
        );
    }
  }
  if (turns.length === 0) throw badField('messages', "Invalid value for 'messages': hold no content");
  return {
    system: system.length === 0 ? null : slim(system),
    messages: turns.map(({ role, blocks }) => ({ role, content: slim(blocks) })),
    unthoughtTools: isUnthought(turns),
  };
}
