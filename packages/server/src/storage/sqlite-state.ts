/**
 * What the SQLite ledger keeps in memory of the budgets, rate windows and open holds: read on first use, changed there,
 * written once a transaction. Whoever changes those tables otherwise calls `forget`.
 */
import { periodKey } from './period.ts';
import { slide, type Window } from './rate-window.ts';
import { watermarkSetting } from './schema.ts';
import type { LedgerStatements } from './sqlite-statements.ts';
import type { BudgetPeriod, CallFacts } from './storage.ts';

/** Budgets and rate windows kept in memory, at most. */
const cacheSize = 50_000;

export interface BudgetState {
  readonly id: string;
  readonly period: BudgetPeriod;
  readonly capped: boolean;
  periodKey: string;
  granted: bigint;
  spent: bigint;
  held: bigint;
}

/** A token limit taken at admission, which settlement corrects. */
export interface TokenTake {
  readonly id: string;
  readonly cost: number;
  readonly windowMs: number;
  readonly start: number;
}

export interface HoldState {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly hard: boolean;
  readonly floor: bigint;
  readonly startedAt: number;
  /** Budget id and the period it was admitted in. */
  readonly budgets: readonly (readonly [string, string])[];
  readonly facts: CallFacts;
  readonly takes: readonly TokenTake[];
  readonly idempotencyKey: string | null;
  amount: bigint;
  spent: bigint;
}

export const int = (value: unknown): bigint => {
  if (typeof value !== 'bigint') throw new TypeError(`expected an integer column, got ${typeof value}`);
  return value;
};
export const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new TypeError(`expected a text column, got ${typeof value}`);
  return value;
};
export const textOrNull = (value: unknown): string | null => (value === null ? null : text(value));
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);

export class SqliteState {
  readonly holds = new Map<string, HoldState>();
  readonly dirtyBudgets = new Set<BudgetState>();
  readonly dirtyWindows = new Set<string>();
  /** The transaction's time; never goes back. */
  now = 0;
  private readonly statements: LedgerStatements;
  private readonly budgets = new Map<string, BudgetState | null>();
  private readonly windows = new Map<string, Window>();
  private watermark: number | null = null;

  constructor(statements: LedgerStatements) {
    this.statements = statements;
  }

  /** Other statements changed the tables: what is kept in memory must be read again. */
  forget(): void {
    this.budgets.clear();
    this.windows.clear();
    this.holds.clear();
    this.dirtyBudgets.clear();
    this.dirtyWindows.clear();
    this.watermark = null;
  }

  /** When a call settled now is recorded as settled: always ahead of the roll-up's watermark. */
  settledAt(): number {
    this.watermark ??= Number(text(this.statements.setting.get(watermarkSetting)?.['value'] ?? '0'));
    return Math.max(this.now, this.watermark + 1);
  }

  budgetOf(id: string): BudgetState | null {
    let budget = this.budgets.get(id);
    if (budget === undefined) {
      const row = this.statements.budget.get(id);
      budget =
        row === undefined
          ? null
          : {
              id,
              period: text(row['period']) as BudgetPeriod,
              capped: row['capped'] === 1n,
              periodKey: text(row['period_key']),
              granted: int(row['granted_nano']),
              spent: int(row['spent_nano']),
              held: int(row['held_nano']),
            };
      this.budgets.set(id, budget);
    }
    if (budget !== null && budget.period !== 'total') {
      const key = periodKey(budget.period, this.now);
      if (key !== budget.periodKey) {
        budget.periodKey = key;
        budget.spent = 0n;
        this.dirtyBudgets.add(budget);
      }
    }
    return budget;
  }

  windowOf(id: string, windowMs: number): Window {
    let window = this.windows.get(id);
    if (window === undefined) {
      const row = this.statements.window.get(id);
      window =
        row === undefined
          ? { start: 0, previous: 0, current: 0 }
          : {
              start: Number(row['window_start']),
              previous: Number(row['previous']),
              current: Number(row['current']),
            };
      this.windows.set(id, window);
    }
    slide(window, windowMs, this.now);
    return window;
  }

  holdOf(id: string): HoldState | null {
    const known = this.holds.get(id);
    if (known !== undefined) return known;
    const row = this.statements.hold.get(id);
    if (row === undefined) return null;
    const hold: HoldState = {
      id,
      accountId: text(row['account_id']),
      keyId: text(row['key_id']),
      hard: row['hard'] === 1n,
      floor: int(row['floor_nano']),
      startedAt: Number(row['started_at']),
      budgets: JSON.parse(text(row['budgets'])),
      facts: JSON.parse(text(row['facts'])),
      takes: JSON.parse(text(row['takes'])),
      idempotencyKey: textOrNull(row['idempotency_key']),
      amount: int(row['amount_nano']),
      spent: int(row['spent_nano']),
    };
    this.holds.set(id, hold);
    return hold;
  }

  /** What the budgets can still hold: the tightest one and what is left of it (>= 0), or null when none is capped. */
  tightest(ids: readonly string[]): { budget: BudgetState; available: bigint } | null {
    let found: { budget: BudgetState; available: bigint } | null = null;
    for (const id of ids) {
      const budget = this.budgetOf(id);
      if (budget === null) throw new Error(`budget ${id} does not exist`);
      if (!budget.capped) continue;
      const available = budget.granted - budget.spent - budget.held;
      if (found === null || available < found.available) found = { budget, available };
    }
    return found === null ? null : { budget: found.budget, available: most(found.available, 0n) };
  }

  /** What a call can be charged of its cost: all of it, but under a hard cap no more than is held for it and left. */
  chargeable(hold: HoldState, cost: bigint): bigint {
    if (!hold.hard || cost <= hold.amount) return cost;
    const tight = this.tightest(hold.budgets.map(([id]) => id));
    return tight === null || cost <= hold.amount + tight.available ? cost : hold.amount + tight.available;
  }

  /** Writes what changed. */
  flush(): void {
    for (const budget of this.dirtyBudgets) {
      this.statements.updateBudget.run(
        budget.periodKey,
        budget.granted,
        budget.spent,
        budget.held,
        budget.id,
      );
    }
    this.dirtyBudgets.clear();
    for (const id of this.dirtyWindows) {
      const window = this.windows.get(id);
      if (window === undefined) continue;
      this.statements.putWindow.run(
        id,
        BigInt(window.start),
        BigInt(Math.round(window.previous)),
        BigInt(Math.round(window.current)),
      );
    }
    this.dirtyWindows.clear();
  }
  /** Keeps the memory bounded; only between transactions. */
  trim(): void {
    if (this.budgets.size > cacheSize) this.budgets.clear();
    if (this.windows.size > cacheSize) this.windows.clear();
  }
}
