/** Headers every answer carries, for ordinary and raw routes alike. */
import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../contract/errors.ts';

const always = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

const exposed =
  'X-Request-ID, Retry-After, Retry-After-Ms, X-Should-Retry, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Idempotent-Replayed, X-IndoxHub-Max-Tokens';

/** Data routes may be called from any page (keys travel in headers, never by cookie there); admin routes from none. */
export function isOpenToPages(path: string): boolean {
  return !path.startsWith('/admin') && !path.startsWith('/metrics');
}

const toPages = { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposed };
const openHeaders = { ...always, ...toPages, 'cache-control': 'no-store' };

export function commonHeaders(path: string, requestId: string): Record<string, string> {
  return isOpenToPages(path)
    ? { ...openHeaders, 'x-request-id': requestId }
    : { ...always, 'cache-control': 'no-store', 'x-request-id': requestId };
}

const ofCalls = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

/**
 * The same of the hot paths, where each header costs as much as some stages of a call: what only a page needs is sent
 * where the request came from one, which its `Origin` says.
 */
export function callHeaders(requestId: string, origin: string | undefined): Record<string, string> {
  return origin === undefined
    ? { ...ofCalls, 'x-request-id': requestId }
    : { ...ofCalls, ...toPages, 'x-request-id': requestId };
}

export const preflightHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-headers': '*, Authorization',
  'access-control-max-age': '86400',
};

/** Headers an error adds: when to come back, how to authenticate. */
export function errorHeaders(error: GatewayError, isOpenai: boolean): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json', ...error.headers };
  if (error.retryAfterMs !== undefined || error.status === 503 || error.status === 429) {
    const ms = error.retryAfterMs ?? 1000;
    headers['retry-after'] = String(Math.max(1, Math.ceil(ms / 1000)));
    if (isOpenai) headers['retry-after-ms'] = String(Math.ceil(ms));
  }
  if (isOpenai) headers['x-should-retry'] = String(error.row.retryable);
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  return headers;
}

/** How often the client itself had tried before: OpenAI's clients tell, and others made like them. */
export function clientRetries(headers: IncomingHttpHeaders): number | null {
  const told = headers['x-stainless-retry-count'];
  return typeof told === 'string' && /^\d{1,3}$/.test(told) ? Number(told) : null;
}

/** Where this gateway answers, as a caller reached it. */
export const originOf = (host: string | undefined): string => `http://${host ?? 'localhost'}`;

/** One value of a header that must not come twice. */
export function single(headers: IncomingHttpHeaders, name: string, max: number): string | null {
  const value = headers[name];
  if (value === undefined) return null;
  if (typeof value !== 'string' || value.length > max || !/^[\x20-\x7e]+$/.test(value)) {
    throw new GatewayError(
      'bad_request',
      `The header ${name} must be 1 to ${max} visible ASCII characters.`,
      { param: name },
    );
  }
  return value;
}
