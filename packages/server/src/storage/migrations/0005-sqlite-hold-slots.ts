/**
 * Holds on SQLite stand in numbered slots that are used again: calls that come and go then overwrite the same few pages,
 * where a table ordered by id takes new ones all the time and gives back old ones.
 */
export const holdSlotsSqlite = [
  `CREATE TABLE hold_slot (
    slot INTEGER PRIMARY KEY, id TEXT NOT NULL, account_id TEXT NOT NULL, key_id TEXT NOT NULL, owner TEXT NOT NULL,
    amount_nano INTEGER NOT NULL, spent_nano INTEGER NOT NULL, floor_nano INTEGER NOT NULL, hard INTEGER NOT NULL,
    budgets TEXT NOT NULL, facts TEXT NOT NULL, takes TEXT NOT NULL, idempotency_key TEXT, alias TEXT,
    stream INTEGER NOT NULL, started_at INTEGER NOT NULL, stop_requested INTEGER NOT NULL
  ) STRICT`,
  `INSERT INTO hold_slot (id, account_id, key_id, owner, amount_nano, spent_nano, floor_nano, hard, budgets, facts, takes,
    idempotency_key, alias, stream, started_at, stop_requested)
  SELECT id, account_id, key_id, owner, amount_nano, spent_nano, floor_nano, hard, budgets, facts, takes,
    idempotency_key, alias, stream, started_at, stop_requested FROM hold`,
  `DROP TABLE hold`,
  `ALTER TABLE hold_slot RENAME TO hold`,
  `CREATE INDEX hold_stop ON hold (owner) WHERE stop_requested = 1`,
  `CREATE INDEX hold_alias ON hold (account_id, alias) WHERE alias IS NOT NULL`,
];
