/** Three logs against one another: what callers saw, what the provider was asked, what the ledger says. */
import { parseUsd } from '../../src/contract/money.ts';
import { costOf, type ClientEntry, type Logs } from './load.ts';

export interface UsageRow {
  readonly id: string;
  readonly keyId: string;
  readonly accountId: string;
  readonly startedAt: number;
  readonly ending: string;
  readonly chargedNano: bigint;
}

export interface AccountState {
  readonly id: string;
  readonly cappedAtNano: bigint | null;
  readonly creditsNano: bigint | null;
  readonly spentNano: bigint;
}

export interface Evidence extends Logs {
  readonly rows: readonly UsageRow[];
  readonly accounts: readonly AccountState[];
}

export interface Finding {
  readonly promise: string;
  readonly checked: number;
  /** One sentence each; empty when the promise was kept. */
  readonly violations: readonly string[];
}

/** Endings that the caller sees as a whole answer: the second where the money ran out, with finish_reason `length`. */
const endings = new Set(['completed', 'budget_reached']);
/** Clocks of one machine, rounded to milliseconds. */
const slackMs = 2;

export function usageRow(view: Record<string, unknown>): UsageRow {
  return {
    id: String(view['id']),
    keyId: String(view['key_id']),
    accountId: String(view['account_id']),
    startedAt: Date.parse(String(view['started_at'])),
    ending: String(view['ending']),
    chargedNano: parseUsd(String(view['charged'])),
  };
}

/** A caller has one request in flight, so a row of its key that began meanwhile is the row of that request. */
function rowsWithin(entry: ClientEntry, byKey: ReadonlyMap<string, UsageRow[]>): UsageRow[] {
  return (byKey.get(entry.keyId) ?? []).filter(
    ({ startedAt }) => startedAt >= entry.sentAt - slackMs && startedAt <= entry.endedAt + slackMs,
  );
}

function acknowledged(evidence: Evidence): Finding {
  const rows = new Map(evidence.rows.map((row) => [row.id, row]));
  const complete = evidence.client.filter(({ outcome }) => outcome === 'complete');
  const violations = complete
    .filter(({ requestId, replayed }) => {
      const ending = rows.get(requestId ?? '')?.ending;
      // What is replayed may have ended otherwise, for another caller.
      return replayed ? ending === undefined : !endings.has(ending ?? '');
    })
    .map(({ requestId, sentAt }) => {
      const found = rows.get(requestId ?? '')?.ending ?? 'no row';
      return `answer ${requestId} of ${new Date(sentAt).toISOString()}: ${found}`;
    });
  return {
    promise: 'an answer whose last byte came has its usage row',
    checked: complete.length,
    violations,
  };
}

function once(evidence: Evidence): Finding {
  const seen = new Set<string>();
  const violations: string[] = [];
  for (const { id } of evidence.rows) {
    if (seen.has(id)) violations.push(`call ${id} has two usage rows`);
    seen.add(id);
  }
  return { promise: 'no call has two usage rows', checked: evidence.rows.length, violations };
}

function exact(evidence: Evidence): Finding {
  const rows = new Map(evidence.rows.map((row) => [row.id, row]));
  const tokens = new Map(evidence.upstream.map((each) => [each.tag, each.outputTokens]));
  const complete = evidence.client.filter(
    ({ outcome, requestId }) => outcome === 'complete' && rows.get(requestId ?? '')?.ending === 'completed',
  );
  const violations: string[] = [];
  for (const { requestId, tag } of complete) {
    const charged = rows.get(requestId ?? '')?.chargedNano;
    const expected = costOf(tokens.get(tag) ?? 0);
    if (charged !== expected)
      violations.push(`answer ${requestId}: charged ${charged} nano-USD, the provider counted ${expected}`);
  }
  return { promise: 'it is charged what the provider counted', checked: complete.length, violations };
}

function upstreamKnown(evidence: Evidence, byKey: ReadonlyMap<string, UsageRow[]>): Finding {
  const byTag = Map.groupBy(evidence.client, ({ tag }) => tag);
  const violations = evidence.upstream
    .filter(({ tag }) => !(byTag.get(tag) ?? []).some((entry) => rowsWithin(entry, byKey).length > 0))
    .map(({ tag, at }) => `the provider was called for ${tag} at ${new Date(at).toISOString()}: no row`);
  return { promise: 'every call to the provider has a row', checked: evidence.upstream.length, violations };
}

function onceUpstream(evidence: Evidence): Finding {
  const tags = new Set(evidence.client.filter(({ idempotent }) => idempotent).map(({ tag }) => tag));
  const counts = Map.groupBy(evidence.upstream, ({ tag }) => tag);
  const violations = [...tags]
    .filter((tag) => (counts.get(tag)?.length ?? 0) > 1)
    .map((tag) => `the provider was called ${counts.get(tag)?.length} times for the one key of ${tag}`);
  return { promise: 'an Idempotency-Key reaches the provider once', checked: tags.size, violations };
}

/** Milliseconds by which the row began outside the nearest request of its key; 0 = within one. */
function distance(row: UsageRow, entries: readonly ClientEntry[]): { ms: number; wasCut: boolean } {
  let nearest = { ms: Infinity, wasCut: false };
  for (const { sentAt, endedAt, outcome } of entries) {
    const ms = Math.max(0, sentAt - slackMs - row.startedAt, row.startedAt - endedAt - slackMs);
    if (ms < nearest.ms) nearest = { ms, wasCut: outcome === 'cut' && row.startedAt >= sentAt };
  }
  return nearest;
}

/** A database finishes what a killed gateway had asked of it: such a hold begins after its caller lost the connection. */
const finishesWithinMs = 1000;

function asked(evidence: Evidence): Finding {
  const byKey = Map.groupBy(evidence.client, ({ keyId }) => keyId);
  const violations: string[] = [];
  for (const row of evidence.rows) {
    const { ms, wasCut } = distance(row, byKey.get(row.keyId) ?? []);
    if (ms === 0 || (wasCut && row.ending === 'unknown' && ms < finishesWithinMs)) continue;
    violations.push(`row ${row.id} (${row.ending}) belongs to no request: ${ms} ms from the nearest`);
  }
  return { promise: 'every row belongs to a request', checked: evidence.rows.length, violations };
}

/** Holds that the database opened for a gateway that was dead by then: how many, and how late the latest. */
export function openedForTheDead(evidence: Evidence): { count: number; latestMs: number } {
  const byKey = Map.groupBy(evidence.client, ({ keyId }) => keyId);
  const late = evidence.rows
    .map((row) => distance(row, byKey.get(row.keyId) ?? []).ms)
    .filter((ms) => ms > 0);
  return { count: late.length, latestMs: Math.max(0, ...late) };
}

function capped(evidence: Evidence): Finding {
  const violations: string[] = [];
  const accounts = evidence.accounts.filter(({ cappedAtNano }) => cappedAtNano !== null);
  for (const { id, cappedAtNano, creditsNano, spentNano } of accounts) {
    if (cappedAtNano !== creditsNano)
      violations.push(`account ${id}: given ${cappedAtNano} nano-USD, has ${creditsNano}`);
    if (cappedAtNano !== null && spentNano > cappedAtNano)
      violations.push(`account ${id}: spent ${spentNano} of ${cappedAtNano} nano-USD`);
    const charged = evidence.rows
      .filter(({ accountId }) => accountId === id)
      .reduce((sum, row) => sum + row.chargedNano, 0n);
    if (charged !== spentNano)
      violations.push(`account ${id}: its rows charge ${charged} nano-USD, ${spentNano} are spent`);
  }
  return { promise: 'no capped account passed its cap', checked: accounts.length, violations };
}

/** `storeFails`: the database was killed too, so 503 is an honest answer. */
function typed(evidence: Evidence, storeFails: boolean): Finding {
  const honest = new Set(['402 insufficient_credits', '409 idempotency_in_progress', '502 outcome_unknown']);
  if (storeFails) for (const code of ['ledger', 'store']) honest.add(`503 ${code}_unavailable`);
  const failed = evidence.client.filter(({ outcome }) => outcome === 'failed');
  const violations = failed
    .map(({ status, error }) => `${status} ${error}`)
    .filter((each) => !honest.has(each))
    .map((each) => `a caller was told ${each}`);
  return { promise: 'a caller is told the truth (402, 409, 502, 503)', checked: failed.length, violations };
}

export function judge(evidence: Evidence, storeFails: boolean): Finding[] {
  const byKey = Map.groupBy(evidence.rows, ({ keyId }) => keyId);
  return [
    acknowledged(evidence),
    once(evidence),
    exact(evidence),
    upstreamKnown(evidence, byKey),
    onceUpstream(evidence),
    asked(evidence),
    capped(evidence),
    typed(evidence, storeFails),
  ];
}
