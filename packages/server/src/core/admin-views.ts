/** Accounts, keys, usage and proofs as the admin API answers them and the command line prints them. */
import { formatUsd } from '../contract/money.ts';
import type {
  Account,
  ApiKey,
  Budget,
  StoredUsage,
  UsageGroup,
  UsageSums,
  VerifyReport,
} from '../storage/storage.ts';
import type { Credited, IssuedKey } from './accounts.ts';

/** Amounts are US dollars as decimal strings; times are ISO 8601 in UTC. */
export type View = Readonly<Record<string, unknown>>;

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const usd = (nano: bigint | null): string | null => (nano === null ? null : formatUsd(nano));

/** `credits` granted − `spent` = `balance`; `balance` − `held` = `available`. Without a cap the three are null. */
export function accountView({ id, name, soft, createdAtMs, balance }: Account): View {
  const left = balance.grantedNano - balance.spentNano;
  return {
    id,
    name,
    soft,
    credits: balance.capped ? formatUsd(balance.grantedNano) : null,
    balance: balance.capped ? formatUsd(left) : null,
    available: balance.capped ? formatUsd(left - balance.heldNano) : null,
    spent: formatUsd(balance.spentNano),
    held: formatUsd(balance.heldNano),
    created_at: time(createdAtMs),
  };
}

/** The account after the credit, and under which id it was booked. */
export function creditView({ account, id, status }: Credited): View {
  return { ...accountView(account), account_id: account.id, id, status };
}

function budgetView(budget: Budget | null): View | null {
  if (budget === null) return null;
  return {
    amount: formatUsd(budget.grantedNano),
    period: budget.period,
    spent: formatUsd(budget.spentNano),
    held: formatUsd(budget.heldNano),
  };
}

export function keyView(key: ApiKey): View {
  const now = Date.now();
  const isExpired = key.expiresAtMs !== null && key.expiresAtMs <= now;
  return {
    id: key.id,
    account_id: key.accountId,
    name: key.name,
    prefix: key.prefix,
    status: key.revokedAtMs !== null ? 'revoked' : isExpired ? 'expired' : 'active',
    budget: budgetView(key.budget),
    rpm: key.rpm,
    tpm: key.tpm,
    allowed_models: key.allowedModels,
    expires_at: time(key.expiresAtMs),
    revoked_at: time(key.revokedAtMs),
    created_at: time(key.createdAtMs),
    last_used_at: time(key.lastUsedAtMs),
  };
}

/** With `api_key`, which is shown this once. */
export function issuedKeyView({ key, apiKey }: IssuedKey): View {
  const { id, ...rest } = keyView(key);
  return { id, api_key: apiKey, ...rest };
}

function sumsView(sums: UsageSums): View {
  return {
    requests: sums.requests,
    errors: sums.errors,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cost: formatUsd(sums.costNano),
    average_latency_ms: sums.requests === 0 ? null : Math.round(sums.latencyMs / sums.requests),
  };
}

/** One row per UTC day, endpoint, provider and model, and the sum of all. */
export function usageView(fromDay: string, toDay: string, groups: readonly UsageGroup[]): View {
  const total = groups.reduce<UsageSums>(
    (sum, group) => ({
      requests: sum.requests + group.requests,
      errors: sum.errors + group.errors,
      inputTokens: sum.inputTokens + group.inputTokens,
      outputTokens: sum.outputTokens + group.outputTokens,
      costNano: sum.costNano + group.costNano,
      latencyMs: sum.latencyMs + group.latencyMs,
    }),
    { requests: 0, errors: 0, inputTokens: 0, outputTokens: 0, costNano: 0n, latencyMs: 0 },
  );
  return {
    start_date: fromDay,
    end_date: toDay,
    total: sumsView(total),
    usage: groups.map((group) => ({
      date: group.day,
      endpoint: group.endpoint,
      provider: group.provider,
      model: group.model,
      ...sumsView(group),
    })),
  };
}

/** `cost` null: the price is unknown; `over`: cost beyond a hard cap's hold, not charged. */
export function requestView(row: StoredUsage): View {
  const { usage } = row;
  return {
    id: row.id,
    account_id: row.accountId,
    key_id: row.keyId,
    endpoint: row.endpoint,
    provider: row.provider,
    model: row.model,
    requested_model: row.requestedModel,
    stream: row.stream,
    byok: row.byok,
    started_at: time(row.startedAtMs),
    settled_at: time(row.settledAtMs),
    ending: row.ending,
    http_status: row.httpStatus,
    error_code: row.errorCode,
    finish_reason: row.finishReason,
    usage: {
      input: usage.input,
      cache_read: usage.cacheRead,
      cache_write: usage.cacheWrite,
      cache_write_long: usage.cacheWriteLong,
      audio_input: usage.audioInput,
      image_input: usage.imageInput,
      output: usage.output,
      reasoning: usage.reasoning,
      audio_output: usage.audioOutput,
      image_output: usage.imageOutput,
      web_searches: usage.webSearches,
    },
    usage_source: row.source,
    cost: usd(row.costNano),
    list_cost: usd(row.listNano),
    charged: formatUsd(row.chargedNano),
    over: formatUsd(row.overNano),
    price_version: row.priceVersion,
    latency_ms: row.latencyMs,
    first_byte_ms: row.firstByteMs,
    attempts: row.attempts,
    session_id: row.sessionId,
    unit: row.units?.unit ?? null,
    quantity: row.units?.quantity ?? null,
  };
}

export function verifyView({ ok, problems, accounts, entries, openHolds }: VerifyReport): View {
  return { ok, problems, accounts, entries, open_holds: openHolds };
}
