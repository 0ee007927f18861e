/**
 * What the SQLite ledger keeps in memory of the budgets, rate windows and open holds: read on first use, changed there,
 * written once a transaction, all rows of a table by one statement. Nobody else writes what is kept of holds; whoever
 * changes budgets, rate windows or settings calls `forgetBudgets`.
 */
import { periodKey } from './period.ts';
import { slide, type Window } from './rate-window.ts';
import { watermarkSetting } from './schema.ts';
import { SqliteHolds, type HoldState } from './sqlite-holds.ts';
import type { LedgerStatements } from './sqlite-statements.ts';
import { int, most, text, textOrNull } from './sqlite-values.ts';
import type { BudgetPeriod, UsageRecord } from './storage.ts';
import { usageValues } from './usage-row.ts';

const dayMs = 86_400_000;

/** Budgets and rate windows kept in memory, at most. */
const cacheSize = 50_000;

export interface BudgetState {
  readonly id: string;
  readonly period: BudgetPeriod;
  readonly capped: boolean;
  periodKey: string;
  /** The UTC day it was made sure on that `periodKey` is the period of now. */
  checkedDay: number;
  granted: bigint;
  spent: bigint;
  held: bigint;
}

const laterId = (a: string, b: string): string => (a > b ? a : b);

export class SqliteState {
  readonly dirtyBudgets = new Set<BudgetState>();
  readonly dirtyWindows = new Set<string>();
  /** The transaction's time; never goes back. */
  now = 0;
  readonly holds: SqliteHolds;
  private readonly statements: LedgerStatements;
  private readonly budgets = new Map<string, BudgetState | null>();
  private readonly windows = new Map<string, Window>();
  private watermark: number | null = null;
  /** The greatest id ever settled; null = not read yet. */
  private newest: string | null = null;

  constructor(statements: LedgerStatements) {
    this.statements = statements;
    this.holds = new SqliteHolds(statements);
  }

  /** The transaction failed: what is kept in memory must be read again. */
  forget(): void {
    const { entries, usages } = this.statements;
    this.forgetBudgets();
    this.holds.forget();
    this.newest = null;
    entries.forget();
    usages.forget();
  }

  /** Other statements changed budgets, rate windows or settings. */
  forgetBudgets(): void {
    this.budgets.clear();
    this.windows.clear();
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
              checkedDay: 0,
              granted: int(row['granted_nano']),
              spent: int(row['spent_nano']),
              held: int(row['held_nano']),
            };
      this.budgets.set(id, budget);
    }
    if (budget === null || budget.period === 'total') return budget;
    const day = Math.floor(this.now / dayMs);
    if (day !== budget.checkedDay) {
      budget.checkedDay = day;
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

  addUsage(record: UsageRecord, settledAtMs: number, charged: bigint, over: bigint): void {
    this.newest = laterId(this.newestSettled(), record.id);
    this.statements.usages.add(usageValues(record, settledAtMs, charged, over));
  }

  /** Ids begin with their time, so that of a new call is mostly later than all that were settled: no need to look. */
  wasSettled(id: string): boolean {
    if (id > this.newestSettled()) return false;
    this.writeRows();
    return this.statements.settled.get(id) !== undefined;
  }

  private newestSettled(): string {
    this.newest ??= textOrNull(this.statements.newest.get()?.['id'] ?? null) ?? '';
    return this.newest;
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

  /** Writes the rows collected so far, for statements that look for them. */
  writeRows(): void {
    this.holds.write();
    this.statements.entries.flush();
    this.statements.usages.flush();
  }

  /** Writes what changed. */
  flush(): void {
    this.writeRows();
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
