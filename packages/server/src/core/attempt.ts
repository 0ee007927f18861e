/**
 * Stage 4, attempt: which target next, and the calls themselves. Retry and failover happen only here, so only before
 * the first byte of an answer reached the caller.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../contract/errors.ts';
import type {
  CallTarget,
  ChatCodec,
  AuthScheme,
  UpstreamCall,
  UpstreamHandler,
} from '../providers/provider.ts';
import type { Plan } from './call-types.ts';
import { classify, classifyError, type Classified } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import { unjudged } from './targets.ts';
import type { UpstreamAnswer, UpstreamRequest } from './transport.ts';

const maxAnswerBytes = 64 * 1024 * 1024;
export const maxErrorBytes = 64 * 1024;
const firstBackoffMs = 200;
const longestWaitMs = 5_000;

/** One target, prepared for one attempt. */
export interface Prepared {
  readonly target: Target;
  readonly codec: ChatCodec;
  readonly callTarget: CallTarget;
  send(handler: UpstreamHandler): UpstreamCall;
}

/** What an attempt came to: it ran, or it failed and `classified` says what now. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly classified: Classified };

export interface Tried<T> {
  readonly value: T;
  readonly prepared: Prepared;
  readonly attempts: number;
}

const nameOf = (target: Target): string => `${target.provider.id}/${target.model}`;

function authHeaders(auth: AuthScheme, key: string | null): Record<string, string> {
  if (key === null) return {};
  return { [auth.header]: 'prefix' in auth ? `${auth.prefix}${key}` : key };
}

const origins = new Map<string, { origin: string; prefix: string }>();

function placeOf(baseUrl: string): { origin: string; prefix: string } {
  let place = origins.get(baseUrl);
  if (place === undefined) {
    const url = new URL(baseUrl);
    place = { origin: url.origin, prefix: url.pathname.replace(/\/$/, '') };
    origins.set(baseUrl, place);
  }
  return place;
}

/** A base URL may end in the version that the vendor's paths begin with: it is not said twice. */
function joinPath(prefix: string, path: string): string {
  const version = /^\/v\d[^/]*/.exec(path)?.[0];
  return version !== undefined && prefix.endsWith(version)
    ? prefix + path.slice(version.length)
    : prefix + path;
}

/** Encodes the request for a target. Throws a 400 for what its vendor cannot do. */
export function prepare(gateway: Gateway, plan: Plan, target: Target): Prepared {
  const { vendor, provider } = target;
  const { request } = plan;
  const codec = request.kind === 'chat' ? vendor.chat : vendor.completion;
  if (codec === undefined) {
    throw new GatewayError(
      'bad_request',
      `'${vendor.name}' does not serve ${request.kind === 'chat' ? 'chat' : 'text completion'}.`,
      { param: 'model' },
    );
  }
  const key = request.byokKey ?? provider.apiKey;
  if (key === null && vendor.keyless !== true) {
    const names = vendor.keyNames.join(' or ');
    throw new GatewayError(
      'provider_not_configured',
      `API key not configured for provider '${provider.id}'. Set ${names}.`,
      { param: 'model' },
    );
  }
  const { maxTokens } = plan.admission;
  const callTarget: CallTarget = {
    provider: provider.id,
    model: target.model,
    info: target.info,
    maxTokens,
    options: provider.options,
  };
  const encoded = codec.encodeRequest(request, callTarget);
  const { timeouts } = gateway.settings;
  return {
    target,
    codec,
    callTarget,
    send(handler) {
      if (vendor.inProcess !== undefined) return vendor.inProcess(encoded, handler);
      // A caller's key goes to the vendor's own place or where the operator put this provider, never elsewhere.
      const baseUrl = provider.baseUrl ?? vendor.baseUrl;
      if (baseUrl === null)
        throw new GatewayError('provider_not_configured', `Provider '${provider.id}' has no base URL.`);
      const { origin, prefix } = placeOf(baseUrl);
      const upstream: UpstreamRequest = {
        method: 'POST',
        origin,
        path: joinPath(prefix, encoded.path),
        headers: {
          'content-type': 'application/json',
          accept: request.stream ? 'text/event-stream' : 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'indoxhub',
          ...vendor.headers,
          ...provider.headers,
          ...encoded.headers,
          ...authHeaders(vendor.auth, key?.reveal() ?? null),
        },
        body: encoded.body,
        // An answer that is not streamed sends its first byte when it is done.
        timeouts: request.stream
          ? timeouts
          : { ...timeouts, firstByteMs: timeouts.totalMs, idleMs: timeouts.totalMs },
      };
      return gateway.transport.send(upstream, handler);
    },
  };
}

export function failureOf(plan: Plan, prepared: Prepared, answer: UpstreamAnswer): Classified {
  const { request } = plan;
  const key = request.byokKey ?? prepared.target.provider.apiKey;
  const failure = prepared.codec.decodeError(answer.status, answer.body);
  return classify({ ...failure, status: answer.status }, answer.headers, key, request.byokKey !== null);
}

/**
 * Runs `run` on one target after another until one answers, the caller is gone, or nothing is left to try. Throws the
 * last error.
 */
export async function attempt<T>(
  gateway: Gateway,
  plan: Plan,
  over: () => boolean,
  run: (prepared: Prepared) => Promise<Outcome<T>>,
): Promise<Tried<T>> {
  const { targets } = plan.resolved;
  // The sandbox fails when a caller tells it to: that is no reason to refuse the others.
  const isJudged =
    plan.request.byokKey === null && targets.some(({ vendor }) => vendor.inProcess === undefined);
  const health = isJudged ? gateway.targets : unjudged(gateway.targets);
  const tried = new Set<Target>();
  let attempts = 0;
  let again: Target | null = null;
  health.countCall();
  for (;;) {
    const target: Target | undefined =
      again ?? targets.find((each) => !tried.has(each) && health.admits(nameOf(each)));
    if (target === undefined) {
      const retryAfterMs = Math.max(1000, health.waitMs(targets.map(nameOf)));
      throw new GatewayError('circuit_open', undefined, { retryAfterMs });
    }
    tried.add(target);
    attempts++;
    let prepared: Prepared;
    let outcome: Outcome<T>;
    try {
      prepared = prepare(gateway, plan, target);
      outcome = await run(prepared);
    } catch (error) {
      health.released(nameOf(target));
      throw error;
    }
    const provider = target.provider.id;
    if (outcome.ok) {
      health.succeeded(nameOf(target));
      gateway.metrics.upstream(provider, 'ok');
      return { value: outcome.value, prepared, attempts };
    }
    const { classified } = outcome;
    gateway.metrics.upstream(provider, over() ? 'cancelled' : classified.error.code);
    // A caller that left, or a server going down, says nothing about the target.
    if (over()) health.released(nameOf(target));
    else if (classified.unhealthy || classified.error.code === 'upstream_rate_limited')
      health.failed(nameOf(target), classified.retryAfterMs);
    else health.released(nameOf(target));
    if (classified.again === 'never' || over() || attempts > gateway.settings.maxRetries)
      throw classified.error;

    const isOther = targets.some((each) => !tried.has(each) && health.waitMs([nameOf(each)]) === 0);
    const wait = isOther
      ? 0
      : Math.max(classified.retryAfterMs ?? 0, Math.random() * firstBackoffMs * 2 ** (attempts - 1));
    const canWait = isOther || (classified.again === 'same' && wait <= longestWaitMs);
    if (!canWait || !health.takeRetry(isOther ? 'other' : 'same')) throw classified.error;
    if (isOther) gateway.metrics.fallback(provider);
    else gateway.metrics.retry(provider);
    again = isOther ? null : target;
    if (wait > 0) await sleep(wait);
    if (over()) throw classified.error;
    if (again !== null && !health.admits(nameOf(again))) throw classified.error;
  }
}

/** A whole answer from one target. `abort` is called once with how to end it early. */
export function exchange(
  plan: Plan,
  prepared: Prepared,
  abort: (end: () => void) => void,
): Promise<Outcome<UpstreamAnswer>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let headers: UpstreamAnswer['headers'] = {};
    const fail = (error: unknown): void => resolve({ ok: false, classified: classifyError(error) });
    const call = prepared.send({
      onHeaders(code, fields) {
        status = code;
        headers = fields;
      },
      onData(chunk) {
        size += chunk.length;
        chunks.push(chunk);
        const isError = status < 200 || status > 299;
        if (size <= (isError ? maxErrorBytes : maxAnswerBytes)) return;
        call.abort();
        if (isError)
          resolve({
            ok: false,
            classified: failureOf(plan, prepared, { status, headers, body: Buffer.concat(chunks) }),
          });
        else fail(new GatewayError('upstream_malformed', 'The provider sent an answer of more than 64 MiB.'));
      },
      onEnd() {
        const first = chunks[0];
        const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size);
        const answer = { status, headers, body };
        if (status >= 200 && status < 300) resolve({ ok: true, value: answer });
        else resolve({ ok: false, classified: failureOf(plan, prepared, answer) });
      },
      onError: fail,
    });
    abort(() => {
      call.abort();
      fail(new GatewayError('upstream_error', 'The call was cancelled.'));
    });
  });
}
