/**
 * The open holds of the SQLite ledger: all of them in memory, and on disk as rows of `hold` (streams, which other
 * statements look for and which grow) or together with others of their transaction as one row of `hold_pack`.
 */
import { IdTable } from './id-table.ts';
import type { LedgerStatements } from './sqlite-statements.ts';
import { int, text, textOrNull } from './sqlite-values.ts';
import type { CallFacts } from './storage.ts';

/** A token limit taken at admission, which settlement corrects. */
export interface TokenTake {
  readonly id: string;
  readonly cost: number;
  readonly windowMs: number;
  readonly start: number;
}

/** Where a hold is written. */
interface Place {
  readonly slot: bigint;
  /** Those of the row that are still open; null for a row of its own. */
  readonly pack: Set<HoldState> | null;
}

export interface HoldState {
  /** null until it is written. */
  place: Place | null;
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

/** In the order of `holdColumns`. */
function holdValues(hold: HoldState, slot: bigint): unknown[] {
  return [
    slot,
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
    place: { slot: int(row['slot']), pack: null },
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

/** A list rather than an object: its names would be a third of the row. `ledger verify` reads the first three. */
const packed = (hold: HoldState) =>
  [
    hold.id,
    String(hold.amount),
    hold.budgets,
    String(hold.spent),
    String(hold.floor),
    hold.accountId,
    hold.keyId,
    hold.owner,
    hold.alias,
    hold.hard,
    hold.startedAt,
    [hold.facts.endpoint, hold.facts.provider, hold.facts.model, hold.facts.requestedModel, hold.facts.byok],
    hold.takes.map(({ id, cost, windowMs, start }) => [id, cost, windowMs, start] as const),
    hold.idempotencyKey,
  ] as const;

type PackedHold = ReturnType<typeof packed>;

function unpacked(from: PackedHold, place: Place): HoldState {
  const [
    id,
    amount,
    budgets,
    spent,
    floor,
    accountId,
    keyId,
    owner,
    alias,
    hard,
    startedAt,
    call,
    takes,
    key,
  ] = from;
  const [endpoint, provider, model, requestedModel, byok] = call;
  return {
    place,
    id,
    accountId,
    keyId,
    owner,
    alias,
    hard,
    floor: BigInt(floor),
    startedAt,
    budgets,
    facts: { endpoint, provider, model, requestedModel, stream: false, byok },
    takes: takes.map(([take, cost, windowMs, start]) => ({ id: take, cost, windowMs, start })),
    idempotencyKey: key,
    amount: BigInt(amount),
    spent: BigInt(spent),
  };
}

const packOf = (holds: Iterable<HoldState>): string => JSON.stringify(Array.from(holds, packed));

/** Row numbers that are used again: those of this transaction first, whose pages are written anyway. */
class Slots {
  private free: bigint[] = [];
  private next = 1n;

  take(): bigint {
    return this.free.pop() ?? this.next++;
  }

  give(slot: bigint): void {
    this.free.push(slot);
  }

  /** All up to `slot` that were not reported are free. In order. */
  report(slot: bigint): void {
    for (; this.next < slot; this.next++) this.free.push(this.next);
    this.next = slot + 1n;
  }

  forget(): void {
    this.free = [];
    this.next = 1n;
  }
}

export class SqliteHolds {
  private readonly statements: LedgerStatements;
  /** null = not read yet. */
  private holds: IdTable<HoldState> | null = null;
  /** Opened in this transaction and not written: what is closed in the same one never is. */
  private readonly unwritten = new Set<HoldState>();
  private readonly rows = new Slots();
  private readonly packs = new Slots();

  constructor(statements: LedgerStatements) {
    this.statements = statements;
  }

  get(id: string): HoldState | null {
    return this.all().get(id);
  }

  open(hold: HoldState): void {
    this.all().add(hold);
    this.unwritten.add(hold);
  }

  /** After its amounts changed. */
  update({ place, amount, spent }: HoldState): void {
    if (place === null) return;
    const { slot, pack } = place;
    if (pack === null) this.statements.extendHold.run(amount, spent, slot);
    else this.statements.rewritePack.run(packOf(pack), slot);
  }

  /** Its usage row must be written in the same transaction: in a pack nothing else says that it is closed. */
  close(hold: HoldState): void {
    this.all().delete(hold.id);
    this.unwritten.delete(hold);
    if (hold.place === null) return;
    const { slot, pack } = hold.place;
    if (pack === null) {
      this.statements.deleteHolds.add([slot]);
      this.rows.give(slot);
    } else if (pack.delete(hold) && pack.size === 0) {
      this.statements.deletePacks.add([slot]);
      this.packs.give(slot);
    }
  }

  /** Those of other owners from before `startedBefore`, by id, where `lives` does not know the owner. */
  dead(owner: string, startedBefore: number, lives: (owner: string) => boolean): HoldState[] {
    return [...this.all().values()]
      .filter((hold) => hold.owner !== owner && hold.startedAt < startedBefore && !lives(hold.owner))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  write(): void {
    const { insertHolds, deleteHolds, insertPacks, deletePacks } = this.statements;
    deleteHolds.flush();
    deletePacks.flush();
    if (this.unwritten.size === 0) return;
    const pack = new Set<HoldState>();
    for (const hold of this.unwritten) {
      if (!hold.facts.stream) {
        pack.add(hold);
        continue;
      }
      hold.place = { slot: this.rows.take(), pack: null };
      insertHolds.add(holdValues(hold, hold.place.slot));
    }
    this.unwritten.clear();
    insertHolds.flush();
    if (pack.size === 0) return;
    const place = { slot: this.packs.take(), pack };
    for (const hold of pack) hold.place = place;
    insertPacks.add([place.slot, packOf(pack)]);
    insertPacks.flush();
  }

  /** The transaction failed: what is open must be read again. */
  forget(): void {
    this.holds = null;
    this.unwritten.clear();
    this.rows.forget();
    this.packs.forget();
    const { insertHolds, deleteHolds, insertPacks, deletePacks } = this.statements;
    for (const each of [insertHolds, deleteHolds, insertPacks, deletePacks]) each.forget();
  }

  private all(): IdTable<HoldState> {
    this.holds ??= this.read();
    return this.holds;
  }

  private read(): IdTable<HoldState> {
    const holds = new IdTable<HoldState>();
    this.rows.forget();
    this.packs.forget();
    for (const row of this.statements.holds.all()) {
      const hold = decodeHold(row);
      holds.add(hold);
      this.rows.report(int(row['slot']));
    }
    for (const row of this.statements.packs.all()) {
      const slot = int(row['slot']);
      this.packs.report(slot);
      const pack = new Set<HoldState>();
      for (const each of JSON.parse(text(row['holds'])) as PackedHold[]) {
        if (this.statements.settled.get(each[0]) !== undefined) continue;
        const hold = unpacked(each, { slot, pack });
        pack.add(hold);
        holds.add(hold);
      }
    }
    return holds;
  }
}
