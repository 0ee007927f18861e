/** The meaning of storage.ts beside the ledger: accounts, keys, stops, pulses, settings, usage and the books' proof. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  admitOf,
  creditOf,
  newAccount,
  newId,
  pause,
  problems,
  run,
  settleOf,
  usd,
  type Place,
} from './conformance-fixtures.ts';
import type { NewKey, Storage } from './storage.ts';
import { usageColumns } from './usage-row.ts';

export function recordsConformance(create: () => Promise<Place>): void {
  let place: Place;
  let storage: Storage;
  beforeAll(async () => {
    place = await create();
    storage = await place.open();
  });
  afterAll(async () => {
    await storage?.close();
    await place?.remove();
  });
  const version = async (): Promise<number> => (await storage.pulse('watcher')).version;
  const keyOf = (accountId: string, more: Partial<NewKey> = {}): NewKey => ({
    id: newId(),
    accountId,
    name: 'laptop',
    hash: newId(),
    prefix: 'indox-abcd',
    rpm: null,
    tpm: null,
    allowedModels: null,
    expiresAtMs: null,
    budget: null,
    ...more,
  });

  describe('accounts', () => {
    it('are found as they were made', async () => {
      const id = newId();
      const name = 'Žluťoučký 🐎 \u2028';
      await storage.createAccount({ id, name, soft: true, capped: true });
      const account = await storage.findAccount(id);
      expect(account).toEqual({
        id,
        name,
        soft: true,
        createdAtMs: account?.createdAtMs,
        balance: { id, capped: true, period: 'total', grantedNano: 0n, spentNano: 0n, heldNano: 0n },
      });
      expect(await storage.listAccounts()).toContainEqual(account);
      expect(await storage.findAccount('nobody')).toBeNull();
    });

    it('are made once', async () => {
      const id = await newAccount(storage, usd(3));
      await expect(
        storage.createAccount({ id, name: 'again', soft: false, capped: false }),
      ).rejects.toThrow();
      expect((await storage.findAccount(id))?.balance.grantedNano).toBe(usd(3));
    });
  });

  describe('keys', () => {
    it('bring their account, limits and budget in one credential', async () => {
      const account = await newAccount(storage, usd(3));
      const key = keyOf(account, {
        rpm: 60,
        tpm: 100_000,
        allowedModels: ['openai/*', 'local/sandbox'],
        expiresAtMs: 4_102_444_800_000,
        budget: { amountNano: usd(2), period: 'week' },
      });
      await storage.createKey(key);
      const { hash, budget: _budget, ...rest } = key;
      const credential = await storage.findCredential({ hash });
      expect(credential?.key).toMatchObject({ ...rest, revokedAtMs: null, lastUsedAtMs: null });
      expect(credential?.key.budget).toMatchObject({
        capped: true,
        period: 'week',
        grantedNano: usd(2),
        heldNano: 0n,
      });
      expect(credential?.account.balance.grantedNano).toBe(usd(3));
      expect(await storage.findCredential({ keyId: key.id })).toEqual(credential);
      expect(await storage.listKeys(account)).toEqual([credential?.key]);
      expect((await storage.listKeys(null)).map((each) => each.id)).toContain(key.id);
      expect(await storage.findCredential({ hash: 'unknown' })).toBeNull();
      expect(
        JSON.stringify(await storage.listKeys(null), (_, v) => (typeof v === 'bigint' ? String(v) : v)),
      ).not.toContain(hash);
    });

    it('belong to an account that exists, and to one secret', async () => {
      await expect(storage.createKey(keyOf('nobody'))).rejects.toThrow();
      const account = await newAccount(storage, null);
      const key = keyOf(account);
      await storage.createKey(key);
      await expect(storage.createKey(keyOf(account, { hash: key.hash }))).rejects.toThrow();
      expect(await storage.listKeys(account)).toHaveLength(1);
    });

    it('are revoked once, and every change is seen in the version', async () => {
      const account = await newAccount(storage, null);
      const key = keyOf(account);
      const versions = [await version()];
      await storage.createKey(key);
      versions.push(await version());
      expect(await storage.rotateKey(key.id, { hash: `${key.hash}-2`, prefix: 'indox-new' })).toBe(true);
      versions.push(await version());
      expect(await storage.findCredential({ hash: key.hash })).toBeNull();
      expect((await storage.findCredential({ hash: `${key.hash}-2` }))?.key).toMatchObject({
        id: key.id,
        prefix: 'indox-new',
      });
      expect(await storage.revokeKey(key.id)).toBe(true);
      versions.push(await version());
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      expect((await storage.findCredential({ keyId: key.id }))?.key.revokedAtMs).toBeGreaterThan(0);
      expect(await storage.revokeKey(key.id)).toBe(false);
      expect(await storage.revokeKey('nothing')).toBe(false);
      expect(await storage.rotateKey(key.id, { hash: 'x', prefix: 'x' })).toBe(false);
      expect(await version()).toBe(versions.at(-1));
    });

    it('remember when they were last used', async () => {
      const account = await newAccount(storage, null);
      const [a, b, c] = [keyOf(account), keyOf(account), keyOf(account)];
      for (const key of [a, b, c]) await storage.createKey(key);
      await storage.touchKeys([
        { keyId: a.id, atMs: 1000 },
        { keyId: 'gone', atMs: 1 },
        { keyId: b.id, atMs: 2000 },
      ]);
      await storage.touchKeys([]);
      const used = new Map((await storage.listKeys(account)).map((key) => [key.id, key.lastUsedAtMs]));
      expect([used.get(a.id), used.get(b.id), used.get(c.id)]).toEqual([1000, 2000, null]);
    });
  });

  describe('stopping', () => {
    it('marks an open stream by id or alias, for its owner to see', async () => {
      const account = await newAccount(storage, null);
      const owner = newId();
      const [byId, byAlias, running] = [
        admitOf(account, 0n, { owner }),
        admitOf(account, 0n, { owner, alias: 'mine' }),
        admitOf(account, 0n, { owner }),
      ];
      await storage.commit([byId, byAlias, running]);
      expect((await storage.pulse(owner)).stopped).toEqual([]);
      expect(await storage.requestStop(account, byId.id)).toBe(true);
      expect(await storage.requestStop(account, 'mine')).toBe(true);
      expect([...(await storage.pulse(owner)).stopped].sort()).toEqual([byId.id, byAlias.id].sort());
      expect((await storage.pulse('other owner')).stopped).toEqual([]);
      await storage.commit([settleOf(byId, 0n, { ending: 'stopped' })]);
      expect((await storage.pulse(owner)).stopped).toEqual([byAlias.id]);
      expect(await storage.requestStop(account, byId.id)).toBe(false);
    });

    it('does not know calls of other accounts, unknown ids, or calls that do not stream', async () => {
      const [account, stranger] = [await newAccount(storage, null), await newAccount(storage, null)];
      const call = admitOf(account, 0n, { alias: 'secret' });
      const plain = admitOf(account, 0n, { alias: 'plain', facts: { ...call.facts, stream: false } });
      await storage.commit([call, plain]);
      for (const [who, what] of [
        [stranger, call.id],
        [stranger, 'secret'],
        [account, 'nothing'],
        [account, plain.id],
        [account, 'plain'],
      ] as const) {
        expect(await storage.requestStop(who, what)).toBe(false);
      }
      expect((await storage.pulse(call.owner)).stopped).not.toContain(call.id);
    });
  });

  describe('settings', () => {
    it('agree on the first value when several settle one name at once', async () => {
      const name = newId();
      const values = Array.from({ length: 8 }, (_, index) => `value ${index}`);
      const settled = await Promise.all(values.map((value) => storage.settleSetting(name, value)));
      expect(new Set(settled).size).toBe(1);
      expect(values).toContain(settled[0]);
      expect(await storage.readSetting(name)).toBe(settled[0]);
    });

    it('are overwritten by writeSetting, which every replica notices', async () => {
      const name = newId();
      const before = await version();
      expect(await storage.readSetting(name)).toBeNull();
      await storage.writeSetting(name, 'a');
      await storage.writeSetting(name, 'b');
      expect(await storage.readSetting(name)).toBe('b');
      expect(await version()).toBe(before + 2);
    });
  });

  describe('values', () => {
    it('throws for what a database would keep as something else', async () => {
      const account = await newAccount(storage, null);
      for (const value of [new Date(), undefined, 1.5, true, {}, Symbol('x')] as unknown as string[]) {
        await expect(storage.writeSetting('odd', value)).rejects.toThrow();
        await expect(
          storage.createAccount({ id: newId(), name: value, soft: false, capped: false }),
        ).rejects.toThrow();
        await expect(storage.commit([creditOf(account, 1n, { note: value })])).rejects.toThrow();
        await expect(storage.commit([admitOf(account, value as unknown as bigint)])).rejects.toThrow();
      }
      expect(await storage.readSetting('odd')).toBeNull();
      expect(await problems(storage)).toEqual([]);
    });

    it('keeps what no database likes in text as replacement characters', async () => {
      const account = await newAccount(storage, null);
      const call = admitOf(account, 0n, {
        alias: 'nul\0',
        idempotency: { key: 'half \ud800 pair', fingerprint: 'f' },
      });
      await storage.commit([call, creditOf(account, 1n, { note: 'a\0b \udc00' })]);
      await storage.commit([settleOf(call, 0n, { errorCode: 'x\0\ud800' })]);
      const [row] = await storage.requests({ accountId: account, id: call.id, limit: 1, beforeMs: null });
      expect(row?.errorCode).toMatch(/^x/);
      await storage.audit({ actor: 'admin', action: 'test\0', target: account, detail: '\ud800' });
      expect(await problems(storage)).toEqual([]);
    });
  });

  describe('usage', () => {
    const today = (): string => new Date().toISOString().slice(0, 10);

    it('is the roll-up plus the tail, the same before, between and after', async () => {
      const account = await newAccount(storage, usd(10));
      const seen = async () => {
        const groups = await storage.usage({ accountId: account, fromDay: today(), toDay: today() });
        return groups.map((group) => [
          group.model,
          group.requests,
          group.errors,
          group.costNano,
          group.inputTokens,
        ]);
      };
      const call = async (model: string, cost: number, more = {}): Promise<void> => {
        const admitted = admitOf(account, usd(1));
        await storage.commit([admitted, settleOf(admitted, usd(cost), { model, ...more })]);
      };
      await call('a', 0.1);
      await call('a', 0.2, { ending: 'upstream_error', errorCode: 'upstream_error' });
      await pause(3);
      const first = await seen();
      expect(first).toEqual([['a', 2, 1, usd(0.3), 20]]);
      expect(await storage.rollUp(0)).toBeGreaterThanOrEqual(2);
      expect(await seen()).toEqual(first);
      expect(await storage.rollUp(3_600_000)).toBe(0);
      await call('a', 0.4);
      await call('b', 0.5);
      const both = [
        ['a', 3, 1, usd(0.7), 30],
        ['b', 1, 0, usd(0.5), 10],
      ];
      expect(await seen()).toEqual(both);
      await pause(3);
      const moved = await Promise.all([storage.rollUp(0), storage.rollUp(0), storage.rollUp(0)]);
      expect(moved.reduce((sum, rows) => sum + rows, 0)).toBeGreaterThanOrEqual(2);
      expect(await seen()).toEqual(both);
      expect(await storage.usage({ accountId: account, fromDay: '2020-01-01', toDay: '2020-12-31' })).toEqual(
        [],
      );
      const all = await storage.usage({ accountId: null, fromDay: today(), toDay: today() });
      expect(all.find((group) => group.model === 'b')?.requests).toBe(1);
    });

    it('loses no settlement while rolling up', async () => {
      const account = await newAccount(storage, null);
      const stop = new AbortController();
      const rolling = (async () => {
        while (!stop.signal.aborted) await storage.rollUp(0);
      })();
      for (let batch = 0; batch < 40; batch++) {
        const calls = Array.from({ length: 4 }, () => admitOf(account, 0n));
        await storage.commit([...calls, ...calls.map((each) => settleOf(each, 7n, { model: 'busy' }))]);
      }
      stop.abort();
      await rolling;
      const groups = await storage.usage({ accountId: account, fromDay: '2000-01-01', toDay: '2999-01-01' });
      expect(groups.reduce((sum, group) => sum + group.requests, 0)).toBe(160);
      expect(groups.reduce((sum, group) => sum + group.costNano, 0n)).toBe(1120n);
    });

    it('is rolled up piece by piece where there is much of it', async () => {
      const account = await newAccount(storage, null);
      const call = admitOf(account, 0n);
      await storage.commit([call, settleOf(call, 0n, { model: 'many' })]);
      await pause(3);
      while ((await storage.rollUp(0)) > 0);
      const columns = usageColumns.filter((column) => column !== 'id' && column !== 'settled_at').join(', ');
      await storage.close();
      await place.tamper(
        `INSERT INTO usage (id, settled_at, ${columns})
         WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20500)
         SELECT id || '-' || n, settled_at + 60000 + n / 10, ${columns} FROM usage, c WHERE id = '${call.id}'`,
      );
      storage = await place.open();
      const days = { accountId: account, fromDay: '2000-01-01', toDay: '2999-01-01' };
      const total = async (): Promise<number> =>
        (await storage.usage(days)).reduce((sum, group) => sum + group.requests, 0);
      expect(await total()).toBe(20_501);
      expect(await storage.rollUp(-120_000)).toBe(20_000);
      expect(await total()).toBe(20_501);
      expect(await storage.rollUp(-120_000)).toBeGreaterThan(400);
      expect(await storage.rollUp(-120_000)).toBe(0);
      expect(await total()).toBe(20_501);
    });

    it('is paged newest first, without losing rows of one millisecond', async () => {
      const account = await newAccount(storage, null);
      const calls = Array.from({ length: 7 }, () => admitOf(account, 0n));
      await storage.commit([...calls, ...calls.map((each) => settleOf(each, 0n))]);
      const seen: string[] = [];
      let before: { beforeMs: number | null; beforeId: string | null } = { beforeMs: null, beforeId: null };
      for (let page = 0; page < 4; page++) {
        const rows = await storage.requests({ accountId: account, id: null, limit: 2, ...before });
        seen.push(...rows.map((row) => row.id));
        const last = rows.at(-1);
        if (last !== undefined) before = { beforeMs: last.settledAtMs, beforeId: last.id };
      }
      expect(seen.sort()).toEqual(calls.map((each) => each.id).sort());
      expect(await storage.requests({ accountId: account, id: null, limit: 2, ...before })).toEqual([]);
      const [one] = calls;
      expect(
        await storage.requests({ accountId: 'other', id: one?.id ?? '', limit: 2, beforeMs: null }),
      ).toEqual([]);
    });
  });

  describe('the books', () => {
    it('name every imbalance somebody plants', async () => {
      const account = await newAccount(storage, usd(5));
      const [open, done] = [admitOf(account, usd(1)), admitOf(account, usd(1))];
      await storage.commit([open, done, settleOf(done, usd(0.5))]);
      expect(await storage.verify()).toMatchObject({ ok: true, problems: [] });
      const plant = async (sql: string, undo: string): Promise<readonly string[]> => {
        await storage.close();
        await place.tamper(sql);
        storage = await place.open();
        const report = await storage.verify();
        expect(report.ok).toBe(report.problems.length === 0);
        await storage.close();
        await place.tamper(undo);
        storage = await place.open();
        return report.problems;
      };
      const set = (table: string, column: string, by: string, where: string): [string, string] => [
        `UPDATE ${table} SET ${column} = ${column} + ${by} WHERE ${where}`,
        `UPDATE ${table} SET ${column} = ${column} - ${by} WHERE ${where}`,
      ];
      const entry = `txn = '${done.id}' AND book = 'world'`;
      expect(await plant(...set('ledger_entry', 'amount_nano', '1', entry))).toHaveLength(2);
      expect(await plant(...set('budget', 'held_nano', '1', `id = '${account}'`))).toHaveLength(1);
      expect(await plant(...set('budget', 'spent_nano', '1', `id = '${account}'`))).toHaveLength(1);
      expect(await plant(...set('hold', 'amount_nano', '1', `id = '${open.id}'`))).toHaveLength(1);
      expect(await plant(...set('usage', 'charged_nano', '1', `id = '${done.id}'`))).toHaveLength(1);
      const overspent = await plant(...set('budget', 'granted_nano', '-4000000000', `id = '${account}'`));
      expect(overspent.join()).toContain('exceed');
      expect(await storage.verify()).toMatchObject({ ok: true, problems: [] });
    });

    it('can be read while calls run', async () => {
      const account = await newAccount(storage, usd(5));
      const stop = new AbortController();
      const calls = (async () => {
        while (!stop.signal.aborted) {
          const call = admitOf(account, 1000n);
          await storage.commit([call]);
          await storage.commit([settleOf(call, 700n)]);
        }
      })();
      for (let times = 0; times < 10; times++) expect(await problems(storage)).toEqual([]);
      stop.abort();
      await calls;
    });
  });

  it('prunes what has expired and nothing else', async () => {
    const account = await newAccount(storage, null);
    const idempotent = (key: string) => admitOf(account, 0n, { idempotency: { key, fingerprint: 'f' } });
    await storage.commit([idempotent('old'), idempotent('new')]);
    await storage.close();
    await place.tamper(`UPDATE idempotency SET expires_at = 1 WHERE key = 'old'`);
    storage = await place.open();
    await storage.prune();
    expect(await run(storage, idempotent('new'))).toMatchObject({ status: 'in_progress' });
    expect(await run(storage, idempotent('old'))).toMatchObject({ status: 'admitted' });
    await storage.ping();
  });
}
