/**
 * What the gateway remembers, as one interface over two engines (SQLite, PostgreSQL). `conformance.ts` is its
 * meaning: every sentence here is a case there, run on both. Money is bigint nano-USD, times are Unix milliseconds.
 */
import type { VideoJobs } from './jobs.ts';
import type { MediaRows } from './media-records.ts';
import type { TokenUsage, UnitCount, UsageSource } from '../contract/usage.ts';

/** The engine cannot be used now: connection lost, disk full, statement timed out. The caller answers 503. */
export class StorageUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StorageUnavailable';
  }
}

export type BudgetPeriod = 'total' | 'day' | 'week' | 'month';

/**
 * A rate limit taken at admission: `cost` of `max` in a sliding window of `windowMs`, at most a day. Where the id ends
 * in `:tpm` the cost is tokens, and settlement replaces it by what was really used.
 */
export interface LimitTake {
  readonly id: string;
  readonly max: number;
  readonly windowMs: number;
  readonly cost: number;
}

export interface LimitState {
  readonly id: string;
  readonly max: number;
  readonly remaining: number;
  /** When the window is empty again if nothing more is taken. */
  readonly resetAtMs: number;
}

/** What a call is, as far as the sweep must know it when its owner died. */
export interface CallFacts {
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
  readonly requestedModel: string;
  readonly stream: boolean;
  readonly byok: boolean;
}

/**
 * Opens a call: limits, budgets, idempotency and the hold, all or nothing. Idempotent by `id` while the call is open; an
 * error once it was settled.
 */
export interface AdmitOperation {
  readonly op: 'admit';
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  /** The process that answers for this call. */
  readonly owner: string;
  /** Ids of the budgets the call is admitted against, the account's first. */
  readonly budgets: readonly string[];
  /** The hold asked for; where it does not fit, any amount >= `leastNano` that does is granted instead. */
  readonly holdNano: bigint;
  readonly leastNano: bigint;
  /** false: the hold is an estimate and the settled cost may exceed it (soft cap, or no cap at all). */
  readonly hard: boolean;
  /** Charged at least when the owner dies without a checkpoint: the input's cost. */
  readonly floorNano: bigint;
  readonly limits: readonly LimitTake[];
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | null;
  /** The caller's own name for the stream. */
  readonly alias: string | null;
  readonly facts: CallFacts;
}

export interface StoredResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type AdmitResult =
  /** `limits` is empty when the call was admitted before. */
  | { readonly status: 'admitted'; readonly heldNano: bigint; readonly limits: readonly LimitState[] }
  /** `availableNano` fits now; `heldNano` of that budget is held by calls in flight and may come back. */
  | {
      readonly status: 'refused';
      readonly budgetId: string;
      readonly availableNano: bigint;
      readonly heldNano: bigint;
    }
  | {
      readonly status: 'limited';
      readonly limitId: string;
      readonly retryAfterMs: number;
      readonly limits: readonly LimitState[];
    }
  | { readonly status: 'replay'; readonly id: string; readonly response: StoredResponse }
  | { readonly status: 'in_progress' | 'mismatch' | 'outcome_unknown'; readonly id: string };

/** Makes an open hold larger by `addNano`, or by what fits if that is >= `leastNano`; always records the checkpoint. */
export interface ExtendOperation {
  readonly op: 'extend';
  readonly id: string;
  readonly addNano: bigint;
  readonly leastNano: bigint;
  /** Cost of what was delivered so far: charged if the owner dies now. */
  readonly spentNano: bigint;
}

export interface ExtendResult {
  readonly status: 'extended' | 'refused' | 'missing';
  readonly addedNano: bigint;
}

/** How a call ended; the endings table of docs/streams.md. */
export type Ending =
  | 'completed'
  | 'stopped'
  | 'client_cancelled'
  | 'upstream_error'
  | 'timeout'
  | 'budget_reached'
  | 'server_shutdown'
  | 'rejected'
  | 'unknown';

/** One row of the append-only usage table. No prompts, no outputs. */
export interface UsageRecord extends CallFacts {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly startedAtMs: number;
  readonly ending: Ending;
  readonly httpStatus: number;
  readonly errorCode: string | null;
  readonly finishReason: string | null;
  readonly usage: TokenUsage;
  /** What was used beside tokens; null for a call that is counted in tokens only. */
  readonly units: UnitCount | null;
  readonly source: UsageSource;
  /** What the call costs the account; null = the price is unknown. */
  readonly costNano: bigint | null;
  /** What it costs at list price, also under BYOK. */
  readonly listNano: bigint | null;
  readonly priceVersion: string | null;
  readonly latencyMs: number;
  readonly firstByteMs: number | null;
  readonly attempts: number;
  readonly sessionId: string | null;
}

/**
 * Closes a call exactly once: hold released, cost charged, usage row written, idempotent answer stored. Under a hard
 * cap a cost beyond the hold is charged as far as the budgets have room for it now.
 */
export interface SettleOperation {
  readonly op: 'settle';
  readonly record: UsageRecord;
  /** The call's own cap, charged at most; null = none but the budgets'. */
  readonly maxChargeNano: bigint | null;
  /** Kept for replays under the call's Idempotency-Key; null lets the key be used again (nothing was done). */
  readonly response: StoredResponse | null;
}

export interface SettleResult {
  /** `corrected`: the sweep had charged an unknown outcome and this replaced it; `already`: it was settled before. */
  readonly status: 'settled' | 'corrected' | 'already';
  readonly chargedNano: bigint;
  /** True cost that no cap had room for, not charged. */
  readonly overNano: bigint;
}

/** Gives an account credit (negative: takes it back, never below what is spent or held). Idempotent by `id`. */
export interface CreditOperation {
  readonly op: 'credit';
  readonly id: string;
  readonly accountId: string;
  readonly amountNano: bigint;
  readonly kind: 'credit' | 'refund';
  readonly note: string;
}

export interface CreditResult {
  readonly status: 'booked' | 'already' | 'refused' | 'missing';
}

/** Closes the open holds of owners not seen for `deadAfterMs`, charging each its checkpoint or floor, ending `unknown`. */
export interface SweepOperation {
  readonly op: 'sweep';
  readonly owner: string;
  readonly deadAfterMs: number;
}

export interface SweepResult {
  readonly swept: readonly string[];
}

export type LedgerOperation =
  | AdmitOperation
  | ExtendOperation
  | SettleOperation
  | CreditOperation
  | SweepOperation;

export type LedgerResult<O extends LedgerOperation> = O extends AdmitOperation
  ? AdmitResult
  : O extends ExtendOperation
    ? ExtendResult
    : O extends SettleOperation
      ? SettleResult
      : O extends CreditOperation
        ? CreditResult
        : SweepResult;

export type AnyLedgerResult = AdmitResult | ExtendResult | SettleResult | CreditResult | SweepResult;

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly soft: boolean;
  readonly createdAtMs: number;
  readonly balance: Budget;
}

export interface Budget {
  readonly id: string;
  /** false: no cap; spend is still counted. */
  readonly capped: boolean;
  readonly period: BudgetPeriod;
  readonly grantedNano: bigint;
  readonly spentNano: bigint;
  readonly heldNano: bigint;
}

export interface ApiKey {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  /** First characters, to recognise the key by. */
  readonly prefix: string;
  readonly rpm: number | null;
  readonly tpm: number | null;
  /** `provider/model` or `provider/*`; null = all. */
  readonly allowedModels: readonly string[] | null;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number | null;
  readonly budget: Budget | null;
}

/** Everything admission needs to know of a key, in one read. */
export interface Credential {
  readonly key: ApiKey;
  readonly account: Account;
}

export interface NewKey {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly hash: string;
  readonly prefix: string;
  readonly rpm: number | null;
  readonly tpm: number | null;
  readonly allowedModels: readonly string[] | null;
  readonly expiresAtMs: number | null;
  readonly budget: { readonly amountNano: bigint; readonly period: BudgetPeriod } | null;
}

/** Sums over a group of usage rows. */
export interface UsageSums {
  readonly requests: number;
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNano: bigint;
  readonly latencyMs: number;
}

export interface UsageGroup extends UsageSums {
  /** UTC day, YYYY-MM-DD. */
  readonly day: string;
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
}

export interface UsageFilter {
  /** null = all accounts. */
  readonly accountId: string | null;
  /** UTC days, both inclusive. */
  readonly fromDay: string;
  readonly toDay: string;
}

export interface RequestFilter {
  readonly accountId: string | null;
  readonly id: string | null;
  readonly limit: number;
  /** Only rows settled before this, for paging; null starts at the newest. */
  readonly beforeMs: number | null;
  /** With `beforeMs`, the id of the last row seen: rows settled in that very millisecond are not skipped. */
  readonly beforeId?: string | null;
}

export interface StoredUsage extends UsageRecord {
  readonly settledAtMs: number;
  readonly chargedNano: bigint;
  readonly overNano: bigint;
}

export interface VerifyReport {
  readonly ok: boolean;
  /** One sentence per imbalance; empty when the books balance. */
  readonly problems: readonly string[];
  readonly accounts: number;
  readonly entries: number;
  readonly openHolds: number;
}

/** What a replica learns each poll. */
export interface Pulse {
  /** Grows with every change of keys, accounts or settings. */
  readonly version: number;
  /** This owner's open calls that somebody asked to stop. */
  readonly stopped: readonly string[];
}

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
}

export interface Storage {
  readonly engine: 'sqlite' | 'postgres';
  readonly videoJobs: VideoJobs;
  readonly media: MediaRows;

  /**
   * Runs the operations in order in one durable transaction and answers in the same order. All or nothing: it
   * throws StorageUnavailable when the engine is down, any other error when one operation cannot be done.
   */
  commit(operations: readonly LedgerOperation[]): Promise<AnyLedgerResult[]>;

  createAccount(account: { id: string; name: string; soft: boolean; capped: boolean }): Promise<void>;
  listAccounts(): Promise<Account[]>;
  findAccount(id: string): Promise<Account | null>;

  createKey(key: NewKey): Promise<void>;
  findCredential(by: { hash: string } | { keyId: string }): Promise<Credential | null>;
  listKeys(accountId: string | null): Promise<ApiKey[]>;
  /** False when there is no such key, or it was revoked before. */
  revokeKey(id: string): Promise<boolean>;
  /** Gives the key another secret; its limits, budget and history stay. False when missing or revoked. */
  rotateKey(id: string, secret: { hash: string; prefix: string }): Promise<boolean>;
  touchKeys(used: readonly { keyId: string; atMs: number }[]): Promise<void>;

  /** Marks an open stream of the account, by id or alias, to be stopped by its owner. False when there is none. */
  requestStop(accountId: string, idOrAlias: string): Promise<boolean>;
  /** Says that this owner lives (written once a second, so sweep with a `deadAfterMs` of many), and reads what it must know. */
  pulse(owner: string): Promise<Pulse>;

  readSetting(name: string): Promise<string | null>;
  /** Writes the value only if the name is new; answers the value that stands, so that replicas agree. */
  settleSetting(name: string, value: string): Promise<string>;
  writeSetting(name: string, value: string): Promise<void>;

  usage(filter: UsageFilter): Promise<UsageGroup[]>;
  requests(filter: RequestFilter): Promise<StoredUsage[]>;
  /**
   * Moves the roll-up watermark, by some 20,000 rows at most; safe to call from many replicas. Answers about how many
   * rows were rolled up: while there are many, call again.
   */
  rollUp(lagMs: number): Promise<number>;
  verify(): Promise<VerifyReport>;
  audit(entry: AuditEntry): Promise<void>;
  /** Deletes what has expired: idempotency rows, old rate windows. */
  prune(): Promise<void>;

  /** Throws StorageUnavailable when the engine does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
