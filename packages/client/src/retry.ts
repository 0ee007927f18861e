/** Which failures are worth another attempt, and after how long. */
import { APIConnectionError, APIError } from './errors.ts';

/** Failures by a status that is usually worth a retry, though these never are. */
const final = new Set([
  'idempotency_mismatch',
  'conflict',
  'internal',
  'upstream_auth',
  'upstream_redirect',
  'outcome_unknown',
  'feature_unavailable',
]);

/** The longest pause a server can ask for; beyond it the error is thrown, with its `retryAfter`. */
const longestMs = 60_000;

/** `isSafe`: the call may be sent twice, because it changes nothing or carries an idempotency key. */
export function isWorthRetrying(error: unknown, isSafe: boolean): boolean {
  if (error instanceof APIConnectionError) return isSafe;
  if (!(error instanceof APIError)) return false;
  const { status, code, headers, retryAfter } = error;
  if (retryAfter !== null && retryAfter * 1000 > longestMs) return false;
  const verdict = headers.get('x-should-retry');
  if (verdict === 'true') return true;
  if (verdict === 'false' || (code !== null && final.has(code))) return false;
  // After these the work may have been done.
  if (!isSafe && status !== 429 && status !== 503) return false;
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** What the server asks for, else 0.5 s doubled to at most 8 s, less up to a quarter. Milliseconds. */
export function pauseBefore(attempt: number, error: unknown, random: () => number = Math.random): number {
  if (error instanceof APIError && error.retryAfter !== null) return error.retryAfter * 1000;
  return Math.min(500 * 2 ** attempt, 8_000) * (1 - random() / 4);
}

/** Ends early, and rejects, when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
