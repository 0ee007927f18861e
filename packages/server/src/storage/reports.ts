/**
 * Reading and tending what was recorded: usage by day (roll-up plus the tail the roll-up has not reached), single
 * requests, the roll-up itself, the proof that the books balance, and what is deleted when it expires.
 */
import { sql, type Kysely, type RawBuilder } from 'kysely';
import { clock, tableOf, type Executor } from './executor.ts';
import type { Engine } from './migrate.ts';
import { watermarkSetting, type Tables } from './schema.ts';
import type { Storage, UsageFilter, UsageGroup } from './storage.ts';
import { decodeUsage, errorEndings, type UsageRow } from './usage-row.ts';
import { verifyBooks } from './verify.ts';

type Reports = Pick<Storage, 'usage' | 'requests' | 'rollUp' | 'verify' | 'prune'>;

const inputSum = sql<bigint>`cast(coalesce(sum(input + cache_read + cache_write + cache_write_long + audio_input + coalesce(image_input, 0)), 0) as bigint)`;
const outputSum = sql<bigint>`cast(coalesce(sum(output + reasoning + audio_output + image_output), 0) as bigint)`;
const costSum = sql<bigint>`cast(coalesce(sum(charged_nano), 0) as bigint)`;
const latencySum = sql<bigint>`cast(coalesce(sum(latency_ms), 0) as bigint)`;
const errorSum = sql<bigint>`cast(coalesce(sum(case when ending in (${sql.join(errorEndings.map((each) => sql.lit(each)))}) then 1 else 0 end), 0) as bigint)`;
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

/** Rows rolled up at once, about: neither a statement's time nor SQLite's one thread is taken for long. */
const rollUpRows = 20_000;
/** A rate window older than this is nobody's; windows are a day at most. */
const windowLifeMs = 2 * 86_400_000;

/** The reporting part of Storage over an open database. */
export function createReports(database: Kysely<Tables>, executor: Executor): Reports {
  const { engine } = executor;
  const ago = (ms: number): RawBuilder<bigint> => sql<bigint>`${clock(engine)} - ${sql.lit(Math.round(ms))}`;
  return {
    usage: (filter) => readUsage(database, engine, filter),
    async requests({ accountId, id, limit, beforeMs, beforeId }) {
      let query = database
        .selectFrom('usage')
        .selectAll()
        .orderBy('settled_at', 'desc')
        .orderBy('id', 'desc')
        .limit(sql.lit(limit));
      if (accountId !== null) query = query.where('account_id', '=', accountId);
      if (id !== null) query = query.where('id', '=', id);
      if (beforeMs !== null) {
        const before = BigInt(beforeMs);
        query = query.where((is) => {
          const earlier = is('settled_at', '<', before);
          if (beforeId === null || beforeId === undefined) return earlier;
          return is.or([earlier, is.and([is('settled_at', '=', before), is('id', '<', beforeId)])]);
        });
      }
      return (await query.execute()).map((row) => decodeUsage(row as UsageRow));
    },
    rollUp: (lagMs) => rollUp(database, executor, lagMs),
    verify: () => verifyBooks(database, executor),
    async prune() {
      await database.deleteFrom('idempotency').where('expires_at', '<', clock(engine)).execute();
      await database.deleteFrom('rate_window').where('window_start', '<', ago(windowLifeMs)).execute();
      await database.deleteFrom('swept_hold').where('swept_at', '<', ago(86_400_000)).execute();
      await database.deleteFrom('instance').where('seen_at', '<', ago(3_600_000)).execute();
      if (engine === 'postgres')
        await executor.query({ sql: 'SELECT indoxhub.usage_partitions(3)', parameters: [] });
    },
  };
}

/** The moment up to which every settlement is committed, less the lag. */
async function settledUntil(database: Kysely<Tables>, executor: Executor, lagMs: number): Promise<bigint> {
  if (executor.engine === 'sqlite') return BigInt(Date.now() - Math.round(lagMs)) - 1n;
  // The clock first: then the gate waits for the batches that may have read an earlier one, and those that begin after
  // it read a later one.
  const row = await sql<{ now: bigint }>`select indoxhub.now_ms() as now`.execute(database);
  await executor.query({ sql: 'SELECT pg_advisory_xact_lock(1768842863, 2)', parameters: [] });
  return (row.rows[0]?.now ?? 0n) - BigInt(Math.round(lagMs)) - 1n;
}

async function rollUp(database: Kysely<Tables>, executor: Executor, lagMs: number): Promise<number> {
  const { engine } = executor;
  const row = await database
    .selectFrom('setting')
    .select('value')
    .where('name', '=', watermarkSetting)
    .executeTakeFirst();
  const from = BigInt(row?.value ?? '0');
  const until = await settledUntil(database, executor, lagMs);
  if (until <= from) return 0;
  const pending = await sql<{ rows: bigint; last: bigint | null }>`
    select cast(count(*) as bigint) as ${sql.ref('rows')}, max(settled_at) as last from (
      select settled_at from ${tableOf(engine, 'usage')} where settled_at > ${from} and settled_at <= ${until}
      order by settled_at limit ${sql.lit(rollUpRows)}) page`.execute(database);
  const { rows = 0n, last = null } = pending.rows[0] ?? {};
  if (last === null) return 0;
  const to = rows < BigInt(rollUpRows) ? until : last;
  const moved = await executor.transaction([
    database
      .updateTable('setting')
      .set({ value: String(to) })
      .where('name', '=', watermarkSetting)
      .where('value', '=', String(from))
      .compile(),
    rollUpInto(engine, from, to).compile(database),
  ]);
  return moved > 0n ? Number(rows) : 0;
}

async function readUsage(
  database: Kysely<Tables>,
  engine: Engine,
  filter: UsageFilter,
): Promise<UsageGroup[]> {
  const day = dayOf(engine);
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
    .select([
      day.as('day'),
      'endpoint',
      'provider',
      'model',
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
      sql<bigint>`(select cast(value as bigint) from ${tableOf(engine, 'setting')} where name = ${watermarkSetting})`,
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
  // A correction may have moved a group's only call to another model.
  return [...groups.values()].filter((group) => group.requests > 0);
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

function rollUpInto(engine: Engine, from: bigint, to: bigint) {
  const add = (column: string) =>
    sql`${sql.ref(column)} = usage_daily.${sql.ref(column)} + excluded.${sql.ref(column)}`;
  const sums = ['requests', 'errors', 'input_tokens', 'output_tokens', 'cost_nano', 'latency_ms'];
  return sql`insert into ${tableOf(engine, 'usage_daily')} (day, account_id, endpoint, provider, model, requests, errors, input_tokens, output_tokens, cost_nano, latency_ms)
    select ${dayOf(engine)}, account_id, endpoint, provider, model, ${count}, ${errorSum}, ${inputSum}, ${outputSum}, ${costSum}, ${latencySum}
    from ${tableOf(engine, 'usage')} where settled_at > ${from} and settled_at <= ${to}
    group by 1, 2, 3, 4, 5
    on conflict (day, account_id, endpoint, provider, model) do update set ${sql.join(sums.map(add))}`;
}
