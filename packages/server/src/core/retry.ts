/**
 * Stage 4, attempt: which target next. Retry and failover happen only here, so only before the first byte of an answer
 * reached the caller.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../contract/errors.ts';
import type { BasePlan } from './call-types.ts';
import type { Classified } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import { unjudged } from './targets.ts';

const firstBackoffMs = 200;
const longestWaitMs = 5_000;

/** What an attempt came to: it ran, or it failed and `classified` says what now. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly classified: Classified };

export interface Tried<T, P> {
  readonly value: T;
  readonly prepared: P;
  readonly attempts: number;
}

/**
 * Prepares and runs one target after another until one answers, the caller is gone, or nothing is left to try. Throws
 * the last error.
 */
export async function tryTargets<T, P>(
  gateway: Gateway,
  plan: Pick<BasePlan, 'request' | 'resolved'>,
  over: () => boolean,
  prepare: (target: Target) => P,
  run: (prepared: P) => Promise<Outcome<T>>,
): Promise<Tried<T, P>> {
  const { targets } = plan.resolved;
  // The sandbox fails when a caller tells it to: that is no reason to refuse the others.
  const isJudged =
    plan.request.byokKey === null && targets.some(({ vendor }) => vendor.inProcess === undefined);
  const health = isJudged ? gateway.targets : unjudged(gateway.targets);
  const tried: Target[] = [];
  let attempts = 0;
  let again: Target | null = null;
  health.countCall();
  for (;;) {
    const target: Target | undefined =
      again ?? targets.find((each) => !tried.includes(each) && health.admits(each.name));
    if (target === undefined) {
      const retryAfterMs = Math.max(1000, health.waitMs(targets.map(({ name }) => name)));
      throw new GatewayError('circuit_open', undefined, { retryAfterMs });
    }
    tried.push(target);
    attempts++;
    let prepared: P;
    let outcome: Outcome<T>;
    try {
      prepared = prepare(target);
      outcome = await run(prepared);
    } catch (error) {
      health.released(target.name);
      throw error;
    }
    const provider = target.provider.id;
    if (outcome.ok) {
      health.succeeded(target.name);
      gateway.metrics.upstream(provider, 'ok');
      return { value: outcome.value, prepared, attempts };
    }
    const { classified } = outcome;
    gateway.metrics.upstream(provider, over() ? 'cancelled' : classified.error.code);
    // A caller that left, or a server going down, says nothing about the target.
    if (over()) health.released(target.name);
    else if (classified.unhealthy || classified.error.code === 'upstream_rate_limited')
      health.failed(target.name, classified.retryAfterMs);
    else health.released(target.name);
    if (classified.again === 'never' || over() || attempts > gateway.settings.maxRetries)
      throw classified.error;

    const isOther = targets.some((each) => !tried.includes(each) && health.waitMs([each.name]) === 0);
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
    if (again !== null && !health.admits(again.name)) throw classified.error;
  }
}
