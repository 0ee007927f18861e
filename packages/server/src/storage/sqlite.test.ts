/** What is SQLite's own: one process by lock, and a file that survives being killed. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../test/storage/ledger-process.ts';
import { startLedgerProcess } from '../../test/storage/processes.ts';
import {
  admitOf,
  balanceOf,
  newAccount,
  newId,
  problems,
  run,
  settleOf,
  usd,
} from './conformance-fixtures.ts';
import { openStorage } from './open.ts';
import { initialSqlite } from './migrations/0001-initial.sqlite.ts';
import { StorageUnavailable, type AdmitOperation, type Storage } from './storage.ts';

describe('SQLite', () => {
  let dataDir: string;
  const open = (): Promise<Storage> => openStorage({ databaseUrl: null, dataDir });
  beforeEach(() => {
    dataDir = join(mkdtempSync(join(tmpdir(), 'indoxhub-sqlite-')), 'data');
  });
  afterEach(() => {
    rmSync(join(dataDir, '..'), { recursive: true, force: true });
  });
  const task = (accountId: string, more: Partial<Task>): Task => ({
    kind: 'fixed',
    databaseUrl: null,
    dataDir,
    accountId,
    owner: newId(),
    calls: 20,
    concurrency: 4,
    costNano: String(usd(0.01)),
    ...more,
  });

  it('makes the folder for its owner only', async () => {
    const storage = await open();
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    await storage.close();
  });

  it('is one process by lock: a second opener is told so', async () => {
    const storage = await open();
    const account = await newAccount(storage, usd(1));
    await expect(open()).rejects.toThrow(/in use by another process.*INDOXHUB_DATABASE_URL/);
    await expect(open()).rejects.toBeInstanceOf(StorageUnavailable);
    const second = startLedgerProcess(task(account, {}));
    expect(await second.outcome).toMatchObject({ error: expect.stringContaining('in use'), away: true });
    expect(await run(storage, admitOf(account, 1n))).toMatchObject({ status: 'admitted' });
    await storage.close();
    await (await open()).close();
  });

  it('keeps what was acknowledged when its process is killed, and sweeps what was open', async () => {
    const before = await open();
    const account = await newAccount(before, usd(1));
    await before.close();
    const done = startLedgerProcess(task(account, { calls: 30 }));
    expect(await done.outcome).toMatchObject({ admitted: 30 });
    await done.kill();
    const dying = startLedgerProcess(task(account, { kind: 'hold' }));
    expect(await dying.outcome).toMatchObject({ admitted: 20 });
    await dying.kill();
    const storage = await open();
    expect(await balanceOf(storage, account)).toEqual({ left: usd(0.7), held: usd(0.2) });
    expect(await problems(storage)).toEqual([]);
    expect((await run(storage, { op: 'sweep', owner: 'next', deadAfterMs: 0 })).swept).toHaveLength(20);
    expect(await balanceOf(storage, account)).toEqual({ left: usd(0.7), held: 0n });
    expect(await problems(storage)).toEqual([]);
    await storage.close();
  });

  /** Runs a statement on the closed file and answers its rows. */
  const look = (sql: string): unknown[] => {
    const database = new DatabaseSync(join(dataDir, 'indoxhub.db'));
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  };

  it('knows what was settled before it was opened, whatever the order of ids', async () => {
    let storage = await open();
    const account = await newAccount(storage, usd(1));
    const calls = ['a', 'm', 'z'].map((first) => admitOf(account, usd(0.1), { id: `${first}-${newId()}` }));
    const [low, middle, high] = calls as [AdmitOperation, AdmitOperation, AdmitOperation];
    await storage.commit([middle, settleOf(middle, 1n)]);
    await storage.close();
    storage = await open();
    await expect(storage.commit([middle])).rejects.toThrow('settled before');
    expect(await storage.commit([low, high, settleOf(high, 1n)])).toHaveLength(3);
    await expect(storage.commit([high])).rejects.toThrow('settled before');
    expect(await storage.commit([settleOf(low, 1n)])).toMatchObject([{ status: 'settled' }]);
    await expect(storage.commit([low])).rejects.toThrow('settled before');
    expect(await problems(storage)).toEqual([]);
    await storage.close();
  });

  it('writes no hold that is closed in its own transaction, and uses the places of closed ones again', async () => {
    let storage = await open();
    const account = await newAccount(storage, usd(9));
    const calls = Array.from({ length: 40 }, () => admitOf(account, usd(0.1)));
    await storage.commit(calls.flatMap((call) => [call, settleOf(call, 1n)]));
    const kept = Array.from({ length: 3 }, () => admitOf(account, usd(0.1)));
    await storage.commit(kept);
    const [first, , last] = kept as [AdmitOperation, AdmitOperation, AdmitOperation];
    await storage.commit([settleOf(first, 1n)]);
    await storage.close();
    expect(look('SELECT slot FROM hold ORDER BY slot')).toEqual([{ slot: 2 }, { slot: 3 }]);
    storage = await open();
    const more = [admitOf(account, usd(0.1)), admitOf(account, usd(0.1))];
    await storage.commit([settleOf(last, 1n), ...more]);
    expect(await balanceOf(storage, account)).toMatchObject({ held: usd(0.3) });
    expect(await problems(storage)).toEqual([]);
    await storage.close();
    expect(look('SELECT slot FROM hold ORDER BY slot')).toEqual([{ slot: 1 }, { slot: 2 }, { slot: 3 }]);
  });

  it('writes the calls that one transaction opens as one row, and knows after a restart which of them are open', async () => {
    let storage = await open();
    const account = await newAccount(storage, usd(9));
    const whole = (): AdmitOperation => {
      const call = admitOf(account, usd(1));
      return { ...call, facts: { ...call.facts, stream: false } };
    };
    const [a, b, c, d] = [whole(), whole(), whole(), whole()];
    await storage.commit([a, b]);
    await storage.commit([c]);
    await storage.commit([settleOf(a, usd(0.5))]);
    expect(await problems(storage)).toEqual([]);
    await storage.close();
    expect(look('SELECT slot, json_array_length(holds) AS calls FROM hold_pack ORDER BY slot')).toEqual([
      { slot: 1, calls: 2 },
      { slot: 2, calls: 1 },
    ]);
    storage = await open();
    expect(await balanceOf(storage, account)).toEqual({ left: usd(8.5), held: usd(2) });
    expect(await problems(storage)).toEqual([]);
    // `b` grows, which is written; the row of `c` goes, and its place is the next one's.
    const more = { op: 'extend', id: b.id, addNano: usd(1), leastNano: usd(1), spentNano: usd(0.2) } as const;
    expect(await storage.commit([settleOf(c, usd(0.5)), d, more])).toMatchObject([
      { status: 'settled' },
      { status: 'admitted' },
      { status: 'extended', addedNano: usd(1) },
    ]);
    await storage.close();
    expect(look('SELECT slot FROM hold_pack ORDER BY slot')).toEqual([{ slot: 1 }, { slot: 2 }]);
    storage = await open();
    expect(await balanceOf(storage, account)).toEqual({ left: usd(8), held: usd(3) });
    expect((await run(storage, { op: 'sweep', owner: 'next', deadAfterMs: 0 })).swept.toSorted()).toEqual(
      [b.id, d.id].toSorted(),
    );
    expect(await balanceOf(storage, account)).toMatchObject({ held: 0n });
    expect(await problems(storage)).toEqual([]);
    await storage.close();
    expect(look('SELECT slot FROM hold_pack')).toEqual([]);
  });

  it('keeps the places of holds right after a transaction that failed', async () => {
    const storage = await open();
    const account = await newAccount(storage, usd(9));
    const [a, b, c] = [admitOf(account, usd(1)), admitOf(account, usd(1)), admitOf(account, usd(1))];
    await storage.commit([a, b]);
    const broken = admitOf(account, 1n, { budgets: ['no such budget'] });
    await expect(storage.commit([settleOf(a, usd(0.5)), c, broken])).rejects.toThrow('no such budget');
    expect(await balanceOf(storage, account)).toEqual({ left: usd(9), held: usd(2) });
    await storage.commit([settleOf(b, usd(0.5)), c, settleOf(a, usd(0.5))]);
    expect(await balanceOf(storage, account)).toEqual({ left: usd(8), held: usd(1) });
    expect(await problems(storage)).toEqual([]);
    await storage.close();
  });

  it('brings open holds of the release before into their places', async () => {
    let storage = await open();
    const account = await newAccount(storage, usd(9));
    const calls = Array.from({ length: 3 }, () => admitOf(account, usd(1)));
    await storage.commit(calls);
    await storage.close();
    const database = new DatabaseSync(join(dataDir, 'indoxhub.db'));
    const before = initialSqlite.filter((statement) => /\b(TABLE|ON) hold\b/.test(statement));
    expect(before).toHaveLength(3);
    database.exec('DROP INDEX hold_stop; DROP INDEX hold_alias; ALTER TABLE hold RENAME TO now');
    for (const statement of before) database.exec(statement);
    const columns = `id, account_id, key_id, owner, amount_nano, spent_nano, floor_nano, hard, budgets, facts, takes,
      idempotency_key, alias, stream, started_at, stop_requested`;
    database.exec(`INSERT INTO hold (${columns}) SELECT ${columns} FROM now; DROP TABLE now;
      DELETE FROM schema_migration WHERE name = '0005-sqlite-hold-slots'`);
    database.close();
    storage = await open();
    await storage.commit(calls.map((call) => settleOf(call, usd(0.5))));
    expect(await balanceOf(storage, account)).toEqual({ left: usd(7.5), held: 0n });
    expect(await problems(storage)).toEqual([]);
    await storage.close();
  });

  it('refuses a file of a later release, and one that is no database', async () => {
    await (await open()).close();
    const path = join(dataDir, 'indoxhub.db');
    const database = new DatabaseSync(path);
    database.exec(`INSERT INTO schema_migration VALUES ('9999-future', 'x', 'now')`);
    database.close();
    await expect(open()).rejects.toThrow('later release');
    rmSync(path);
    writeFileSync(
      path,
      'this is a text file, and long enough to look like something else than an empty one'.repeat(20),
    );
    await expect(open()).rejects.toThrow(/not a database/);
  });

  it('rejects what comes after it was closed', async () => {
    const storage = await open();
    await storage.close();
    await storage.close();
    await expect(storage.ping()).rejects.toBeInstanceOf(StorageUnavailable);
    await expect(storage.commit([])).rejects.toBeInstanceOf(StorageUnavailable);
  });
});
