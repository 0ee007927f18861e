/**
 * The tables as Kysely sees them, alike on both engines. Every integer column is read and bound as bigint
 * (int8 / INTEGER), everything else is string, null or bytes; records.ts and usage-row.ts decode them. JSON columns are
 * TEXT on SQLite and jsonb on PostgreSQL: read them as `cast(… as text)`.
 */
import type { ColumnType } from 'kysely';

type Int = ColumnType<bigint, bigint, bigint>;
type NullableInt = ColumnType<bigint | null, bigint | null, bigint | null>;
type Text = string;

export interface AccountTable {
  id: Text;
  name: Text;
  soft: Int;
  created_at: Int;
}

export interface BudgetTable {
  id: Text;
  account_id: Text;
  kind: Text;
  period: Text;
  /** Which day, week or month `spent_nano` is of; `total` for a total budget. */
  period_key: Text;
  capped: Int;
  granted_nano: Int;
  spent_nano: Int;
  held_nano: Int;
}

export interface ApiKeyTable {
  id: Text;
  account_id: Text;
  name: Text;
  hash: Text;
  prefix: Text;
  rpm: NullableInt;
  tpm: NullableInt;
  /** JSON array of strings. */
  allowed_models: Text | null;
  expires_at: NullableInt;
  revoked_at: NullableInt;
  created_at: Int;
  last_used_at: NullableInt;
  budget_id: Text | null;
}

export interface HoldTable {
  id: Text;
  account_id: Text;
  key_id: Text;
  owner: Text;
  amount_nano: Int;
  spent_nano: Int;
  floor_nano: Int;
  hard: Int;
  /** JSON: [[budget id, period key], …]. */
  budgets: Text;
  /** JSON of the call's facts, for the sweep. */
  facts: Text;
  /** JSON of the token limits taken, for settlement to correct. */
  takes: Text;
  idempotency_key: Text | null;
  alias: Text | null;
  stream: Int;
  started_at: Int;
  stop_requested: Int;
}

export interface LedgerEntryTable {
  txn: Text;
  /** `account:<id>`, or `world` for the other side. */
  book: Text;
  kind: Text;
  amount_nano: Int;
  created_at: Int;
  note: Text | null;
}

export interface UsageTable {
  id: Text;
  account_id: Text;
  key_id: Text;
  started_at: Int;
  settled_at: Int;
  endpoint: Text;
  provider: Text;
  model: Text;
  requested_model: Text;
  stream: Int;
  byok: Int;
  ending: Text;
  http_status: Int;
  error_code: Text | null;
  finish_reason: Text | null;
  input: Int;
  cache_read: Int;
  cache_write: Int;
  cache_write_long: Int;
  audio_input: Int;
  output: Int;
  reasoning: Int;
  audio_output: Int;
  image_output: Int;
  web_searches: Int;
  source: Text;
  cost_nano: NullableInt;
  list_nano: NullableInt;
  charged_nano: Int;
  over_nano: Int;
  price_version: Text | null;
  latency_ms: Int;
  first_byte_ms: NullableInt;
  attempts: Int;
  session_id: Text | null;
  unit: Text | null;
  quantity: NullableInt;
  image_input: NullableInt;
}

export interface UsageDailyTable {
  day: Text;
  account_id: Text;
  endpoint: Text;
  provider: Text;
  model: Text;
  requests: Int;
  errors: Int;
  input_tokens: Int;
  output_tokens: Int;
  cost_nano: Int;
  latency_ms: Int;
}

export interface RateWindowTable {
  id: Text;
  window_start: Int;
  previous: Int;
  current: Int;
}

export interface IdempotencyTable {
  account_id: Text;
  key: Text;
  fingerprint: Text;
  request_id: Text;
  /** open, done or unknown. */
  state: Text;
  status: NullableInt;
  content_type: Text | null;
  body: Text | null;
  expires_at: Int;
}

/** What a late settlement of a swept call needs to correct the books. */
export interface SweptHoldTable {
  id: Text;
  budgets: Text;
  hard: Int;
  idempotency_key: Text | null;
  swept_at: Int;
}

export interface SettingTable {
  name: Text;
  value: Text;
}

export interface InstanceTable {
  owner: Text;
  seen_at: Int;
}

export interface AuditTable {
  at: Int;
  actor: Text;
  action: Text;
  target: Text;
  detail: Text;
}

export interface VideoJobTable {
  id: Text;
  account_id: Text;
  key_id: Text;
  created_at: Int;
  updated_at: Int;
  provider: Text;
  model: Text;
  requested_model: Text;
  prompt: Text;
  /** JSON of the request. */
  request: Text;
  byok: Int;
  hold_nano: Int;
  max_charge_nano: NullableInt;
  session_id: Text | null;
  state: Text;
  progress: Int;
  provider_job_id: Text | null;
  target: Text | null;
  /** JSON of what the provider has ready. */
  files: Text | null;
  outcome: Text | null;
  error_code: Text | null;
  error_message: Text | null;
  /** JSON of what the caller gets. */
  result: Text | null;
  finished_at: NullableInt;
  attempts: Int;
  next_at: Int;
  deadline_at: Int;
  lease_owner: Text | null;
  lease_until: Int;
  fence: Int;
  key_owner: Text | null;
  webhook_url: Text | null;
  webhook_next_at: NullableInt;
  webhook_attempts: Int;
}

export interface MediaTable {
  id: Text;
  account_id: Text;
  kind: Text;
  content_type: Text;
  file_name: Text;
  bytes: Int;
  sha256: Text;
  created_at: Int;
  expires_at: Int;
}

export interface WebhookDeliveryTable {
  job_id: Text;
  attempt: Int;
  at: Int;
  status: NullableInt;
  error: Text | null;
  next_at: NullableInt;
}

export interface VideoEventTable {
  job_id: Text;
  seq: Int;
  at: Int;
  status: Text;
  progress: Int;
}

export interface Tables {
  account: AccountTable;
  budget: BudgetTable;
  api_key: ApiKeyTable;
  hold: HoldTable;
  ledger_entry: LedgerEntryTable;
  usage: UsageTable;
  usage_daily: UsageDailyTable;
  rate_window: RateWindowTable;
  idempotency: IdempotencyTable;
  swept_hold: SweptHoldTable;
  setting: SettingTable;
  instance: InstanceTable;
  video_job: VideoJobTable;
  video_event: VideoEventTable;
  webhook_delivery: WebhookDeliveryTable;
  media: MediaTable;
  audit: AuditTable;
}

/** The settings row whose integer grows with every change replicas must notice. */
export const versionSetting = 'version';
/** The settings row that says up to which settled_at usage is rolled up. */
export const watermarkSetting = 'usage_watermark';
