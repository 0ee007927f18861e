/**
 * Reading and tending what was recorded: usage by day (roll-up plus the tail the roll-up has not reached), single
 * requests, the roll-up itself, the proof that the books balance, and what is deleted when it expires.
 */
import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { Atomically } from './records.ts';
import { watermarkSetting, type Tables } from './schema.ts';
import type { Storage, UsageFilter, UsageGroup } from './storage.ts';
import { decodeUsage, type UsageRow } from './usage-row.ts';

type Engine = 'sqlite' | 'postgres';
type Reports = Pick<Storage, 'usage' | 'requests' | 'rollUp' | 'verify' | 'prune'>;

const inputSum = sql<bigint>`cast(coalesce(sum(input + cache_read + cache_write + cache_write_long + audio_input), 0) as bigint)`;
const outputSum = sql<bigint>`cast(coalesce(sum(output + reasoning + audio_output + image_output), 0) as bigint)`;
const costSum = sql<bigint>`cast(coalesce(sum(charged_nano), 0) as bigint)`;
const latencySum = sql<bigint>`cast(coalesce(sum(latency_ms), 0) as bigint)`;
const errorSum = sql<bigint>`cast(coalesce(sum(case when ending in ('upstream_error', 'timeout', 'rejected', 'unknown') then 1 else 0 end), 0) as bigint)`;
const count = sql<bigint>`cast(count(*) as bigint)`;

function dayOf(engine: Engine): RawBuilder<string> {
  return engine === 'sqlite'
    ? sql<string>`strftime('%Y-%m-%d', settled_at / 1000, 'unixepoch')`
    : sql<string>`to_char(to_timestamp(settled_at / 1000.0) at time zone 'utc', 'YYYY-MM-DD')`;
}

interface GroupRow {
  readonly day: string;
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
  readonly requests: bigint;
  readonly errors: bigint;
  readonly input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly cost_nano: bigint;
  readonly latency_ms: bigint;
}

function decodeGroup(row: GroupRow): UsageGroup {
  return {
    day: row.day,
    endpoint: row.endpoint,
    provider: row.provider,
    model: row.model,
    requests: Number(row.requests),
    errors: Number(row.errors),
    inputTokens: Number(row.input_tokens),
    outputTokens: Number(row.output_tokens),
    costNano: row.cost_nano,
    latencyMs: Number(row.latency_ms),
  };
}

/** The reporting part of Storage over an open database. */
export function createReports(database: Kysely<Tables>, engine: Engine, atomically: Atomically): Reports {
  const day = dayOf(engine);
  const watermark = async (): Promise<bigint> => {
    const row = await database
      .selectFrom('setting')
      .select('value')
      .where('name', '=', watermarkSetting)
      .executeTakeFirst();
    return BigInt(row?.value ?? '0');
  };

  return {
    usage: (filter) => readUsage(database, day, filter),
    async requests({ accountId, id, limit, beforeMs }) {
      let query = database.selectFrom('usage').selectAll().orderBy('settled_at', 'desc').limit(limit);
      if (accountId !== null) query = query.where('account_id', '=', accountId);
      if (id !== null) query = query.where('id', '=', id);
      if (beforeMs !== null) query = query.where('settled_at', '<', BigInt(beforeMs));
      return (await query.execute()).map((row) => decodeUsage(row as UsageRow));
    },
    async rollUp(lagMs) {
      const from = await watermark();
      const to = BigInt(Date.now() - lagMs);
      if (to <= from) return 0;
      const pending = await database
        .selectFrom('usage')
        .select(count.as('rows'))
        .where('settled_at', '>', from)
        .where('settled_at', '<=', to)
        .executeTakeFirstOrThrow();
      if (pending.rows === 0n) return 0;
      const moved = await atomically([
        database
          .updateTable('setting')
          .set({ value: String(to) })
          .where('name', '=', watermarkSetting)
          .where('value', '=', String(from))
          .compile(),
        rollUpInto(database, day, from, to).compile(database),
      ]);
      return moved ? Number(pending.rows) : 0;
    },
    verify: () => verify(database),
    async prune() {
      const now = Date.now();
      await database.deleteFrom('idempotency').where('expires_at', '<', BigInt(now)).execute();
      await database.deleteFrom('rate_window').where('window_start', '<', BigInt(now - 3_600_000)).execute();
      await database.deleteFrom('swept_hold').where('swept_at', '<', BigInt(now - 24 * 3_600_000)).execute();
      await database.deleteFrom('instance').where('seen_at', '<', BigInt(now - 3_600_000)).execute();
    },
  };
}

async function readUsage(database: Kysely<Tables>, day: RawBuilder<string>, filter: UsageFilter): Promise<UsageGroup[]> {
  const { accountId, fromDay, toDay } = filter;
  let rolled = database
    .selectFrom('usage_daily')
    .select(['day', 'endpoint', 'provider', 'model'])
    .select([
      sql<bigint>`cast(sum(requests) as bigint)`.as('requests'),
      sql<bigint>`cast(sum(errors) as bigint)`.as('errors'),
      sql<bigint>`cast(sum(input_tokens) as bigint)`.as('input_tokens'),
      sql<bigint>`cast(sum(output_tokens) as bigint)`.as('output_tokens'),
      sql<bigint>`cast(sum(cost_nano) as bigint)`.as('cost_nano'),
      sql<bigint>`cast(sum(latency_ms) as bigint)`.as('latency_ms'),
    ])
    .where('day', '>=', fromDay)
    .where('day', '<=', toDay)
    .groupBy(['day', 'endpoint', 'provider', 'model']);
  let tail = database
    .selectFrom('usage')
    .select(['endpoint', 'provider', 'model'])
    .select([
      day.as('day'),
      count.as('requests'),
      errorSum.as('errors'),
      inputSum.as('input_tokens'),
      outputSum.as('output_tokens'),
      costSum.as('cost_nano'),
      latencySum.as('latency_ms'),
    ])
    .where(
      'settled_at',
      '>',
      sql<bigint>`(select cast(value as bigint) from ${sql.table('setting')} where name = ${watermarkSetting})`,
    )
    .groupBy([day, 'endpoint', 'provider', 'model']);
  if (accountId !== null) {
    rolled = rolled.where('account_id', '=', accountId);
    tail = tail.where('account_id', '=', accountId);
  }
  // One statement, so that a roll-up between the two halves cannot count a row twice or never.
  const rows = await rolled.unionAll(tail as unknown as typeof rolled).execute();
  const groups = new Map<string, UsageGroup>();
  for (const row of rows.map(decodeGroup)) {
    if (row.day < fromDay || row.day > toDay) continue;
    const key = JSON.stringify([row.day, row.endpoint, row.provider, row.model]);
    const known = groups.get(key);
    groups.set(key, known === undefined ? row : addGroups(known, row));
  }
  return [...groups.values()];
}

function addGroups(a: UsageGroup, b: UsageGroup): UsageGroup {
  return {
    ...a,
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costNano: a.costNano + b.costNano,
    latencyMs: a.latencyMs + b.latencyMs,
  };
}

function rollUpInto(database: Kysely<Tables>, day: RawBuilder<string>, from: bigint, to: bigint) {
  const add = (column: string) => sql`${sql.ref(column)} = usage_daily.${sql.ref(column)} + excluded.${sql.ref(column)}`;
  const sums = ['requests', 'errors', 'input_tokens', 'output_tokens', 'cost_nano', 'latency_ms'];
  const table = (name: string) => (isPostgres(database) ? sql.table(`indoxhub.${name}`) : sql.table(name));
  return sql`insert into ${table('usage_daily')} (day, account_id, endpoint, provider, model, requests, errors, input_tokens, output_tokens, cost_nano, latency_ms)
    select ${day}, account_id, endpoint, provider, model, ${count}, ${errorSum}, ${inputSum}, ${outputSum}, ${costSum}, ${latencySum}
    from ${table('usage')} where settled_at > ${from} and settled_at <= ${to}
    group by 1, 2, 3, 4, 5
    on conflict (day, account_id, endpoint, provider, model) do update set ${sql.join(sums.map(add))}`;
}

function isPostgres(database: Kysely<Tables>): boolean {
  return database.getExecutor().adapter.supportsTransactionalDdl && !database.getExecutor().adapter.constructor.name.includes('Transactional');
}

async function verify(database: Kysely<Tables>) {
  const problems: string[] = [];
  const total = await database
    .selectFrom('ledger_entry')
    .select([sql<bigint>`cast(coalesce(sum(amount_nano), 0) as bigint)`.as('sum'), count.as('entries')])
    .executeTakeFirstOrThrow();
  if (total.sum !== 0n) problems.push(`the sum of all entries is ${total.sum} nano-USD, not 0`);

  const books = await database
    .selectFrom('ledger_entry')
    .select(['book', sql<bigint>`cast(sum(amount_nano) as bigint)`.as('sum')])
    .where('book', 'like', 'account:%')
    .groupBy('book')
    .execute();
  const sums = new Map(books.map((row) => [row.book, row.sum]));
  const budgets = await database.selectFrom('budget').selectAll().execute();
  for (const budget of budgets.filter((each) => each.kind === 'account')) {
    const booked = sums.get(`account:${budget.id}`) ?? 0n;
    const balance = budget.granted_nano - budget.spent_nano;
    if (booked !== balance) {
      problems.push(`account ${budget.id}: balance ${balance} nano-USD, but its entries add up to ${booked}`);
    }
    if (budget.capped === 1n && budget.spent_nano + budget.held_nano > budget.granted_nano) {
      const account = await database.selectFrom('account').select('soft').where('id', '=', budget.id).executeTakeFirst();
      if (account?.soft !== 1n) problems.push(`account ${budget.id}: spent and held exceed what was granted`);
    }
  }

  const holds = await database.selectFrom('hold').select(['amount_nano', 'budgets']).execute();
  const held = new Map<string, bigint>();
  for (const hold of holds) {
    const ids: [string, string][] = JSON.parse(hold.budgets);
    for (const [id] of ids) held.set(id, (held.get(id) ?? 0n) + hold.amount_nano);
  }
  for (const budget of budgets) {
    const open = held.get(budget.id) ?? 0n;
    if (open !== budget.held_nano) {
      problems.push(`budget ${budget.id}: ${budget.held_nano} nano-USD held, but its open holds add up to ${open}`);
    }
  }
  const charged = await database
    .selectFrom('usage')
    .select(sql<bigint>`cast(coalesce(sum(charged_nano), 0) as bigint)`.as('sum'))
    .executeTakeFirstOrThrow();
  const booked = await database
    .selectFrom('ledger_entry')
    .select(sql<bigint>`cast(coalesce(-sum(amount_nano), 0) as bigint)`.as('sum'))
    .where('book', 'like', 'account:%')
    .where('kind', 'in', ['charge', 'correction'])
    .executeTakeFirstOrThrow();
  if (charged.sum !== booked.sum) {
    problems.push(`usage rows charge ${charged.sum} nano-USD, but the entries say ${booked.sum}`);
  }
  return {
    ok: problems.length === 0,
    problems,
    accounts: budgets.filter((each) => each.kind === 'account').length,
    entries: Number(total.entries),
    openHolds: holds.length,
  };
}
