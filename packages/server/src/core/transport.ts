/**
 * The only caller of upstream HTTP: one pool of connections per origin (http-pool.ts), caps, no redirects.
 */
import { GatewayError } from '../contract/errors.ts';
import type { Timeouts } from '../contract/settings.ts';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { fetchUrl, openUrl, type OpenedUrl } from './fetch-url.ts';
import type { HttpRequest } from './http-connection.ts';
import { HttpPool } from './http-pool.ts';
import { checkedUrl, publicLookup } from './ssrf.ts';

/** A receiver of ours has this long. */
const postMs = 15_000;

export interface UpstreamRequest extends HttpRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Named by somebody else than the operator: public addresses only, over https, unless private ones are allowed. */
  readonly publicOnly?: boolean;
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
  /** The same as it comes, in the time a provider's answer may take. */
  openUrl(url: string, param: string): Promise<OpenedUrl>;
  /** POSTs to a URL that a caller gave, public addresses only, no redirects. Answers the status. */
  postUrl(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<number>;
  close(): Promise<void>;
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

/** How often connections that nobody uses any more are looked for. */
const sweepMs = 10_000;

export function createTransport(timeouts: () => Timeouts, allowPrivateUrls: () => boolean): Transport {
  const pools = new Map<string, HttpPool>();
  let sweeper: NodeJS.Timeout | null = null;
  const sweep = (): void => {
    for (const pool of pools.values()) pool.sweep();
  };
  const poolOf = ({ origin, publicOnly = false }: UpstreamRequest): HttpPool => {
    const guarded = publicOnly && !allowPrivateUrls() ? checkedUrl(origin, 'url', false) : null;
    const name = guarded === null ? origin : `public ${origin}`;
    let pool = pools.get(name);
    if (pool === undefined) {
      pool = guarded === null ? new HttpPool(origin) : new HttpPool(origin, publicLookup(guarded));
      pools.set(name, pool);
      sweeper ??= setInterval(sweep, sweepMs).unref();
    }
    return pool;
  };

  /** To a place that callers name. They name any number of origins: no connection to one stays. */
  const dial = (request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall => {
    const { origin } = request;
    const pool = allowPrivateUrls()
      ? new HttpPool(origin)
      : new HttpPool(origin, publicLookup(new URL(origin)));
    const call = pool.send(request, {
      onHeaders: (status, headers) => handler.onHeaders(status, headers),
      onData: (chunk) => handler.onData(chunk),
      onEnd: () => {
        handler.onEnd();
        pool.close();
      },
      onError: (error) => {
        handler.onError(error);
        pool.close();
      },
    });
    return {
      pause: () => call.pause(),
      resume: () => call.resume(),
      abort: () => {
        call.abort();
        pool.close();
      },
    };
  };

  return {
    send: (request, handler) => poolOf(request).send(request, handler),
    fetch: (request, maxBytes) => collect((handler) => poolOf(request).send(request, handler), maxBytes),
    fetchUrl: (text, param, maxBytes) =>
      fetchUrl({ text, param, allowPrivate: allowPrivateUrls(), timeouts: timeouts() }, (request) =>
        collect((handler) => dial(request, handler), maxBytes),
      ),
    openUrl: (text, param) =>
      openUrl({ text, param, allowPrivate: allowPrivateUrls(), timeouts: timeouts() }, dial),
    async postUrl(text, body, headers) {
      const url = checkedUrl(text, 'webhook_url', allowPrivateUrls());
      const request: UpstreamRequest = {
        method: 'POST',
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        headers: { ...headers, 'user-agent': 'indoxhub' },
        body,
        timeouts: { ...timeouts(), firstByteMs: postMs, idleMs: postMs, totalMs: postMs },
      };
      return (await collect((handler) => dial(request, handler), 65_536)).status;
    },
    close() {
      if (sweeper !== null) clearInterval(sweeper);
      for (const pool of pools.values()) pool.close();
      return Promise.resolve();
    },
  };
}
