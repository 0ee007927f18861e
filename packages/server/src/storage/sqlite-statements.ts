/** The SQL of the SQLite ledger; sqlite-ledger.ts says what it means. */
import type { DatabaseSync } from 'node:sqlite';
import { bindable } from './bindable.ts';
import { deleteMany, insertMany } from './sqlite-batched.ts';
import { usageColumns } from './usage-row.ts';

type Row = Record<string, unknown>;

/** In the order of what `SqliteHolds.write` binds. */
const holdColumns = [
  'slot',
  'id',
  'account_id',
  'key_id',
  'owner',
  'amount_nano',
  'spent_nano',
  'floor_nano',
  'hard',
  'budgets',
  'facts',
  'takes',
  'idempotency_key',
  'alias',
  'stream',
  'started_at',
  'stop_requested',
];

export type LedgerStatements = ReturnType<typeof prepareLedger>;

/** Prepares them all once; integers are read as bigint. */
export function prepareLedger(database: DatabaseSync) {
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return {
      run: (...values: unknown[]): unknown => statement.run(...values.map(bindable)),
      get: (...values: unknown[]): Row | undefined => statement.get(...values.map(bindable)),
      all: (...values: unknown[]): Row[] => statement.all(...values.map(bindable)),
    };
  };
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    budget: prepare(
      'SELECT period, period_key, capped, granted_nano, spent_nano, held_nano FROM budget WHERE id = ?',
    ),
    updateBudget: prepare(
      'UPDATE budget SET period_key = ?, granted_nano = ?, spent_nano = ?, held_nano = ? WHERE id = ?',
    ),
    window: prepare('SELECT window_start, previous, current FROM rate_window WHERE id = ?'),
    putWindow: prepare(
      `INSERT INTO rate_window (id, window_start, previous, current) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET window_start = excluded.window_start, previous = excluded.previous, current = excluded.current`,
    ),
    holds: prepare('SELECT * FROM hold ORDER BY slot'),
    insertHolds: insertMany(database, 'hold', holdColumns),
    extendHold: prepare('UPDATE hold SET amount_nano = ?, spent_nano = ? WHERE slot = ?'),
    deleteHolds: deleteMany(database, 'hold', 'slot'),
    packs: prepare('SELECT slot, holds FROM hold_pack ORDER BY slot'),
    insertPacks: insertMany(database, 'hold_pack', ['slot', 'holds']),
    rewritePack: prepare('UPDATE hold_pack SET holds = ? WHERE slot = ?'),
    deletePacks: deleteMany(database, 'hold_pack', 'slot'),
    living: prepare('SELECT owner FROM instance WHERE seen_at >= ?'),
    entries: insertMany(database, 'ledger_entry', [
      'txn',
      'book',
      'kind',
      'amount_nano',
      'created_at',
      'note',
    ]),
    entryExists: prepare(
      `SELECT 1 AS found FROM ledger_entry WHERE txn = ? AND kind = ? AND book = ? AND kind <> 'charge'`,
    ),
    usages: insertMany(database, 'usage', usageColumns),
    newest: prepare('SELECT max(id) AS id FROM usage'),
    settled: prepare('SELECT 1 AS found FROM usage WHERE id = ?'),
    usageById: prepare('SELECT * FROM usage WHERE id = ?'),
    setting: prepare('SELECT value FROM setting WHERE name = ?'),
    addDaily: prepare(
      `INSERT INTO usage_daily (day, account_id, endpoint, provider, model, requests, errors, input_tokens, output_tokens, cost_nano, latency_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (day, account_id, endpoint, provider, model) DO UPDATE SET
         requests = requests + excluded.requests, errors = errors + excluded.errors,
         input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
         cost_nano = cost_nano + excluded.cost_nano, latency_ms = latency_ms + excluded.latency_ms`,
    ),
    deleteUsage: prepare('DELETE FROM usage WHERE id = ?'),
    swept: prepare('SELECT budgets, hard, idempotency_key FROM swept_hold WHERE id = ?'),
    insertSwept: prepare(
      'INSERT INTO swept_hold (id, budgets, hard, idempotency_key, swept_at) VALUES (?, ?, ?, ?, ?)',
    ),
    deleteSwept: prepare('DELETE FROM swept_hold WHERE id = ?'),
    idempotency: prepare(
      `SELECT fingerprint, request_id, state, status, content_type, body FROM idempotency
       WHERE account_id = ? AND key = ? AND expires_at > ?`,
    ),
    openIdempotency: prepare(
      `INSERT OR REPLACE INTO idempotency (account_id, key, fingerprint, request_id, state, expires_at)
       VALUES (?, ?, ?, ?, 'open', ?)`,
    ),
    closeIdempotency: prepare(
      `UPDATE idempotency SET state = ?, status = ?, content_type = ?, body = ?
       WHERE account_id = ? AND key = ? AND request_id = ?`,
    ),
    dropIdempotency: prepare('DELETE FROM idempotency WHERE account_id = ? AND key = ? AND request_id = ?'),
  };
}
