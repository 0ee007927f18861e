/**
 * The canonical form of a chat or text-completion call: what dialects decode to and providers translate from.
 * The request keeps OpenAI's field names, because callers and most vendors already agree on them.
 */
import type { CallRequest } from './request.ts';
import type { TokenUsage } from './usage.ts';

export type JsonObject = Record<string, unknown>;

/** A wire format. Caller and vendor speaking the same one are relayed byte for byte. */
export type Wire = 'openai-chat' | 'openai-completion' | 'anthropic-messages' | 'google-generate' | 'native';

/** The caller's bytes, and where each top-level member's value stands in them. */
export interface RawBody {
  readonly bytes: Buffer;
  /** Top-level key → [start, end) of its value in `bytes`. */
  readonly members: ReadonlyMap<string, readonly [number, number]>;
}

export interface ChatRequest extends CallRequest {
  readonly kind: 'chat' | 'completion';
  /** `/v1` streams carry a usage chunk only if `stream_options.include_usage` asked for it. */
  readonly includeUsage: boolean;
  /**
   * OpenAI-shaped parameters: `messages` or `prompt`, `temperature`, `max_tokens`, `tools`, … and every unknown
   * field, untouched. Without nulls, `model`, `stream`, `stream_options` and the gateway's own fields.
   */
  readonly params: JsonObject;
  /** Present when `params.messages` / `params.prompt` are exactly what the bytes say, so they can be spliced. */
  readonly raw: RawBody | null;
  /** UTF-8 bytes of the body: an upper bound for its text tokens (byte-level vocabularies emit at most one token a byte). */
  readonly bodyBytes: number;
  /** The caller's bound on output tokens per choice, from `max_tokens` or `max_completion_tokens`. */
  readonly maxTokens: number | null;
  readonly choices: number;
}

export type FinishReason =
  | 'stop'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'function_call'
  | 'error'
  | 'cancelled';

/** One step of a streamed answer. `index` is the choice, 0 unless n > 1. */
export type ChatEvent =
  | {
      readonly type: 'start';
      readonly id: string | null;
      readonly model: string | null;
      readonly inputTokens: number;
    }
  | { readonly type: 'text'; readonly index: number; readonly text: string; readonly logprobs?: unknown }
  /** `signature` is the vendor's opaque proof, to be sent back verbatim; it may come alone with empty text. */
  | {
      readonly type: 'reasoning';
      readonly index: number;
      readonly text: string;
      readonly signature?: ReasoningSignature;
    }
  | {
      readonly type: 'tool';
      readonly index: number;
      /** Which tool call of the choice; `id` and `name` come with its first event, `arguments` is a JSON fragment. */
      readonly call: number;
      readonly id?: string;
      readonly name?: string;
      readonly arguments: string;
      /** Vendor data that must come back with the call (Gemini's thought signature). */
      readonly extra?: JsonObject;
    }
  /** A drawn image as a data: URL or link. */
  | { readonly type: 'image'; readonly index: number; readonly url: string }
  | { readonly type: 'refusal'; readonly index: number; readonly text: string }
  | { readonly type: 'finish'; readonly index: number; readonly reason: FinishReason }
  /** Cumulative so far; the last one stands. */
  | { readonly type: 'usage'; readonly usage: TokenUsage }
  /** The vendor reported a failure inside its stream. */
  | {
      readonly type: 'error';
      readonly status: number | null;
      readonly code: string | null;
      readonly message: string;
    };

/** An opaque block a vendor wants back verbatim in the next turn. */
export interface ReasoningSignature {
  readonly vendor: string;
  /** `thinking` with its signature, or a whole `redacted` block. */
  readonly kind: 'signature' | 'redacted' | 'id';
  readonly data: string;
  /** The whole reasoning this proof belongs to, where the vendor checks the pair. */
  readonly text?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, as the vendor wrote it. */
  readonly arguments: string;
  readonly extra?: JsonObject;
}

export interface ChatChoice {
  readonly index: number;
  readonly text: string;
  readonly reasoning: string | null;
  readonly signatures: readonly ReasoningSignature[];
  readonly toolCalls: readonly ToolCall[];
  readonly images: readonly string[];
  readonly refusal: string | null;
  readonly finishReason: FinishReason | null;
  readonly logprobs: unknown;
}

/** A whole answer. */
export interface ChatAnswer {
  readonly id: string | null;
  readonly model: string | null;
  /** Unix seconds, or null when the vendor does not say. */
  readonly created: number | null;
  readonly choices: readonly ChatChoice[];
  /** null when the vendor sent none: absent usage is not zero usage. */
  readonly usage: TokenUsage | null;
  /** OpenAI extras worth passing on: `system_fingerprint`, `service_tier`. */
  readonly extra: JsonObject;
}
