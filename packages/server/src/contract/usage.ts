/**
 * Usage as disjoint buckets: no token is counted in two of them, and together they are the provider's total.
 * Providers overlap their counters in different ways; each codec untangles its own (see providers/).
 */

/** Token counts, whole numbers >= 0. */
export interface TokenUsage {
  /** Input tokens that were neither read from nor written to the provider's prompt cache: text, and images unless counted apart. */
  readonly input: number;
  readonly cacheRead: number;
  /** Written to the provider's cache at its ordinary lifetime (Anthropic: 5 minutes). */
  readonly cacheWrite: number;
  /** Written to the cache at a longer lifetime that has its own price (Anthropic: 1 hour). */
  readonly cacheWriteLong: number;
  readonly audioInput: number;
  /** Input images, where the provider counts and bills them apart. */
  readonly imageInput: number;
  /** Visible output: text and tool calls. */
  readonly output: number;
  readonly reasoning: number;
  readonly audioOutput: number;
  readonly imageOutput: number;
  /** Searches the provider made and bills apart; not tokens. */
  readonly webSearches: number;
}

export const noUsage: TokenUsage = Object.freeze({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteLong: 0,
  audioInput: 0,
  imageInput: 0,
  output: 0,
  reasoning: 0,
  audioOutput: 0,
  imageOutput: 0,
  webSearches: 0,
});

/** What is counted and billed by something else than tokens; a call uses at most one kind. Durations are in milliseconds. */
export type Unit = 'characters' | 'images' | 'audio_ms' | 'video_ms';

export interface UnitCount {
  readonly unit: Unit;
  /** A whole number >= 0. */
  readonly quantity: number;
}

/** Both together, bucket by bucket. */
export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite: a.cacheWrite + b.cacheWrite,
    cacheWriteLong: a.cacheWriteLong + b.cacheWriteLong,
    audioInput: a.audioInput + b.audioInput,
    imageInput: a.imageInput + b.imageInput,
    output: a.output + b.output,
    reasoning: a.reasoning + b.reasoning,
    audioOutput: a.audioOutput + b.audioOutput,
    imageOutput: a.imageOutput + b.imageOutput,
    webSearches: a.webSearches + b.webSearches,
  };
}

/** All input tokens, cached or not. */
export function inputTokens(usage: TokenUsage): number {
  return (
    usage.input +
    usage.cacheRead +
    usage.cacheWrite +
    usage.cacheWriteLong +
    usage.audioInput +
    usage.imageInput
  );
}

/** All output tokens, reasoning included. */
export function outputTokens(usage: TokenUsage): number {
  return usage.output + usage.reasoning + usage.audioOutput + usage.imageOutput;
}

/** Where a usage row's numbers come from. `none`: the call never reached a provider, or nothing is known. */
export type UsageSource = 'provider' | 'counted' | 'none';

/** No call has so many tokens; a number beyond it would not fit the ledger once it is priced. */
const mostTokens = 1e11;

/** A whole number >= 0 from provider JSON, or 0; negative and absurd counts are clamped, not trusted. */
export function count(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.floor(Math.min(value, mostTokens)) : 0;
}

/** Unicode characters, which is what is billed where a vendor bills text by its length. */
export function characters(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}
