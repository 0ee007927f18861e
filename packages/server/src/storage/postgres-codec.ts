/** Ledger operations as the JSON parameters of indoxhub.ledger_commit, and its answers back. */
import { inputTokens, outputTokens } from '../contract/usage.ts';
import { bindable } from './bindable.ts';
import { takeCost } from './rate-window.ts';
import type {
  AdmitOperation,
  AdmitResult,
  AnyLedgerResult,
  LedgerOperation,
  LimitState,
  SettleOperation,
  SettleResult,
} from './storage.ts';
import { usageColumns, usageValues } from './usage-row.ts';

/** Integers travel as strings: JSON numbers lose what is beyond 2^53. */
type Json = string | number | null | readonly Json[] | { readonly [name: string]: Json | undefined };

const string = (value: string): string => {
  if (typeof value !== 'string') bindable(value);
  return value;
};
const integer = (value: bigint): string => {
  if (typeof value !== 'bigint') throw new TypeError(`expected a bigint, got ${typeof value}`);
  return String(value);
};
const whole = (value: number): string => String(BigInt(Math.round(value)));

function encodeAdmit(operation: AdmitOperation): Json {
  const { facts, idempotency } = operation;
  return {
    op: 'admit',
    id: string(operation.id),
    account: string(operation.accountId),
    key_id: string(operation.keyId),
    owner: string(operation.owner),
    budgets: operation.budgets,
    hold: integer(operation.holdNano),
    least: integer(operation.leastNano),
    hard: operation.hard ? '1' : '0',
    floor: integer(operation.floorNano),
    limits: operation.limits.map((take) => ({
      id: string(take.id),
      max: whole(take.max),
      window: whole(take.windowMs),
      cost: whole(takeCost(take)),
    })),
    ...(idempotency === null
      ? {}
      : { key: string(idempotency.key), fingerprint: string(idempotency.fingerprint) }),
    alias: operation.alias,
    facts: {
      endpoint: string(facts.endpoint),
      provider: string(facts.provider),
      model: string(facts.model),
      requested_model: string(facts.requestedModel),
      stream: facts.stream ? 1 : 0,
      byok: facts.byok ? 1 : 0,
    },
  };
}

function encodeSettle({ record, response, maxChargeNano }: SettleOperation): Json {
  const values = usageValues(record, 0, 0n, 0n);
  const row: Record<string, Json> = {};
  for (const [index, column] of usageColumns.entries()) {
    const value = bindable(values[index]);
    row[column] = typeof value === 'bigint' ? String(value) : (value as string | null);
  }
  return {
    op: 'settle',
    id: string(record.id),
    account: string(record.accountId),
    most: maxChargeNano === null ? null : integer(maxChargeNano),
    tokens: whole(inputTokens(record.usage) + outputTokens(record.usage)),
    row,
    response:
      response === null
        ? null
        : { status: whole(response.status), type: string(response.contentType), body: string(response.body) },
  };
}

function encode(operation: LedgerOperation): Json {
  switch (operation.op) {
    case 'admit':
      return encodeAdmit(operation);
    case 'extend':
      return {
        op: 'extend',
        id: string(operation.id),
        add: integer(operation.addNano),
        least: integer(operation.leastNano),
        spent: integer(operation.spentNano),
      };
    case 'settle':
      return encodeSettle(operation);
    case 'credit':
      return {
        op: 'credit',
        id: string(operation.id),
        account: string(operation.accountId),
        amount: integer(operation.amountNano),
        kind: string(operation.kind),
        note: string(operation.note),
      };
    default:
      return { op: 'sweep', owner: string(operation.owner), dead: whole(operation.deadAfterMs) };
  }
}

/** PostgreSQL's text and jsonb take neither U+0000 nor half a surrogate pair. */
export function storable(value: string): string {
  return value.toWellFormed().replaceAll('\0', '\uFFFD');
}

function toJson(value: Json): string {
  const json = JSON.stringify(value);
  // Escapes of characters PostgreSQL refuses are rare: only then is every string looked at.
  if (!/\\u(0000|d[89a-f])/.test(json)) return json;
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'string' ? storable(each) : each));
}

/** What the operations name that the database locks before it runs them. */
function namesOf(operations: readonly LedgerOperation[]): Json {
  /** Lists, since these come once: `IdTable` says what a Set of them leaves behind. */
  const holds: string[] = [];
  const admits: string[] = [];
  const budgets = new Set<string>();
  const windows = new Map<string, string>();
  let sweeps = 0;
  for (const operation of operations) {
    if (operation.op === 'sweep') sweeps++;
    else if (operation.op === 'credit') budgets.add(operation.accountId);
    else if (operation.op === 'extend') holds.push(operation.id);
    else if (operation.op === 'settle') {
      holds.push(operation.record.id);
      budgets.add(operation.record.accountId);
    } else {
      holds.push(operation.id);
      admits.push(operation.id);
      budgets.add(operation.accountId);
      for (const id of operation.budgets) budgets.add(id);
      for (const take of operation.limits) windows.set(take.id, whole(take.windowMs));
    }
  }
  return {
    holds,
    admits,
    budgets: [...budgets],
    windows: Array.from(windows, ([id, window]) => ({ id, window })),
    sweeps: sweeps > 0 ? 'true' : 'false',
  };
}

/** The two parameters of indoxhub.ledger_commit. */
export function encodeOperations(operations: readonly LedgerOperation[]): [string, string] {
  return [toJson(operations.map(encode)), toJson(namesOf(operations))];
}

interface Answer {
  readonly status: string;
  readonly id: string;
  readonly held: string;
  readonly available: string;
  readonly budget: string;
  readonly limit: string;
  readonly wait: number;
  readonly limits: readonly { id: string; max: number; remaining: number; reset: number }[];
  readonly code: number;
  readonly type: string;
  readonly body: string;
  readonly added: string;
  readonly charged: string;
  readonly over: string;
  readonly swept: readonly string[];
}

function decodeAdmit(answer: Answer): AdmitResult {
  const limits = (): LimitState[] =>
    answer.limits.map(({ id, max, remaining, reset }) => ({ id, max, remaining, resetAtMs: reset }));
  switch (answer.status) {
    case 'admitted':
      return { status: 'admitted', heldNano: BigInt(answer.held), limits: limits() };
    case 'refused':
      return {
        status: 'refused',
        budgetId: answer.budget,
        availableNano: BigInt(answer.available),
        heldNano: BigInt(answer.held),
      };
    case 'limited':
      return { status: 'limited', limitId: answer.limit, retryAfterMs: answer.wait, limits: limits() };
    case 'replay':
      return {
        status: 'replay',
        id: answer.id,
        response: { status: answer.code, contentType: answer.type, body: answer.body },
      };
    case 'in_progress':
    case 'mismatch':
    case 'outcome_unknown':
      return { status: answer.status, id: answer.id };
    default:
      throw new Error(`the database answered an admission with ${answer.status}`);
  }
}

function decode(operation: LedgerOperation, answer: Answer): AnyLedgerResult {
  switch (operation.op) {
    case 'admit':
      return decodeAdmit(answer);
    case 'extend':
      return { status: answer.status as 'extended' | 'refused' | 'missing', addedNano: BigInt(answer.added) };
    case 'settle':
      return {
        status: answer.status as SettleResult['status'],
        chargedNano: BigInt(answer.charged),
        overNano: BigInt(answer.over),
      };
    case 'credit':
      return { status: answer.status as 'booked' | 'already' | 'refused' | 'missing' };
    default:
      return { swept: answer.swept };
  }
}

/** `answers` as JSON text, in the order of the operations. */
export function decodeResults(operations: readonly LedgerOperation[], answers: unknown): AnyLedgerResult[] {
  if (!Array.isArray(answers) || answers.length !== operations.length) {
    throw new Error('the database answered another number of results than it was given operations');
  }
  return operations.map((operation, index) => decode(operation, answers[index] as Answer));
}
