/**
 * OpenAI-shaped messages, read for vendors that have shapes of their own: content parts, tool calls and reasoning
 * blocks in one form each. Every complaint is a 400 that names the field.
 */
import type { ChatRequest, JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import { isObject, parseExact } from './exact-json.ts';

interface TextPart {
  readonly kind: 'text';
  readonly text: string;
  /** The part as the caller wrote it, for members such as `cache_control`; null for plain text. */
  readonly source: JsonObject | null;
}

/** An image, document, sound or film: exactly one of `data`, `url` and `fileId`. */
export interface MediaPart {
  readonly kind: 'media';
  /** MIME type; null where only a URL is known. */
  readonly mediaType: string | null;
  /** Base64. */
  readonly data: string | null;
  readonly url: string | null;
  readonly fileId: string | null;
  readonly name: string | null;
  readonly source: JsonObject;
  readonly param: string;
}

/** A part of a type that is not OpenAI's: perhaps the vendor's own. */
interface ForeignPart {
  readonly kind: 'foreign';
  readonly source: JsonObject;
  readonly param: string;
}

export type ContentPart = TextPart | MediaPart | ForeignPart;

interface PastToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: JsonObject;
  readonly source: JsonObject;
}

/** One block of reasoning from an earlier turn. */
interface PastReasoning {
  readonly text: string;
  readonly signature: string | null;
  /** An encrypted block instead of text and signature. */
  readonly redacted: string | null;
}

const string = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const wrong = (param: string, sentence: string): Error =>
  badField(param, `Invalid value for '${param}': ${sentence}`);

/** `data:<type>;base64,<data>` → its halves; null when the text is no data: URL. */
export function parseDataUrl(url: string, param: string): { mediaType: string; data: string } | null {
  if (!/^data:/i.test(url)) return null;
  const comma = url.indexOf(',');
  if (comma < 0 || comma > 512) throw wrong(param, 'is not a complete data: URL');
  const [type = '', ...settings] = url.slice(5, comma).split(';');
  const mediaType = type.trim().toLowerCase() || 'text/plain';
  const rest = url.slice(comma + 1);
  if (settings.some((each) => each.trim().toLowerCase() === 'base64')) return { mediaType, data: rest };
  try {
    return { mediaType, data: Buffer.from(decodeURIComponent(rest), 'utf8').toString('base64') };
  } catch {
    throw wrong(param, 'is not a valid data: URL');
  }
}

type Found = Pick<MediaPart, 'mediaType' | 'data' | 'url' | 'fileId' | 'name'>;
const nothing: Found = { mediaType: null, data: null, url: null, fileId: null, name: null };

function fromUrl(value: unknown, param: string): Found {
  const url = string(value);
  if (url === null || url === '') throw wrong(param, 'must be a URL');
  const inline = parseDataUrl(url, param);
  if (inline !== null) return { ...nothing, ...inline };
  if (!/^(https?|gs):\/\//i.test(url)) throw wrong(param, 'must be an http(s) or data: URL');
  return { ...nothing, url };
}

/** OpenAI writes `{"image_url": {"url"}}`, its Responses API `{"image_url": "…"}`. */
function fromUrlMember(part: JsonObject, member: string, param: string): Found {
  const value = part[member];
  return isObject(value)
    ? fromUrl(value['url'], `${param}.${member}.url`)
    : fromUrl(value, `${param}.${member}`);
}

/** `{"type": "image", "image": {"data", "media_type"} | {"url"}}` */
function fromOwnImage(image: JsonObject, param: string): Found {
  if (image['url'] !== undefined) return fromUrl(image['url'], `${param}.image.url`);
  const data = string(image['data']);
  if (data === null || data === '') throw wrong(`${param}.image.data`, 'must be base64');
  const inline = parseDataUrl(data, `${param}.image.data`);
  if (inline !== null) return { ...nothing, ...inline };
  return { ...nothing, data, mediaType: string(image['media_type']) ?? 'image/png' };
}

function fromAudio(value: unknown, param: string): Found {
  const audio = isObject(value) ? value : {};
  const data = string(audio['data']);
  if (data === null || data === '') throw wrong(`${param}.input_audio.data`, 'must be base64');
  const format = string(audio['format']) ?? 'wav';
  return { ...nothing, data, mediaType: format === 'mp3' ? 'audio/mpeg' : `audio/${format}` };
}

const fileTypes: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  html: 'text/html',
  json: 'application/json',
};

function fromFile(value: unknown, param: string): Found {
  const file = isObject(value) ? value : {};
  const name = string(file['filename']);
  const fileId = string(file['file_id']);
  if (fileId !== null) return { ...nothing, fileId, name };
  const url = string(file['file_url']) ?? string(file['url']);
  if (url !== null) return { ...fromUrl(url, `${param}.file.file_url`), name };
  const data = string(file['file_data']);
  if (data === null || data === '') throw wrong(`${param}.file`, 'needs file_data, file_url or file_id');
  const inline = parseDataUrl(data, `${param}.file.file_data`);
  if (inline !== null) return { ...nothing, ...inline, name };
  if (/^https?:\/\//i.test(data)) return { ...nothing, url: data, name };
  const ending = /\.([a-z0-9]+)$/i.exec(name ?? '')?.[1]?.toLowerCase() ?? 'pdf';
  return { ...nothing, data, mediaType: fileTypes[ending] ?? 'application/octet-stream', name };
}

function readMedia(part: JsonObject, param: string): Found | null {
  switch (part['type']) {
    case 'image_url':
    case 'input_image':
      return fromUrlMember(part, 'image_url', param);
    case 'video_url':
      return fromUrlMember(part, 'video_url', param);
    case 'audio_url':
      return fromUrlMember(part, 'audio_url', param);
    case 'image':
      return isObject(part['image']) ? fromOwnImage(part['image'], param) : null;
    case 'input_audio':
      return fromAudio(part['input_audio'], param);
    case 'file':
      return fromFile(part['file'], param);
    default:
      return null;
  }
}

function readPart(part: unknown, param: string): ContentPart {
  if (typeof part === 'string') return { kind: 'text', text: part, source: null };
  if (!isObject(part)) throw wrong(param, 'must be a content part');
  const type = part['type'];
  if (type === 'text' || type === 'input_text' || type === 'output_text' || type === 'refusal') {
    const text = part[type === 'refusal' ? 'refusal' : 'text'];
    if (typeof text !== 'string') throw wrong(`${param}.text`, 'must be a string');
    return { kind: 'text', text, source: part };
  }
  const media = readMedia(part, param);
  return media === null
    ? { kind: 'foreign', source: part, param }
    : { kind: 'media', ...media, source: part, param };
}

/** A message's `content`: a string, parts, one part or nothing. */
export function readContent(content: unknown, param: string): ContentPart[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return [{ kind: 'text', text: content, source: null }];
  if (Array.isArray(content)) return content.map((part, at) => readPart(part, `${param}[${at}]`));
  return [readPart(content, param)];
}

function readArguments(value: unknown, param: string): JsonObject {
  if (isObject(value)) return value;
  if (value === undefined || value === null || value === '') return {};
  let parsed: unknown = null;
  try {
    parsed = typeof value === 'string' ? parseExact(value) : null;
  } catch {
    // Said below.
  }
  if (!isObject(parsed)) throw wrong(param, 'must be a JSON object as text');
  return parsed;
}

/** `tool_calls` of an assistant message. Calls without an id get one made from their place. */
export function readToolCalls(message: JsonObject, param: string): PastToolCall[] {
  const calls = message['tool_calls'];
  if (calls === undefined || calls === null) return [];
  if (!Array.isArray(calls)) throw wrong(`${param}.tool_calls`, 'must be an array');
  return calls.map((call: unknown, at) => {
    const where = `${param}.tool_calls[${at}]`;
    const source = isObject(call) ? call : {};
    const fn = isObject(source['function']) ? source['function'] : {};
    const name = string(fn['name']);
    if (name === null || name === '') throw wrong(`${where}.function.name`, 'is required');
    const id = string(source['id']) || `call_${at}`;
    return { id, name, input: readArguments(fn['arguments'], `${where}.function.arguments`), source };
  });
}

/** A block's `format` says whose it is: this vendor's own, or unsaid. */
const isOf = (vendor: string, detail: JsonObject): boolean => {
  const format = detail['format'];
  return typeof format !== 'string' || format === 'unknown' || format.startsWith(vendor);
};

/**
 * Signed reasoning of an assistant message: `reasoning_details` (pieces of one stream joined again), with
 * `reasoning_content` as the text where the details carry only one signature. Unsigned reasoning is left out: no
 * vendor takes it back.
 */
export function readReasoning(message: JsonObject, vendor: string): PastReasoning[] {
  const details = message['reasoning_details'];
  if (!Array.isArray(details)) return [];
  const blocks: PastReasoning[] = [];
  let text = '';
  for (const detail of details as unknown[]) {
    if (!isObject(detail) || !isOf(vendor, detail)) continue;
    const data = string(detail['data']);
    if (detail['type'] === 'reasoning.encrypted' && data !== null) {
      blocks.push({ text: '', signature: null, redacted: data });
      continue;
    }
    text += string(detail['text']) ?? '';
    const signature = string(detail['signature']);
    if (signature === null || signature === '') continue;
    blocks.push({ text, signature, redacted: null });
    text = '';
  }
  const signed = blocks.filter((block) => block.signature !== null);
  const only = signed[0];
  const aside = string(message['reasoning_content']) ?? string(message['reasoning']);
  if (signed.length !== 1 || only === undefined || only.text !== '' || aside === null) return blocks;
  return blocks.map((block) => (block === only ? { ...block, text: aside } : block));
}

/** `params.messages` as objects. */
export function messagesOf(request: ChatRequest): JsonObject[] {
  const messages = request.params['messages'];
  if (!Array.isArray(messages) || messages.length === 0) throw wrong('messages', 'must not be empty');
  return messages.map((message: unknown, at) => {
    if (!isObject(message)) throw wrong(`messages[${at}]`, 'must be an object');
    return message;
  });
}

/** `stop` as a list. */
export function stopList(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** The 400 for a parameter that this vendor does not have. */
export function unsupported(param: string, vendor: string, advice = ''): Error {
  return badField(param, `${vendor} does not support '${param}'.${advice === '' ? '' : ` ${advice}`}`);
}
