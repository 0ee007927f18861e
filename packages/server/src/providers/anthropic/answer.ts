/** A whole `message` → the canonical answer, and what answers and streams share: usage, endings. */
import type {
  ChatAnswer,
  FinishReason,
  JsonObject,
  ReasoningSignature,
  ToolCall,
} from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import { count, type TokenUsage } from '../../contract/usage.ts';
import { isObject, parseUpstream } from '../exact-json.ts';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

/** Reasons of the future count as `stop`. */
export const finishReason = (reason: unknown): FinishReason | null =>
  typeof reason === 'string' ? (finishReasons[reason] ?? 'stop') : null;

/** The sentence of a refusal, or null. */
export function refusalText(details: unknown): string | null {
  if (!isObject(details) || details['type'] !== 'refusal') return null;
  return typeof details['explanation'] === 'string' ? details['explanation'] : null;
}

/**
 * `input_tokens` leaves out what was read from and written to the cache; `output_tokens` includes thinking. null when
 * the object counts nothing.
 */
export function decodeUsage(usage: unknown): TokenUsage | null {
  if (!isObject(usage)) return null;
  if (typeof usage['input_tokens'] !== 'number' && typeof usage['output_tokens'] !== 'number') return null;
  const creation = isObject(usage['cache_creation']) ? usage['cache_creation'] : {};
  const details = isObject(usage['output_tokens_details']) ? usage['output_tokens_details'] : {};
  const tools = isObject(usage['server_tool_use']) ? usage['server_tool_use'] : {};
  const long = count(creation['ephemeral_1h_input_tokens']);
  const written = Math.max(
    count(usage['cache_creation_input_tokens']),
    count(creation['ephemeral_5m_input_tokens']) + long,
  );
  const output = count(usage['output_tokens']);
  const reasoning = Math.min(count(details['thinking_tokens']), output);
  return {
    input: count(usage['input_tokens']),
    cacheRead: count(usage['cache_read_input_tokens']),
    cacheWrite: written - long,
    cacheWriteLong: long,
    audioInput: 0,
    imageInput: 0,
    output: output - reasoning,
    reasoning,
    audioOutput: 0,
    imageOutput: 0,
    webSearches: count(tools['web_search_requests']),
  };
}

interface Content {
  text: string;
  reasoning: string | null;
  readonly signatures: ReasoningSignature[];
  readonly toolCalls: ToolCall[];
}

function read(block: JsonObject, into: Content): void {
  switch (block['type']) {
    case 'text':
      into.text += typeof block['text'] === 'string' ? block['text'] : '';
      return;
    case 'thinking': {
      const text = typeof block['thinking'] === 'string' ? block['thinking'] : '';
      into.reasoning = (into.reasoning ?? '') + text;
      const data = block['signature'];
      if (typeof data === 'string' && data !== '') {
        into.signatures.push({ vendor: 'anthropic', kind: 'signature', data, text });
      }
      return;
    }
    case 'redacted_thinking':
      if (typeof block['data'] === 'string') {
        into.signatures.push({ vendor: 'anthropic', kind: 'redacted', data: block['data'] });
      }
      return;
    case 'tool_use':
      into.toolCalls.push({
        id: String(block['id']),
        name: String(block['name']),
        arguments: JSON.stringify(block['input'] ?? {}),
      });
      return;
    default:
    // Tools that Anthropic itself runs: their outcome is in the text.
  }
}

const malformed = (): GatewayError => new GatewayError('upstream_malformed');

/** Throws `upstream_malformed` when the body is no message. */
export function decodeAnswer(body: Buffer): ChatAnswer {
  const message = parseUpstream(body);
  if (!Array.isArray(message['content'])) throw malformed();
  const content: Content = { text: '', reasoning: null, signatures: [], toolCalls: [] };
  for (const block of message['content'] as unknown[]) {
    if (!isObject(block)) throw malformed();
    read(block, content);
  }
  const usage = message['usage'];
  const tier = isObject(usage) ? usage['service_tier'] : undefined;
  return {
    id: typeof message['id'] === 'string' ? message['id'] : null,
    model: typeof message['model'] === 'string' ? message['model'] : null,
    created: null,
    choices: [
      {
        index: 0,
        ...content,
        images: [],
        refusal: refusalText(message['stop_details']),
        finishReason: finishReason(message['stop_reason']),
        logprobs: null,
      },
    ],
    usage: decodeUsage(usage),
    extra: typeof tier === 'string' ? { service_tier: tier } : {},
  };
}
