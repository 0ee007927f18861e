/** A usage record as a row: the columns in order, and the two directions. Both engines use it. */
import { noUsage, type Unit, type UsageSource } from '../contract/usage.ts';
import type { CallFacts, Ending, StoredUsage, UsageRecord } from './storage.ts';

export const usageColumns = [
  'id',
  'account_id',
  'key_id',
  'started_at',
  'settled_at',
  'endpoint',
  'provider',
  'model',
  'requested_model',
  'stream',
  'byok',
  'ending',
  'http_status',
  'error_code',
  'finish_reason',
  'input',
  'cache_read',
  'cache_write',
  'cache_write_long',
  'audio_input',
  'output',
  'reasoning',
  'audio_output',
  'image_output',
  'web_searches',
  'source',
  'cost_nano',
  'list_nano',
  'charged_nano',
  'over_nano',
  'price_version',
  'latency_ms',
  'first_byte_ms',
  'attempts',
  'session_id',
  'unit',
  'quantity',
  'image_input',
] as const;

/** Endings that count as errors in reports. PostgreSQL's usage_daily_add names them, too. */
export const errorEndings: readonly Ending[] = ['upstream_error', 'timeout', 'rejected', 'unknown'];

export function isErrorEnding(ending: Ending): boolean {
  return errorEndings.includes(ending);
}

type Value = bigint | string | null;

const whole = (value: number): bigint => BigInt(Math.max(0, Math.round(value)));

/** The values of a record in the order of `usageColumns`. */
export function usageValues(
  record: UsageRecord,
  settledAtMs: number,
  charged: bigint,
  over: bigint,
): Value[] {
  const { usage, units } = record;
  return [
    record.id,
    record.accountId,
    record.keyId,
    whole(record.startedAtMs),
    whole(settledAtMs),
    record.endpoint,
    record.provider,
    record.model,
    record.requestedModel,
    record.stream ? 1n : 0n,
    record.byok ? 1n : 0n,
    record.ending,
    whole(record.httpStatus),
    record.errorCode,
    record.finishReason,
    whole(usage.input),
    whole(usage.cacheRead),
    whole(usage.cacheWrite),
    whole(usage.cacheWriteLong),
    whole(usage.audioInput),
    whole(usage.output),
    whole(usage.reasoning),
    whole(usage.audioOutput),
    whole(usage.imageOutput),
    whole(usage.webSearches),
    record.source,
    record.costNano,
    record.listNano,
    charged,
    over,
    record.priceVersion,
    whole(record.latencyMs),
    record.firstByteMs === null ? null : whole(record.firstByteMs),
    whole(record.attempts),
    record.sessionId,
    units?.unit ?? null,
    units === null ? null : whole(units.quantity),
    whole(usage.imageInput),
  ];
}

/** A row of the usage table as either engine reads it. */
export interface UsageRow {
  readonly id: string;
  readonly account_id: string;
  readonly key_id: string;
  readonly started_at: bigint;
  readonly settled_at: bigint;
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
  readonly requested_model: string;
  readonly stream: bigint;
  readonly byok: bigint;
  readonly ending: string;
  readonly http_status: bigint;
  readonly error_code: string | null;
  readonly finish_reason: string | null;
  readonly input: bigint;
  readonly cache_read: bigint;
  readonly cache_write: bigint;
  readonly cache_write_long: bigint;
  readonly audio_input: bigint;
  readonly output: bigint;
  readonly reasoning: bigint;
  readonly audio_output: bigint;
  readonly image_output: bigint;
  readonly web_searches: bigint;
  readonly source: string;
  readonly cost_nano: bigint | null;
  readonly list_nano: bigint | null;
  readonly charged_nano: bigint;
  readonly over_nano: bigint;
  readonly price_version: string | null;
  readonly latency_ms: bigint;
  readonly first_byte_ms: bigint | null;
  readonly attempts: bigint;
  readonly session_id: string | null;
  readonly unit: string | null;
  readonly quantity: bigint | null;
  /** null on rows older than the column. */
  readonly image_input: bigint | null;
}

/** The record a row holds. */
export function decodeUsage(row: UsageRow): StoredUsage {
  return {
    id: row.id,
    accountId: row.account_id,
    keyId: row.key_id,
    startedAtMs: Number(row.started_at),
    settledAtMs: Number(row.settled_at),
    endpoint: row.endpoint,
    provider: row.provider,
    model: row.model,
    requestedModel: row.requested_model,
    stream: row.stream === 1n,
    byok: row.byok === 1n,
    ending: row.ending as Ending,
    httpStatus: Number(row.http_status),
    errorCode: row.error_code,
    finishReason: row.finish_reason,
    usage: {
      input: Number(row.input),
      cacheRead: Number(row.cache_read),
      cacheWrite: Number(row.cache_write),
      cacheWriteLong: Number(row.cache_write_long),
      audioInput: Number(row.audio_input),
      imageInput: Number(row.image_input ?? 0n),
      output: Number(row.output),
      reasoning: Number(row.reasoning),
      audioOutput: Number(row.audio_output),
      imageOutput: Number(row.image_output),
      webSearches: Number(row.web_searches),
    },
    source: row.source as UsageSource,
    costNano: row.cost_nano,
    listNano: row.list_nano,
    chargedNano: row.charged_nano,
    overNano: row.over_nano,
    priceVersion: row.price_version,
    latencyMs: Number(row.latency_ms),
    firstByteMs: row.first_byte_ms === null ? null : Number(row.first_byte_ms),
    attempts: Number(row.attempts),
    sessionId: row.session_id,
    units:
      row.unit === null || row.quantity === null
        ? null
        : { unit: row.unit as Unit, quantity: Number(row.quantity) },
  };
}

/** The record of a call whose owner died: nothing is known but what its hold says. */
export function unknownRecord(
  hold: { id: string; accountId: string; keyId: string; facts: CallFacts },
  chargedNano: bigint,
  startedAtMs: number,
  nowMs: number,
): UsageRecord {
  const { endpoint, provider, model, requestedModel, stream, byok } = hold.facts;
  return {
    id: hold.id,
    accountId: hold.accountId,
    keyId: hold.keyId,
    endpoint,
    provider,
    model,
    requestedModel,
    stream,
    byok,
    startedAtMs,
    ending: 'unknown',
    httpStatus: 0,
    errorCode: null,
    finishReason: null,
    usage: noUsage,
    source: 'none',
    costNano: chargedNano,
    listNano: null,
    priceVersion: null,
    latencyMs: Math.max(0, nowMs - startedAtMs),
    firstByteMs: null,
    attempts: 1,
    sessionId: null,
    units: null,
  };
}
