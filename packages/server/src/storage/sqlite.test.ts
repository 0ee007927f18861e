/** What is SQLite's own: one process by lock, and a file that survives being killed. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../test/storage/ledger-process.ts';
import { startLedgerProcess } from '../../test/storage/processes.ts';
import { admitOf, balanceOf, newAccount, newId, problems, run, usd } from './conformance-fixtures.ts';
import { openStorage } from './open.ts';
import { StorageUnavailable, type Storage } from './storage.ts';

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
