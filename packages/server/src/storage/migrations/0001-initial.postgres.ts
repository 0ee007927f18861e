/** Migration 0001 on PostgreSQL: the tables of the first release, in the schema `indoxhub`. */
export const initialPostgres: readonly string[] = [
  `CREATE TABLE indoxhub.account (
    id text PRIMARY KEY, name text NOT NULL, soft int8 NOT NULL, created_at int8 NOT NULL
  )`,
  // Hot rows are updated in place (HOT) as long as their page has room: hence the fill factor.
  `CREATE TABLE indoxhub.budget (
    id text PRIMARY KEY, account_id text NOT NULL REFERENCES indoxhub.account (id), kind text NOT NULL,
    period text NOT NULL, period_key text NOT NULL, capped int8 NOT NULL, granted_nano int8 NOT NULL,
    spent_nano int8 NOT NULL, held_nano int8 NOT NULL CHECK (held_nano >= 0)
  ) WITH (fillfactor = 50)`,
  `CREATE TABLE indoxhub.api_key (
    id text PRIMARY KEY, account_id text NOT NULL REFERENCES indoxhub.account (id), name text NOT NULL,
    hash text NOT NULL UNIQUE, prefix text NOT NULL, rpm int8, tpm int8, allowed_models text, expires_at int8,
    revoked_at int8, created_at int8 NOT NULL, last_used_at int8, budget_id text
  )`,
  `CREATE INDEX api_key_account ON indoxhub.api_key (account_id)`,
  `CREATE TABLE indoxhub.hold (
    id text PRIMARY KEY, account_id text NOT NULL, key_id text NOT NULL, owner text NOT NULL,
    amount_nano int8 NOT NULL, spent_nano int8 NOT NULL, floor_nano int8 NOT NULL, hard int8 NOT NULL,
    budgets jsonb NOT NULL, facts jsonb NOT NULL, takes jsonb NOT NULL, idempotency_key text, alias text,
    stream int8 NOT NULL, started_at int8 NOT NULL, stop_requested int8 NOT NULL
  )`,
  `CREATE INDEX hold_alias ON indoxhub.hold (account_id, alias) WHERE alias IS NOT NULL`,
  `CREATE INDEX hold_stop ON indoxhub.hold (owner) WHERE stop_requested = 1`,
  `CREATE TABLE indoxhub.ledger_entry (
    txn text NOT NULL, book text NOT NULL, kind text NOT NULL, amount_nano int8 NOT NULL,
    created_at int8 NOT NULL, note text
  )`,
  `CREATE UNIQUE INDEX ledger_entry_once ON indoxhub.ledger_entry (txn, kind, book) WHERE kind <> 'charge'`,
  `CREATE TABLE indoxhub.usage (
    id text NOT NULL, account_id text NOT NULL, key_id text NOT NULL, started_at int8 NOT NULL, settled_at int8 NOT NULL,
    endpoint text NOT NULL, provider text NOT NULL, model text NOT NULL, requested_model text NOT NULL,
    stream int8 NOT NULL, byok int8 NOT NULL, ending text NOT NULL, http_status int8 NOT NULL,
    error_code text, finish_reason text,
    input int8 NOT NULL, cache_read int8 NOT NULL, cache_write int8 NOT NULL, cache_write_long int8 NOT NULL,
    audio_input int8 NOT NULL, output int8 NOT NULL, reasoning int8 NOT NULL, audio_output int8 NOT NULL,
    image_output int8 NOT NULL, web_searches int8 NOT NULL, source text NOT NULL,
    cost_nano int8, list_nano int8, charged_nano int8 NOT NULL, over_nano int8 NOT NULL, price_version text,
    latency_ms int8 NOT NULL, first_byte_ms int8, attempts int8 NOT NULL, session_id text
  ) PARTITION BY RANGE (settled_at)`,
  `CREATE TABLE indoxhub.usage_default PARTITION OF indoxhub.usage DEFAULT`,
  `CREATE INDEX usage_id ON indoxhub.usage (id)`,
  `CREATE INDEX usage_account ON indoxhub.usage (account_id, settled_at)`,
  `CREATE INDEX usage_settled ON indoxhub.usage (settled_at)`,
  `CREATE TABLE indoxhub.usage_daily (
    day text NOT NULL, account_id text NOT NULL, endpoint text NOT NULL, provider text NOT NULL, model text NOT NULL,
    requests int8 NOT NULL, errors int8 NOT NULL, input_tokens int8 NOT NULL, output_tokens int8 NOT NULL,
    cost_nano int8 NOT NULL, latency_ms int8 NOT NULL,
    PRIMARY KEY (day, account_id, endpoint, provider, model)
  )`,
  `CREATE TABLE indoxhub.rate_window (
    id text PRIMARY KEY, window_start int8 NOT NULL, previous int8 NOT NULL, current int8 NOT NULL
  ) WITH (fillfactor = 50)`,
  `CREATE TABLE indoxhub.idempotency (
    account_id text NOT NULL, key text NOT NULL, fingerprint text NOT NULL, request_id text NOT NULL, state text NOT NULL,
    status int8, content_type text, body text, expires_at int8 NOT NULL, PRIMARY KEY (account_id, key)
  )`,
  `CREATE INDEX idempotency_expiry ON indoxhub.idempotency (expires_at)`,
  `CREATE TABLE indoxhub.swept_hold (
    id text PRIMARY KEY, budgets jsonb NOT NULL, hard int8 NOT NULL, idempotency_key text, swept_at int8 NOT NULL
  )`,
  `CREATE TABLE indoxhub.setting (name text PRIMARY KEY, value text NOT NULL) WITH (fillfactor = 50)`,
  `INSERT INTO indoxhub.setting (name, value) VALUES ('version', '1'), ('usage_watermark', '0')`,
  `CREATE TABLE indoxhub.instance (owner text PRIMARY KEY, seen_at int8 NOT NULL) WITH (fillfactor = 50)`,
  `CREATE TABLE indoxhub.audit (
    at int8 NOT NULL, actor text NOT NULL, action text NOT NULL, target text NOT NULL, detail text NOT NULL
  )`,
  // Replicas' clocks differ; the database's is the one that counts.
  `CREATE FUNCTION indoxhub.now_ms() RETURNS int8 LANGUAGE sql VOLATILE
   RETURN (extract(epoch FROM clock_timestamp()) * 1000)::int8`,
  `CREATE FUNCTION indoxhub.period_key(period text, at_ms int8) RETURNS text LANGUAGE sql STABLE RETURN
   CASE period
     WHEN 'total' THEN 'total'
     WHEN 'day' THEN to_char(to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
     WHEN 'week' THEN to_char(date_trunc('week', to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC'), 'YYYY-MM-DD')
     ELSE to_char(to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM')
   END`,
  // A month whose rows already lie in the default partition stays there: attaching would have to move them.
  `CREATE FUNCTION indoxhub.usage_partitions(months int) RETURNS void LANGUAGE plpgsql AS $$
   DECLARE
     month timestamp; low int8; high int8; partition text;
   BEGIN
     FOR i IN 0..months LOOP
       month := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => i);
       partition := 'usage_' || to_char(month, 'YYYY_MM');
       CONTINUE WHEN to_regclass('indoxhub.' || partition) IS NOT NULL;
       PERFORM pg_advisory_xact_lock(1768842863, 3);
       CONTINUE WHEN to_regclass('indoxhub.' || partition) IS NOT NULL;
       low := extract(epoch FROM month AT TIME ZONE 'UTC')::int8 * 1000;
       high := extract(epoch FROM (month + interval '1 month') AT TIME ZONE 'UTC')::int8 * 1000;
       CONTINUE WHEN EXISTS (SELECT 1 FROM indoxhub.usage_default WHERE settled_at >= low AND settled_at < high);
       EXECUTE format('CREATE TABLE indoxhub.%I PARTITION OF indoxhub.usage FOR VALUES FROM (%s) TO (%s)', partition, low, high);
     END LOOP;
   END $$`,
  `SELECT indoxhub.usage_partitions(3)`,
];
