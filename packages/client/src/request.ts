/** One call: its URL and headers, its attempts, its errors. The only caller of fetch. */
import { APIPromise, type Reply } from './api-promise.ts';
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
  IndoxHubError,
  toAPIError,
} from './errors.ts';
import { redactText, redactValue, type Logger } from './log.ts';
import type { Fetch, HeaderOptions, QueryOptions, RequestOptions } from './options.ts';
import { isWorthRetrying, pauseBefore, sleep } from './retry.ts';
import { toForm } from './uploads.ts';

/** What is fixed for all calls of a client. */
export interface Settings {
  /** The origin, and a path where the gateway stands behind one; no slash at the end. */
  readonly baseURL: string;
  readonly apiKey: () => string | Promise<string>;
  readonly byokApiKey: string | undefined;
  readonly timeout: number;
  readonly maxRetries: number;
  readonly fetch: Fetch;
  readonly fetchOptions: RequestInit;
  readonly headers: HeaderOptions;
  readonly query: QueryOptions;
  readonly logger: Logger;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Sent as a form, its `file` made a File. */
  readonly form?: object;
  readonly query?: object;
  /** Calls a model: `byokApiKey` goes along. */
  readonly isModel?: boolean;
  /** Needs no key, though one is sent where there is one. */
  readonly isOpen?: boolean;
  /** The body is read by whoever gets the answer, as it comes; else it is JSON, and read within the attempt. */
  readonly isStream?: boolean;
  readonly headers?: HeaderOptions;
}

const version = '0.1.0';

export class Requester {
  readonly settings: Settings;
  /** What must never be printed. */
  readonly #secrets = new Set<string>();

  constructor(settings: Settings) {
    this.settings = settings;
    this.#keep(settings.byokApiKey);
  }

  /** Sends the call at once; `parse` runs when its promise is awaited. */
  send<T>(
    call: Call,
    options: RequestOptions = {},
    parse: (reply: Reply) => Promise<T> = async (reply) => this.#json(reply) as T,
  ): APIPromise<T> {
    return new APIPromise(this.#attempts(call, options), parse);
  }

  #json({ text }: Reply): unknown {
    try {
      return JSON.parse(text ?? '');
    } catch (error) {
      throw this.connectionError('The answer is no JSON', error);
    }
  }

  readonly redact = (text: string): string => redactText(text, this.#secrets);

  connectionError(what: string, cause: unknown): IndoxHubError {
    if (cause instanceof IndoxHubError) return cause;
    const { name, message } = Object(cause) as { name?: string; message?: string };
    if (name === 'AbortError') return new APIUserAbortError('The call was aborted', { cause });
    const why = this.redact(message ?? String(cause));
    // A cause that quotes a secret would be printed with the error.
    return new APIConnectionError(`${what}: ${why}`, why === String(message) ? { cause } : {});
  }

  #keep(secret: unknown): void {
    if (typeof secret === 'string' && secret !== '') this.#secrets.add(secret);
  }

  async #attempts(call: Call, options: RequestOptions): Promise<Reply> {
    const retries = options.maxRetries ?? this.settings.maxRetries;
    const key =
      call.method !== 'POST' || options.idempotencyKey === null
        ? undefined
        : (options.idempotencyKey ?? (retries > 0 ? `indoxhub-${crypto.randomUUID()}` : undefined));
    const isSafe = call.method === 'GET' || key !== undefined;
    const body = await this.#bodyOf(call);
    const { logger } = this.settings;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(call, options, body, key);
      } catch (error) {
        if (attempt >= retries || !isWorthRetrying(error, isSafe)) {
          logger.info(`${call.method} ${call.path} failed: ${this.redact(String(error))}`);
          throw error;
        }
        const ms = Math.round(pauseBefore(attempt, error));
        logger.info(`${call.method} ${call.path}: ${this.redact(String(error))}; again in ${ms} ms`);
        await sleep(ms, options.signal).catch((cause: unknown) => {
          throw new APIUserAbortError('The call was aborted', { cause });
        });
      }
    }
  }

  async #bodyOf(call: Call): Promise<string | FormData | undefined> {
    const given: Record<string, unknown> | undefined =
      (call.form ?? call.body) ? { ...(call.form ?? call.body) } : undefined;
    if (given === undefined) return undefined;
    const own = this.settings.byokApiKey;
    if (call.isModel === true && own !== undefined && given['byok_api_key'] === undefined)
      given['byok_api_key'] = own;
    this.#keep(given['byok_api_key']);
    return call.form === undefined ? JSON.stringify(given) : toForm(given);
  }

  async #headersOf(
    call: Call,
    options: RequestOptions,
    body: unknown,
    key: string | undefined,
  ): Promise<Headers> {
    const apiKey = (await this.settings.apiKey()).trim();
    if (apiKey === '' && call.isOpen !== true)
      throw new IndoxHubError(
        'No API key: pass apiKey to the client, or set INDOXHUB_API_KEY. The gateway prints one at its first start.',
      );
    this.#keep(apiKey);
    const headers = new Headers({ accept: 'application/json', 'user-agent': `indoxhub-client/${version}` });
    if (apiKey !== '') setHeader(headers, 'authorization', `Bearer ${apiKey}`);
    if (typeof body === 'string') headers.set('content-type', 'application/json');
    if (key !== undefined) setHeader(headers, 'idempotency-key', key);
    for (const more of [this.settings.headers, call.headers, options.headers]) {
      for (const [name, value] of Object.entries(more ?? {})) {
        if (value === null) headers.delete(name);
        else if (value !== undefined) setHeader(headers, name, value);
      }
    }
    return headers;
  }

  #urlOf(call: Call, options: RequestOptions): string {
    const url = new URL(this.settings.baseURL + call.path);
    for (const [name, value] of Object.entries({ ...this.settings.query, ...call.query, ...options.query }))
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    return url.href;
  }

  async #once(
    call: Call,
    options: RequestOptions,
    body: string | FormData | undefined,
    key: string | undefined,
  ): Promise<Reply> {
    const { fetch, fetchOptions, logger } = this.settings;
    const headers = await this.#headersOf(call, options, body, key);
    const url = this.#urlOf(call, options);
    const controller = new AbortController();
    // Beyond this a timer would fire at once.
    const timeout = Math.min(options.timeout ?? this.settings.timeout, 2 ** 31 - 1);
    const release = tie(controller, options.signal);
    const timer = setTimeout(
      () => controller.abort(new APIConnectionTimeoutError(`No answer within ${timeout} ms`)),
      timeout,
    );
    logger.debug(
      `${call.method} ${this.redact(url)}`,
      redactValue({ headers: Object.fromEntries(headers), body: call.body }),
    );
    let reply: Reply;
    try {
      const response = await fetch(url, {
        // Followed, a POST could become a GET; and the platforms differ in what they know beside.
        redirect: 'manual',
        ...fetchOptions,
        ...options.fetchOptions,
        method: call.method,
        headers,
        signal: controller.signal,
        ...(body === undefined ? {} : { body }),
      });
      if (response.status < 200 || (response.status >= 300 && response.status < 400))
        throw new IndoxHubError(
          'The gateway answers with a redirect: use the address it redirects to as baseURL',
        );
      if (!response.ok)
        throw toAPIError(response.status, await response.text(), response.headers, this.redact);
      reply = { response, controller, release, text: call.isStream === true ? null : await response.text() };
    } catch (error) {
      release();
      if (options.signal?.aborted === true)
        throw new APIUserAbortError('The call was aborted', { cause: error });
      const { reason } = controller.signal as { reason: unknown };
      throw this.connectionError('The gateway could not be reached', reason ?? error);
    } finally {
      clearTimeout(timer);
    }
    const { status } = reply.response;
    logger.debug(`${status} ${call.method} ${call.path} ${reply.response.headers.get('x-request-id') ?? ''}`);
    if (reply.text === null) return reply;
    release();
    return { ...reply, response: new Response(reply.text, { status, headers: reply.response.headers }) };
  }
}

/** The platform's own error would quote the value, which may be a key. */
function setHeader(headers: Headers, name: string, value: string): void {
  try {
    headers.set(name, value);
  } catch {
    throw new IndoxHubError(`The header ${name} has a value that cannot be sent`);
  }
}

/** Aborts the controller with the signal, until it is released. */
function tie(controller: AbortController, signal: AbortSignal | null | undefined): () => void {
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
