/**
 * Ledger batches as flat lists on their way between threads. Structured clone writes the name of every member of every
 * object; lists have none, and that copy is a good part of what a call costs.
 */
import type { TokenUsage, Unit, UsageSource } from '../contract/usage.ts';
import type {
  AdmitOperation,
  AnyLedgerResult,
  Ending,
  LedgerOperation,
  LimitState,
  LimitTake,
  SettleOperation,
} from './storage.ts';

type Plain = string | number | bigint | boolean | null;
export type PackedOperation = readonly Plain[] | LedgerOperation;
export type PackedResult = readonly Plain[] | AnyLedgerResult;

function packAdmit(operation: AdmitOperation): Plain[] {
  const { facts, idempotency, budgets, limits } = operation;
  const packed: Plain[] = [
    'admit',
    operation.id,
    operation.accountId,
    operation.keyId,
    operation.owner,
    operation.holdNano,
    operation.leastNano,
    operation.hard,
    operation.floorNano,
    idempotency?.key ?? null,
    idempotency?.fingerprint ?? null,
    operation.alias,
    facts.endpoint,
    facts.provider,
    facts.model,
    facts.requestedModel,
    facts.stream,
    facts.byok,
    budgets.length,
    ...budgets,
  ];
  for (const { id, max, windowMs, cost } of limits) packed.push(id, max, windowMs, cost);
  return packed;
}

function unpackAdmit(packed: readonly Plain[]): AdmitOperation {
  const text = (at: number): string => packed[at] as string;
  const key = packed[9] as string | null;
  const budgetsEnd = 19 + (packed[18] as number);
  const limits: LimitTake[] = [];
  for (let at = budgetsEnd; at < packed.length; at += 4) {
    const [id, max, windowMs, cost] = packed.slice(at, at + 4) as [string, number, number, number];
    limits.push({ id, max, windowMs, cost });
  }
  return {
    op: 'admit',
    id: text(1),
    accountId: text(2),
    keyId: text(3),
    owner: text(4),
    holdNano: packed[5] as bigint,
    leastNano: packed[6] as bigint,
    hard: packed[7] as boolean,
    floorNano: packed[8] as bigint,
    idempotency: key === null ? null : { key, fingerprint: text(10) },
    alias: packed[11] as string | null,
    facts: {
      endpoint: text(12),
      provider: text(13),
      model: text(14),
      requestedModel: text(15),
      stream: packed[16] as boolean,
      byok: packed[17] as boolean,
    },
    budgets: packed.slice(19, budgetsEnd) as string[],
    limits,
  };
}

function packSettle({ record, response, maxChargeNano }: SettleOperation): Plain[] {
  const { usage } = record;
  return [
    'settle',
    maxChargeNano,
    response?.status ?? null,
    response?.contentType ?? null,
    response?.body ?? null,
    record.id,
    record.accountId,
    record.keyId,
    record.endpoint,
    record.provider,
    record.model,
    record.requestedModel,
    record.stream,
    record.byok,
    record.startedAtMs,
    record.ending,
    record.httpStatus,
    record.errorCode,
    record.finishReason,
    record.source,
    record.costNano,
    record.listNano,
    record.priceVersion,
    record.latencyMs,
    record.firstByteMs,
    record.attempts,
    record.sessionId,
    usage.input,
    usage.cacheRead,
    usage.cacheWrite,
    usage.cacheWriteLong,
    usage.audioInput,
    usage.output,
    usage.reasoning,
    usage.audioOutput,
    usage.imageOutput,
    usage.webSearches,
    record.units?.unit ?? null,
    record.units?.quantity ?? 0,
    usage.imageInput,
  ];
}

function unpackUsage(packed: readonly Plain[], from: number): TokenUsage {
  const count = (at: number): number => packed[from + at] as number;
  return {
    input: count(0),
    cacheRead: count(1),
    cacheWrite: count(2),
    cacheWriteLong: count(3),
    audioInput: count(4),
    output: count(5),
    reasoning: count(6),
    audioOutput: count(7),
    imageOutput: count(8),
    webSearches: count(9),
    imageInput: count(12),
  };
}

function unpackSettle(packed: readonly Plain[]): SettleOperation {
  const text = (at: number): string => packed[at] as string;
  const maybe = (at: number): string | null => packed[at] as string | null;
  const status = packed[2] as number | null;
  const unit = packed[37] as Unit | null;
  return {
    op: 'settle',
    maxChargeNano: packed[1] as bigint | null,
    response: status === null ? null : { status, contentType: text(3), body: text(4) },
    record: {
      id: text(5),
      accountId: text(6),
      keyId: text(7),
      endpoint: text(8),
      provider: text(9),
      model: text(10),
      requestedModel: text(11),
      stream: packed[12] as boolean,
      byok: packed[13] as boolean,
      startedAtMs: packed[14] as number,
      ending: text(15) as Ending,
      httpStatus: packed[16] as number,
      errorCode: maybe(17),
      finishReason: maybe(18),
      source: text(19) as UsageSource,
      costNano: packed[20] as bigint | null,
      listNano: packed[21] as bigint | null,
      priceVersion: maybe(22),
      latencyMs: packed[23] as number,
      firstByteMs: packed[24] as number | null,
      attempts: packed[25] as number,
      sessionId: maybe(26),
      usage: unpackUsage(packed, 27),
      units: unit === null ? null : { unit, quantity: packed[38] as number },
    },
  };
}

/** The operations of every call as lists; the rare ones as they are. */
export function packOperations(operations: readonly LedgerOperation[]): PackedOperation[] {
  return operations.map((operation) => {
    if (operation.op === 'admit') return packAdmit(operation);
    return operation.op === 'settle' ? packSettle(operation) : operation;
  });
}

const isPacked = (value: object): value is readonly Plain[] => Array.isArray(value);

export function unpackOperations(packed: readonly PackedOperation[]): LedgerOperation[] {
  return packed.map((each) => {
    if (!isPacked(each)) return each;
    return each[0] === 'admit' ? unpackAdmit(each) : unpackSettle(each);
  });
}

export function packResults(results: readonly AnyLedgerResult[]): PackedResult[] {
  return results.map((result) => {
    if (!('status' in result)) return result;
    if (result.status === 'admitted') {
      const packed: Plain[] = ['admitted', result.heldNano];
      for (const { id, max, remaining, resetAtMs } of result.limits)
        packed.push(id, max, remaining, resetAtMs);
      return packed;
    }
    return result.status === 'settled' ? ['settled', result.chargedNano, result.overNano] : result;
  });
}

export function unpackResults(packed: readonly PackedResult[]): AnyLedgerResult[] {
  return packed.map((each): AnyLedgerResult => {
    if (!isPacked(each)) return each;
    if (each[0] === 'settled') {
      return { status: 'settled', chargedNano: each[1] as bigint, overNano: each[2] as bigint };
    }
    const limits: LimitState[] = [];
    for (let at = 2; at < each.length; at += 4) {
      const [id, max, remaining, resetAtMs] = each.slice(at, at + 4) as [string, number, number, number];
      limits.push({ id, max, remaining, resetAtMs });
    }
    return { status: 'admitted', heldNano: each[1] as bigint, limits };
  });
}
