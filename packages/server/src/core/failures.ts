/** From what a provider said to what the caller is told, and whether trying again makes sense. */
import { GatewayError, type ErrorCode } from '../contract/errors.ts';
import type { Secret } from '../contract/secret.ts';
import type { UpstreamFailure } from '../providers/provider.ts';

/** `same`: try again, here or elsewhere; `other`: only another target can help; `never`: the call itself is at fault. */
export type Again = 'same' | 'other' | 'never';

export interface Classified {
  readonly error: GatewayError;
  readonly again: Again;
  /** Counts against the target's health. */
  readonly unhealthy: boolean;
  /** How long the vendor asked to be left alone. */
  readonly retryAfterMs: number | null;
}

/** Retry-After in seconds or as a date, or OpenAI's retry-after-ms; capped at an hour. */
export function retryAfterOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): number | null {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return Math.min(ms, 3_600_000);
  const value = headers['retry-after'];
  if (typeof value !== 'string') return null;
  const seconds = Number(value);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? null : Math.min(Math.max(0, wait), 3_600_000);
}

function codeOf(
  failure: UpstreamFailure,
  byok: boolean,
): { code: ErrorCode; again: Again; unhealthy: boolean } {
  const { status, code } = failure;
  if (status === 402 || code === 'insufficient_quota' || code === 'billing_hard_limit_reached') {
    return { code: 'upstream_quota', again: byok ? 'never' : 'other', unhealthy: !byok };
  }
  if (status === 401 || status === 403) {
    return byok
      ? { code: 'byok_rejected', again: 'never', unhealthy: false }
      : { code: 'upstream_auth', again: 'other', unhealthy: true };
  }
  if (status === 404 || status === 410)
    return { code: 'model_unavailable', again: 'never', unhealthy: false };
  if (status === 429) return { code: 'upstream_rate_limited', again: 'other', unhealthy: false };
  if (status === 408 || status === 504) return { code: 'upstream_timeout', again: 'same', unhealthy: true };
  if (status >= 300 && status < 400) return { code: 'upstream_redirect', again: 'never', unhealthy: true };
  if (status === 409 || status === 425 || status >= 500)
    return { code: 'upstream_error', again: 'same', unhealthy: true };
  if (status >= 400) return { code: 'upstream_bad_request', again: 'never', unhealthy: false };
  return { code: 'upstream_malformed', again: 'same', unhealthy: true };
}

/** A vendor's words without the key it may quote, and without what looks like one. */
export function redact(text: string, key: Secret | null): string {
  const secret = key?.reveal() ?? '';
  const rest = secret === '' ? text : text.replaceAll(secret, '[redacted]');
  return rest
    .replaceAll(/\b(sk|xai|gsk|hf|nvapi|AIza|pplx)[-_A-Za-z0-9*.]{8,}/g, '[redacted]')
    .slice(0, 1000);
}

/** The vendor's own words; our sentence where they are about the gateway's key. */
function sentence(code: ErrorCode, failure: UpstreamFailure, key: Secret | null): string | undefined {
  if (failure.message === null || code === 'upstream_auth' || code === 'upstream_redirect') return undefined;
  const said = redact(failure.message, key);
  if (code === 'model_unavailable') return `This model is unavailable: ${said}`;
  return code === 'upstream_bad_request' || code === 'byok_rejected'
    ? said
    : `The provider answered ${failure.status}: ${said}`;
}

export function classify(
  failure: UpstreamFailure,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  key: Secret | null,
  byok: boolean,
): Classified {
  const { code, again, unhealthy } = codeOf(failure, byok);
  const asked = retryAfterOf(headers);
  const retryAfterMs = code === 'upstream_rate_limited' ? (asked ?? 1000) : asked;
  const error = new GatewayError(code, sentence(code, failure, key), {
    param: code === 'upstream_bad_request' && failure.param !== null ? redact(failure.param, key) : undefined,
    retryAfterMs: retryAfterMs ?? undefined,
    details: {
      upstream_status: failure.status,
      ...(failure.code === null ? {} : { upstream_code: redact(failure.code, key) }),
    },
  });
  return { error, again, unhealthy, retryAfterMs };
}

/** An error that a codec made of the vendor's own words, without the key they may quote. */
export function withoutKey(error: unknown, key: Secret | null): unknown {
  if (!(error instanceof GatewayError)) return error;
  const reason = error.details?.['reason'];
  return new GatewayError(error.code, redact(error.message, key), {
    ...(typeof reason === 'string' ? { details: { reason: redact(reason, key) } } : {}),
    retryAfterMs: error.retryAfterMs,
    cause: error.cause,
  });
}

/** For failures that never got as far as an answer. */
export function classifyError(error: unknown): Classified {
  if (!(error instanceof GatewayError)) throw error;
  const upstream = error.code.startsWith('upstream_');
  // Once the vendor has the request, a second one there would wait as long and may be paid twice.
  const isLate = error.code === 'upstream_timeout' && error.details?.['phase'] !== 'connect';
  // Not installed here, but another target may do without it.
  const isAbsent = error.code === 'feature_unavailable';
  const isFinal = error.code === 'upstream_redirect' || (!upstream && !isAbsent);
  const again = isFinal ? 'never' : isLate || isAbsent ? 'other' : 'same';
  return { error, again, unhealthy: upstream, retryAfterMs: error.retryAfterMs ?? null };
}
