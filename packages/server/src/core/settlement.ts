/** Stages 6 and 7, settle and report: the one place where a call's record is made, charged, counted and logged. */
import type { SettledFacts } from '../contract/answer.ts';
import { GatewayError, type ErrorCode } from '../contract/errors.ts';
import { noUsage, type TokenUsage, type UnitCount, type UsageSource } from '../contract/usage.ts';
import type { Ending, StoredResponse, UsageRecord } from '../storage/storage.ts';
import type { BasePlan } from './call-types.ts';
import type { Gateway } from './gateway.ts';
import { breakdown, costOfUnits } from './pricing.ts';
import type { Traits } from './unit-prices.ts';

/** How a call went, as far as its record needs to know. */
export interface CallEnd {
  readonly ending: Ending;
  readonly httpStatus: number;
  readonly errorCode: ErrorCode | null;
  readonly finishReason: string | null;
  readonly usage: TokenUsage;
  /** What was used beside tokens, and what its price depends on. */
  readonly units?: UnitCount | null;
  readonly traits?: Traits;
  readonly source: UsageSource;
  readonly firstByteMs: number | null;
  /** Time spent waiting for the provider. */
  readonly upstreamMs: number;
  readonly attempts: number;
}

export interface Priced {
  readonly facts: SettledFacts;
  readonly record: UsageRecord;
}

/** Nothing was delivered and nothing is owed. */
export function unbilled(error: GatewayError, ending: Ending, attempts: number, upstreamMs: number): CallEnd {
  return {
    ending,
    httpStatus: error.status,
    errorCode: error.code,
    finishReason: null,
    usage: noUsage,
    source: 'none',
    firstByteMs: null,
    upstreamMs,
    attempts,
  };
}

/** Which ending an error is. */
export function endingOf(error: GatewayError): Ending {
  if (error.code === 'upstream_timeout') return 'timeout';
  if (error.code === 'shutting_down') return 'server_shutdown';
  return error.code.startsWith('upstream_') && error.status >= 402 ? 'upstream_error' : 'rejected';
}

export function priceCall(plan: BasePlan, end: CallEnd, raw: unknown): Priced {
  const { identity, resolved, request, call } = plan;
  const book = resolved.prices;
  const byok = request.byokKey !== null;
  const nothing = end.source === 'none';
  const { usage, units = null, traits = {} } = end;
  const listNano = nothing ? 0n : book === null ? null : costOfUnits(usage, units, traits, book);
  const costNano = byok || nothing ? 0n : listNano;
  const durationMs = Math.max(0, Date.now() - identity.startedAtMs);
  return {
    facts: {
      ...identity,
      durationMs,
      usage,
      units,
      source: end.source,
      costNano,
      breakdown: () =>
        book === null || byok || nothing || costNano === null ? null : breakdown(usage, book, costNano),
      raw,
    },
    record: {
      id: identity.requestId,
      accountId: call.credential.account.id,
      keyId: call.credential.key.id,
      endpoint: call.kind,
      provider: identity.provider,
      model: identity.model,
      requestedModel: request.model ?? '',
      stream: request.stream,
      byok,
      startedAtMs: identity.startedAtMs,
      ending: end.ending,
      httpStatus: end.httpStatus,
      errorCode: end.errorCode,
      finishReason: end.finishReason,
      usage,
      source: end.source,
      costNano,
      listNano,
      priceVersion: book?.version ?? null,
      latencyMs: durationMs,
      firstByteMs: end.firstByteMs,
      attempts: end.attempts,
      sessionId: request.sessionId,
      units,
    },
  };
}

/** What becomes of a call that ended while the store was away: its caller waits this long for the ledger, or not at all. */
export type Patience = 'wait' | 'later';

const patienceMs = 30_000;
const retryMs = 500;

/**
 * Durable when it answers null. Else the error for the caller, and the settlement is done as soon as the store answers.
 */
export async function settle(
  gateway: Gateway,
  plan: BasePlan,
  priced: Priced,
  response: StoredResponse | null,
  patience: Patience,
): Promise<GatewayError | null> {
  const { record } = priced;
  const operation = { op: 'settle', record, maxChargeNano: plan.admission.ceilingNano, response } as const;
  const deadline = performance.now() + (patience === 'wait' ? patienceMs : 0);
  for (;;) {
    try {
      await gateway.ledger.run(operation);
      return null;
    } catch (error) {
      const isAway = error instanceof GatewayError && error.status === 503;
      if (!isAway) {
        gateway.log.error({ err: error, request_id: record.id }, 'a call could not be settled');
        return new GatewayError('internal', undefined, { cause: error });
      }
      if (performance.now() >= deadline) {
        gateway.unsettled.settle(operation);
        return new GatewayError('ledger_unavailable', undefined, { retryAfterMs: 1000, cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

export function report(gateway: Gateway, plan: BasePlan, end: CallEnd, priced: Priced): void {
  const { record } = priced;
  gateway.metrics.call({
    route: plan.call.route,
    provider: record.provider,
    model: `${record.provider}/${record.model}`,
    status: record.httpStatus,
    stream: record.stream,
    durationMs: record.latencyMs,
    firstByteMs: record.firstByteMs,
    upstreamMs: end.upstreamMs,
    usage: record.usage,
    costNano: record.costNano,
  });
  gateway.accessLog?.call(record, end.upstreamMs, plan.call.clientRetries ?? null);
}
