/** What the stages of a call hand to one another. */
import type { CallIdentity } from '../contract/answer.ts';
import type { ChatRequest } from '../contract/chat.ts';
import type { CallKind, CallRequest } from '../contract/request.ts';
import type { ChatDialect } from '../dialects/dialect.ts';
import type { Credential } from '../storage/storage.ts';
import type { InputSize } from './count.ts';
import type { Resolved } from './models.ts';

/** The caller's connection, as core sees it. */
export interface Client {
  /** The connection is closed and not every byte of an answer went out. */
  readonly gone: boolean;
  onGone(callback: () => void): void;
  /** Sends status and headers of a stream. */
  open(headers: Readonly<Record<string, string>>): void;
  readonly opened: boolean;
  /** False when the reader is slow: wait for `onDrain`. */
  write(bytes: string | Buffer): boolean;
  onDrain(callback: () => void): void;
  end(bytes: string | Buffer): void;
  /** Breaks the connection off, so that nobody takes what came for the whole. */
  cut(): void;
}

/** A call as it came in, authorised. */
export interface Incoming {
  readonly requestId: string;
  readonly kind: CallKind;
  /** The path, as metrics and idempotency know it. */
  readonly route: string;
  readonly credential: Credential;
  readonly idempotencyKey: string | null;
  /** From the header; the body's own wins. */
  readonly maxCostNano: bigint | null;
  readonly client: Client;
  /** Where this gateway answers, as the caller knows it; links to media begin with it. */
  readonly origin: string;
  readonly startedAtMs: number;
  /** How often the client itself had tried before, where it tells. */
  readonly clientRetries?: number | null;
}

/** A chat or text completion as it came in. */
export interface IncomingCall extends Incoming {
  readonly kind: 'chat' | 'completion';
  readonly dialect: ChatDialect;
  readonly body: Buffer;
}

/** A whole answer, ready to be sent. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Money and bounds a call was admitted with. */
export interface Admission {
  readonly heldNano: bigint;
  /** The most the call can cost; null when nothing bounds it or the price is unknown. */
  readonly worstNano: bigint | null;
  /** Output bound to send upstream, per choice; null leaves it to the vendor. */
  readonly maxTokens: number | null;
  /** The bound was lowered to what the budget can pay. */
  readonly lowered: boolean;
  /** The hold is less than the worst case and grows as the stream delivers. */
  readonly extendable: boolean;
  /** The call may never cost more than this (`max_cost`), or null. */
  readonly ceilingNano: bigint | null;
  /** Rate limit headers. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is decided about any call before its first attempt. */
export interface BasePlan {
  readonly call: Incoming;
  readonly request: CallRequest;
  readonly resolved: Resolved;
  readonly identity: CallIdentity;
  readonly admission: Admission;
}

/** The same of a chat or text completion. */
export interface Plan extends BasePlan {
  readonly call: IncomingCall;
  readonly request: ChatRequest;
  readonly input: InputSize;
}
