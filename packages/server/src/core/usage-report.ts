/** `GET /user/usage` and `/user/me`: what an account used, as its owner sees it. Money is US dollars as JSON numbers. */
import { badField } from '../contract/errors.ts';
import { formatUsd } from '../contract/money.ts';
import type { Account, Credential, Storage, UsageGroup } from '../storage/storage.ts';
import { reachable } from './reachable.ts';

interface TokensView {
  readonly input: number;
  readonly output: number;
  readonly total: number;
}

interface UsagePart {
  readonly requests: number;
  readonly cost: number;
  readonly tokens: TokensView;
}

export interface UsageReport {
  readonly total_requests: number;
  readonly total_cost: number;
  /** null: the account has no cap. */
  readonly remaining_credits: number | null;
  readonly total_tokens: TokensView;
  readonly endpoints: Readonly<Record<string, UsagePart>>;
  readonly providers: Readonly<Record<string, UsagePart>>;
  /** By `provider/model`. */
  readonly models: Readonly<
    Record<string, { readonly provider: string; readonly model: string } & UsagePart>
  >;
  /** Newest first; days without a call are left out. */
  readonly daily_usage: readonly ({ readonly date: string } & UsagePart)[];
}

/** UTC days, both inclusive; without them everything. */
export interface UsageRange {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
}

interface Sum {
  requests: number;
  costNano: bigint;
  input: number;
  output: number;
}

const everything = { from: '0001-01-01', to: '9999-12-31' };

type Reader = Pick<Storage, 'usage' | 'findAccount'>;

/** The account as the store has it now: the credential's own may be a minute old. */
async function accountNow(storage: Pick<Storage, 'findAccount'>, { account }: Credential): Promise<Account> {
  return (await reachable(storage.findAccount(account.id))) ?? account;
}

/** Throws a 400 naming `start_date` when it lies after the end, `store_unavailable` when the store does not answer. */
export async function usageReport(
  storage: Reader,
  credential: Credential,
  range: UsageRange,
): Promise<UsageReport> {
  const fromDay = range.start_date ?? everything.from;
  const toDay = range.end_date ?? everything.to;
  if (fromDay > toDay) throw badField('start_date', "Invalid value for 'start_date': is after end_date");
  const accountId = credential.account.id;
  const groups = await reachable(storage.usage({ accountId, fromDay, toDay }));
  const account = await accountNow(storage, credential);
  const total = partView(sumOf(groups));
  const modelOf = (group: UsageGroup): string => `${group.provider}/${group.model}`;
  return {
    total_requests: total.requests,
    total_cost: total.cost,
    remaining_credits: creditsOf(account),
    total_tokens: total.tokens,
    endpoints: mapBy(groups, (group) => group.endpoint, partView),
    providers: mapBy(groups, (group) => group.provider, partView),
    models: mapBy(groups, modelOf, (sum, { provider, model }) => ({ provider, model, ...partView(sum) })),
    daily_usage: Object.values(
      mapBy(
        groups,
        (group) => group.day,
        (sum, { day }) => ({ date: day, ...partView(sum) }),
      ),
    ).sort((a, b) => (a.date < b.date ? 1 : -1)),
  };
}

const dollars = (nano: bigint): number => Number(formatUsd(nano));

/** What is left of the account's credits; null without a cap. */
function creditsOf({ balance }: Account): number | null {
  return balance.capped ? dollars(balance.grantedNano - balance.spentNano) : null;
}

/** `GET /user/me`: the account in the shape of the hosted service's user. */
export async function accountProfile(
  storage: Pick<Storage, 'findAccount'>,
  credential: Credential,
): Promise<Record<string, unknown>> {
  const account = await accountNow(storage, credential);
  const { key } = credential;
  const credits = creditsOf(account);
  return {
    id: account.id,
    username: account.name,
    email: null,
    first_name: null,
    last_name: null,
    is_active: true,
    credits,
    // The hosted service counts a thousand credits to the dollar.
    app_credit: credits === null ? null : Math.floor(credits * 1000),
    account_tier: account.balance.capped ? 'prepaid' : 'unlimited',
    created_at: new Date(account.createdAtMs).toISOString(),
    metadata: null,
    has_model_restrictions: key.allowedModels !== null,
    has_password: false,
    avatar_url: null,
  };
}

function sumOf(groups: readonly UsageGroup[]): Sum {
  const sum: Sum = { requests: 0, costNano: 0n, input: 0, output: 0 };
  for (const group of groups) {
    sum.requests += group.requests;
    sum.costNano += group.costNano;
    sum.input += group.inputTokens;
    sum.output += group.outputTokens;
  }
  return sum;
}

function partView({ requests, costNano, input, output }: Sum): UsagePart {
  return { requests, cost: dollars(costNano), tokens: { input, output, total: input + output } };
}

/** Sums by key, biggest spender first. A key may be any text, `__proto__` included. */
function mapBy<T>(
  groups: readonly UsageGroup[],
  keyOf: (group: UsageGroup) => string,
  view: (sum: Sum, first: UsageGroup) => T,
): Record<string, T> {
  const byKey = new Map<string, UsageGroup[]>();
  for (const group of groups) {
    const key = keyOf(group);
    const list = byKey.get(key);
    if (list === undefined) byKey.set(key, [group]);
    else list.push(group);
  }
  const entries = [...byKey].map(([key, list]) => ({ key, sum: sumOf(list), first: list[0] }));
  entries.sort((a, b) => (a.sum.costNano === b.sum.costNano ? 0 : a.sum.costNano < b.sum.costNano ? 1 : -1));
  return Object.fromEntries(
    entries.flatMap(({ key, sum, first }) => (first === undefined ? [] : [[key, view(sum, first)] as const])),
  );
}
