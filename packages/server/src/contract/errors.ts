/**
 * Every failure the gateway can answer: one row each. The native body, the OpenAI body, the metrics label,
 * the docs page and the client's classes are all made from this table.
 */

/** How a client should look at an error. `type` is what `/v1` answers in `error.type`. */
export interface ErrorRow {
  readonly status: number;
  /** May the same call, sent again unchanged, succeed? */
  readonly retryable: boolean;
  readonly type: string;
  /** The sentence used when the thrower has nothing more exact to say. */
  readonly sentence: string;
}

const row = (status: number, type: string, sentence: string, retryable = false): ErrorRow => ({
  status,
  type,
  sentence,
  retryable,
});

export const errorTable = {
  bad_request: row(400, 'invalid_request_error', 'The request is not valid.'),
  invalid_json: row(400, 'invalid_request_error', 'The request body is not valid JSON.'),
  provider_not_configured: row(400, 'invalid_request_error', 'No API key is configured for this provider.'),
  upstream_bad_request: row(400, 'invalid_request_error', 'The provider refused the request.'),
  byok_rejected: row(400, 'invalid_request_error', 'The provider rejected the key given in byok_api_key.'),
  url_not_allowed: row(400, 'invalid_request_error', 'This URL is not allowed.'),
  missing_api_key: row(
    401,
    'authentication_error',
    'Not authenticated: send Authorization: Bearer <API key>.',
  ),
  invalid_api_key: row(401, 'authentication_error', 'Invalid API key.'),
  key_revoked: row(401, 'authentication_error', 'This API key has been revoked.'),
  key_expired: row(401, 'authentication_error', 'This API key has expired.'),
  token_expired: row(401, 'authentication_error', 'Token has expired. Exchange the API key again.'),
  insufficient_credits: row(402, 'insufficient_funds', 'Insufficient credits. Please top up your account.'),
  budget_exceeded: row(402, 'insufficient_funds', 'The budget of this key does not cover this request.'),
  max_cost_exceeded: row(402, 'insufficient_funds', 'This call could cost more than its max_cost.'),
  price_unknown: row(
    402,
    'insufficient_funds',
    'The price of this model is unknown, so a capped account cannot use it.',
  ),
  forbidden: row(403, 'permission_error', 'This credential may not do that.'),
  model_not_allowed: row(403, 'permission_error', 'This API key may not use this model.'),
  not_found: row(404, 'not_found_error', 'Not found.'),
  provider_not_found: row(404, 'not_found_error', 'Provider not found.'),
  model_not_found: row(404, 'not_found_error', 'Model not found.'),
  model_unavailable: row(404, 'not_found_error', 'This model is unavailable.'),
  method_not_allowed: row(405, 'invalid_request_error', 'This path does not answer that method.'),
  idempotency_in_progress: row(
    409,
    'idempotency_error',
    'A request with this Idempotency-Key is still running.',
    true,
  ),
  idempotency_mismatch: row(409, 'idempotency_error', 'This Idempotency-Key was used with another request.'),
  conflict: row(409, 'conflict_error', 'The resource is in another state than this request needs.'),
  body_too_large: row(413, 'invalid_request_error', 'The request body is too large.'),
  unsupported_media_type: row(415, 'invalid_request_error', 'Send the body as application/json.'),
  rate_limit_exceeded: row(429, 'rate_limit_error', 'Rate limit exceeded.', true),
  upstream_rate_limited: row(429, 'rate_limit_error', 'The provider limits the rate of requests.', true),
  upstream_quota: row(402, 'insufficient_funds', "The provider says this key's quota or credit is used up."),
  internal: row(500, 'api_error', 'Something went wrong inside the gateway.'),
  upstream_error: row(502, 'api_error', 'The provider failed.', true),
  upstream_auth: row(502, 'api_error', "The provider rejected the gateway's key."),
  upstream_unreachable: row(502, 'api_error', 'The provider could not be reached.', true),
  upstream_malformed: row(502, 'api_error', 'The provider sent an answer that could not be read.', true),
  upstream_redirect: row(502, 'api_error', 'The provider answered with a redirect, which is not followed.'),
  outcome_unknown: row(502, 'api_error', 'An earlier attempt of this request ended without a known outcome.'),
  overloaded: row(503, 'overloaded_error', 'The gateway is overloaded. Try again shortly.', true),
  ledger_unavailable: row(503, 'overloaded_error', 'The ledger is unavailable. Try again shortly.', true),
  media_store_unavailable: row(
    503,
    'overloaded_error',
    'The store for generated media is full or unavailable. Try again shortly.',
    true,
  ),
  store_unavailable: row(503, 'overloaded_error', 'The store is unavailable. Try again shortly.', true),
  shutting_down: row(503, 'overloaded_error', 'The gateway is shutting down. Try again shortly.', true),
  circuit_open: row(
    503,
    'overloaded_error',
    'Every target for this request has failed lately. Try again shortly.',
    true,
  ),
  feature_unavailable: row(503, 'api_error', 'This feature is not part of this server.'),
  upstream_timeout: row(504, 'timeout_error', 'The provider did not answer in time.', true),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorOptions {
  /** The request field at fault, as the caller wrote it: `messages[0].role`. */
  readonly param?: string | undefined;
  /** Facts for the caller; must hold no secret. */
  readonly details?: Record<string, unknown> | undefined;
  /** Milliseconds after which a retry makes sense; becomes Retry-After. */
  readonly retryAfterMs?: number | undefined;
  /** More response headers, such as the state of rate limits. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/** The only error that leaves core. Anything else reaching HTTP is a bug and answers 500 `internal`. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly details: Record<string, unknown> | undefined;
  readonly retryAfterMs: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message?: string, options: ErrorOptions = {}) {
    super(message ?? errorTable[code].sentence, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.param = options.param;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers;
  }

  get status(): number {
    return errorTable[this.code].status;
  }

  get row(): ErrorRow {
    return errorTable[this.code];
  }
}

/** A 400 that names the field. */
export function badField(param: string, message: string): GatewayError {
  return new GatewayError('bad_request', message, { param });
}
