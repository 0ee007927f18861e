/** What the gateway itself knows of a call when it answers: the dialects print it beside the provider's words. */
import type { ErrorCode } from './errors.ts';
import type { TokenUsage, UnitCount, UsageSource } from './usage.ts';

/** Parts of the cost, nano-USD; null where the price is unknown. */
export interface CostBreakdown {
  readonly input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly cache_read: bigint;
  readonly cache_write: bigint;
  readonly reasoning: bigint;
  readonly web_search: bigint;
  readonly request: bigint;
}

/** Known before the first byte. */
export interface CallIdentity {
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly provider: string;
  /** Without the provider. */
  readonly model: string;
  /** As the caller may send it back: `provider/model`. */
  readonly publicModel: string;
  /** The caller's own key paid. */
  readonly byok: boolean;
}

/** Known once the call is settled. */
export interface SettledFacts extends CallIdentity {
  readonly durationMs: number;
  readonly usage: TokenUsage;
  /** What was used beside tokens, or null. */
  readonly units: UnitCount | null;
  readonly source: UsageSource;
  /** What the account paid; null = the price is unknown. */
  readonly costNano: bigint | null;
  /** Computed when asked for; null where the price is unknown or nothing was paid. */
  readonly breakdown: () => CostBreakdown | null;
  /** The provider's own body, when the caller asked for it. */
  readonly raw: unknown;
}

/** How a stream that did not simply complete ended, in words for the caller. */
export interface StreamFailure {
  readonly code: ErrorCode;
  readonly status: number;
  readonly message: string;
}

/** US dollars as a JSON number. Only for printing: sums are made in nano-USD. */
export function usdNumber(nano: bigint | null): number | null {
  return nano === null ? null : Number(nano) / 1e9;
}
