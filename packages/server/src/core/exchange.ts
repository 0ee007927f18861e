/** How a media codec speaks with its vendor: steps over the transport, each of which can be ended early. */
import { Readable } from 'node:stream';
import { GatewayError } from '../contract/errors.ts';
import type { CallRequest } from '../contract/request.ts';
import type { Secret } from '../contract/secret.ts';
import type {
  AdapterAccess,
  Exchange,
  MediaCodec,
  MediaStep,
  StreamedResponse,
  UpstreamCall,
  UpstreamResponse,
} from '../providers/provider.ts';
import { adapterAccess } from './adapter-access.ts';
import { addressed, keyOf } from './addressing.ts';
import { ByteQueue } from './byte-queue.ts';
import { classify, redact, withoutKey, type Classified } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import type { UpstreamRequest } from './transport.ts';

const maxAnswerBytes = 256 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** A vendor's refusal on its way out of a codec: what the caller is told, and whether another attempt makes sense. */
export class Refusal extends Error {
  readonly classified: Classified;

  constructor(classified: Classified) {
    super(classified.error.message);
    this.classified = classified;
  }
}

type Headers = UpstreamResponse['headers'];

export class VendorExchange implements Exchange {
  /** The vendor is at work and will be paid: a failure from now on ends the call. */
  committed = false;
  private readonly gateway: Gateway;
  private readonly target: Target;
  private readonly codec: Pick<MediaCodec<never, unknown>, 'decodeError'>;
  private readonly key: Secret | null;
  private readonly byok: boolean;
  private readonly idempotencyKey: string;
  /** How to end each step in flight. */
  private readonly inFlight = new Set<() => void>();
  private aborter: AbortController | null = null;
  private over = false;

  constructor(
    gateway: Gateway,
    target: Target,
    codec: Pick<MediaCodec<never, unknown>, 'decodeError'>,
    request: CallRequest,
    requestId: string,
  ) {
    this.gateway = gateway;
    this.target = target;
    this.codec = codec;
    this.key = target.vendor.inProcess === undefined ? keyOf(target, request) : null;
    this.byok = request.byokKey !== null;
    this.idempotencyKey = requestId;
  }

  get signal(): AbortSignal {
    this.aborter ??= new AbortController();
    if (this.over) this.aborter.abort();
    return this.aborter.signal;
  }

  get access(): AdapterAccess {
    const { gateway, target, key } = this;
    const { timeouts } = gateway.settings;
    const limits = { ...timeouts, firstByteMs: timeouts.totalMs };
    return adapterAccess(gateway, target, key, limits, (method, status) => {
      if (method === 'POST' && status >= 200 && status < 300) this.committed = true;
    });
  }

  refusal(status: number, headers: Headers, body: Buffer): Error {
    return new Refusal(this.classified(status, headers, body));
  }

  /** Ends everything in flight. */
  abort(): void {
    this.over = true;
    this.aborter?.abort();
    for (const end of this.inFlight) end();
  }

  async send(step: MediaStep): Promise<UpstreamResponse> {
    const { headers, body } = await this.start(step, this.gateway.settings.timeouts.totalMs);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxAnswerBytes)
        throw new GatewayError('upstream_malformed', 'The provider sent an answer of more than 256 MiB.');
      chunks.push(chunk);
    }
    return { headers, body: Buffer.concat(chunks, size) };
  }

  stream(step: MediaStep): Promise<StreamedResponse> {
    return this.start(step, this.gateway.settings.timeouts.idleMs);
  }

  /** `idleMs`: between two chunks of the answer. */
  private start(step: MediaStep, idleMs: number, key = this.key): Promise<StreamedResponse> {
    return new Promise((resolve, reject) => {
      if (this.over) return reject(cancelled());
      const request = this.request(step, idleMs, key);
      let status = 0;
      let headers: Headers = {};
      let refused: Buffer[] | null = null;
      let refusedBytes = 0;
      let call: UpstreamCall | null = null;
      const queue = new ByteQueue(
        () => call?.pause(),
        () => call?.resume(),
        () => {
          call?.abort();
          this.inFlight.delete(end);
        },
      );
      const end = (): void => {
        call?.abort();
        this.inFlight.delete(end);
        reject(cancelled());
        queue.fail(cancelled());
      };
      const refuse = (): void => {
        call?.abort();
        this.inFlight.delete(end);
        reject(new Refusal(this.classified(status, headers, Buffer.concat(refused ?? []))));
      };
      this.inFlight.add(end);
      call = this.gateway.transport.send(request, {
        onHeaders: (code, fields) => {
          status = code;
          headers = fields;
          if (status < 200 || status > 299) refused = [];
          else {
            if (request.method === 'POST') this.committed = true;
            resolve({ headers, body: queue });
          }
        },
        onData: (chunk) => {
          if (refused === null) return queue.push(chunk);
          refused.push(chunk);
          refusedBytes += chunk.length;
          if (refusedBytes > maxErrorBytes) refuse();
        },
        onEnd: () => {
          this.inFlight.delete(end);
          if (refused !== null) refuse();
          else queue.end();
        },
        onError: (error) => {
          this.inFlight.delete(end);
          reject(error);
          queue.fail(error);
        },
      });
    });
  }

  async download(url: string): Promise<{ contentType: string; body: Buffer }> {
    if (this.over) throw cancelled();
    const { transport, settings } = this.gateway;
    const base = this.target.provider.baseUrl ?? this.target.vendor.baseUrl;
    try {
      // A result beside the API itself is as public as the operator made that place.
      if (base !== null && URL.canParse(url) && new URL(url).origin === new URL(base).origin) {
        const { origin, pathname, search } = new URL(url);
        const { status, headers, body } = await transport.fetch(
          {
            method: 'GET',
            origin,
            path: `${pathname}${search}`,
            headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'indoxhub' },
            body: null,
            timeouts: settings.timeouts,
          },
          maxAnswerBytes,
        );
        if (status !== 200) throw new GatewayError('upstream_error');
        const type = headers['content-type'];
        return { contentType: typeof type === 'string' ? type : 'application/octet-stream', body };
      }
      return await transport.fetchUrl(url, 'url', maxAnswerBytes);
    } catch (cause) {
      throw notFetched(cause);
    }
  }

  /** From the vendor's own place as it comes; from elsewhere through the guard. */
  async open(url: string): Promise<StreamedResponse> {
    const base = this.target.provider.baseUrl ?? this.target.vendor.baseUrl;
    if (base !== null && URL.canParse(url) && new URL(url).origin === new URL(base).origin)
      return this.start({ method: 'GET', path: url }, this.gateway.settings.timeouts.idleMs, null);
    if (this.over) throw cancelled();
    const opened = await this.gateway.transport.openUrl(url, 'url').catch((cause: unknown) => {
      throw notFetched(cause);
    });
    if (this.over) {
      opened.abort();
      throw cancelled();
    }
    const end = (): void => opened.abort();
    this.inFlight.add(end);
    const body = untilRead(opened.body, () => {
      this.inFlight.delete(end);
      end();
    });
    return { headers: { 'content-type': opened.contentType }, body };
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.over) return reject(cancelled());
      const end = (): void => {
        clearTimeout(timer);
        this.inFlight.delete(end);
        reject(cancelled());
      };
      const timer = setTimeout(() => {
        this.inFlight.delete(end);
        resolve();
      }, ms);
      this.inFlight.add(end);
    });
  }

  /** The vendor's words, without the key they may quote. */
  redacted(text: string): string {
    return redact(text, this.key);
  }

  /** An error on its way out of a codec, without the key the vendor may have quoted. */
  withoutKey(error: unknown): unknown {
    return error instanceof GatewayError && error.code === 'upstream_malformed'
      ? withoutKey(error, this.key)
      : error;
  }

  private request(step: MediaStep, idleMs: number, key: Secret | null): UpstreamRequest {
    const { method = 'POST', headers = {}, body, place } = step;
    const { vendor, provider } = this.target;
    const elsewhere = place === undefined || provider.baseUrl !== null ? '' : (vendor.places?.[place] ?? '');
    const path = elsewhere + step.path;
    const { timeouts } = this.gateway.settings;
    const isStreamed = typeof body === 'object' && 'chunks' in body;
    const request = addressed(
      this.target,
      {
        path,
        headers: {
          ...(method === 'POST' ? { 'idempotency-key': this.idempotencyKey } : {}),
          ...(isStreamed ? { 'content-length': String(body.bytes) } : {}),
          ...headers,
        },
        body: isStreamed ? '' : (body ?? ''),
      },
      {
        key,
        accept: '*/*',
        // The first byte comes when the work is done.
        timeouts: { ...timeouts, firstByteMs: timeouts.totalMs, idleMs },
      },
    );
    return {
      ...request,
      method,
      body: isStreamed ? Readable.from(body.chunks()) : (body ?? null),
    };
  }

  private classified(status: number, headers: Headers, body: Buffer): Classified {
    const failure = this.codec.decodeError(status, body);
    return classify({ ...failure, status }, headers, this.key, this.byok);
  }
}

/** `done`: read to its end, or left. */
async function* untilRead(body: AsyncIterable<Buffer>, done: () => void): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } finally {
    done();
  }
}

/** `reason` `url_not_allowed`: it never will be. */
function notFetched(cause: unknown): GatewayError {
  const isRefused = cause instanceof GatewayError && cause.code === 'url_not_allowed';
  return new GatewayError('upstream_malformed', 'The result the provider points at could not be fetched.', {
    cause,
    ...(isRefused ? { details: { reason: 'url_not_allowed' } } : {}),
  });
}

const cancelled = (): GatewayError => new GatewayError('upstream_error', 'The call was cancelled.');
