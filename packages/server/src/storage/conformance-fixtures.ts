/** What the conformance cases are made of: a place to open a store in, and calls with sensible values. */
import { randomUUID } from 'node:crypto';
import { noUsage } from '../contract/usage.ts';
import type {
  AdmitOperation,
  AdmitResult,
  CallFacts,
  CreditOperation,
  ExtendOperation,
  LedgerOperation,
  LedgerResult,
  SettleOperation,
  Storage,
  UsageRecord,
} from './storage.ts';

/** Where one store lives; each suite gets an empty one. */
export interface Place {
  readonly engine: 'sqlite' | 'postgres';
  open(): Promise<Storage>;
  /** Runs SQL behind the store's back; the store must be closed. Tables are named without schema. */
  tamper(sql: string): Promise<void>;
  remove(): Promise<void>;
}

export const usd = (dollars: number): bigint => BigInt(Math.round(dollars * 1e9));
export const newId = (): string => randomUUID();

export const facts: CallFacts = {
  endpoint: 'chat',
  provider: 'openai',
  model: 'gpt-4o-mini',
  requestedModel: 'openai/gpt-4o-mini',
  stream: true,
  byok: false,
};

export async function run<O extends LedgerOperation>(
  storage: Storage,
  operation: O,
): Promise<LedgerResult<O>> {
  const [result] = await storage.commit([operation]);
  return result as LedgerResult<O>;
}

/** A new account with that much credit; null = no cap. */
export async function newAccount(storage: Storage, credit: bigint | null, soft = false): Promise<string> {
  const id = newId();
  await storage.createAccount({ id, name: 'Test', soft, capped: credit !== null });
  if (credit !== null && credit !== 0n) await run(storage, creditOf(id, credit));
  return id;
}

export function creditOf(
  accountId: string,
  amountNano: bigint,
  more: Partial<CreditOperation> = {},
): CreditOperation {
  return { op: 'credit', id: newId(), accountId, amountNano, kind: 'credit', note: '', ...more };
}

export function admitOf(
  accountId: string,
  holdNano: bigint,
  more: Partial<AdmitOperation> = {},
): AdmitOperation {
  return {
    op: 'admit',
    id: newId(),
    accountId,
    keyId: 'key',
    owner: 'owner',
    budgets: [accountId],
    holdNano,
    leastNano: holdNano,
    hard: true,
    floorNano: 0n,
    limits: [],
    idempotency: null,
    alias: null,
    facts,
    ...more,
  };
}

export function extendOf(id: string, addNano: bigint, more: Partial<ExtendOperation> = {}): ExtendOperation {
  return { op: 'extend', id, addNano, leastNano: addNano, spentNano: 0n, ...more };
}

export function settleOf(
  admitted: AdmitOperation,
  costNano: bigint | null,
  more: Partial<UsageRecord> = {},
  response: SettleOperation['response'] = null,
): SettleOperation {
  return {
    op: 'settle',
    maxChargeNano: null,
    record: {
      ...admitted.facts,
      id: admitted.id,
      accountId: admitted.accountId,
      keyId: admitted.keyId,
      startedAtMs: Date.now(),
      ending: 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: 'stop',
      usage: { ...noUsage, input: 10, output: 5 },
      source: 'provider',
      costNano,
      listNano: costNano,
      priceVersion: '2026-11-01',
      latencyMs: 120,
      firstByteMs: 30,
      attempts: 1,
      sessionId: null,
      units: null,
      ...more,
    },
    response,
  };
}

export async function balanceOf(
  storage: Storage,
  accountId: string,
): Promise<{ left: bigint; held: bigint }> {
  const account = await storage.findAccount(accountId);
  if (account === null) throw new Error(`no account ${accountId}`);
  const { grantedNano, spentNano, heldNano } = account.balance;
  return { left: grantedNano - spentNano, held: heldNano };
}

export function held(result: AdmitResult): bigint {
  if (result.status !== 'admitted') throw new Error(`the call was ${result.status}, not admitted`);
  return result.heldNano;
}

/** The problems the books have: none, after whatever a case has done. */
export async function problems(storage: Storage): Promise<readonly string[]> {
  return (await storage.verify()).problems;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
