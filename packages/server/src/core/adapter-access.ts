/** What a vendor's own library gets of the gateway: the key, and a `fetch` that goes through the transport. */
import { GatewayError } from '../contract/errors.ts';
import type { Secret } from '../contract/secret.ts';
import type { Timeouts } from '../contract/settings.ts';
import type { AdapterAccess, UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import type { UpstreamRequest } from './transport.ts';

type Answered = (method: string, status: number) => void;

/** `onAnswer` is told of every answer before the library is. */
export function adapterAccess(
  gateway: Pick<Gateway, 'transport'>,
  { vendor, provider }: Target,
  key: Secret | null,
  timeouts: Timeouts,
  onAnswer: Answered = () => {},
): AdapterAccess {
  const baseUrl = provider.baseUrl ?? vendor.baseUrl;
  const apiKey = key?.reveal() ?? null;
  const place = new Place(baseUrl, apiKey);
  return {
    apiKey,
    baseUrl,
    headers: { ...vendor.headers, ...provider.headers },
    options: provider.options,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const body = request.body === null ? null : Buffer.from(await request.arrayBuffer());
      return answered(gateway, place.request(request, body, timeouts), request.signal, onAnswer);
    },
  };
}

const ownHeaders = new Set(['accept-encoding', 'connection', 'content-length', 'host', 'user-agent']);
const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const;

/** Where this call's requests may go. */
class Place {
  private readonly base: URL | null;
  private readonly apiKey: string | null;
  /** The host the library took the key to first, where the operator named none. */
  private home: URL | null = null;

  constructor(baseUrl: string | null, apiKey: string | null) {
    this.base = baseUrl === null ? null : new URL(baseUrl);
    this.apiKey = apiKey;
  }

  request(request: Request, body: Buffer | null, timeouts: Timeouts): UpstreamRequest {
    const method = methods.find((each) => each === request.method);
    if (method === undefined) throw new GatewayError('upstream_error');
    const headers: Record<string, string> = {};
    for (const [name, value] of request.headers) if (!ownHeaders.has(name)) headers[name] = value;
    const { origin, path, isOperators } = this.destination(new URL(request.url), this.carriesKey(request));
    return {
      method,
      origin,
      path,
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        'user-agent': 'indoxhub',
      },
      body,
      timeouts,
      publicOnly: !isOperators,
    };
  }

  private carriesKey({ headers, url }: Request): boolean {
    const { apiKey } = this;
    if (apiKey === null) return false;
    return url.includes(apiKey) || [...headers.values()].some((value) => value.includes(apiKey));
  }

  private destination(
    url: URL,
    withKey: boolean,
  ): { readonly origin: string; readonly path: string; readonly isOperators: boolean } {
    const { base } = this;
    const path = `${url.pathname}${url.search}`;
    if (base !== null && url.origin === base.origin) return { origin: base.origin, path, isOperators: true };
    if (!withKey) return { origin: url.origin, path, isOperators: false };
    // A library that knows no other address than its own goes where the operator put the provider all the same.
    if (base !== null)
      return { origin: base.origin, path: base.pathname.replace(/\/$/, '') + path, isOperators: true };
    this.home ??= url;
    if (url.protocol !== 'https:' || siteOf(url) !== siteOf(this.home))
      throw new GatewayError('upstream_malformed', 'The provider named an address that is not its own.');
    return { origin: url.origin, path, isOperators: false };
  }
}

/** The last two labels of its name. */
const siteOf = ({ hostname }: URL): string => hostname.split('.').slice(-2).join('.');

const withoutBody = new Set([101, 204, 205, 304]);

function answered(
  gateway: Pick<Gateway, 'transport'>,
  request: UpstreamRequest,
  signal: AbortSignal,
  onAnswer: Answered,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let call: UpstreamCall | null = null;
    const abandon = (): void => {
      call?.abort();
      signal.removeEventListener('abort', abort);
    };
    const queue = new ByteQueue(
      () => call?.pause(),
      () => call?.resume(),
      abandon,
    );
    const abort = (): void => {
      call?.abort();
      const reason: unknown = signal.reason;
      const error = reason instanceof Error ? reason : new Error('aborted');
      reject(error);
      queue.fail(error);
    };
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', abort);
      const isPrivate = error instanceof GatewayError && error.code === 'url_not_allowed';
      const told = isPrivate ? notPublic(error) : (error as Error);
      reject(told);
      queue.fail(told);
    };
    signal.addEventListener('abort', abort, { once: true });
    const handler: UpstreamHandler = {
      onHeaders(status, fields) {
        onAnswer(request.method, status);
        const headers = new Headers();
        for (const [name, value] of Object.entries(fields))
          for (const each of Array.isArray(value) ? value : [value])
            if (each !== undefined) headers.append(name, each);
        const isEmpty = withoutBody.has(status) || status < 200;
        resolve(new Response(isEmpty ? null : ReadableStream.from(queue), { status, headers }));
      },
      onData: (chunk) => queue.push(chunk),
      onEnd() {
        signal.removeEventListener('abort', abort);
        queue.end();
      },
      onError: fail,
    };
    try {
      call = gateway.transport.send(request, handler);
    } catch (error) {
      fail(error);
    }
  });
}

const notPublic = (cause: GatewayError): GatewayError =>
  new GatewayError('upstream_malformed', 'The provider named an address that is not public.', { cause });
