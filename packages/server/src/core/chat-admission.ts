/**
 * Stage 3 for chat and text completions: what the call may cost at worst, and the output bound that is sent upstream so
 * that the vendor itself keeps the call inside its hold.
 */
import { hash } from 'node:crypto';
import { GatewayError } from '../contract/errors.ts';
import type { ChatRequest } from '../contract/chat.ts';
import type { AdmitResult } from '../storage/storage.ts';
import { aboveMaxCost, admit, capOf, priceUnknown, unbounded, type Bounds } from './admission.ts';
import type { Admission, IncomingCall } from './call-types.ts';
import type { InputSize } from './count.ts';
import type { Gateway } from './gateway.ts';
import type { Resolved } from './models.ts';
import { mostOutput, worstCase, type PriceBook } from './pricing.ts';

/** Output bound of a model whose limit nobody knows. */
const unknownOutputBound = 16_384;
/** A stream's first hold covers this much output; it grows as the stream delivers. */
const firstOutputTokens = 1_024;
/** An answer of fewer tokens than this is not worth starting. */
const leastOutputTokens = 16;

export interface ChatInput {
  readonly call: IncomingCall;
  readonly request: ChatRequest;
  readonly resolved: Resolved;
  readonly input: InputSize;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Cost at worst of this many output tokens a choice. */
function worst(book: PriceBook, input: ChatInput, outputTokens: number): bigint {
  const { request } = input;
  return worstCase(
    {
      inputTokens: input.input.bound,
      outputTokens: outputTokens * request.choices,
      media: input.input.audio,
    },
    book,
  );
}

/** The most output tokens a choice that `nano` pays for beside the input, at most `upTo`; null when not even one. */
function affordable(book: PriceBook, input: ChatInput, nano: bigint, upTo: number): number | null {
  const { bound, audio } = input.input;
  const tokens = Math.floor(
    mostOutput(nano, { inputTokens: bound, media: audio }, book) / input.request.choices,
  );
  return tokens < 1 ? null : Math.min(tokens, upTo);
}

function outputBound(input: ChatInput): number {
  return input.request.maxTokens ?? input.resolved.maxOutputTokens ?? unknownOutputBound;
}

/** What to hold. Throws `price_unknown` and `max_cost_exceeded`. */
function boundsOf(input: ChatInput): Bounds {
  const { request, resolved } = input;
  if (request.byokKey !== null) return unbounded;
  const cap = capOf(input);
  const book = resolved.prices;
  if (book === null) {
    if (cap !== null) throw priceUnknown(resolved);
    return unbounded;
  }
  const floorNano = worstCase(
    { inputTokens: input.input.estimate, outputTokens: 0, cacheWrites: false, media: input.input.audio },
    book,
  );
  if (cap === null) return { ...unbounded, floorNano };
  const { hard, ceilingNano } = cap;

  const bound = outputBound(input);
  const lowerable = request.maxTokens === null;
  let worstNano = worst(book, input, bound);
  // At the edge of a budget the likely input admits: what is charged never exceeds the hold, and the next call finds
  // nothing left, so the error of one estimate is all that can be lost, and never the account's.
  const leastOutput = lowerable || request.stream ? Math.min(bound, leastOutputTokens) : bound;
  const leastNano =
    floorNano + worst(book, { ...input, input: { bound: 0, estimate: 0, audio: false } }, leastOutput);
  if (ceilingNano !== null && worstNano > ceilingNano) {
    if (leastNano > ceilingNano) {
      throw aboveMaxCost(worstNano, ceilingNano, affordable(book, input, ceilingNano, bound));
    }
    worstNano = ceilingNano;
  }
  if (!hard && ceilingNano === null) {
    const likely = worst(book, input, Math.min(bound, 512));
    return { ...unbounded, holdNano: likely, leastNano: least(likely, floorNano), worstNano, floorNano };
  }
  // Hidden reasoning costs money before anything is delivered, so its whole bound is held.
  const grows = request.stream && resolved.info?.reasoning !== true;
  const first = grows ? least(worstNano, worst(book, input, Math.min(bound, firstOutputTokens))) : worstNano;
  return {
    holdNano: first,
    leastNano,
    worstNano,
    floorNano,
    hard: true,
    lowerable,
    extendable: request.stream,
    ceilingNano,
  };
}

export type Admitted =
  | { readonly status: 'admitted'; readonly admission: Admission }
  | { readonly status: 'replay'; readonly result: Extract<AdmitResult, { status: 'replay' }> };

/** Throws 402, 409, 429 and 503. */
export async function admitChat(gateway: Gateway, input: ChatInput): Promise<Admitted> {
  const { call, request, resolved } = input;
  const bounds = boundsOf(input);
  const bound = outputBound(input);
  const result = await admit(gateway, {
    call,
    request,
    resolved,
    bounds,
    tokens: input.input.estimate + (request.maxTokens ?? 0),
    fingerprint: () => hash('sha256', Buffer.concat([Buffer.from(`${call.route}\n`), call.body])),
    affordable: (nano) => (resolved.prices === null ? null : affordable(resolved.prices, input, nano, bound)),
  });
  if (result.status === 'replay') return { status: 'replay', result };
  if (result.status === 'in_progress') throw new GatewayError('idempotency_in_progress');
  const short = bounds.worstNano !== null && bounds.hard && result.heldNano < bounds.worstNano;
  let maxTokens = request.maxTokens;
  let lowered = false;
  if (bounds.lowerable) {
    // What is sent upstream is what the hold was made for, so the vendor itself keeps the call inside it.
    const limit = short && !bounds.extendable ? result.heldNano : bounds.worstNano;
    if (limit !== null && resolved.prices !== null && bounds.hard) {
      maxTokens = affordable(resolved.prices, input, limit, bound) ?? 1;
      lowered = maxTokens < bound;
    }
  }
  return {
    status: 'admitted',
    admission: {
      heldNano: result.heldNano,
      worstNano: bounds.worstNano,
      maxTokens,
      lowered,
      extendable: short && bounds.extendable,
      ceilingNano: bounds.ceilingNano,
      headers: lowered ? { ...result.headers, 'x-indoxhub-max-tokens': String(maxTokens) } : result.headers,
    },
  };
}
