/**
 * What the SQLite ledger keeps in memory of the budgets, rate windows and open holds: read on first use, changed there,
 * written once a transaction, all rows of a table by one statement. Nobody else writes what is kept of holds; whoever
 * changes budgets, rate windows or settings calls `forgetBudgets`.
 */
import { periodKey } from './period.ts';
import { slide, type Window } from './rate-window.ts';
import { watermarkSetting } from './schema.ts';
import type { LedgerStatements } from './sqlite-statements.ts';
import type { BudgetPeriod, CallFacts, UsageRecord } from './storage.ts';
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

/** A token limit taken at admission, which settlement corrects. */
export interface TokenTake {
  readonly id: string;
  readonly cost: number;
  readonly windowMs: number;
  readonly start: number;
}

export interface HoldState {
  /** Its place in the table; null until it is written. */
  slot: bigint | null;
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly owner: string;
  readonly alias: string | null;
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

const laterId = (a: string, b: string): string => (a > b ? a : b);

/** In the order of `holdColumns`. */
function holdValues(hold: HoldState): unknown[] {
  return [
    hold.slot,
    hold.id,
    hold.accountId,
    hold.keyId,
    hold.owner,
    hold.amount,
    hold.spent,
    hold.floor,
    hold.hard ? 1n : 0n,
    JSON.stringify(hold.budgets),
    JSON.stringify(hold.facts),
    JSON.stringify(hold.takes),
    hold.idempotencyKey,
    hold.alias,
    hold.facts.stream ? 1n : 0n,
    BigInt(hold.startedAt),
    0n,
  ];
}

function decodeHold(row: Record<string, unknown>): HoldState {
  return {
    slot: int(row['slot']),
    id: text(row['id']),
    accountId: text(row['account_id']),
    keyId: text(row['key_id']),
    owner: text(row['owner']),
    alias: textOrNull(row['alias']),
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
}

export class SqliteState {
  readonly dirtyBudgets = new Set<BudgetState>();
  readonly dirtyWindows = new Set<string>();
  /** The transaction's time; never goes back. */
  now = 0;
  private readonly statements: LedgerStatements;
  private readonly budgets = new Map<string, BudgetState | null>();
  private readonly windows = new Map<string, Window>();
  /** All open holds; null = not read yet. */
  private holds: Map<string, HoldState> | null = null;
  /** Opened in this transaction and not written: what is closed in the same one never is. */
  private readonly unwritten = new Set<HoldState>();
  /** Slots that are empty, those of this transaction last: their pages are written anyway. And the first never used. */
  private freeSlots: bigint[] = [];
  private nextSlot = 1n;
  private watermark: number | null = null;
  /** The greatest id ever settled; null = not read yet. */
  private newest: string | null = null;

  constructor(statements: LedgerStatements) {
    this.statements = statements;
  }

  /** The transaction failed: what is kept in memory must be read again. */
  forget(): void {
    const { insertHolds, deleteHolds, entries, usages } = this.statements;
    this.forgetBudgets();
    this.holds = null;
    this.freeSlots = [];
    this.newest = null;
    this.unwritten.clear();
    for (const rows of [insertHolds, deleteHolds, entries, usages]) rows.forget();
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

  holdOf(id: string): HoldState | null {
    return this.allHolds().get(id) ?? null;
  }

  openHold(hold: HoldState): void {
    this.allHolds().set(hold.id, hold);
    this.unwritten.add(hold);
  }

  /** After its amounts changed. */
  updateHold(hold: HoldState): void {
    if (hold.slot !== null) this.statements.extendHold.run(hold.amount, hold.spent, hold.slot);
  }

  closeHold(hold: HoldState): void {
    this.allHolds().delete(hold.id);
    this.unwritten.delete(hold);
    if (hold.slot === null) return;
    this.statements.deleteHolds.add([hold.slot]);
    this.freeSlots.push(hold.slot);
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

  private allHolds(): Map<string, HoldState> {
    this.holds ??= this.readHolds();
    return this.holds;
  }

  private readHolds(): Map<string, HoldState> {
    const holds = new Map<string, HoldState>();
    this.nextSlot = 1n;
    for (const row of this.statements.holds.all()) {
      const hold = decodeHold(row);
      holds.set(hold.id, hold);
      for (const end = int(row['slot']); this.nextSlot < end; this.nextSlot++)
        this.freeSlots.push(this.nextSlot);
      this.nextSlot++;
    }
    return holds;
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
    const { insertHolds, deleteHolds, entries, usages } = this.statements;
    deleteHolds.flush();
    for (const hold of this.unwritten) {
      hold.slot = this.freeSlots.pop() ?? this.nextSlot++;
      insertHolds.add(holdValues(hold));
    }
    this.unwritten.clear();
    insertHolds.flush();
    entries.flush();
    usages.flush();
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
