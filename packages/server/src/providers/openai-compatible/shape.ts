/** Reading JSON that someone else wrote: every member may be missing or of another kind. */
import type { FinishReason, JsonObject } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const objectOf = (value: unknown): JsonObject | null => (isObject(value) ? value : null);

export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export function indexOf(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1024 ? value : 0;
}

/** Throws `upstream_malformed` unless the text is one JSON object. */
export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('not JSON');
  }
  if (!isObject(value)) throw malformed('not a JSON object');
  return value;
}

/** The JSON object in the text, or an empty one. */
export function objectIn(text: string): JsonObject {
  try {
    return parseObject(text);
  } catch {
    return {};
  }
}

export function malformed(reason: string): GatewayError {
  return new GatewayError('upstream_malformed', undefined, { details: { reason } });
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  function_call: 'function_call',
  max_tokens: 'length',
  model_length: 'length',
  tool_use: 'tool_calls',
  tool_call: 'tool_calls',
  sensitive: 'content_filter',
  safety: 'content_filter',
  error: 'error',
  network_error: 'error',
  insufficient_system_resource: 'error',
  abort: 'cancelled',
  cancelled: 'cancelled',
};

/** A vendor's word for why it stopped, as one of ours; words nobody knows (`eos`, `end_turn`) mean an ordinary stop. */
export function finishReasonOf(value: unknown): FinishReason | null {
  if (typeof value !== 'string' || value === '') return null;
  const word = value.toLowerCase();
  return Object.hasOwn(finishReasons, word) ? (finishReasons[word] ?? 'stop') : 'stop';
}
