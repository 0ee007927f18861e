/**
 * Stage 3, admit: one group-committed transaction that takes the rate limits, opens the hold in every budget and claims
 * the Idempotency-Key, all or nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../contract/errors.ts';
import { formatUsd } from '../contract/money.ts';
import type { CallRequest } from '../contract/request.ts';
import { noUsage } from '../contract/usage.ts';
import type {
  AdmitOperation,
  AdmitResult,
  LimitState,
  LimitTake,
  SettleOperation,
} from '../storage/storage.ts';
import type { Incoming } from './call-types.ts';
import type { Gateway } from './gateway.ts';
import type { Resolved } from './models.ts';

const minuteMs = 60_000;

export interface Bounds {
  readonly holdNano: bigint;
  readonly leastNano: bigint;
  readonly worstNano: bigint | null;
  readonly floorNano: bigint;
  readonly hard: boolean;
  /** The caller set no bound, so the one sent upstream may be lowered. */
  readonly lowerable: boolean;
  /** The hold may grow while the call runs. */
  readonly extendable: boolean;
  readonly ceilingNano: bigint | null;
}

/** A call without a cap, or under the caller's own key: nothing is held. */
export const unbounded: Bounds = {
  holdNano: 0n,
  leastNano: 0n,
  worstNano: null,
  floorNano: 0n,
  hard: false,
  lowerable: false,
  extendable: false,
  ceilingNano: null,
};

export interface AdmitInput {
  readonly call: Incoming;
  readonly request: CallRequest;
  readonly resolved: Resolved;
  readonly bounds: Bounds;
  /** Taken from the limit of tokens a minute until the call is settled. */
  readonly tokens: number;
  /** What a repeat under the same Idempotency-Key must be equal to. */
  readonly fingerprint: () => string;
  /** Who answers for the hold; by default this process. */
  readonly owner?: string;
  /** How many output tokens this money would buy, for the sentence of a refusal; null where that is no measure. */
  readonly affordable: (nano: bigint) => number | null;
}

/** What limits this account's or key's spending; null when nothing does. */
export function capOf({ call, request }: Pick<AdmitInput, 'call' | 'request'>): {
  readonly hard: boolean;
  readonly ceilingNano: bigint | null;
} | null {
  const { account, key } = call.credential;
  const ceilingNano = request.maxCostNano ?? call.maxCostNano;
  const hard = (account.balance.capped && !account.soft) || key.budget?.capped === true;
  return hard || account.balance.capped || ceilingNano !== null ? { hard, ceilingNano } : null;
}

export const priceUnknown = (resolved: Resolved): GatewayError =>
  new GatewayError(
    'price_unknown',
    `The price of '${resolved.id}' is unknown, so a capped account cannot use it.`,
    { param: 'model' },
  );

export function aboveMaxCost(
  worstNano: bigint,
  ceilingNano: bigint,
  affordableTokens: number | null,
): GatewayError {
  return new GatewayError(
    'max_cost_exceeded',
    `This call could cost ${formatUsd(worstNano)} US dollars, more than its max_cost of ${formatUsd(ceilingNano)}.`,
    { details: { worst_case_usd: formatUsd(worstNano), affordable_max_tokens: affordableTokens } },
  );
}

function limitsOf(input: AdmitInput): LimitTake[] {
  const { key } = input.call.credential;
  if (input.request.byokKey !== null) return [];
  const limits: LimitTake[] = [];
  if (key.rpm !== null) limits.push({ id: `key:${key.id}:rpm`, max: key.rpm, windowMs: minuteMs, cost: 1 });
  if (key.tpm !== null) {
    limits.push({
      id: `key:${key.id}:tpm`,
      max: key.tpm,
      windowMs: minuteMs,
      cost: Math.max(10, input.tokens),
    });
  }
  return limits;
}

/**
 * The digits of a whole number. The engine remembers what `String` made of numbers in its old space: of those that differ
 * from call to call that would be all, until the next full collection.
 */
const digits = (value: number): string => value.toFixed();

function limitHeaders(limits: readonly LimitState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { id, max, remaining, resetAtMs } of limits) {
    const reset = `${Math.max(0, Math.ceil((resetAtMs - Date.now()) / 1000))}s`;
    // The names are written out: one put together at run time is looked up in the table of all strings, every time.
    if (id.endsWith(':rpm')) {
      headers['x-ratelimit-limit-requests'] = String(max);
      headers['x-ratelimit-remaining-requests'] = digits(remaining);
      headers['x-ratelimit-reset-requests'] = reset;
      headers['x-ratelimit-limit'] = String(max);
      headers['x-ratelimit-remaining'] = headers['x-ratelimit-remaining-requests'];
      headers['x-ratelimit-reset'] = String(Math.ceil(resetAtMs / 1000));
    } else {
      headers['x-ratelimit-limit-tokens'] = String(max);
      headers['x-ratelimit-remaining-tokens'] = digits(remaining);
      headers['x-ratelimit-reset-tokens'] = reset;
    }
  }
  return headers;
}

function limited(result: Extract<AdmitResult, { status: 'limited' }>): GatewayError {
  const limit = result.limits.find((each) => each.id === result.limitId);
  const type = result.limitId.endsWith(':rpm') ? 'requests_per_minute' : 'tokens_per_minute';
  const max = limit?.max ?? 0;
  return new GatewayError('rate_limit_exceeded', `Rate limit exceeded: ${max} ${type.replaceAll('_', ' ')}`, {
    retryAfterMs: result.retryAfterMs,
    details: {
      limit_type: type,
      limit: max,
      reset_time: new Date(Date.now() + result.retryAfterMs).toISOString(),
      retry_after: Math.ceil(result.retryAfterMs / 1000),
    },
    headers: limitHeaders(result.limits),
  });
}

function refused(input: AdmitInput, result: Extract<AdmitResult, { status: 'refused' }>): GatewayError {
  const isAccount = result.budgetId === input.call.credential.account.id;
  const tokens = input.affordable(result.availableNano);
  const needed = formatUsd(input.bounds.leastNano);
  const available = formatUsd(result.availableNano);
  const hint = tokens === null ? '' : ` With max_tokens ${tokens} it would fit.`;
  return new GatewayError(
    isAccount ? 'insufficient_credits' : 'budget_exceeded',
    isAccount
      ? `Insufficient credits for this request: it may cost ${needed} US dollars, ${available} are available.${hint}`
      : `The budget of this key does not cover this request: it may cost ${needed} US dollars, ${available} are available.${hint}`,
    { details: { needed_usd: needed, available_usd: available, affordable_max_tokens: tokens } },
  );
}

/**
 * Keeps asking while calls in flight hold the money that is missing: most of it comes back. A call whose bound cannot
 * be lowered wants its whole hold as long as others may still give theirs back; only then does the likely cost do.
 */
async function askLedger(
  gateway: Gateway,
  operation: AdmitOperation,
  bounds: Bounds,
  client: Incoming['client'],
): Promise<AdmitResult> {
  const deadline = Date.now() + gateway.settings.budgetWaitMs;
  const wholeFirst = !bounds.lowerable && !bounds.extendable;
  let leastNano = wholeFirst ? bounds.holdNano : bounds.leastNano;
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    const result = await gateway.ledger.run(
      leastNano === operation.leastNano ? operation : { ...operation, leastNano },
    );
    if (result.status !== 'refused') return result;
    const isLate = Date.now() + pause > deadline || client.gone || gateway.draining;
    const mayComeBack = result.heldNano > 0n && result.availableNano + result.heldNano >= bounds.leastNano;
    if (mayComeBack && !isLate) {
      await sleep(pause * (0.5 + Math.random()));
    } else if (leastNano > bounds.leastNano && result.availableNano >= bounds.leastNano) {
      leastNano = bounds.leastNano;
      continue;
    } else return result;
    leastNano = wholeFirst ? bounds.holdNano : bounds.leastNano;
  }
}

export type Granted =
  | Extract<AdmitResult, { status: 'replay' }>
  /** Only for what has an owner of its own: the same request runs already. */
  | { readonly status: 'in_progress'; readonly id: string }
  | (Extract<AdmitResult, { status: 'admitted' }> & {
      /** Of rate limits, and what else the answer says about how it was admitted. */
      readonly headers: Readonly<Record<string, string>>;
    });

function operationOf(gateway: Gateway, input: AdmitInput): AdmitOperation {
  const { call, request, resolved, bounds } = input;
  const { account, key } = call.credential;
  return {
    op: 'admit',
    id: call.requestId,
    accountId: account.id,
    keyId: key.id,
    owner: input.owner ?? gateway.owner,
    budgets: key.budget === null ? [account.id] : [account.id, key.budget.id],
    holdNano: bounds.holdNano,
    leastNano: bounds.leastNano,
    hard: bounds.hard,
    floorNano: bounds.floorNano,
    limits: limitsOf(input),
    idempotency:
      call.idempotencyKey === null ? null : { key: call.idempotencyKey, fingerprint: input.fingerprint() },
    alias: request.stream ? request.streamAlias : null,
    facts: {
      endpoint: call.kind,
      provider: resolved.provider,
      model: resolved.model,
      requestedModel: request.model ?? '',
      stream: request.stream,
      byok: request.byokKey !== null,
    },
  };
}

/** Closes what the admission may have opened: nothing was done, nothing is owed. */
function undoOf(operation: AdmitOperation, startedAtMs: number): SettleOperation {
  const { id, accountId, keyId, facts } = operation;
  return {
    op: 'settle',
    record: {
      ...facts,
      id,
      accountId,
      keyId,
      startedAtMs,
      ending: 'rejected',
      httpStatus: 503,
      errorCode: 'ledger_unavailable',
      finishReason: null,
      usage: noUsage,
      source: 'none',
      costNano: 0n,
      listNano: 0n,
      priceVersion: null,
      latencyMs: Math.max(0, Date.now() - startedAtMs),
      firstByteMs: null,
      attempts: 0,
      sessionId: null,
      units: null,
    },
    maxChargeNano: null,
    response: null,
  };
}

/** Throws 402, 409, 429 and 503. */
export async function admit(gateway: Gateway, input: AdmitInput): Promise<Granted> {
  const { call, request, bounds } = input;
  const operation = operationOf(gateway, input);
  const result = await askLedger(gateway, operation, bounds, call.client).catch((error: unknown) => {
    // The store may have done it and only its answer was lost.
    if (error instanceof GatewayError && error.code === 'ledger_unavailable')
      gateway.unsettled.undo(undoOf(operation, call.startedAtMs));
    throw error;
  });
  switch (result.status) {
    case 'replay':
      return result;
    case 'limited':
      throw limited(result);
    case 'refused':
      throw refused(input, result);
    case 'in_progress':
      if (input.owner !== undefined) return { status: 'in_progress', id: result.id };
      throw new GatewayError('idempotency_in_progress', undefined, { retryAfterMs: 1000 });
    case 'mismatch':
      throw new GatewayError('idempotency_mismatch');
    case 'outcome_unknown':
      throw new GatewayError('outcome_unknown');
    case 'admitted':
      break;
  }
  const headers = limitHeaders(result.limits);
  if (request.byokKey !== null) headers['x-ratelimit-bypass'] = 'BYOK API key used';
  return { ...result, headers };
}
