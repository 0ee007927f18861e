/**
 * The only caller of upstream HTTP: undici's dispatch on one pool per origin, a named timeout per phase, caps, no
 * redirects. Errors are made here from fixed sentences, so no header and no key can reach one.
 */
import type { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import { GatewayError } from '../contract/errors.ts';
import type { Timeouts } from '../contract/settings.ts';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { fetchUrl } from './fetch-url.ts';
import { checkedUrl, publicConnector } from './ssrf.ts';

/** A receiver of ours has this long. */
const postMs = 15_000;

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | Readable | null;
  readonly timeouts: Timeouts;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Transport {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  /** The whole answer. Throws `upstream_*` errors; `maxBytes` caps the body. */
  fetch(request: UpstreamRequest, maxBytes: number): Promise<UpstreamAnswer>;
  /** Fetches a URL that a caller gave, public addresses only, at most 3 redirects. Throws a 400 naming `param`. */
  fetchUrl(url: string, param: string, maxBytes: number): Promise<{ contentType: string; body: Buffer }>;
  /** POSTs to a URL that a caller gave, public addresses only, no redirects. Answers the status. */
  postUrl(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<number>;
  close(): Promise<void>;
}

const poolOptions = (timeouts: Timeouts): Pool.Options => ({
  connections: null,
  pipelining: 1,
  keepAliveTimeout: 30_000,
  keepAliveMaxTimeout: 300_000,
  // Phases are timed here, where the error can name them.
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: 32_768,
  connect: { timeout: timeouts.connectMs },
});

/** What went wrong on the way, in words for the caller; never the library's own text, which may quote the request. */
function connectionError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const cause = error instanceof Error && error.cause instanceof GatewayError ? error.cause : null;
  if (cause !== null) return cause;
  const code = (error as { code?: string }).code ?? '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new GatewayError('upstream_timeout', 'The provider did not accept a connection in time.', {
      details: { phase: 'connect' },
    });
  }
  if (/^HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_|UND_ERR_INFO/.test(code)) {
    return new GatewayError(
      'upstream_malformed',
      'The provider sent an answer that is not HTTP as it should be.',
      { details: { reason: code } },
    );
  }
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE') {
    return new GatewayError(
      'upstream_error',
      'The provider closed the connection before its answer was complete.',
      { details: { reason: 'connection_reset' } },
    );
  }
  return new GatewayError(
    'upstream_unreachable',
    'The provider could not be reached.',
    code === '' ? {} : { details: { reason: code } },
  );
}

const timedOut = (phase: string, ms: number): GatewayError =>
  new GatewayError(
    'upstream_timeout',
    `The provider did not answer in time: no ${phase} within ${ms / 1000} s.`,
    { details: { phase } },
  );

/** One call in flight: undici's handler on one side, our handler on the other, one timer between them. */
class Flight implements Dispatcher.DispatchHandler, UpstreamCall {
  private readonly handler: UpstreamHandler;
  private readonly timeouts: Timeouts;
  private controller: Dispatcher.DispatchController | null = null;
  private timer: NodeJS.Timeout;
  private readonly deadline: number;
  private done = false;
  private paused = false;
  private lastByteAt = 0;

  constructor(handler: UpstreamHandler, timeouts: Timeouts) {
    this.handler = handler;
    this.timeouts = timeouts;
    this.deadline = performance.now() + timeouts.totalMs;
    const first = Math.min(timeouts.firstByteMs, timeouts.totalMs);
    this.timer = setTimeout(() => this.fail(timedOut('first byte', first)), first);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.done) controller.abort(new Error('aborted'));
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Dispatcher.ResponseData['headers'],
  ): void {
    if (this.done || status < 200) return;
    clearTimeout(this.timer);
    this.lastByteAt = performance.now();
    this.watchIdle(this.timeouts.idleMs);
    this.handler.onHeaders(status, headers);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.done) return;
    this.lastByteAt = performance.now();
    this.handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.done) return;
    this.finish();
    this.handler.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.done) return;
    this.finish();
    this.handler.onError(connectionError(error));
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  resume(): void {
    this.paused = false;
    this.lastByteAt = performance.now();
    this.controller?.resume();
  }

  abort(): void {
    if (this.done) return;
    this.finish();
    this.controller?.abort(new Error('aborted'));
  }

  /** One timer a stream, armed anew only when it fires: a chunk costs a clock reading, not a timer. */
  private watchIdle(delay: number): void {
    const left = this.deadline - performance.now();
    this.timer = setTimeout(
      () => {
        const now = performance.now();
        if (now >= this.deadline) return this.fail(timedOut('end', this.timeouts.totalMs));
        const idle = now - this.lastByteAt;
        if (idle >= this.timeouts.idleMs && !this.paused)
          return this.fail(timedOut('further byte', this.timeouts.idleMs));
        this.watchIdle(this.paused ? this.timeouts.idleMs : this.timeouts.idleMs - idle);
      },
      Math.max(1, Math.min(delay, left)),
    );
  }

  private fail(error: GatewayError): void {
    if (this.done) return;
    this.finish();
    this.controller?.abort(new Error('timed out'));
    this.handler.onError(error);
  }

  private finish(): void {
    this.done = true;
    clearTimeout(this.timer);
  }
}

/** The whole answer of a call that `send` starts, at most `maxBytes` of it. */
function collect(
  send: (handler: UpstreamHandler) => UpstreamCall,
  maxBytes: number,
): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let headers: UpstreamAnswer['headers'] = {};
    const call = send({
      onHeaders(code, fields) {
        status = code;
        headers = fields;
      },
      onData(chunk) {
        size += chunk.length;
        if (size <= maxBytes) chunks.push(chunk);
        else {
          call.abort();
          reject(new GatewayError('upstream_malformed', `The answer is larger than ${maxBytes} bytes.`));
        }
      },
      onEnd: () => resolve({ status, headers, body: Buffer.concat(chunks, size) }),
      onError: reject,
    });
  });
}

/** `timeouts` are read when an origin is first used. */
export function createTransport(timeouts: () => Timeouts, allowPrivateUrls: () => boolean): Transport {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, poolOptions(timeouts()));
      pools.set(origin, pool);
    }
    return pool;
  };

  const dispatch = (pool: Pool, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall => {
    const flight = new Flight(handler, request.timeouts);
    const { path, method, headers, body } = request;
    try {
      pool.dispatch({ path, method, headers, body }, flight);
    } catch (error) {
      queueMicrotask(() => flight.onResponseError(undefined as never, error as Error));
    }
    return flight;
  };

  return {
    send: (request, handler) => dispatch(poolOf(request.origin), request, handler),
    fetch: (request, maxBytes) =>
      collect((handler) => dispatch(poolOf(request.origin), request, handler), maxBytes),
    fetchUrl: (url, param, maxBytes) => {
      const allowPrivate = allowPrivateUrls();
      const limits = timeouts();
      return fetchUrl(url, param, allowPrivate, limits, async (origin, request) => {
        // Callers name any number of origins: none of them stays.
        const connect = allowPrivate ? {} : { connect: publicConnector(limits.connectMs) };
        const pool = new Pool(origin, { ...poolOptions(limits), connections: 1, ...connect });
        try {
          return await collect((handler) => dispatch(pool, request, handler), maxBytes);
        } finally {
          await pool.destroy();
        }
      });
    },
    async postUrl(text, body, headers) {
      const allowPrivate = allowPrivateUrls();
      const { origin, pathname, search } = checkedUrl(text, 'webhook_url', allowPrivate);
      const limits = { ...timeouts(), firstByteMs: postMs, idleMs: postMs, totalMs: postMs };
      const connect = allowPrivate ? {} : { connect: publicConnector(limits.connectMs) };
      const pool = new Pool(origin, { ...poolOptions(limits), connections: 1, ...connect });
      const path = `${pathname}${search}`;
      try {
        const send = {
          method: 'POST',
          origin,
          path,
          headers: { ...headers, 'user-agent': 'indoxhub' },
          body,
        } as const;
        const answer = await collect(
          (handler) => dispatch(pool, { ...send, timeouts: limits }, handler),
          65_536,
        );
        return answer.status;
      } finally {
        await pool.destroy();
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}
