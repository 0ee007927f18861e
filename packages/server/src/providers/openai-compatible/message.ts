/** Reading the parts of an OpenAI-shaped `message` or `delta`, in all the places vendors put them. */
import type { JsonObject, ReasoningSignature } from '../../contract/chat.ts';
import { isObject, listOf, textOf } from './shape.ts';

export interface Words {
  text: string;
  reasoning: string;
}

/** `content` is text, or a list of parts (Mistral): text, thinking, images. */
export function contentWords(content: unknown, images: string[]): Words {
  const words = { text: '', reasoning: '' };
  if (typeof content === 'string') words.text = content;
  for (const part of listOf(content)) {
    if (typeof part === 'string') words.text += part;
    if (!isObject(part)) continue;
    if (part['type'] === 'text') words.text += textOf(part['text']) ?? '';
    else if (part['type'] === 'thinking') words.reasoning += thinkingText(part['thinking']);
    else if (part['type'] === 'image_url') pushUrl(part, images);
  }
  return words;
}

function thinkingText(thinking: unknown): string {
  if (typeof thinking === 'string') return thinking;
  return listOf(thinking)
    .map((part) => (isObject(part) ? (textOf(part['text']) ?? '') : ''))
    .join('');
}

function pushUrl(part: JsonObject, images: string[]): void {
  const image = part['image_url'];
  const url = textOf(image) ?? (isObject(image) ? textOf(image['url']) : null);
  if (url !== null) images.push(url);
}

/** `message.images` as OpenRouter and others have it. */
export function readImages(message: JsonObject, images: string[]): void {
  for (const image of listOf(message['images'])) {
    if (isObject(image)) pushUrl(image, images);
    else if (typeof image === 'string') images.push(image);
  }
}

/** Reasoning text in the fields of its own. */
export function reasoningText(message: JsonObject): string {
  const plain = textOf(message['reasoning_content']) ?? textOf(message['reasoning']);
  if (plain !== null) return plain;
  return listOf(message['reasoning_details'])
    .map((each) => (isObject(each) ? (textOf(each['text']) ?? textOf(each['summary']) ?? '') : ''))
    .join('');
}

/** The opaque blocks of `reasoning_details`, which must come back verbatim. */
export function signaturesOf(message: JsonObject, provider: string): ReasoningSignature[] {
  const found: ReasoningSignature[] = [];
  for (const detail of listOf(message['reasoning_details'])) {
    if (!isObject(detail)) continue;
    const vendor = textOf(detail['format']) ?? provider;
    const signature = textOf(detail['signature']);
    const encrypted = textOf(detail['data']);
    if (signature !== null) found.push({ vendor, kind: 'signature', data: signature });
    else if (encrypted !== null) found.push({ vendor, kind: 'redacted', data: encrypted });
  }
  return found;
}

/** Arguments are JSON text; some servers send the object itself. */
export function argumentsText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}
