/**
 * Stage 3, admit: what the call may cost at worst, and one group-committed transaction that takes the rate limits, opens
 * the hold in every budget and claims the Idempotency-Key, all or nothing.
 */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatRequest } from '../contract/chat.ts';
import { GatewayError } from '../contract/errors.ts';
import { formatUsd } from '../contract/money.ts';
import { noUsage } from '../contract/usage.ts';
import type {
  AdmitOperation,
  AdmitResult,
  LimitState,
  LimitTake,
  SettleOperation,
} from '../storage/storage.ts';
import type { Admission, IncomingCall } from './call-types.ts';
import type { InputSize } from './count.ts';
import type { Gateway } from './gateway.ts';
import type { Resolved } from './models.ts';
import { mostOutput, worstCase, type PriceBook } from './pricing.ts';

/** Output bound of a model whose limit nobody knows. */
const unknownOutputBound = 16_384;
/** A stream's first hold covers this much output; it grows as the stream delivers. */
const firstOutputTokens = 1_024;
/** An answer of fewer tokens than this is not worth starting. */
const leastOutputTokens = 16;
const minuteMs = 60_000;

export interface Bounds {
  readonly holdNano: bigint;
  readonly leastNano: bigint;
  readonly worstNano: bigint | null;
  readonly floorNano: bigint;
  readonly hard: boolean;
  /** The caller set no bound, so the one sent upstream may be lowered. */
  readonly lowerable: boolean;
  readonly extendable: boolean;
  readonly ceilingNano: bigint | null;
}

export interface AdmitInput {
  readonly call: IncomingCall;
  readonly request: ChatRequest;
  readonly resolved: Resolved;
  readonly input: InputSize;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Cost at worst of this many output tokens a choice. */
function worst(book: PriceBook, input: AdmitInput, outputTokens: number): bigint {
  const { request } = input;
  return worstCase(
    {
      inputTokens: input.input.bound,
      outputTokens: outputTokens * request.choices,
      media: input.input.audio,
    },
    book,
  );
}

/** The most output tokens a choice that `nano` pays for beside the input, at most `upTo`; null when not even one. */
function affordable(book: PriceBook, input: AdmitInput, nano: bigint, upTo: number): number | null {
  const { bound, audio } = input.input;
  const tokens = Math.floor(
    mostOutput(nano, { inputTokens: bound, media: audio }, book) / input.request.choices,
  );
  return tokens < 1 ? null : Math.min(tokens, upTo);
}

function outputBound(input: AdmitInput): number {
  return input.request.maxTokens ?? input.resolved.maxOutputTokens ?? unknownOutputBound;
}

/** What to hold. Throws `price_unknown` and `max_cost_exceeded`. */
function boundsOf(input: AdmitInput): Bounds {
  const { request, resolved, call } = input;
  const { account, key } = call.credential;
  const free = {
    holdNano: 0n,
    leastNano: 0n,
    worstNano: null,
    floorNano: 0n,
    hard: false,
    lowerable: false,
    extendable: false,
    ceilingNano: null,
  };
  if (request.byokKey !== null) return free;
  const ceilingNano = request.maxCostNano ?? call.maxCostNano;
  const hardCap = (account.balance.capped && !account.soft) || key.budget?.capped === true;
  const capped = hardCap || account.balance.capped || ceilingNano !== null;
  const book = resolved.prices;
  if (book === null) {
    if (capped)
      throw new GatewayError(
        'price_unknown',
        `The price of '${resolved.id}' is unknown, so a capped account cannot use it.`,
        { param: 'model' },
      );
    return free;
  }
  const floorNano = worstCase(
    { inputTokens: input.input.estimate, outputTokens: 0, cacheWrites: false, media: input.input.audio },
    book,
  );
  if (!capped) return { ...free, floorNano };

  const bound = outputBound(input);
  const lowerable = request.maxTokens === null;
  let worstNano = worst(book, input, bound);
  // At the edge of a budget the likely input admits: what is charged never exceeds the hold, and the next call finds
  // nothing left, so the error of one estimate is all that can be lost, and never the account's.
  const leastOutput = lowerable || request.stream ? Math.min(bound, leastOutputTokens) : bound;
  const leastNano =
    floorNano + worst(book, { ...input, input: { bound: 0, estimate: 0, audio: false } }, leastOutput);
  if (ceilingNano !== null && worstNano > ceilingNano) {
    if (leastNano > ceilingNano) {
      throw new GatewayError(
        'max_cost_exceeded',
        `This call could cost ${formatUsd(worstNano)} US dollars, more than its max_cost of ${formatUsd(ceilingNano)}.`,
        {
          details: {
            worst_case_usd: formatUsd(worstNano),
            affordable_max_tokens: affordable(book, input, ceilingNano, bound),
          },
        },
      );
    }
    worstNano = ceilingNano;
  }
  if (!hardCap && ceilingNano === null) {
    const likely = worst(book, input, Math.min(bound, 512));
    return { ...free, holdNano: likely, leastNano: least(likely, floorNano), worstNano, floorNano };
  }
  // Hidden reasoning costs money before anything is delivered, so its whole bound is held.
  const grows = request.stream && resolved.info?.reasoning !== true;
  const first = grows ? least(worstNano, worst(book, input, Math.min(bound, firstOutputTokens))) : worstNano;
  return {
    holdNano: first,
    leastNano,
    worstNano,
    floorNano,
    hard: true,
    lowerable,
    extendable: request.stream,
    ceilingNano,
  };
}

function limitsOf(input: AdmitInput): LimitTake[] {
  const { key } = input.call.credential;
  if (input.request.byokKey !== null) return [];
  const limits: LimitTake[] = [];
  if (key.rpm !== null) limits.push({ id: `key:${key.id}:rpm`, max: key.rpm, windowMs: minuteMs, cost: 1 });
  if (key.tpm !== null) {
    const cost = Math.max(10, input.input.estimate + (input.request.maxTokens ?? 0));
    limits.push({ id: `key:${key.id}:tpm`, max: key.tpm, windowMs: minuteMs, cost });
  }
  return limits;
}

function limitHeaders(limits: readonly LimitState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { id, max, remaining, resetAtMs } of limits) {
    const what = id.endsWith(':rpm') ? 'requests' : 'tokens';
    headers[`x-ratelimit-limit-${what}`] = String(max);
    headers[`x-ratelimit-remaining-${what}`] = String(remaining);
    headers[`x-ratelimit-reset-${what}`] = `${Math.max(0, Math.ceil((resetAtMs - Date.now()) / 1000))}s`;
    if (what === 'tokens') continue;
    headers['x-ratelimit-limit'] = String(max);
    headers['x-ratelimit-remaining'] = String(remaining);
    headers['x-ratelimit-reset'] = String(Math.ceil(resetAtMs / 1000));
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

function refused(
  input: AdmitInput,
  bounds: Bounds,
  result: Extract<AdmitResult, { status: 'refused' }>,
): GatewayError {
  const isAccount = result.budgetId === input.call.credential.account.id;
  const book = input.resolved.prices;
  const tokens = book === null ? null : affordable(book, input, result.availableNano, outputBound(input));
  const needed = formatUsd(bounds.leastNano);
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
  client: IncomingCall['client'],
): Promise<AdmitResult> {
  const deadline = Date.now() + gateway.settings.budgetWaitMs;
  const wholeFirst = !bounds.lowerable && !bounds.extendable;
  let leastNano = wholeFirst ? bounds.holdNano : bounds.leastNano;
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    const result = await gateway.ledger.run({ ...operation, leastNano });
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

export type Admitted =
  | { readonly status: 'admitted'; readonly admission: Admission }
  | { readonly status: 'replay'; readonly result: Extract<AdmitResult, { status: 'replay' }> };

function operationOf(gateway: Gateway, input: AdmitInput, bounds: Bounds): AdmitOperation {
  const { call, request, resolved } = input;
  const { account, key } = call.credential;
  return {
    op: 'admit',
    id: call.requestId,
    accountId: account.id,
    keyId: key.id,
    owner: gateway.owner,
    budgets: key.budget === null ? [account.id] : [account.id, key.budget.id],
    holdNano: bounds.holdNano,
    leastNano: bounds.leastNano,
    hard: bounds.hard,
    floorNano: bounds.floorNano,
    limits: limitsOf(input),
    idempotency:
      call.idempotencyKey === null
        ? null
        : {
            key: call.idempotencyKey,
            fingerprint: hash('sha256', Buffer.concat([Buffer.from(`${call.route}\n`), call.body])),
          },
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
export async function admit(gateway: Gateway, input: AdmitInput): Promise<Admitted> {
  const { call, request, resolved } = input;
  const bounds = boundsOf(input);
  const operation = operationOf(gateway, input, bounds);
  const result = await askLedger(gateway, operation, bounds, call.client).catch((error: unknown) => {
    // The store may have done it and only its answer was lost.
    if (error instanceof GatewayError && error.code === 'ledger_unavailable')
      gateway.unsettled.undo(undoOf(operation, call.startedAtMs));
    throw error;
  });
  switch (result.status) {
    case 'replay':
      return { status: 'replay', result };
    case 'limited':
      throw limited(result);
    case 'refused':
      throw refused(input, bounds, result);
    case 'in_progress':
      throw new GatewayError('idempotency_in_progress', undefined, { retryAfterMs: 1000 });
    case 'mismatch':
      throw new GatewayError('idempotency_mismatch');
    case 'outcome_unknown':
      throw new GatewayError('outcome_unknown');
    case 'admitted':
      break;
  }
  const short = bounds.worstNano !== null && bounds.hard && result.heldNano < bounds.worstNano;
  let maxTokens = request.maxTokens;
  let lowered = false;
  if (bounds.lowerable) {
    // What is sent upstream is what the hold was made for, so the vendor itself keeps the call inside it.
    const limit = short && !bounds.extendable ? result.heldNano : bounds.worstNano;
    const bound = outputBound(input);
    if (limit !== null && resolved.prices !== null && bounds.hard) {
      maxTokens = affordable(resolved.prices, input, limit, bound) ?? 1;
      lowered = maxTokens < bound;
    }
  }
  const headers = limitHeaders(result.limits);
  if (request.byokKey !== null) headers['x-ratelimit-bypass'] = 'BYOK API key used';
  if (lowered) headers['x-indoxhub-max-tokens'] = String(maxTokens);
  return {
    status: 'admitted',
    admission: {
      heldNano: result.heldNano,
      worstNano: bounds.worstNano,
      maxTokens,
      lowered,
      extendable: short && bounds.extendable,
      ceilingNano: bounds.ceilingNano,
      headers,
    },
  };
}
