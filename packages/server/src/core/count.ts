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

export interface InputSize {
  /** Never fewer than the provider will count, for text: byte-level vocabularies emit at most one token a byte. */
  readonly bound: number;
  readonly estimate: number;
}

function scanParts(content: unknown, size: { media: number; images: number }): void {
  if (!Array.isArray(content)) return;
  for (const part of content as Record<string, unknown>[]) {
    const holder = part['image_url'] ?? part['image'] ?? part['input_audio'] ?? part['file'];
    if (holder === undefined || holder === null) continue;
    const fields = typeof holder === 'string' ? { url: holder } : (holder as Record<string, unknown>);
    size.images++;
    for (const name of ['url', 'data', 'file_data']) {
      const value = fields[name];
      if (typeof value === 'string' && (name !== 'url' || value.startsWith('data:'))) size.media += value.length;
    }
  }
}

/** The input of a call, before anybody counted it. Base64 media counts by the piece, not by its bytes. */
export function inputSize(request: ChatRequest): InputSize {
  const size = { media: 0, images: 0 };
  const messages = request.params['messages'];
  if (Array.isArray(messages)) for (const message of messages as { content?: unknown }[]) scanParts(message.content, size);
  const text = Math.max(0, request.bodyBytes - size.media);
  const media = size.images * imageTokens;
  return { bound: text + media, estimate: Math.max(1, Math.ceil(text / charsPerToken)) + media };
}

export function countedTokens(chars: number): number {
  return Math.ceil(chars / charsPerToken);
}

/** Usage of an answer the provider did not count. */
export function countedUsage(input: InputSize, deliveredChars: number): TokenUsage {
  return { ...noUsage, input: input.estimate, output: countedTokens(deliveredChars) };
}
