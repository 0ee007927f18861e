/** The most used models of this gateway, from its own traffic: counts only, no accounts and no money. */
import type { Storage, UsageGroup } from '../storage/storage.ts';
import type { Catalogue } from './catalogue.ts';
import { addDays, dayOf } from './days.ts';
import { reachable } from './reachable.ts';

export interface TrendingModel {
  readonly rank: number;
  readonly provider: string;
  readonly model: string;
  /** `provider/model` */
  readonly id: string;
  readonly name: string;
  readonly total_requests: number;
  readonly total_tokens: number;
  /** Of everything in the period, 0 to 1. */
  readonly share: { readonly requests: number; readonly tokens: number };
  /** Growth against the same number of days before: 0.5 is half as much again; null where there was nothing. */
  readonly change: { readonly requests: number | null; readonly tokens: number | null };
}

export interface TrendingQuery {
  /** UTC days, today included. */
  readonly days: number;
  readonly limit: number;
}

interface Counts {
  readonly provider: string;
  readonly model: string;
  readonly requests: number;
  readonly tokens: number;
}

/** Most requests first, then most tokens. Calls that never reached a provider do not count. */
export async function trending(
  { storage, catalogue }: { readonly storage: Pick<Storage, 'usage'>; readonly catalogue: Catalogue },
  { days, limit }: TrendingQuery,
  nowMs: number = Date.now(),
): Promise<TrendingModel[]> {
  const today = dayOf(nowMs);
  const first = addDays(today, 1 - days);
  const groups = await reachable(
    storage.usage({ accountId: null, fromDay: addDays(first, -days), toDay: today }),
  );
  const before = countModels(groups.filter((group) => group.day < first));
  const now = [...countModels(groups.filter((group) => group.day >= first)).values()];
  const all = now.reduce(
    (sum, each) => ({ requests: sum.requests + each.requests, tokens: sum.tokens + each.tokens }),
    { requests: 0, tokens: 0 },
  );
  now.sort((a, b) => b.requests - a.requests || b.tokens - a.tokens || (idOf(a) < idOf(b) ? -1 : 1));
  return now.slice(0, limit).map((each, index) => {
    const earlier = before.get(idOf(each));
    return {
      rank: index + 1,
      provider: each.provider,
      model: each.model,
      id: idOf(each),
      name: catalogue.find(each.provider, each.model)?.name ?? each.model,
      total_requests: each.requests,
      total_tokens: each.tokens,
      share: { requests: ratio(each.requests, all.requests), tokens: ratio(each.tokens, all.tokens) },
      change: {
        requests: growth(each.requests, earlier?.requests ?? 0),
        tokens: growth(each.tokens, earlier?.tokens ?? 0),
      },
    };
  });
}

const idOf = ({ provider, model }: Pick<Counts, 'provider' | 'model'>): string => `${provider}/${model}`;

function countModels(groups: readonly UsageGroup[]): Map<string, Counts> {
  const counts = new Map<string, Counts>();
  for (const group of groups) {
    if (group.provider === '' || group.model === '') continue;
    const tokens = group.inputTokens + group.outputTokens;
    const id = idOf(group);
    const known = counts.get(id);
    counts.set(id, {
      provider: group.provider,
      model: group.model,
      requests: (known?.requests ?? 0) + group.requests,
      tokens: (known?.tokens ?? 0) + tokens,
    });
  }
  return counts;
}

const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : rounded(part / whole));

const growth = (now: number, before: number): number | null =>
  before === 0 ? null : rounded((now - before) / before);
