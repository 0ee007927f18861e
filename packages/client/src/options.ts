/** Options of a client and of one call. */
import type { Logger, LogLevel } from './log.ts';

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

/** null removes a default. */
export type HeaderOptions = Readonly<Record<string, string | null | undefined>>;
export type QueryOptions = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface ClientOptions {
  /** `indox-…`, or a function that is asked before every attempt. Default: INDOXHUB_API_KEY, INDOX_HUB_API_KEY, INDOX_ROUTER_API_KEY. */
  apiKey?: string | (() => string | Promise<string>) | undefined;
  /** Where the gateway answers. A trailing `/api/v1` or `/v1` is left out. Default: INDOXHUB_BASE_URL, else `http://127.0.0.1:8100`. */
  baseURL?: string | undefined;
  /** Milliseconds for one attempt; of a stream, until it begins. Default 600,000. */
  timeout?: number | undefined;
  /** Attempts after the first. Default 2. */
  maxRetries?: number | undefined;
  /** Instead of the platform's own. */
  fetch?: Fetch | undefined;
  /** Handed to every `fetch`: a dispatcher, `credentials`, `cache` … */
  fetchOptions?: RequestInit | undefined;
  defaultHeaders?: HeaderOptions | undefined;
  defaultQuery?: QueryOptions | undefined;
  /** Your own key at the provider, sent with every call of a model. The gateway never stores it. */
  byokApiKey?: string | undefined;
  /** Default: the console. */
  logger?: Logger | undefined;
  /** Default: INDOXHUB_LOG, else `warn`. */
  logLevel?: LogLevel | undefined;
}

export interface RequestOptions {
  /** Aborts the call, its retries and its stream. */
  signal?: AbortSignal | null | undefined;
  /** Milliseconds for one attempt. */
  timeout?: number | undefined;
  maxRetries?: number | undefined;
  headers?: HeaderOptions | undefined;
  query?: QueryOptions | undefined;
  /**
   * Sent as `Idempotency-Key`: the same call under the same key is answered, and paid, once. Without it every POST that
   * may be retried gets a key of its own; null sends none.
   */
  idempotencyKey?: string | null | undefined;
  fetchOptions?: RequestInit | undefined;
}
