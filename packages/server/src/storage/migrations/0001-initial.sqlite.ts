/** Migration 0001 on SQLite: the tables of the first release. */
export const initialSqlite: readonly string[] = [
  `CREATE TABLE account (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, soft INTEGER NOT NULL, created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE budget (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account (id), kind TEXT NOT NULL, period TEXT NOT NULL, period_key TEXT NOT NULL,
    capped INTEGER NOT NULL, granted_nano INTEGER NOT NULL, spent_nano INTEGER NOT NULL,
    held_nano INTEGER NOT NULL CHECK (held_nano >= 0)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE api_key (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account (id), name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
    rpm INTEGER, tpm INTEGER, allowed_models TEXT, expires_at INTEGER, revoked_at INTEGER, created_at INTEGER NOT NULL,
    last_used_at INTEGER, budget_id TEXT
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX api_key_account ON api_key (account_id)`,
  `CREATE TABLE hold (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, key_id TEXT NOT NULL, owner TEXT NOT NULL,
    amount_nano INTEGER NOT NULL, spent_nano INTEGER NOT NULL, floor_nano INTEGER NOT NULL, hard INTEGER NOT NULL,
    budgets TEXT NOT NULL, facts TEXT NOT NULL, takes TEXT NOT NULL, idempotency_key TEXT, alias TEXT,
    stream INTEGER NOT NULL, started_at INTEGER NOT NULL, stop_requested INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX hold_stop ON hold (owner) WHERE stop_requested = 1`,
  `CREATE INDEX hold_alias ON hold (account_id, alias) WHERE alias IS NOT NULL`,
  `CREATE TABLE ledger_entry (
    txn TEXT NOT NULL, book TEXT NOT NULL, kind TEXT NOT NULL, amount_nano INTEGER NOT NULL,
    created_at INTEGER NOT NULL, note TEXT
  ) STRICT`,
  `CREATE UNIQUE INDEX ledger_entry_once ON ledger_entry (txn, kind, book) WHERE kind <> 'charge'`,
  `CREATE TABLE usage (
    id TEXT NOT NULL, account_id TEXT NOT NULL, key_id TEXT NOT NULL, started_at INTEGER NOT NULL, settled_at INTEGER NOT NULL,
    endpoint TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, requested_model TEXT NOT NULL,
    stream INTEGER NOT NULL, byok INTEGER NOT NULL, ending TEXT NOT NULL, http_status INTEGER NOT NULL,
    error_code TEXT, finish_reason TEXT,
    input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, cache_write_long INTEGER NOT NULL,
    audio_input INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_output INTEGER NOT NULL,
    image_output INTEGER NOT NULL, web_searches INTEGER NOT NULL, source TEXT NOT NULL,
    cost_nano INTEGER, list_nano INTEGER, charged_nano INTEGER NOT NULL, over_nano INTEGER NOT NULL, price_version TEXT,
    latency_ms INTEGER NOT NULL, first_byte_ms INTEGER, attempts INTEGER NOT NULL, session_id TEXT
  ) STRICT`,
  `CREATE UNIQUE INDEX usage_id ON usage (id)`,
  `CREATE INDEX usage_account ON usage (account_id, settled_at)`,
  `CREATE INDEX usage_settled ON usage (settled_at)`,
  `CREATE TABLE usage_daily (
    day TEXT NOT NULL, account_id TEXT NOT NULL, endpoint TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    requests INTEGER NOT NULL, errors INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL, latency_ms INTEGER NOT NULL,
    PRIMARY KEY (day, account_id, endpoint, provider, model)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE rate_window (
    id TEXT PRIMARY KEY, window_start INTEGER NOT NULL, previous INTEGER NOT NULL, current INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE idempotency (
    account_id TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, request_id TEXT NOT NULL, state TEXT NOT NULL,
    status INTEGER, content_type TEXT, body TEXT, expires_at INTEGER NOT NULL, PRIMARY KEY (account_id, key)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX idempotency_expiry ON idempotency (expires_at)`,
  `CREATE TABLE swept_hold (
    id TEXT PRIMARY KEY, budgets TEXT NOT NULL, hard INTEGER NOT NULL, idempotency_key TEXT, swept_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  `INSERT INTO setting (name, value) VALUES ('version', '1'), ('usage_watermark', '0')`,
  `CREATE TABLE instance (owner TEXT PRIMARY KEY, seen_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE audit (
    at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL
  ) STRICT`,
];
