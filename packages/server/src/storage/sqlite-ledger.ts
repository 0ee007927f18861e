/**
 * The ledger's operations on SQLite, run inside the store's worker thread, where one connection owns the file. What is
 * hot (budgets, rate windows, open holds) is kept in memory and written once a transaction; a failed transaction
 * forgets it all and reads it back. PostgreSQL's functions do the same in SQL; the conformance suite holds both.
 */
import type { DatabaseSync } from 'node:sqlite';
import { inputTokens, outputTokens } from '../contract/usage.ts';
import { periodKey, utcDay } from './period.ts';
import { limitState, slide, takeCost, waitMs, type Window } from './rate-window.ts';
import type {
  AdmitOperation,
  AdmitResult,
  AnyLedgerResult,
  BudgetPeriod,
  CallFacts,
  CreditOperation,
  CreditResult,
  ExtendOperation,
  ExtendResult,
  LedgerOperation,
  SettleOperation,
  SettleResult,
  SweepOperation,
  SweepResult,
  UsageRecord,
} from './storage.ts';
import { prepareLedger, type LedgerStatements } from './sqlite-statements.ts';
import { unknownRecord, usageValues } from './usage-row.ts';

/** Budgets and rate windows kept in memory, at most. */
const cacheSize = 50_000;
const idempotencyLifeMs = 24 * 3_600_000;

interface BudgetState {
  readonly id: string;
  readonly period: BudgetPeriod;
  readonly capped: boolean;
  periodKey: string;
  granted: bigint;
  spent: bigint;
  held: bigint;
}

interface TokenTake {
  readonly id: string;
  readonly cost: number;
  readonly windowMs: number;
  readonly start: number;
}

/** What a hold's `facts` column keeps. */
interface HoldFacts extends CallFacts {
  readonly idempotencyKey: string | null;
  readonly takes: readonly TokenTake[];
}

interface HoldState {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly hard: boolean;
  readonly floor: bigint;
  readonly startedAt: number;
  readonly budgets: readonly (readonly [string, string])[];
  readonly facts: HoldFacts;
  amount: bigint;
  spent: bigint;
}

const int = (value: unknown): bigint => {
  if (typeof value !== 'bigint') throw new TypeError(`expected an integer column, got ${typeof value}`);
  return value;
};
const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new TypeError(`expected a text column, got ${typeof value}`);
  return value;
};
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** The ledger over an open database; one instance, one connection. */
export class SqliteLedger {
  private readonly database: DatabaseSync;
  private readonly statements: LedgerStatements;
  private readonly budgets = new Map<string, BudgetState | null>();
  private readonly windows = new Map<string, Window>();
  private readonly holds = new Map<string, HoldState>();
  private readonly dirtyBudgets = new Set<BudgetState>();
  private readonly dirtyWindows = new Set<string>();
  private now = 0;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.statements = prepareLedger(database);
  }

  /** Runs the operations as one transaction. Throws with nothing done. */
  run(operations: readonly LedgerOperation[], nowMs: number): AnyLedgerResult[] {
    this.now = nowMs;
    this.statements.begin.run();
    try {
      const results = operations.map((operation) => this.runOne(operation));
      this.flush();
      this.statements.commit.run();
      if (this.budgets.size > cacheSize) this.budgets.clear();
      if (this.windows.size > cacheSize) this.windows.clear();
      return results;
    } catch (error) {
      this.forget();
      if (this.database.isTransaction) this.statements.rollback.run();
      throw error;
    }
  }

  /** Other statements changed the tables: what is kept in memory must be read again. */
  forget(): void {
    this.budgets.clear();
    this.windows.clear();
    this.holds.clear();
    this.dirtyBudgets.clear();
    this.dirtyWindows.clear();
  }

  private budgetOf(id: string): BudgetState | null {
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

  private windowOf(id: string, windowMs: number): Window {
    let window = this.windows.get(id);
    if (window === undefined) {
      const row = this.statements.window.get(id);
      window =
        row === undefined
          ? { start: 0, previous: 0, current: 0 }
          : { start: Number(row['window_start']), previous: Number(row['previous']), current: Number(row['current']) };
      this.windows.set(id, window);
    }
    slide(window, windowMs, this.now);
    return window;
  }

  private holdOf(id: string): HoldState | null {
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
      amount: int(row['amount_nano']),
      spent: int(row['spent_nano']),
    };
    this.holds.set(id, hold);
    return hold;
  }

  /** What the budgets can still hold: the tightest one, or null when none is capped. */
  private tightest(ids: readonly string[]): { budget: BudgetState; available: bigint } | null {
    let found: { budget: BudgetState; available: bigint } | null = null;
    for (const id of ids) {
      const budget = this.budgetOf(id);
      if (budget === null) throw new Error(`budget ${id} does not exist`);
      if (!budget.capped) continue;
      const available = budget.granted - budget.spent - budget.held;
      if (found === null || available < found.available) found = { budget, available };
    }
    return found;
  }

  private earlier(operation: AdmitOperation): AdmitResult | null {
    const idempotency = operation.idempotency;
    if (idempotency === null) return null;
    const row = this.statements.idempotency.get(operation.accountId, idempotency.key, BigInt(this.now));
    if (row === undefined) return null;
    const id = text(row['request_id']);
    if (row['fingerprint'] !== idempotency.fingerprint) return { status: 'mismatch', id };
    if (row['state'] === 'open') return { status: 'in_progress', id };
    if (row['state'] === 'unknown') return { status: 'outcome_unknown', id };
    return {
      status: 'replay',
      id,
      response: { status: Number(row['status']), contentType: text(row['content_type']), body: text(row['body']) },
    };
  }

  private admit(operation: AdmitOperation): AdmitResult {
    const open = this.holdOf(operation.id);
    if (open !== null) return { status: 'admitted', heldNano: open.amount, limits: [] };
    const before = this.earlier(operation);
    if (before !== null) return before;

    for (const take of operation.limits) {
      const wait = waitMs(this.windowOf(take.id, take.windowMs), take, this.now);
      if (wait === 0) continue;
      const limits = operation.limits.map((each) => limitState(this.windowOf(each.id, each.windowMs), each, this.now));
      return { status: 'limited', limitId: take.id, retryAfterMs: wait, limits };
    }
    const tight = this.tightest(operation.budgets);
    let amount = operation.holdNano;
    if (tight !== null && tight.available < amount) {
      if (tight.available < operation.leastNano) {
        const { budget, available } = tight;
        return { status: 'refused', budgetId: budget.id, availableNano: most(available, 0n), heldNano: budget.held };
      }
      amount = tight.available;
    }

    const takes: TokenTake[] = [];
    const limits = operation.limits.map((take) => {
      const window = this.windowOf(take.id, take.windowMs);
      window.current += takeCost(take);
      this.dirtyWindows.add(take.id);
      takes.push({ id: take.id, cost: takeCost(take), windowMs: take.windowMs, start: window.start });
      return limitState(window, take, this.now);
    });
    const held = operation.budgets.map((id): [string, string] => {
      const budget = this.budgetOf(id);
      if (budget === null) throw new Error(`budget ${id} does not exist`);
      budget.held += amount;
      this.dirtyBudgets.add(budget);
      return [id, budget.periodKey];
    });
    this.openHold(operation, amount, held, takes);
    return { status: 'admitted', heldNano: amount, limits };
  }

  private openHold(
    operation: AdmitOperation,
    amount: bigint,
    held: readonly (readonly [string, string])[],
    takes: readonly TokenTake[],
  ): void {
    const facts: HoldFacts = {
      ...operation.facts,
      idempotencyKey: operation.idempotency?.key ?? null,
      takes: takes.filter((take) => take.id.endsWith(':tpm')),
    };
    const { id, accountId, keyId, hard, floorNano } = operation;
    this.holds.set(id, {
      id,
      accountId,
      keyId,
      hard,
      floor: floorNano,
      startedAt: this.now,
      budgets: held,
      facts,
      amount,
      spent: 0n,
    });
    this.statements.insertHold.run(
      id,
      accountId,
      keyId,
      operation.owner,
      amount,
      floorNano,
      hard ? 1n : 0n,
      JSON.stringify(held),
      JSON.stringify(facts),
      operation.alias,
      BigInt(this.now),
    );
    if (operation.idempotency !== null) {
      const { key, fingerprint } = operation.idempotency;
      this.statements.openIdempotency.run(accountId, key, fingerprint, id, BigInt(this.now + idempotencyLifeMs));
    }
  }

  private extend(operation: ExtendOperation): ExtendResult {
    const hold = this.holdOf(operation.id);
    if (hold === null) return { status: 'missing', addedNano: 0n };
    hold.spent = most(hold.spent, operation.spentNano);
    let added = operation.addNano;
    const tight = this.tightest(hold.budgets.map(([id]) => id));
    if (tight !== null && tight.available < added) {
      added = tight.available >= operation.leastNano ? most(tight.available, 0n) : 0n;
    }
    if (added > 0n) {
      hold.amount += added;
      for (const [id] of hold.budgets) {
        const budget = this.budgetOf(id);
        if (budget === null) continue;
        budget.held += added;
        this.dirtyBudgets.add(budget);
      }
    }
    this.statements.extendHold.run(hold.amount, hold.spent, hold.id);
    const refused = operation.addNano > 0n && added === 0n;
    return { status: refused ? 'refused' : 'extended', addedNano: added };
  }

  /** Takes the hold back out of its budgets and charges them. */
  private release(hold: HoldState, charged: bigint): void {
    for (const [id, key] of hold.budgets) {
      const budget = this.budgetOf(id);
      if (budget === null) continue;
      budget.held -= hold.amount;
      if (budget.periodKey === key) budget.spent += charged;
      this.dirtyBudgets.add(budget);
    }
    this.holds.delete(hold.id);
    this.statements.deleteHold.run(hold.id);
  }

  private book(txn: string, kind: string, accountId: string, amount: bigint, note: string | null): void {
    if (amount === 0n) return;
    this.statements.entry.run(txn, `account:${accountId}`, kind, amount, BigInt(this.now), note);
    this.statements.entry.run(txn, 'world', kind, -amount, BigInt(this.now), note);
  }

  private settle(operation: SettleOperation): SettleResult {
    const { record } = operation;
    const hold = this.holdOf(record.id);
    if (hold === null) return this.settleLate(record);
    const cost = record.costNano ?? 0n;
    const charged = hold.hard ? least(cost, hold.amount) : cost;
    const over = cost - charged;
    this.release(hold, charged);
    this.book(record.id, 'charge', record.accountId, -charged, null);
    this.statements.usage.run(...usageValues(record, this.now, charged, over));
    this.correctTokens(hold, record);
    this.closeIdempotency(hold, operation);
    return { status: 'settled', chargedNano: charged, overNano: over };
  }

  private correctTokens(hold: HoldState, record: UsageRecord): void {
    const actual = inputTokens(record.usage) + outputTokens(record.usage);
    for (const take of hold.facts.takes) {
      const window = this.windowOf(take.id, take.windowMs);
      const difference = actual - take.cost;
      if (window.start === take.start) window.current = Math.max(0, window.current + difference);
      else if (window.start - take.windowMs === take.start) {
        window.previous = Math.max(0, window.previous + difference);
      } else continue;
      this.dirtyWindows.add(take.id);
    }
  }

  private closeIdempotency(hold: HoldState, operation: SettleOperation): void {
    const key = hold.facts.idempotencyKey;
    if (key === null) return;
    const { response } = operation;
    if (response === null) this.statements.dropIdempotency.run(hold.accountId, key, hold.id);
    else {
      const { status, contentType, body } = response;
      this.statements.closeIdempotency.run('done', BigInt(status), contentType, body, hold.accountId, key, hold.id);
    }
  }

  /** A settlement whose hold is gone: a repeat, or a call the sweep had given up. */
  private settleLate(record: UsageRecord): SettleResult {
    const row = this.statements.usageById.get(record.id);
    const swept = this.statements.swept.get(record.id);
    if (row === undefined || row['ending'] !== 'unknown' || swept === undefined) {
      return { status: 'already', chargedNano: row === undefined ? 0n : int(row['charged_nano']), overNano: 0n };
    }
    const before = int(row['charged_nano']);
    const cost = record.costNano ?? 0n;
    const held: (readonly [string, string])[] = JSON.parse(text(swept['budgets']));
    let difference = cost - before;
    const tight = this.tightest(held.map(([id]) => id));
    if (swept['hard'] === 1n && tight !== null) difference = least(difference, most(tight.available, 0n));
    for (const [id, key] of held) {
      const budget = this.budgetOf(id);
      if (budget === null || budget.periodKey !== key) continue;
      budget.spent += difference;
      this.dirtyBudgets.add(budget);
    }
    const charged = before + difference;
    this.book(record.id, 'correction', record.accountId, -difference, null);
    const settledAt = int(row['settled_at']);
    this.statements.deleteUsage.run(record.id);
    this.statements.usage.run(...usageValues(record, Number(settledAt), charged, cost - charged));
    this.statements.correctDaily.run(
      BigInt(inputTokens(record.usage)),
      BigInt(outputTokens(record.usage)),
      difference,
      utcDay(Number(settledAt)),
      record.accountId,
      record.endpoint,
      record.provider,
      record.model,
      settledAt,
    );
    this.statements.deleteSwept.run(record.id);
    return { status: 'corrected', chargedNano: charged, overNano: cost - charged };
  }

  private credit(operation: CreditOperation): CreditResult {
    const budget = this.budgetOf(operation.accountId);
    if (budget === null) return { status: 'missing' };
    const accountBook = `account:${operation.accountId}`;
    if (this.statements.entryExists.get(operation.id, operation.kind, accountBook) !== undefined) return { status: 'already' };
    const granted = budget.granted + operation.amountNano;
    if (operation.amountNano < 0n && granted < budget.spent + budget.held) return { status: 'refused' };
    budget.granted = granted;
    this.dirtyBudgets.add(budget);
    this.book(operation.id, operation.kind, operation.accountId, operation.amountNano, operation.note);
    return { status: 'booked' };
  }

  private sweep(operation: SweepOperation): SweepResult {
    const rows = this.statements.deadHolds.all(operation.owner, BigInt(this.now - operation.deadAfterMs));
    const swept = rows.map((row) => text(row['id']));
    for (const id of swept) {
      const hold = this.holdOf(id);
      if (hold !== null) this.giveUp(hold);
    }
    return { swept };
  }

  private giveUp(hold: HoldState): void {
    const worst = most(hold.spent, hold.floor);
    const charged = hold.hard ? least(worst, hold.amount) : worst;
    this.release(hold, charged);
    this.book(hold.id, 'charge', hold.accountId, -charged, 'outcome unknown');
    this.statements.usage.run(...usageValues(unknownRecord(hold, charged, hold.startedAt, this.now), this.now, charged, 0n));
    this.statements.insertSwept.run(hold.id, JSON.stringify(hold.budgets), hold.hard ? 1n : 0n, BigInt(this.now));
    const key = hold.facts.idempotencyKey;
    if (key !== null) this.statements.closeIdempotency.run('unknown', null, null, null, hold.accountId, key, hold.id);
  }

  private runOne(operation: LedgerOperation): AnyLedgerResult {
    switch (operation.op) {
      case 'admit':
        return this.admit(operation);
      case 'extend':
        return this.extend(operation);
      case 'settle':
        return this.settle(operation);
      case 'credit':
        return this.credit(operation);
      case 'sweep':
        return this.sweep(operation);
    }
  }

  private flush(): void {
    for (const budget of this.dirtyBudgets) {
      this.statements.updateBudget.run(budget.periodKey, budget.granted, budget.spent, budget.held, budget.id);
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
}
