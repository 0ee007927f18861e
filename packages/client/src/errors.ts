/** One class for each status the gateway answers, and for what goes wrong before an answer. */

/** Codes of the gateway's error table; a newer gateway may know more. */
export type ErrorCode =
  | 'bad_request'
  | 'invalid_json'
  | 'provider_not_configured'
  | 'upstream_bad_request'
  | 'byok_rejected'
  | 'url_not_allowed'
  | 'missing_api_key'
  | 'invalid_api_key'
  | 'key_revoked'
  | 'key_expired'
  | 'token_expired'
  | 'insufficient_credits'
  | 'budget_exceeded'
  | 'max_cost_exceeded'
  | 'price_unknown'
  | 'upstream_quota'
  | 'forbidden'
  | 'model_not_allowed'
  | 'not_found'
  | 'provider_not_found'
  | 'model_not_found'
  | 'model_unavailable'
  | 'method_not_allowed'
  | 'idempotency_in_progress'
  | 'idempotency_mismatch'
  | 'conflict'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'rate_limit_exceeded'
  | 'upstream_rate_limited'
  | 'internal'
  | 'upstream_error'
  | 'upstream_auth'
  | 'upstream_unreachable'
  | 'upstream_malformed'
  | 'upstream_redirect'
  | 'outcome_unknown'
  | 'overloaded'
  | 'ledger_unavailable'
  | 'media_store_unavailable'
  | 'store_unavailable'
  | 'shutting_down'
  | 'circuit_open'
  | 'feature_unavailable'
  | 'upstream_timeout';

/** Everything this package throws on purpose. */
export class IndoxHubError extends Error {
  // Written out, because minifiers rename classes.
  override name: string = 'IndoxHubError';
}

export interface APIErrorFields {
  readonly status: number;
  /** A row of the gateway's error table; null where the answer came from something else, such as a proxy. */
  readonly code: ErrorCode | (string & {}) | null;
  /** The id of the call, for the gateway's log. */
  readonly requestId: string | null;
  /** Facts: the field at fault in `param`, the amount that is missing … */
  readonly details: Readonly<Record<string, unknown>> | null;
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number | null;
  readonly headers: Headers;
}

/** The gateway answered an error, or sent one inside a stream. */
export class APIError extends IndoxHubError implements APIErrorFields {
  override name: string = 'APIError';
  readonly status: number;
  readonly code: ErrorCode | (string & {}) | null;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, unknown>> | null;
  readonly retryAfter: number | null;
  readonly headers: Headers;

  constructor(message: string, fields: APIErrorFields) {
    super(message);
    this.status = fields.status;
    this.code = fields.code;
    this.requestId = fields.requestId;
    this.details = fields.details;
    this.retryAfter = fields.retryAfter;
    this.headers = fields.headers;
  }

  /** The request field at fault: `messages[0].role`. */
  get param(): string | null {
    const param = this.details?.['param'];
    return typeof param === 'string' ? param : null;
  }
}

/** 400: the request is wrong; `param` names the field. */
export class BadRequestError extends APIError {
  override name: string = 'BadRequestError';
}
/** 401: no key, a wrong, revoked or expired one. */
export class AuthenticationError extends APIError {
  override name: string = 'AuthenticationError';
}
/** 402: no credits, a budget or `max_cost` that does not cover the call. */
export class PaymentRequiredError extends APIError {
  override name: string = 'PaymentRequiredError';
}
/** 403 */
export class PermissionDeniedError extends APIError {
  override name: string = 'PermissionDeniedError';
}
/** 404 */
export class NotFoundError extends APIError {
  override name: string = 'NotFoundError';
}
/** 405 */
export class MethodNotAllowedError extends APIError {
  override name: string = 'MethodNotAllowedError';
}
/** 409: an idempotency key in use, or a resource in another state. */
export class ConflictError extends APIError {
  override name: string = 'ConflictError';
}
/** 413 */
export class PayloadTooLargeError extends APIError {
  override name: string = 'PayloadTooLargeError';
}
/** 415 */
export class UnsupportedMediaTypeError extends APIError {
  override name: string = 'UnsupportedMediaTypeError';
}
/** 429: wait `retryAfter` seconds. */
export class RateLimitError extends APIError {
  override name: string = 'RateLimitError';
}
/** 500, and every 5xx without a class of its own. */
export class InternalServerError extends APIError {
  override name: string = 'InternalServerError';
}
/** 502: the provider failed. */
export class BadGatewayError extends InternalServerError {
  override name: string = 'BadGatewayError';
}
/** 503: overloaded, shutting down, or a store that is away. */
export class ServiceUnavailableError extends InternalServerError {
  override name: string = 'ServiceUnavailableError';
}
/** 504: the provider did not answer in time. */
export class GatewayTimeoutError extends InternalServerError {
  override name: string = 'GatewayTimeoutError';
}

/** No answer, or one that broke off. `cause` says why. */
export class APIConnectionError extends IndoxHubError {
  override name: string = 'APIConnectionError';
}
/** `timeout` ran out. */
export class APIConnectionTimeoutError extends APIConnectionError {
  override name: string = 'APIConnectionTimeoutError';
}
/** Your `signal` was aborted. */
export class APIUserAbortError extends IndoxHubError {
  override name: string = 'APIUserAbortError';
}

const classes: Readonly<Record<number, typeof APIError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  402: PaymentRequiredError,
  403: PermissionDeniedError,
  404: NotFoundError,
  405: MethodNotAllowedError,
  409: ConflictError,
  413: PayloadTooLargeError,
  415: UnsupportedMediaTypeError,
  429: RateLimitError,
  502: BadGatewayError,
  503: ServiceUnavailableError,
  504: GatewayTimeoutError,
};

/** The class of a status. */
export function errorClass(status: number): typeof APIError {
  return classes[status] ?? (status >= 500 ? InternalServerError : APIError);
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

type Json = Readonly<Record<string, unknown>>;

/** Reads the gateway's native error body, OpenAI's, an error frame of a stream, or whatever a proxy says. */
export function toAPIError(
  status: number,
  body: string,
  headers: Headers,
  redact: (text: string) => string,
): APIError {
  let json: Json = {};
  try {
    json = Object(JSON.parse(body)) as Json;
  } catch {
    // Not JSON: its text is the message.
  }
  const nested = (typeof json['error'] === 'object' ? json['error'] : null) as Json | null;
  const param = nested?.['param'];
  const details = json['details'] ?? (param === undefined || param === null ? null : { param });
  const message =
    text(json['message']) ??
    text(nested?.['message']) ??
    text(json['detail']) ??
    text(json['error']) ??
    text(body.slice(0, 500)) ??
    'The gateway gave no reason';
  const retryAfterMs = retryAfterOf(headers);
  return new (errorClass(status))(redact(`${status} ${message.replace(/^Status \d{3}: /, '')}`), {
    status,
    code: text(json['code']) ?? text(nested?.['code']) ?? text(json['error']),
    requestId: text(json['request_id']) ?? headers.get('x-request-id'),
    details: details as Json | null,
    retryAfter: retryAfterMs === null ? null : retryAfterMs / 1000,
    headers,
  });
}

/** Milliseconds of `retry-after-ms` or `Retry-After` (seconds or a date); null without one. */
export function retryAfterOf(headers: Headers): number | null {
  const exact = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const plain = headers.get('retry-after');
  if (plain === null) return null;
  const seconds = Number(plain);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(plain);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}
