/** How a caller speaks: one translation in, and the ways out. The mirror image of providers/provider.ts. */
import type { CallIdentity, SettledFacts, StreamFailure } from '../contract/answer.ts';
import type { ChatAnswer, ChatEvent, ChatRequest, FinishReason, Wire } from '../contract/chat.ts';
import type { GatewayError } from '../contract/errors.ts';
import type { EmbeddingAnswer, EmbeddingRequest, TranscriptionAnswer } from '../contract/media.ts';

/** Canonical events → the caller's frames. One per stream. */
export interface StreamEncoder {
  /** The frames before the first event. */
  start(inputTokens: number): string;
  /** The frames of one event; '' for what this dialect says elsewhere or not at all. */
  event(event: ChatEvent): string;
  /**
   * Everything after the last event, terminal included: each choice's finish reason (when the provider gave none:
   * `reason`), usage and cost.
   */
  finish(facts: SettledFacts, reason: FinishReason): string;
  /** After a relayed stream that ended well: what the gateway adds before the terminal. */
  relayedEnd(facts: SettledFacts): string;
  /** The stream broke: a typed error and nothing that looks like a clean end. */
  failure(failure: StreamFailure, facts: CallIdentity): string;
}

export interface ChatDialect {
  /** The wire its answers are in; a provider of the same wire is relayed. */
  readonly wire: Wire;
  /** Throws a 400 that names the field. */
  decode(body: Buffer): ChatRequest;
  encodeAnswer(answer: ChatAnswer, facts: SettledFacts): string;
  /** A relayed answer with what the gateway adds to it; `plainUsage` as in `AnswerFacts`. */
  amendAnswer(body: Buffer, facts: SettledFacts, plainUsage: boolean): Buffer;
  createEncoder(identity: CallIdentity, request: ChatRequest): StreamEncoder;
  encodeError(error: GatewayError, requestId: string): string;
}

export interface EmbeddingDialect {
  /** Throws a 400 that names the field. */
  decode(body: Buffer): EmbeddingRequest;
  encode(answer: EmbeddingAnswer, request: EmbeddingRequest, facts: SettledFacts): string;
}

/** Sound that was made and stored. */
export interface SpokenFile {
  /** A link, or a data: URL where nothing is stored. */
  readonly url: string;
  readonly contentType: string;
  readonly bytes: number;
  /** Base64, where nothing is stored. */
  readonly content: string | null;
  /** null = the link does not expire. */
  readonly expiresAtMs: number | null;
}

/** A transcript, ready to be written. */
export interface WrittenTranscript {
  readonly answer: TranscriptionAnswer;
  /** Seconds, measured where the sound tells, else as the vendor says. */
  readonly duration: number | null;
  /** The chat model that turned the transcript into English, where the speech model did not. */
  readonly translated: {
    readonly model: string;
    readonly requestId: string;
    readonly cost: number | null;
  } | null;
}

/** A picture as the caller gets it: a link or base64. */
export interface WrittenImage {
  readonly url?: string;
  readonly b64_json?: string;
  readonly revised_prompt?: string;
}

/** A video job as its owner may see it. */
/** A job's webhook and what became of it so far. */
export interface WrittenWebhook {
  readonly url: string;
  /** In order. */
  readonly deliveries: readonly {
    readonly attempt: number;
    readonly atMs: number;
    readonly status: number | null;
    readonly error: string | null;
    readonly nextAtMs: number | null;
  }[];
}

export interface WrittenVideo {
  readonly id: string;
  /** queued, processing, completed, failed or cancelled. */
  readonly status: string;
  /** 0 to 100. */
  readonly progress: number;
  readonly provider: string;
  readonly model: string;
  readonly prompt: string;
  readonly providerJobId: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly byok: boolean;
  /** Seconds of one video, delivered or planned. */
  readonly seconds: number | null;
  readonly size: string | null;
  /** What it is expected to cost, and what it did; null = unknown, or not over yet. */
  readonly estimateNano: bigint | null;
  readonly costNano: bigint | null;
  readonly files: readonly {
    readonly url: string;
    readonly bytes: number;
    readonly contentType: string;
    readonly fileName: string;
  }[];
  readonly expiresAtMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}
