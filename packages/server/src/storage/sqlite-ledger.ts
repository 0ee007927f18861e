/**
 * The ledger's operations on SQLite, run inside the store's worker thread, where one connection owns the file. What is
 * hot (budgets, rate windows, open holds) is kept in memory and written once a transaction; a failed transaction
 * forgets it all and reads it back. PostgreSQL's functions do the same in SQL; the conformance suite holds both.
 */
import type { DatabaseSync } from 'node:sqlite';
import { inputTokens, outputTokens } from '../contract/usage.ts';
import { utcDay } from './period.ts';
import { countsTokens, limitState, takeCost, waitMs } from './rate-window.ts';
import { watermarkSetting } from './schema.ts';
import type { HoldState, TokenTake } from './sqlite-holds.ts';
import { SqliteState } from './sqlite-state.ts';
import { least, most, text, textOrNull } from './sqlite-values.ts';
import { prepareLedger, type LedgerStatements } from './sqlite-statements.ts';
import type {
  AdmitOperation,
  AdmitResult,
  AnyLedgerResult,
  CreditOperation,
  CreditResult,
  ExtendOperation,
  ExtendResult,
  LedgerOperation,
  SettleOperation,
  SettleResult,
  StoredUsage,
  SweepOperation,
  SweepResult,
  UsageRecord,
} from './storage.ts';
import { decodeUsage, isErrorEnding, unknownRecord, type UsageRow } from './usage-row.ts';

const idempotencyLifeMs = 24 * 3_600_000;
const sweptAtOnce = 1_000;

/** The ledger over an open database; one instance, one connection. */
export class SqliteLedger {
  private readonly database: DatabaseSync;
  private readonly statements: LedgerStatements;
  private readonly state: SqliteState;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.statements = prepareLedger(database);
    this.state = new SqliteState(this.statements);
  }

  /** Runs the operations as one transaction. Throws with nothing done. */
  run(operations: readonly LedgerOperation[], nowMs: number): AnyLedgerResult[] {
    this.state.now = Math.max(this.state.now, nowMs);
    this.statements.begin.run();
    try {
      const results = operations.map((operation) => this.runOne(operation));
      this.state.flush();
      this.statements.commit.run();
      this.state.trim();
      return results;
    } catch (error) {
      this.state.forget();
      if (this.database.isTransaction) this.statements.rollback.run();
      throw error;
    }
  }

  /** Other statements changed budgets, rate windows or settings: they must be read again. */
  forgetBudgets(): void {
    this.state.forgetBudgets();
  }

  private earlier(operation: AdmitOperation): AdmitResult | null {
    const idempotency = operation.idempotency;
    if (idempotency === null) return null;
    const row = this.statements.idempotency.get(operation.accountId, idempotency.key, BigInt(this.state.now));
    if (row === undefined) return null;
    const id = text(row['request_id']);
    if (row['fingerprint'] !== idempotency.fingerprint) return { status: 'mismatch', id };
    if (row['state'] === 'open') return { status: 'in_progress', id };
    if (row['state'] === 'unknown') return { status: 'outcome_unknown', id };
    return {
      status: 'replay',
      id,
      response: {
        status: Number(row['status']),
        contentType: text(row['content_type']),
        body: text(row['body']),
      },
    };
  }

  private admit(operation: AdmitOperation): AdmitResult {
    const open = this.state.holds.get(operation.id);
    if (open !== null) return { status: 'admitted', heldNano: open.amount, limits: [] };
    if (this.state.wasSettled(operation.id)) {
      throw new Error(`call ${operation.id} was settled before`);
    }
    const before = this.earlier(operation);
    if (before !== null) return before;

    for (const take of operation.limits) {
      const wait = waitMs(this.state.windowOf(take.id, take.windowMs), take, this.state.now);
      if (wait === 0) continue;
      const limits = operation.limits.map((each) =>
        limitState(this.state.windowOf(each.id, each.windowMs), each, this.state.now),
      );
      return { status: 'limited', limitId: take.id, retryAfterMs: wait, limits };
    }
    const tight = this.state.tightest(operation.budgets);
    let amount = operation.holdNano;
    if (tight !== null && tight.available < amount) {
      if (tight.available < operation.leastNano) {
        const { budget, available } = tight;
        return { status: 'refused', budgetId: budget.id, availableNano: available, heldNano: budget.held };
      }
      amount = tight.available;
    }

    const takes: TokenTake[] = [];
    const limits = operation.limits.map((take) => {
      const window = this.state.windowOf(take.id, take.windowMs);
      window.current += takeCost(take);
      this.state.dirtyWindows.add(take.id);
      if (countsTokens(take))
        takes.push({ id: take.id, cost: takeCost(take), windowMs: take.windowMs, start: window.start });
      return limitState(window, take, this.state.now);
    });
    const held = operation.budgets.map((id): [string, string] => {
      const budget = this.state.budgetOf(id);
      if (budget === null) throw new Error(`budget ${id} does not exist`);
      budget.held += amount;
      this.state.dirtyBudgets.add(budget);
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
    const { facts } = operation;
    const idempotencyKey = operation.idempotency?.key ?? null;
    const { id, accountId, keyId, owner, alias, hard, floorNano } = operation;
    this.state.holds.open({
      place: null,
      id,
      accountId,
      keyId,
      owner,
      alias,
      hard,
      floor: floorNano,
      startedAt: this.state.now,
      budgets: held,
      facts,
      takes,
      idempotencyKey,
      amount,
      spent: 0n,
    });
    if (operation.idempotency !== null) {
      const { key, fingerprint } = operation.idempotency;
      this.statements.openIdempotency.run(
        accountId,
        key,
        fingerprint,
        id,
        BigInt(this.state.now + idempotencyLifeMs),
      );
    }
  }

  private extend(operation: ExtendOperation): ExtendResult {
    const hold = this.state.holds.get(operation.id);
    if (hold === null) return { status: 'missing', addedNano: 0n };
    hold.spent = most(hold.spent, operation.spentNano);
    let added = operation.addNano;
    const tight = this.state.tightest(hold.budgets.map(([id]) => id));
    if (tight !== null && tight.available < added) {
      added = tight.available >= operation.leastNano ? tight.available : 0n;
    }
    if (added > 0n) {
      hold.amount += added;
      for (const [id] of hold.budgets) {
        const budget = this.state.budgetOf(id);
        if (budget === null) continue;
        budget.held += added;
        this.state.dirtyBudgets.add(budget);
      }
    }
    this.state.holds.update(hold);
    const refused = operation.addNano > 0n && added === 0n;
    return { status: refused ? 'refused' : 'extended', addedNano: added };
  }

  /** Takes the hold back out of its budgets and charges them. */
  private release(hold: HoldState, charged: bigint): void {
    for (const [id, key] of hold.budgets) {
      const budget = this.state.budgetOf(id);
      if (budget === null) continue;
      budget.held -= hold.amount;
      if (budget.periodKey === key) budget.spent += charged;
      this.state.dirtyBudgets.add(budget);
    }
    this.state.holds.close(hold);
  }

  private book(txn: string, kind: string, accountId: string, amount: bigint, note: string | null): void {
    if (amount === 0n) return;
    const now = BigInt(this.state.now);
    this.statements.entries.add([txn, `account:${accountId}`, kind, amount, now, note]);
    this.statements.entries.add([txn, 'world', kind, -amount, now, note]);
  }

  private settle(operation: SettleOperation): SettleResult {
    const { record } = operation;
    const hold = this.state.holds.get(record.id);
    if (hold === null) return this.settleLate(operation);
    if (hold.accountId !== record.accountId) throw new Error(`call ${hold.id} belongs to another account`);
    const cost = record.costNano ?? 0n;
    const charged = least(this.state.chargeable(hold, cost), operation.maxChargeNano ?? cost);
    const over = cost - charged;
    this.release(hold, charged);
    this.book(record.id, 'charge', record.accountId, -charged, null);
    this.state.addUsage(record, this.state.settledAt(), charged, over);
    this.correctTokens(hold, record);
    this.closeIdempotency(hold.accountId, hold.idempotencyKey, operation);
    return { status: 'settled', chargedNano: charged, overNano: over };
  }

  private correctTokens(hold: HoldState, record: UsageRecord): void {
    const actual = inputTokens(record.usage) + outputTokens(record.usage);
    for (const take of hold.takes) {
      const window = this.state.windowOf(take.id, take.windowMs);
      const difference = actual - take.cost;
      if (window.start === take.start) window.current = Math.max(0, window.current + difference);
      else if (window.start - take.windowMs === take.start) {
        window.previous = Math.max(0, window.previous + difference);
      } else continue;
      this.state.dirtyWindows.add(take.id);
    }
  }

  private closeIdempotency(accountId: string, key: string | null, operation: SettleOperation): void {
    if (key === null) return;
    const { record, response } = operation;
    if (response === null) this.statements.dropIdempotency.run(accountId, key, record.id);
    else {
      const { status, contentType, body } = response;
      this.statements.closeIdempotency.run(
        'done',
        BigInt(status),
        contentType,
        body,
        accountId,
        key,
        record.id,
      );
    }
  }

  /** A settlement whose hold is gone: a repeat, or a call the sweep had given up. */
  private settleLate(operation: SettleOperation): SettleResult {
    const { record } = operation;
    this.state.writeRows();
    const row = this.statements.usageById.get(record.id) as UsageRow | undefined;
    if (row === undefined) return { status: 'already', chargedNano: 0n, overNano: 0n };
    const before = decodeUsage(row);
    const swept = this.statements.swept.get(record.id);
    if (before.ending !== 'unknown' || swept === undefined || before.accountId !== record.accountId) {
      return { status: 'already', chargedNano: before.chargedNano, overNano: before.overNano };
    }
    const cost = record.costNano ?? 0n;
    const held: (readonly [string, string])[] = JSON.parse(text(swept['budgets']));
    let difference = cost - before.chargedNano;
    const tight = this.state.tightest(held.map(([id]) => id));
    if (swept['hard'] === 1n && tight !== null) difference = least(difference, tight.available);
    for (const [id, key] of held) {
      const budget = this.state.budgetOf(id);
      if (budget === null || budget.periodKey !== key) continue;
      budget.spent += difference;
      this.state.dirtyBudgets.add(budget);
    }
    const chargedNano = before.chargedNano + difference;
    const overNano = cost - chargedNano;
    this.book(record.id, 'correction', record.accountId, -difference, null);
    this.correctDaily(before, -1n);
    this.statements.deleteUsage.run(record.id);
    this.state.addUsage(record, before.settledAtMs, chargedNano, overNano);
    this.correctDaily({ ...record, settledAtMs: before.settledAtMs, chargedNano, overNano }, 1n);
    this.statements.deleteSwept.run(record.id);
    this.closeIdempotency(record.accountId, textOrNull(swept['idempotency_key']), operation);
    return { status: 'corrected', chargedNano, overNano };
  }

  /** Adds a row behind the watermark to the roll-up, or takes it out again. */
  private correctDaily(row: StoredUsage, sign: 1n | -1n): void {
    if (BigInt(row.settledAtMs) > BigInt(text(this.statements.setting.get(watermarkSetting)?.['value'])))
      return;
    this.statements.addDaily.run(
      utcDay(row.settledAtMs),
      row.accountId,
      row.endpoint,
      row.provider,
      row.model,
      sign,
      isErrorEnding(row.ending) ? sign : 0n,
      sign * BigInt(inputTokens(row.usage)),
      sign * BigInt(outputTokens(row.usage)),
      sign * row.chargedNano,
      sign * BigInt(Math.round(row.latencyMs)),
    );
  }

  private credit(operation: CreditOperation): CreditResult {
    const budget = this.state.budgetOf(operation.accountId);
    if (budget === null) return { status: 'missing' };
    const accountBook = `account:${operation.accountId}`;
    this.state.writeRows();
    if (this.statements.entryExists.get(operation.id, operation.kind, accountBook) !== undefined)
      return { status: 'already' };
    const granted = budget.granted + operation.amountNano;
    if (operation.amountNano < 0n && granted < budget.spent + budget.held) return { status: 'refused' };
    budget.granted = granted;
    this.state.dirtyBudgets.add(budget);
    this.book(operation.id, operation.kind, operation.accountId, operation.amountNano, operation.note);
    return { status: 'booked' };
  }

  private sweep(operation: SweepOperation): SweepResult {
    const deadline = this.state.now - Math.round(operation.deadAfterMs);
    const living = new Set(this.statements.living.all(BigInt(deadline)).map((row) => text(row['owner'])));
    const dead = this.state.holds.dead(operation.owner, deadline, (owner) => living.has(owner));
    const swept = dead.slice(0, sweptAtOnce);
    for (const hold of swept) this.giveUp(hold);
    return { swept: swept.map(({ id }) => id) };
  }

  private giveUp(hold: HoldState): void {
    const worst = most(hold.spent, hold.floor);
    const charged = hold.hard ? least(worst, hold.amount) : worst;
    this.release(hold, charged);
    this.book(hold.id, 'charge', hold.accountId, -charged, 'outcome unknown');
    const record = unknownRecord(hold, charged, hold.startedAt, this.state.now);
    this.state.addUsage(record, this.state.settledAt(), charged, 0n);
    this.statements.insertSwept.run(
      hold.id,
      JSON.stringify(hold.budgets),
      hold.hard ? 1n : 0n,
      hold.idempotencyKey,
      BigInt(this.state.now),
    );
    const key = hold.idempotencyKey;
    if (key !== null)
      this.statements.closeIdempotency.run('unknown', null, null, null, hold.accountId, key, hold.id);
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
      default:
        return this.sweep(operation);
    }
  }
}
