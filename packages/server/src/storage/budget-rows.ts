/** Budget rows both ways, and the version every replica watches. */
import { sql, type CompiledQuery, type Kysely } from 'kysely';
import { periodKey } from './period.ts';
import { versionSetting, type Tables } from './schema.ts';
import type { Budget, BudgetPeriod } from './storage.ts';

/** A row of budget, with the engine's clock in `now_ms`. */
interface BudgetRow {
  readonly id: string;
  readonly capped: bigint;
  readonly period: string;
  readonly period_key: string;
  readonly granted_nano: bigint;
  readonly spent_nano: bigint;
  readonly held_nano: bigint;
  readonly now_ms: bigint;
}

export function decodeBudget(row: BudgetRow): Budget {
  const period = row.period as BudgetPeriod;
  return {
    id: row.id,
    capped: row.capped === 1n,
    period,
    grantedNano: row.granted_nano,
    // A budget nobody has touched since its period ended still shows the old one's spend.
    spentNano: row.period_key === periodKey(period, Number(row.now_ms)) ? row.spent_nano : 0n,
    heldNano: row.held_nano,
  };
}

/** The statement that tells every replica that something it may have cached has changed. */
export function bumpVersion(database: Kysely<Tables>): CompiledQuery {
  return database
    .updateTable('setting')
    .set({ value: sql<string>`cast(cast(value as bigint) + 1 as text)` })
    .where('name', '=', versionSetting)
    .compile();
}

/** The statement that makes a budget, nothing spent. */
export function newBudget(
  database: Kysely<Tables>,
  budget: {
    id: string;
    accountId: string;
    kind: string;
    period: BudgetPeriod;
    capped: boolean;
    grantedNano: bigint;
  },
): CompiledQuery {
  return database
    .insertInto('budget')
    .values({
      id: budget.id,
      account_id: budget.accountId,
      kind: budget.kind,
      period: budget.period,
      period_key: periodKey(budget.period, Date.now()),
      capped: budget.capped ? 1n : 0n,
      granted_nano: budget.grantedNano,
      spent_nano: 0n,
      held_nano: 0n,
    })
    .compile();
}
