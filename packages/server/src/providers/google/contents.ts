/** OpenAI-shaped messages → `systemInstruction` and `contents`. */
import type { ChatRequest, JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject, parseExact } from '../exact-json.ts';
import {
  messagesOf,
  parseDataUrl,
  readContent,
  readReasoning,
  readToolCalls,
  unsupported,
  type ContentPart,
  type MediaPart,
} from '../openai-messages.ts';
import { checksSignatures } from './model.ts';

interface Contents {
  readonly systemInstruction: JsonObject | null;
  readonly contents: JsonObject[];
}

/** Google's word for calls whose signature is lost: those of other vendors' models, or of older transcripts. */
const noSignature = 'skip_thought_signature_validator';

function mediaPart(part: MediaPart): JsonObject {
  if (part.data !== null) return { inlineData: { mimeType: part.mediaType, data: part.data } };
  const mimeType = part.mediaType === null ? {} : { mimeType: part.mediaType };
  return { fileData: { fileUri: part.url ?? part.fileId, ...mimeType } };
}

/** null for empty text. */
function encodePart(part: ContentPart): JsonObject | null {
  if (part.kind === 'media') return mediaPart(part);
  if (part.kind === 'text') return part.text === '' ? null : { text: part.text };
  throw unsupported(
    `${part.param}.type`,
    'Google',
    `There is no part of type ${JSON.stringify(part.source['type'])}.`,
  );
}

function partsOf(content: unknown, param: string): JsonObject[] {
  return readContent(content, param)
    .map(encodePart)
    .filter((each) => each !== null);
}

/** Images the model drew in an earlier turn, as the gateway printed them. */
function drawnParts(message: JsonObject, param: string): JsonObject[] {
  const images = message['images'];
  if (!Array.isArray(images)) return [];
  return images.flatMap((image: unknown, at) => {
    const link = isObject(image) && isObject(image['image_url']) ? image['image_url']['url'] : null;
    const inline = typeof link === 'string' ? parseDataUrl(link, `${param}.images[${at}]`) : null;
    return inline === null ? [] : [{ inlineData: { mimeType: inline.mediaType, data: inline.data } }];
  });
}

/** Ids made by gateways and OpenAI say nothing to Google; its own go back. */
const idMember = (id: string): JsonObject => (id.startsWith('call_') ? {} : { id });

function thoughtSignature(call: JsonObject): string | null {
  const extra = isObject(call['extra_content']) ? call['extra_content'] : {};
  const google = isObject(extra['google']) ? extra['google'] : {};
  const signature = google['thought_signature'];
  return typeof signature === 'string' && signature !== '' ? signature : null;
}

function modelParts(message: JsonObject, param: string, model: string): JsonObject[] {
  const parts = [...partsOf(message['content'], `${param}.content`), ...drawnParts(message, param)];
  const signature = readReasoning(message, 'google').findLast((each) => each.signature !== null)?.signature;
  if (signature !== undefined && signature !== null) {
    const last = parts.findLastIndex((part) => 'text' in part);
    const signed = { ...(parts[last] ?? { text: '' }), thoughtSignature: signature };
    if (last < 0) parts.push(signed);
    else parts[last] = signed;
  }
  for (const [at, call] of readToolCalls(message, param).entries()) {
    const own = thoughtSignature(call.source);
    const proof = own ?? (at === 0 && checksSignatures(model) ? noSignature : null);
    parts.push({
      functionCall: { ...idMember(call.id), name: call.name, args: call.input },
      ...(proof === null ? {} : { thoughtSignature: proof }),
    });
  }
  return parts;
}

/** Google wants an object: text that is none stands under `output`, or `error`. */
function responseOf(text: string, isError: boolean): JsonObject {
  if (isError) return { error: text };
  if (!text.trimStart().startsWith('{')) return { output: text };
  try {
    const parsed = parseExact(text);
    return isObject(parsed) ? parsed : { output: text };
  } catch {
    return { output: text };
  }
}

function resultParts(message: JsonObject, param: string, names: ReadonlyMap<string, string>): JsonObject[] {
  const id = typeof message['tool_call_id'] === 'string' ? message['tool_call_id'] : '';
  const name = names.get(id) ?? message['name'];
  if (typeof name !== 'string' || name === '') {
    throw badField(
      `${param}.tool_call_id`,
      `Invalid value for '${param}.tool_call_id': no earlier message holds this tool call`,
    );
  }
  const parts = readContent(message['content'], `${param}.content`);
  const text = parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
  const media = parts.filter((part) => part.kind === 'media').map(mediaPart);
  const response = responseOf(text, message['is_error'] === true);
  return [{ functionResponse: { ...idMember(id), name, response } }, ...media];
}

/** Throws a 400 naming the message at fault. */
export function encodeContents(request: ChatRequest, model: string): Contents {
  const contents: { role: string; parts: JsonObject[] }[] = [];
  const system: JsonObject[] = [];
  /** Tool call id → function name. */
  const names = new Map<string, string>();
  const append = (role: string, parts: JsonObject[]): void => {
    if (parts.length === 0) return;
    const last = contents.at(-1);
    if (last !== undefined && last.role === role) last.parts.push(...parts);
    else contents.push({ role, parts: [...parts] });
  };
  for (const [at, message] of messagesOf(request).entries()) {
    const param = `messages[${at}]`;
    switch (message['role']) {
      case 'system':
      case 'developer':
        system.push(...partsOf(message['content'], `${param}.content`));
        break;
      case 'user':
        append('user', partsOf(message['content'], `${param}.content`));
        break;
      case 'assistant':
        for (const call of readToolCalls(message, param)) names.set(call.id, call.name);
        append('model', modelParts(message, param, model));
        break;
      case 'tool':
        append('user', resultParts(message, param, names));
        break;
      default:
        throw badField(
          `${param}.role`,
          `Invalid value for '${param}.role': must be system, developer, user, assistant or tool`,
        );
    }
  }
  if (contents.length === 0) throw badField('messages', "Invalid value for 'messages': hold no content");
  return { systemInstruction: system.length === 0 ? null : { parts: system }, contents };
}
