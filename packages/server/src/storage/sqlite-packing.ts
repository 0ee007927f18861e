/** Ledger batches as words on their way to the worker, and their results on the way back; rare ones cross as they are. */
import type { TokenUsage, Unit, UsageSource } from '../contract/usage.ts';
import type {
  AdmitOperation,
  AnyLedgerResult,
  Ending,
  LedgerOperation,
  LimitState,
  LimitTake,
  SettleOperation,
  StoredResponse,
} from './storage.ts';
import type { Packed, WordReader, WordWriter } from './sqlite-words.ts';

export interface PackedOperations extends Packed {
  readonly others: readonly LedgerOperation[];
}
export interface PackedResults extends Packed {
  readonly others: readonly AnyLedgerResult[];
}

/** The first word of an operation or result. */
const other = 0;
const admit = 1;
const settle = 2;

function writeAdmit(to: WordWriter, operation: AdmitOperation): void {
  const { facts, idempotency, budgets, limits } = operation;
  to.once(operation.id);
  to.text(operation.accountId);
  to.text(operation.keyId);
  to.text(operation.owner);
  to.integer(operation.holdNano);
  to.integer(operation.leastNano);
  to.flag(operation.hard);
  to.integer(operation.floorNano);
  to.once(idempotency?.key ?? null);
  if (idempotency !== null) to.once(idempotency.fingerprint);
  to.once(operation.alias);
  to.text(facts.endpoint);
  to.text(facts.provider);
  to.text(facts.model);
  to.text(facts.requestedModel);
  to.flag(facts.stream);
  to.flag(facts.byok);
  to.number(budgets.length);
  for (const budget of budgets) to.text(budget);
  to.number(limits.length);
  for (const { id, max, windowMs, cost } of limits) {
    to.text(id);
    to.number(max);
    to.number(windowMs);
    to.number(cost);
  }
}

function readAdmit(from: WordReader): AdmitOperation {
  const [id, accountId, keyId, owner] = [from.text(), from.text(), from.text(), from.text()];
  const [holdNano, leastNano, hard, floorNano] = [
    from.integer(),
    from.integer(),
    from.flag(),
    from.integer(),
  ];
  const key = from.maybeText();
  return {
    op: 'admit',
    id,
    accountId,
    keyId,
    owner,
    holdNano,
    leastNano,
    hard,
    floorNano,
    idempotency: key === null ? null : { key, fingerprint: from.text() },
    alias: from.maybeText(),
    facts: {
      endpoint: from.text(),
      provider: from.text(),
      model: from.text(),
      requestedModel: from.text(),
      stream: from.flag(),
      byok: from.flag(),
    },
    budgets: many(from, () => from.text()),
    limits: many(from, (): LimitTake => ({
      id: from.text(),
      max: from.number(),
      windowMs: from.number(),
      cost: from.number(),
    })),
  };
}

function many<T>(from: WordReader, read: () => T): T[] {
  const all: T[] = [];
  for (let left = from.number(); left > 0; left--) all.push(read());
  return all;
}

function writeSettle(to: WordWriter, { record, response, maxChargeNano }: SettleOperation): void {
  const { units } = record;
  to.maybeInteger(maxChargeNano);
  to.text(response?.contentType ?? null);
  if (response !== null) {
    to.number(response.status);
    to.once(response.body);
  }
  to.once(record.id);
  to.text(record.accountId);
  to.text(record.keyId);
  to.text(record.endpoint);
  to.text(record.provider);
  to.text(record.model);
  to.text(record.requestedModel);
  to.flag(record.stream);
  to.flag(record.byok);
  to.number(record.startedAtMs);
  to.text(record.ending);
  to.number(record.httpStatus);
  to.text(record.errorCode);
  to.text(record.finishReason);
  to.text(record.source);
  to.maybeInteger(record.costNano);
  to.maybeInteger(record.listNano);
  to.text(record.priceVersion);
  to.number(record.latencyMs);
  to.number(record.firstByteMs ?? -1);
  to.number(record.attempts);
  to.once(record.sessionId);
  writeUsage(to, record.usage);
  to.text(units?.unit ?? null);
  if (units !== null) to.number(units.quantity);
}

function readSettle(from: WordReader): SettleOperation {
  const maxChargeNano = from.maybeInteger();
  const response = readResponse(from);
  return {
    op: 'settle',
    maxChargeNano,
    response,
    record: {
      id: from.text(),
      accountId: from.text(),
      keyId: from.text(),
      endpoint: from.text(),
      provider: from.text(),
      model: from.text(),
      requestedModel: from.text(),
      stream: from.flag(),
      byok: from.flag(),
      startedAtMs: from.number(),
      ending: from.text() as Ending,
      httpStatus: from.number(),
      errorCode: from.maybeText(),
      finishReason: from.maybeText(),
      source: from.text() as UsageSource,
      costNano: from.maybeInteger(),
      listNano: from.maybeInteger(),
      priceVersion: from.maybeText(),
      latencyMs: from.number(),
      firstByteMs: positive(from.number()),
      attempts: from.number(),
      sessionId: from.maybeText(),
      usage: readUsage(from),
      units: readUnits(from),
    },
  };
}

const positive = (value: number): number | null => (value < 0 ? null : value);

function readResponse(from: WordReader): StoredResponse | null {
  const contentType = from.maybeText();
  return contentType === null ? null : { contentType, status: from.number(), body: from.text() };
}

function readUnits(from: WordReader): SettleOperation['record']['units'] {
  const unit = from.maybeText();
  return unit === null ? null : { unit: unit as Unit, quantity: from.number() };
}

function writeUsage(to: WordWriter, usage: TokenUsage): void {
  to.number(usage.input);
  to.number(usage.cacheRead);
  to.number(usage.cacheWrite);
  to.number(usage.cacheWriteLong);
  to.number(usage.audioInput);
  to.number(usage.imageInput);
  to.number(usage.output);
  to.number(usage.reasoning);
  to.number(usage.audioOutput);
  to.number(usage.imageOutput);
  to.number(usage.webSearches);
}

function readUsage(from: WordReader): TokenUsage {
  return {
    input: from.number(),
    cacheRead: from.number(),
    cacheWrite: from.number(),
    cacheWriteLong: from.number(),
    audioInput: from.number(),
    imageInput: from.number(),
    output: from.number(),
    reasoning: from.number(),
    audioOutput: from.number(),
    imageOutput: from.number(),
    webSearches: from.number(),
  };
}

export function packOperations(to: WordWriter, operations: readonly LedgerOperation[]): PackedOperations {
  const others: LedgerOperation[] = [];
  try {
    for (const operation of operations) {
      if (operation.op === 'admit') {
        to.number(admit);
        writeAdmit(to, operation);
      } else if (operation.op === 'settle') {
        to.number(settle);
        writeSettle(to, operation);
      } else {
        to.number(other);
        others.push(operation);
      }
    }
  } catch (error) {
    to.forget();
    throw error;
  }
  return { ...to.take(), others };
}

export function unpackOperations(from: WordReader, packed: PackedOperations): LedgerOperation[] {
  from.open(packed);
  const operations: LedgerOperation[] = [];
  const others = packed.others.values();
  while (!from.isAtEnd) {
    const kind = from.number();
    if (kind === admit) operations.push(readAdmit(from));
    else if (kind === settle) operations.push(readSettle(from));
    else operations.push(nextOf(others));
  }
  return operations;
}

/** Without what the operations say themselves: the ids and sizes of limits. */
export function packResults(to: WordWriter, results: readonly AnyLedgerResult[]): PackedResults {
  const others: AnyLedgerResult[] = [];
  for (const result of results) {
    if ('status' in result && result.status === 'admitted') {
      to.number(admit);
      to.integer(result.heldNano);
      to.number(result.limits.length);
      for (const { remaining, resetAtMs } of result.limits) {
        to.number(remaining);
        to.number(resetAtMs);
      }
    } else if ('status' in result && result.status === 'settled') {
      to.number(settle);
      to.integer(result.chargedNano);
      to.integer(result.overNano);
    } else {
      to.number(other);
      others.push(result);
    }
  }
  return { ...to.take(), others };
}

export function unpackResults(
  from: WordReader,
  packed: PackedResults,
  operations: readonly LedgerOperation[],
): AnyLedgerResult[] {
  from.open(packed);
  const others = packed.others.values();
  const results: AnyLedgerResult[] = [];
  for (const operation of operations) {
    const kind = from.number();
    if (kind === settle)
      results.push({ status: 'settled', chargedNano: from.integer(), overNano: from.integer() });
    else if (kind === admit)
      results.push(readAdmitted(from, operation.op === 'admit' ? operation.limits : []));
    else results.push(nextOf(others));
  }
  return results;
}

function readAdmitted(from: WordReader, takes: readonly LimitTake[]): AnyLedgerResult {
  const heldNano = from.integer();
  const limits: LimitState[] = [];
  let left = from.number();
  for (const { id, max } of takes) {
    if (left-- <= 0) break;
    limits.push({ id, max, remaining: from.number(), resetAtMs: from.number() });
  }
  return { status: 'admitted', heldNano, limits };
}

function nextOf<T>(others: Iterator<T, undefined>): T {
  const { value } = others.next();
  if (value === undefined) throw new RangeError('a message names more than it brings');
  return value;
}
