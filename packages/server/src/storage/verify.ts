/** The proof that the books balance, read at one moment so that calls in flight cannot look like an error. */
import { sql, type Kysely, type Sql } from 'kysely';
import type { Executor, Rows } from './executor.ts';
import { tableOf } from './executor.ts';
import type { Tables } from './schema.ts';
import type { VerifyReport } from './storage.ts';

const int = (value: unknown): bigint => (typeof value === 'bigint' ? value : 0n);
const text = (value: unknown): string => String(value);

/** Unequal transactions named in the report, at most. */
const named = 10;

/** In a pack those without a usage row are open. */
const openHoldsSqlite = sql`select amount_nano, budgets from hold
  union all select cast(each.value ->> 1 as integer), each.value ->> 2 from hold_pack, json_each(hold_pack.holds) as each
  where not exists (select 1 from usage where usage.id = each.value ->> 0)`;

function statements(engine: Executor['engine'], table: (name: keyof Tables) => ReturnType<Sql>) {
  return [
    sql`select cast(coalesce(sum(amount_nano), 0) as bigint) as total, count(*) as entries,
      cast(coalesce(-sum(case when book like 'account:%' and kind in ('charge', 'correction') then amount_nano else 0 end), 0) as bigint) as charged
      from ${table('ledger_entry')}`,
    sql`select txn, cast(sum(amount_nano) as bigint) as total from ${table('ledger_entry')}
      group by txn, kind having sum(amount_nano) <> 0 limit ${sql.lit(named)}`,
    sql`select book, cast(sum(amount_nano) as bigint) as total from ${table('ledger_entry')} where book like 'account:%' group by book`,
    sql`select b.id, b.kind, b.capped, b.period, b.granted_nano, b.spent_nano, b.held_nano, a.soft
      from ${table('budget')} b join ${table('account')} a on a.id = b.account_id`,
    engine === 'sqlite'
      ? openHoldsSqlite
      : sql`select amount_nano, cast(budgets as text) as budgets from ${table('hold')}`,
    sql`select cast(coalesce(sum(charged_nano), 0) as bigint) as charged from ${table('usage')}`,
    sql`select id from ${table('usage')} group by id having count(*) > 1 limit ${sql.lit(named)}`,
  ];
}

/** Σ entries = 0, balance = Σ entries, held = Σ open holds, Σ usage = Σ charges, no cap passed, no call settled twice. */
export async function verifyBooks(database: Kysely<Tables>, executor: Executor): Promise<VerifyReport> {
  const table = (name: keyof Tables) => tableOf(executor.engine, name);
  const sets = await executor.read(statements(executor.engine, table).map((each) => each.compile(database)));
  const [totals = [], uneven = [], books = [], budgets = [], holds = [], usage = [], twice = []] = sets;
  const total = totals[0] ?? {};
  const problems: string[] = [];
  if (int(total['total']) !== 0n)
    problems.push(`the sum of all entries is ${int(total['total'])} nano-USD, not 0`);
  for (const row of uneven)
    problems.push(`the entries of ${text(row['txn'])} add up to ${int(row['total'])} nano-USD, not 0`);
  problems.push(...budgetProblems(budgets, books, holds));
  const charged = int(usage[0]?.['charged']);
  if (charged !== int(total['charged'])) {
    problems.push(`usage rows charge ${charged} nano-USD, but the entries say ${int(total['charged'])}`);
  }
  for (const row of twice) problems.push(`call ${text(row['id'])} has more than one usage row`);
  return {
    ok: problems.length === 0,
    problems,
    accounts: budgets.filter((budget) => budget['kind'] === 'account').length,
    entries: Number(int(total['entries'])),
    openHolds: holds.length,
  };
}

function budgetProblems(budgets: Rows, books: Rows, holds: Rows): string[] {
  const problems: string[] = [];
  const booked = new Map(books.map((row) => [text(row['book']), int(row['total'])]));
  const open = new Map<string, bigint>();
  for (const hold of holds) {
    const pairs: [string, string][] = JSON.parse(text(hold['budgets']));
    for (const [id] of pairs) open.set(id, (open.get(id) ?? 0n) + int(hold['amount_nano']));
  }
  for (const budget of budgets) {
    const id = text(budget['id']);
    const [granted, spent, held] = [
      int(budget['granted_nano']),
      int(budget['spent_nano']),
      int(budget['held_nano']),
    ];
    if (held !== (open.get(id) ?? 0n)) {
      problems.push(
        `budget ${id}: ${held} nano-USD held, but its open holds add up to ${open.get(id) ?? 0n}`,
      );
    }
    if (budget['capped'] === 1n && budget['soft'] === 0n && spent + held > granted) {
      problems.push(`budget ${id}: ${spent} spent and ${held} held exceed the ${granted} nano-USD granted`);
    }
    if (budget['kind'] !== 'account') continue;
    const entries = booked.get(`account:${id}`) ?? 0n;
    booked.delete(`account:${id}`);
    if (entries !== granted - spent) {
      problems.push(
        `account ${id}: balance ${granted - spent} nano-USD, but its entries add up to ${entries}`,
      );
    }
  }
  for (const [book, entries] of booked)
    problems.push(`${book} has entries of ${entries} nano-USD, but no budget`);
  return problems;
}
