/**
 * Tokens counted by us, where a provider's own count is missing or not there yet. An estimate for billing what was
 * delivered, and bounds for holding money; nothing here ever replaces a provider's count.
 */
import type { ChatRequest } from '../contract/chat.ts';
import { noUsage, type TokenUsage } from '../contract/usage.ts';

/** Characters a token, on average, in English prose and code. */
const charsPerToken = 4;
/** A picture is billed by its size, which is not known here: what the largest ordinary one costs. */
const imageTokens = 3_000;

/** What a message costs beside its text: role and separators. */
const messageTokens = 4;

export interface InputSize {
  /** Never fewer than the provider will count, for text: byte-level vocabularies emit at most one token a byte. */
  readonly bound: number;
  readonly estimate: number;
  /** The caller sends sound, whose tokens have a price of their own. */
  readonly audio: boolean;
}

interface Size {
  /** Characters of text. */
  text: number;
  /** Characters of base64, which are not text. */
  media: number;
  images: number;
  audio: boolean;
}

function measurePart(part: Record<string, unknown>, size: Size): void {
  if (typeof part['text'] === 'string') size.text += part['text'].length;
  const holder = part['image_url'] ?? part['image'] ?? part['input_audio'] ?? part['file'];
  if (holder === undefined || holder === null) return;
  if (part['input_audio'] !== undefined) size.audio = true;
  const fields = typeof holder === 'string' ? { url: holder } : (holder as Record<string, unknown>);
  size.images++;
  for (const name of ['url', 'data', 'file_data']) {
    const value = fields[name];
    if (typeof value === 'string' && (name !== 'url' || value.startsWith('data:')))
      size.media += value.length;
  }
}

function measure(content: unknown, size: Size): void {
  if (typeof content === 'string') size.text += content.length;
  else if (Array.isArray(content)) {
    for (const part of content as unknown[]) {
      if (typeof part === 'string') size.text += part.length;
      else if (typeof part === 'object' && part !== null) measurePart(part as Record<string, unknown>, size);
    }
  }
}

/** The input of a call, before anybody counted it. Base64 media counts by the piece, not by its bytes. */
export function inputSize(request: ChatRequest): InputSize {
  const size: Size = { text: 0, media: 0, images: 0, audio: false };
  const { messages, prompt, tools } = request.params;
  let framing = 0;
  if (Array.isArray(messages)) {
    framing = messages.length * messageTokens;
    for (const message of messages as { content?: unknown; tool_calls?: unknown }[]) {
      measure(message.content, size);
      if (message.tool_calls !== undefined) size.text += JSON.stringify(message.tool_calls).length;
    }
  }
  measure(prompt, size);
  if (tools !== undefined) {
    const place = request.raw?.members.get('tools');
    size.text += place === undefined ? JSON.stringify(tools).length : place[1] - place[0];
  }
  const media = size.images * imageTokens;
  const bound = Math.max(0, request.bodyBytes - size.media) + media;
  const estimate = Math.min(bound, Math.max(1, countedTokens(size.text)) + framing + media);
  return { bound, estimate, audio: size.audio };
}

export function countedTokens(chars: number): number {
  return Math.ceil(chars / charsPerToken);
}

/** Usage of an answer the provider did not count; `toldInput`: what it said of the input at the start, or 0. */
export function countedUsage(input: InputSize, deliveredChars: number, toldInput = 0): TokenUsage {
  return {
    ...noUsage,
    input: toldInput > 0 ? toldInput : input.estimate,
    output: countedTokens(deliveredChars),
  };
}
