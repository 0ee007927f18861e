/**
 * The story of a call beside chat: the same seven stages as in call.ts, once for all modalities. What is a modality's own
 * (its capability, what it can use at most, what its answer used and how it is written) comes in as a `Job`.
 */
import type { CallIdentity, SettledFacts } from '../contract/answer.ts';
import type { Capability } from '../contract/catalogue.ts';
import { GatewayError } from '../contract/errors.ts';
import type { CallRequest } from '../contract/request.ts';
import { noUsage, type TokenUsage, type UnitCount, type UsageSource } from '../contract/usage.ts';
import type { MediaCodec, CallTarget, Exchange, Provider } from '../providers/provider.ts';
import { admit } from './admission.ts';
import type { BasePlan, Incoming, Reply } from './call-types.ts';
import { boundsOf, type Demand } from './demand.ts';
import { Refusal, VendorExchange } from './exchange.ts';
import { classifyError } from './failures.ts';
import type { Gateway } from './gateway.ts';
import { keep, replayed } from './kept-answer.ts';
import type { Resolved, Target } from './models.ts';
import { resolve } from './resolve.ts';
import { tryTargets, type Outcome } from './retry.ts';
import { endingOf, priceCall, report, settle, unbilled, type CallEnd, type Priced } from './settlement.ts';
import type { StoppableStream } from './streams.ts';
import type { Traits } from './unit-prices.ts';

/** What an answer used. */
export interface Used {
  readonly usage: TokenUsage;
  readonly source: UsageSource;
  readonly units: UnitCount | null;
  readonly traits: Traits;
}

/** One call of one modality. */
export interface Job<R extends CallRequest, A> {
  readonly request: R;
  readonly capability: Capability;
  codecOf(vendor: Provider): MediaCodec<R, A> | undefined;
  /** What a repeat under the same Idempotency-Key must be equal to. */
  fingerprint(): string;
  demand(resolved: Resolved): Demand;
  used(answer: A, resolved: Resolved): Used;
  /**
   * Writes the answer down. Called once the vendor has answered and before anything is charged. Throws where it cannot
   * be delivered, and nothing is charged, unless `isOwed`.
   */
  write?(answer: A, facts: SettledFacts, exchange: Pick<Exchange, 'download'>): Promise<Reply>;
  /** What the vendor did is charged although `write` threw. */
  readonly isOwed?: boolean;
  /** Instead of `write`: bytes for the caller's connection as they come. */
  relay?(answer: A): ByteSource;
}

export interface ByteSource {
  readonly contentType: string;
  readonly bytes: AsyncIterable<Buffer>;
}

/** One target, prepared for one attempt. */
interface Prepared<R, A> {
  readonly codec: MediaCodec<R, A>;
  readonly callTarget: CallTarget;
  readonly exchange: VendorExchange;
}

/** Serves one call. Null: its answer was written on the caller's connection. Throws GatewayError. */
export async function serveModality<R extends CallRequest, A>(
  gateway: Gateway,
  call: Incoming,
  job: Job<R, A>,
): Promise<Reply | null> {
  if (gateway.draining) throw new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
  const leave = gateway.streams.enter();
  try {
    const opened = await open(gateway, call, job);
    if ('reply' in opened) return opened.reply;
    gateway.metrics.started();
    try {
      return await new MediaCall(gateway, opened.plan, job).run();
    } finally {
      gateway.metrics.ended();
    }
  } finally {
    leave();
  }
}

/** Stages 2 and 3. */
async function open<R extends CallRequest, A>(
  gateway: Gateway,
  call: Incoming,
  job: Job<R, A>,
): Promise<{ readonly plan: BasePlan } | { readonly reply: Reply }> {
  const { request } = job;
  const resolved = resolve(gateway, call, request, job.capability);
  const demand = job.demand(resolved);
  const bounds = boundsOf({ call, request, resolved }, demand);
  const granted = await admit(gateway, {
    call,
    request,
    resolved,
    bounds,
    tokens: demand.inputTokens + demand.outputTokens,
    fingerprint: () => job.fingerprint(),
    affordable: () => null,
  });
  if (granted.status === 'replay') return { reply: replayed(granted.id, granted.response) };
  if (granted.status === 'in_progress') throw new GatewayError('idempotency_in_progress');
  const { model, provider, id } = resolved;
  const { requestId, startedAtMs } = call;
  const byok = request.byokKey !== null;
  const identity: CallIdentity = { requestId, startedAtMs, provider, model, publicModel: id, byok };
  const { worstNano, ceilingNano } = bounds;
  const { heldNano, headers } = granted;
  const admission = {
    heldNano,
    worstNano,
    ceilingNano,
    headers,
    maxTokens: null,
    lowered: false,
    extendable: false,
  };
  return { plan: { call, request, resolved, identity, admission } };
}

class MediaCall<R extends CallRequest, A> implements StoppableStream {
  readonly id: string;
  readonly accountId: string;
  readonly alias = null;
  slot = 0;
  private readonly gateway: Gateway;
  private readonly plan: BasePlan;
  private readonly job: Job<R, A>;
  private readonly startedAt = performance.now();
  private attempts = 0;
  private exchange: VendorExchange | null = null;
  /** What waits for a slow reader. */
  private wake: (() => void) | null = null;
  /** Why the gateway itself ended the call. */
  private cut: GatewayError | null = null;

  constructor(gateway: Gateway, plan: BasePlan, job: Job<R, A>) {
    this.gateway = gateway;
    this.plan = plan;
    this.job = job;
    this.id = plan.identity.requestId;
    this.accountId = plan.call.credential.account.id;
  }

  /** Only streams can be stopped. */
  stop(): boolean {
    return false;
  }

  shutDown(): void {
    this.cut = new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
    this.exchange?.abort();
  }

  /** Settled when it resolves. Throws what the caller is to be told, settled as well. */
  async run(): Promise<Reply | null> {
    const { gateway, plan } = this;
    gateway.streams.add(this);
    plan.call.client.onGone(() => {
      if (this.over) this.exchange?.abort();
    });
    try {
      return await this.answer();
    } finally {
      gateway.streams.remove(this);
    }
  }

  /** Under an Idempotency-Key the caller will ask again, so the answer is fetched even when nobody waits for it now. */
  private get over(): boolean {
    return this.cut !== null || (this.plan.call.client.gone && this.plan.call.idempotencyKey === null);
  }

  private async answer(): Promise<Reply | null> {
    const { gateway, plan, job } = this;
    const { value, attempts, prepared } = await this.guarded(() =>
      tryTargets(
        gateway,
        plan,
        () => this.over,
        (target) => this.prepare(target),
        (each) => this.perform(each),
      ),
    );
    if (job.relay !== undefined) return this.relay(value, attempts, job.relay(value));
    const written = await this.guarded(() => this.write(value, attempts, prepared.exchange));
    const { end, priced } = written;
    if ('failure' in written) {
      await settle(gateway, plan, priced, null, 'later');
      report(gateway, plan, end, priced);
      throw written.failure;
    }
    const { reply } = written;
    const kept = plan.call.idempotencyKey === null ? null : keep(reply);
    const unsettled = await settle(gateway, plan, priced, kept, 'wait');
    report(gateway, plan, end, priced);
    if (unsettled !== null) throw unsettled;
    return { ...reply, headers: { ...reply.headers, ...plan.admission.headers } };
  }

  /** A failure in here is the call's end: settled, then thrown. */
  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.settleFailure(this.cut ?? error);
      throw this.cut ?? error;
    }
  }

  private async write(
    value: A,
    attempts: number,
    exchange: VendorExchange,
  ): Promise<
    { readonly end: CallEnd; readonly priced: Priced } & (
      | { readonly reply: Reply }
      | { readonly failure: GatewayError }
    )
  > {
    const { plan, job } = this;
    if (job.write === undefined) throw new TypeError('a job writes or relays');
    const end = this.ended(job.used(value, plan.resolved), attempts);
    const priced = priceCall(plan, end, null);
    try {
      return { reply: await job.write(value, priced.facts, exchange), end, priced };
    } catch (error) {
      if (job.isOwed !== true) throw error;
      const failure = this.cut ?? (error instanceof GatewayError ? error : new GatewayError('internal'));
      const { status: httpStatus, code: errorCode } = failure;
      const ending = endingOf(failure);
      const failed: CallEnd = { ...end, ending, httpStatus, errorCode, finishReason: 'error' };
      return { failure, end: failed, priced: priceCall(plan, failed, null) };
    }
  }

  /**
   * Bytes as they come, the last ones held back until the call is settled. What breaks off before the first is an error
   * like any other; after it the connection is cut, so that nobody takes a part for the whole.
   */
  private async relay(value: A, attempts: number, source: ByteSource): Promise<null> {
    const { gateway, plan, job } = this;
    const { client, idempotencyKey } = plan.call;
    const head = { 'content-type': source.contentType, ...plan.admission.headers };
    const kept: Buffer[] | null = idempotencyKey === null ? null : [];
    const pumped = await this.guarded(() => this.pump(source, head, kept));
    const end: CallEnd = {
      ...this.ended(job.used(value, plan.resolved), attempts),
      firstByteMs: pumped.firstByteMs,
      ...this.brokenEnd(pumped.broken),
    };
    const priced = priceCall(plan, end, null);
    const isWhole = pumped.broken === null;
    const stored =
      isWhole && kept !== null ? keep({ status: 200, headers: head, body: Buffer.concat(kept) }) : null;
    const unsettled = await settle(gateway, plan, priced, stored, isWhole ? 'wait' : 'later');
    report(gateway, plan, end, priced);
    if (unsettled !== null && !client.opened) throw unsettled;
    if (unsettled !== null || !isWhole) client.cut();
    else {
      client.open(head);
      client.end(pumped.last);
    }
    return null;
  }

  /** All but the last bytes, to the caller. Throws while nothing was seen; later `broken` says what happened. */
  private async pump(
    source: ByteSource,
    head: Readonly<Record<string, string>>,
    kept: Buffer[] | null,
  ): Promise<{ readonly last: Buffer; readonly broken: GatewayError | null; readonly firstByteMs: number }> {
    const { client } = this.plan.call;
    let last: Buffer | null = null;
    let firstByteMs = 0;
    let broken: GatewayError | null = null;
    try {
      for await (const chunk of source.bytes) {
        if (chunk.length === 0) continue;
        kept?.push(chunk);
        if (last === null) firstByteMs = performance.now() - this.startedAt;
        else {
          client.open(head);
          if (!client.write(last)) await this.drained();
        }
        last = chunk;
      }
    } catch (error) {
      if (!client.opened) throw error;
      broken = this.cut ?? (error instanceof GatewayError ? error : new GatewayError('internal'));
    }
    if (last === null) throw new GatewayError('upstream_malformed', 'The provider answered nothing.');
    return { last, broken, firstByteMs };
  }

  private brokenEnd(error: GatewayError | null): Partial<CallEnd> {
    if (error === null) return {};
    return this.over && this.cut === null
      ? { ending: 'client_cancelled', httpStatus: 499, finishReason: 'cancelled' }
      : { ending: endingOf(error), errorCode: error.code, finishReason: 'error' };
  }

  /** Until the caller has read what was written, or is gone. */
  private drained(): Promise<void> {
    const { client } = this.plan.call;
    if (client.gone) return Promise.resolve();
    return new Promise((resolve) => {
      if (this.wake === null) {
        const wake = (): void => this.wake?.();
        client.onDrain(wake);
        client.onGone(wake);
      }
      this.wake = resolve;
    });
  }

  private ended({ usage, source, units, traits }: Used, attempts: number): CallEnd {
    return {
      ending: this.plan.call.client.gone ? 'client_cancelled' : 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: null,
      usage,
      units,
      traits,
      source,
      firstByteMs: null,
      upstreamMs: performance.now() - this.startedAt,
      attempts,
    };
  }

  private prepare(target: Target): Prepared<R, A> {
    const { gateway, plan, job } = this;
    const { vendor, provider } = target;
    const codec = job.codecOf(vendor);
    if (codec === undefined)
      throw new GatewayError('bad_request', `'${vendor.name}' does not serve ${job.capability}.`, {
        param: 'model',
      });
    const callTarget: CallTarget = {
      provider: provider.id,
      model: target.model,
      info: target.info,
      maxTokens: null,
      options: provider.options,
    };
    const exchange = new VendorExchange(gateway, target, codec, job.request, plan.identity.requestId);
    return { codec, callTarget, exchange };
  }

  private async perform({ codec, callTarget, exchange }: Prepared<R, A>): Promise<Outcome<A>> {
    this.attempts++;
    this.exchange = exchange;
    if (this.over) exchange.abort();
    try {
      return { ok: true, value: await codec.run(this.job.request, callTarget, exchange) };
    } catch (error) {
      const known = exchange.withoutKey(error);
      const classified = known instanceof Refusal ? known.classified : classifyError(known);
      return {
        ok: false,
        classified: exchange.committed ? { ...classified, again: 'never' } : classified,
      };
    }
  }

  /** Nothing was delivered: nothing is owed. */
  private async settleFailure(error: unknown): Promise<void> {
    const { gateway, plan } = this;
    const failure = error instanceof GatewayError ? error : new GatewayError('internal');
    const left = this.over && this.cut === null && this.attempts > 0;
    const end = {
      ...unbilled(
        failure,
        left ? 'client_cancelled' : endingOf(failure),
        this.attempts,
        performance.now() - this.startedAt,
      ),
      ...(left ? { httpStatus: 499, finishReason: 'cancelled' } : {}),
    };
    const priced = priceCall(plan, end, null);
    await settle(gateway, plan, priced, null, 'later');
    report(gateway, plan, end, priced);
  }
}

/** Usage of a call that the vendor counted; else what we counted ourselves, flagged so. */
export function tokensUsed(usage: TokenUsage | null, counted: number): Pick<Used, 'usage' | 'source'> {
  return usage === null
    ? { usage: { ...noUsage, input: counted }, source: 'counted' }
    : { usage, source: 'provider' };
}
