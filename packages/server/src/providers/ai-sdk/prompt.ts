/** Messages of OpenAI's → the AI SDK's prompt. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

type FileData = (url: string, mediaType: string) => JsonObject;

/** Bytes or a link, as each version of the specification wants them. */
function fileOf(version: string): FileData {
  return (url, mediaType) => {
    const match = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.-]+)*;base64,(.*)$/s.exec(url);
    const type = match?.[1] ?? mediaType;
    if (match !== null) {
      const data = match[2] ?? '';
      return { type: 'file', mediaType: type, data: version === 'v3' ? data : { type: 'data', data } };
    }
    if (!URL.canParse(url))
      throw badField('messages', "Invalid value for 'messages': a picture's URL is none");
    const link = new URL(url);
    return { type: 'file', mediaType: type, data: version === 'v3' ? link : { type: 'url', url: link } };
  };
}

function userPart(part: JsonObject, file: FileData): JsonObject {
  const { type } = part;
  if (type === 'text' || type === 'input_text') return { type: 'text', text: text(part['text']) };
  if (type === 'image_url' || type === 'input_image') {
    const image = part['image_url'];
    return file(text(isObject(image) ? image['url'] : image), 'image/*');
  }
  if (type === 'input_audio' && isObject(part['input_audio'])) {
    const { data, format } = part['input_audio'];
    const kind = format === 'mp3' ? 'audio/mpeg' : `audio/${text(format) || 'wav'}`;
    return file(`data:${kind};base64,${text(data)}`, kind);
  }
  if (type === 'file' && isObject(part['file'])) {
    const { file_data: data, filename } = part['file'];
    const made = file(text(data), 'application/pdf');
    return typeof filename === 'string' ? { ...made, filename } : made;
  }
  throw badField(
    'messages',
    `Invalid value for 'messages': this provider takes no part of type '${text(type)}'`,
  );
}

/** Text, or the text of parts. */
const wordsOf = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : listOf(content)
        .map((part) => text(part['text']))
        .join('');

function parsed(argumentsText: unknown): unknown {
  if (typeof argumentsText !== 'string') return argumentsText ?? {};
  try {
    return argumentsText.trim() === '' ? {} : (JSON.parse(argumentsText) as unknown);
  } catch {
    throw badField('messages', "Invalid value for 'messages': the arguments of a tool call are not JSON");
  }
}

function assistantParts(message: JsonObject): JsonObject[] {
  const parts: JsonObject[] = [];
  const words = wordsOf(message['content']);
  if (words !== '') parts.push({ type: 'text', text: words });
  for (const call of listOf(message['tool_calls'])) {
    const called = isObject(call['function']) ? call['function'] : {};
    parts.push({
      type: 'tool-call',
      toolCallId: text(call['id']),
      toolName: text(called['name']),
      input: parsed(called['arguments']),
    });
  }
  return parts;
}

/** Throws a 400 naming `messages` for what has no place in a prompt. */
export function promptOf(messages: unknown, version: string): JsonObject[] {
  const file = fileOf(version);
  const prompt: JsonObject[] = [];
  const toolNames = new Map<string, string>();
  for (const message of listOf(messages)) {
    const { role, content } = message;
    if (role === 'system' || role === 'developer') prompt.push({ role: 'system', content: wordsOf(content) });
    else if (role === 'user') {
      const parts =
        typeof content === 'string'
          ? [{ type: 'text', text: content }]
          : listOf(content).map((part) => userPart(part, file));
      prompt.push({ role, content: parts });
    } else if (role === 'assistant') {
      const parts = assistantParts(message);
      for (const { type, toolCallId, toolName } of parts)
        if (type === 'tool-call') toolNames.set(text(toolCallId), text(toolName));
      prompt.push({ role, content: parts });
    } else if (role === 'tool') {
      const toolCallId = text(message['tool_call_id']);
      const toolName = toolNames.get(toolCallId) ?? text(message['name']);
      const output = { type: 'text', value: wordsOf(content) };
      const result = { type: 'tool-result', toolCallId, toolName, output };
      const last = prompt.at(-1);
      if (last?.['role'] === 'tool') (last['content'] as JsonObject[]).push(result);
      else prompt.push({ role, content: [result] });
    } else
      throw badField('messages', `Invalid value for 'messages': this provider knows no role '${text(role)}'`);
  }
  return prompt;
}
