/** What is PostgreSQL's own: several processes, migrations at once, a database that goes away and comes back. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshDatabase, postgresUrl, runSql, type Database } from '../../test/storage/databases.ts';
import { startLedgerProcess } from '../../test/storage/processes.ts';
import { startProxy, type Proxy } from '../../test/storage/proxy.ts';
import type { Task } from '../../test/storage/ledger-process.ts';
import {
  admitOf,
  balanceOf,
  newAccount,
  newId,
  pause,
  problems,
  run,
  settleOf,
  usd,
} from './conformance-fixtures.ts';
import { openStorage } from './open.ts';
import { encodeOperations } from './postgres-codec.ts';
import { openPostgres } from './postgres.ts';
import { StorageUnavailable, type Storage } from './storage.ts';

const open = (url: string): Promise<Storage> => openStorage({ databaseUrl: url, dataDir: '/nonexistent' });

describe.skipIf(postgresUrl === null)('PostgreSQL', () => {
  let database: Database;
  let storage: Storage;
  beforeAll(async () => {
    database = await freshDatabase();
    storage = await open(database.url);
  });
  afterAll(async () => {
    await storage?.close();
    await database?.drop();
  });

  const task = (accountId: string, more: Partial<Task>): Task => ({
    kind: 'fixed',
    databaseUrl: database.url,
    dataDir: '',
    accountId,
    owner: newId(),
    calls: 500,
    concurrency: 50,
    costNano: String(usd(0.01)),
    ...more,
  });

  describe('two processes', () => {
    it('admit exactly as many calls as the balance pays for', async () => {
      const account = await newAccount(storage, usd(1));
      const two = [startLedgerProcess(task(account, {})), startLedgerProcess(task(account, {}))];
      const outcomes = await Promise.all(two.map((each) => each.outcome));
      expect(outcomes.map((each) => each.error)).toEqual([undefined, undefined]);
      expect(outcomes.reduce((sum, each) => sum + each.admitted, 0)).toBe(100);
      expect(outcomes.reduce((sum, each) => sum + each.refused, 0)).toBe(900);
      expect(await balanceOf(storage, account)).toEqual({ left: 0n, held: 0n });
      expect(await problems(storage)).toEqual([]);
    });

    it('never pass the cap with true costs of 0.1 to 5 times the estimate', async () => {
      const account = await newAccount(storage, usd(1));
      const varied = { kind: 'varied', calls: 150, concurrency: 25 } as const;
      const two = [startLedgerProcess(task(account, varied)), startLedgerProcess(task(account, varied))];
      const outcomes = await Promise.all(two.map((each) => each.outcome));
      expect(outcomes.map((each) => each.error)).toEqual([undefined, undefined]);
      const charged = outcomes.reduce((sum, each) => sum + BigInt(each.charged), 0n);
      const { left, held } = await balanceOf(storage, account);
      expect(held).toBe(0n);
      expect(left).toBe(usd(1) - charged);
      expect(left).toBeGreaterThanOrEqual(0n);
      expect(left).toBeLessThan(usd(0.01));
      expect(await problems(storage)).toEqual([]);
    });

    it('one killed with calls open: the other sweeps them', async () => {
      const account = await newAccount(storage, usd(1));
      const dying = startLedgerProcess(task(account, { kind: 'hold', calls: 20, concurrency: 4 }));
      expect(await dying.outcome).toMatchObject({ admitted: 20 });
      await dying.kill();
      const alive = await run(storage, { op: 'sweep', owner: 'me', deadAfterMs: 60_000 });
      expect(alive.swept).toEqual([]);
      await pause(5);
      const { swept } = await run(storage, { op: 'sweep', owner: 'me', deadAfterMs: 0 });
      expect(swept).toHaveLength(20);
      expect(await balanceOf(storage, account)).toEqual({ left: usd(1), held: 0n });
      expect(await problems(storage)).toEqual([]);
    });
  });

  describe('migrations', () => {
    const inFresh = async (work: (url: string) => Promise<void>): Promise<void> => {
      const fresh = await freshDatabase();
      try {
        await work(fresh.url);
      } finally {
        await fresh.drop();
      }
    };

    it('run once when ten replicas start at once', () =>
      inFresh(async (url) => {
        const ten = await Promise.all(Array.from({ length: 10 }, () => open(url)));
        const names = await runSql('SELECT name FROM indoxhub.schema_migration', url);
        expect(names).toEqual([
          { name: '0001-initial' },
          { name: '0002-usage-units' },
          { name: '0003-video-jobs' },
          { name: '0004-media' },
          { name: '0006-webhook-deliveries' },
          { name: '0007-video-key-owner' },
        ]);
        await Promise.all(ten.map((each) => each.verify()));
        await Promise.all(ten.map((each) => each.close()));
      }));

    it('refuse a schema that holds somebody else’s tables', () =>
      inFresh(async (url) => {
        await runSql('CREATE SCHEMA indoxhub; CREATE TABLE indoxhub.customers (id int)', url);
        await expect(open(url)).rejects.toThrow(/not IndoxHub's: customers/);
        const tables = await runSql(
          `SELECT relname FROM pg_class WHERE relnamespace = 'indoxhub'::regnamespace`,
          url,
        );
        expect(tables).toEqual([{ relname: 'customers' }]);
      }));

    it('do not touch other schemas', () =>
      inFresh(async (url) => {
        await runSql('CREATE TABLE public.account (id int)', url);
        await (await open(url)).close();
        expect(await runSql('SELECT * FROM public.account', url)).toEqual([]);
      }));

    it('refuse a database of a later release, or with an edited migration', () =>
      inFresh(async (url) => {
        await (await open(url)).close();
        await runSql(`INSERT INTO indoxhub.schema_migration VALUES ('9999-future', 'x', 'now')`, url);
        await expect(open(url)).rejects.toThrow('later release');
        await runSql(`DELETE FROM indoxhub.schema_migration WHERE name LIKE '9%'`, url);
        await runSql(`UPDATE indoxhub.schema_migration SET checksum = 'x'`, url);
        await expect(open(url)).rejects.toThrow('not the one of this release');
      }));
  });

  it('waits with the roll-up for a batch that is still being committed', async () => {
    const [slow, quick] = [await newAccount(storage, null), await newAccount(storage, null)];
    const [late, other] = [admitOf(slow, 0n), admitOf(quick, 0n)];
    await storage.commit([late, other]);
    const client = new Client({ connectionString: database.url });
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    await client.query(
      'SELECT indoxhub.ledger_commit($1::jsonb, $2::jsonb)',
      encodeOperations([settleOf(late, 5n)]),
    );
    await storage.commit([settleOf(other, 7n)]);
    await pause(5);
    const rolling = storage.rollUp(0);
    await pause(200);
    await client.query('COMMIT');
    await client.end();
    await rolling;
    const days = { fromDay: '2000-01-01', toDay: '2999-01-01' };
    expect(await storage.usage({ accountId: slow, ...days })).toMatchObject([{ requests: 1 }]);
    expect(await storage.usage({ accountId: quick, ...days })).toMatchObject([{ requests: 1 }]);
  });

  it('keeps usage in partitions by month, made ahead', async () => {
    const account = await newAccount(storage, null);
    const call = admitOf(account, 0n);
    await storage.commit([call, settleOf(call, 0n)]);
    const month = new Date().toISOString().slice(0, 7).replace('-', '_');
    const [row] = await runSql(
      `SELECT tableoid::regclass::text AS name FROM indoxhub.usage WHERE id = '${call.id}'`,
      database.url,
    );
    expect(row).toEqual({ name: `indoxhub.usage_${month}` });
    const next = `SELECT relname FROM pg_class WHERE relname ~ '^usage_[0-9]{4}_[0-9]{2}$' ORDER BY 1`;
    const made = await runSql(next, database.url);
    expect(made).toHaveLength(4);
    await runSql(`DROP TABLE indoxhub.${String(made[3]?.['relname'])}`, database.url);
    await storage.prune();
    expect(await runSql(next, database.url)).toEqual(made);
  });

  describe('a database that goes away', () => {
    let proxy: Proxy;
    let behind: Storage;
    beforeAll(async () => {
      proxy = await startProxy(database.url);
      behind = await openPostgres(proxy.url, { connectMs: 300, answerMs: 500 });
    });
    afterAll(async () => {
      await proxy?.close();
      await behind?.close();
    });

    it('answers StorageUnavailable, and is used again when it is back', async () => {
      const account = await newAccount(behind, usd(1));
      proxy.mode = 'down';
      proxy.cut();
      await expect(behind.commit([admitOf(account, 1n)])).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(behind.ping()).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(behind.findAccount(account)).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(behind.revokeKey('k')).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(openPostgres(proxy.url)).rejects.toBeInstanceOf(StorageUnavailable);
      proxy.mode = 'up';
      expect(await run(behind, admitOf(account, 1n))).toMatchObject({ status: 'admitted' });
      expect(await balanceOf(behind, account)).toMatchObject({ held: 1n });
    });

    it('does not hang when the database does', async () => {
      const account = await newAccount(behind, usd(1));
      proxy.mode = 'hung';
      await expect(behind.commit([admitOf(account, 1n)])).rejects.toBeInstanceOf(StorageUnavailable);
      proxy.cut();
      await expect(behind.commit([admitOf(account, 1n)])).rejects.toBeInstanceOf(StorageUnavailable);
      proxy.mode = 'up';
      proxy.cut();
      expect(await run(behind, admitOf(account, 1n))).toMatchObject({ status: 'admitted' });
    });

    it('survives its sessions being ended by an administrator', async () => {
      const account = await newAccount(behind, usd(1));
      for (let times = 0; times < 3; times++) {
        await runSql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
          database.url,
        );
        expect(await run(behind, admitOf(account, 1n))).toMatchObject({ status: 'admitted' });
      }
      expect(await balanceOf(behind, account)).toMatchObject({ held: 3n });
    });

    it('does not do twice what was done before its answer was lost', async () => {
      const account = await newAccount(behind, usd(1));
      const call = admitOf(account, usd(0.6));
      proxy.mode = 'lose';
      expect(await run(behind, call)).toMatchObject({ status: 'admitted', heldNano: usd(0.6) });
      proxy.mode = 'lose';
      expect(await run(behind, settleOf(call, usd(0.6)))).toMatchObject({ chargedNano: usd(0.6) });
      expect(await balanceOf(behind, account)).toEqual({ left: usd(0.4), held: 0n });
      expect(await problems(behind)).toEqual([]);
    });

    it('does not repeat a change whose COMMIT was not answered', async () => {
      const id = newId();
      const key = { id, name: 'k', hash: id, prefix: 'p', rpm: null, tpm: null, allowedModels: null };
      await behind.createKey({
        ...key,
        accountId: await newAccount(behind, null),
        expiresAtMs: null,
        budget: null,
      });
      // BEGIN, two changes and COMMIT: the fourth answer is lost.
      proxy.spare = 3;
      proxy.mode = 'lose';
      await expect(behind.revokeKey(id)).rejects.toThrow('outcome is unknown');
      expect((await behind.findCredential({ keyId: id }))?.key.revokedAtMs).toBeGreaterThan(0);
    });

    it('says so when a lock is not to be had in time', async () => {
      const account = await newAccount(storage, usd(1));
      const hold = runSql(
        `BEGIN; SELECT 1 FROM indoxhub.budget WHERE id = '${account}' FOR UPDATE; SELECT pg_sleep(2); COMMIT`,
        database.url,
      );
      await pause(300);
      await expect(behind.commit([admitOf(account, 1n)])).rejects.toBeInstanceOf(StorageUnavailable);
      const other = await newAccount(storage, usd(1));
      expect(await run(behind, admitOf(other, 1n))).toMatchObject({ status: 'admitted' });
      await hold;
    });
  });

  it('sees the database’s clock, not its own', async () => {
    const account = await newAccount(storage, null);
    const call = admitOf(account, 0n);
    await storage.commit([call, settleOf(call, 0n, { startedAtMs: 5 })]);
    const [row] = await storage.requests({ accountId: account, id: call.id, limit: 1, beforeMs: null });
    const [clock] = await runSql('SELECT indoxhub.now_ms()::text AS now', database.url);
    expect(Math.abs(Number(clock?.['now']) - (row?.settledAtMs ?? 0))).toBeLessThan(10_000);
  });
});
