/** The meaning of storage.ts's ledger, as cases that every engine passes. conformance-records.ts has the rest. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noUsage } from '../contract/usage.ts';
import {
  admitOf,
  balanceOf,
  creditOf,
  extendOf,
  facts,
  held,
  newAccount,
  newId,
  pause,
  problems,
  run,
  settleOf,
  usd,
  type Place,
} from './conformance-fixtures.ts';
import type { LimitTake, Storage, StoredResponse } from './storage.ts';

const response: StoredResponse = {
  status: 200,
  contentType: 'application/json',
  body: '{"answer":"42 \\u0000"}',
};

/** A day key's budget besides the account's. */
async function newKeyBudget(storage: Storage, accountId: string, amountNano: bigint): Promise<string> {
  const id = newId();
  await storage.createKey({
    id,
    accountId,
    name: 'k',
    hash: newId(),
    prefix: 'indox-ab',
    rpm: null,
    tpm: null,
    allowedModels: null,
    expiresAtMs: null,
    budget: { amountNano, period: 'day' },
  });
  return `key:${id}`;
}

export function ledgerConformance(create: () => Promise<Place>): void {
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
  afterEach(async () => {
    expect(await problems(storage)).toEqual([]);
  });
  const tamper = async (sql: string): Promise<void> => {
    await storage.close();
    await place.tamper(sql);
    storage = await place.open();
  };
  /** The owner of the call has not been seen for hours. */
  const forgetOwner = (owner: string): Promise<void> =>
    tamper(
      `UPDATE hold SET started_at = started_at - 10000000 WHERE owner = '${owner}'; UPDATE instance SET seen_at = 0 WHERE owner = '${owner}'`,
    );

  describe('admit', () => {
    it('holds what was asked', async () => {
      const account = await newAccount(storage, usd(1));
      const result = await run(storage, admitOf(account, usd(0.4)));
      expect(result).toEqual({ status: 'admitted', heldNano: usd(0.4), limits: [] });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(1), held: usd(0.4) });
    });

    it('grants what fits when that is at least the least', async () => {
      const account = await newAccount(storage, usd(1));
      await run(storage, admitOf(account, usd(0.7)));
      expect(held(await run(storage, admitOf(account, usd(1), { leastNano: usd(0.3) })))).toBe(usd(0.3));
    });

    it('refuses what does not fit, saying which budget, what fits and what is held', async () => {
      const account = await newAccount(storage, usd(1));
      await run(storage, admitOf(account, usd(0.7)));
      const result = await run(storage, admitOf(account, usd(0.31)));
      expect(result).toEqual({
        status: 'refused',
        budgetId: account,
        availableNano: usd(0.3),
        heldNano: usd(0.7),
      });
      expect((await balanceOf(storage, account)).held).toBe(usd(0.7));
    });

    it('admits a hold of nothing even where nothing is left', async () => {
      const account = await newAccount(storage, 0n);
      expect(held(await run(storage, admitOf(account, 0n)))).toBe(0n);
    });

    it('is admitted against every budget, the tightest decides', async () => {
      const account = await newAccount(storage, usd(5));
      const key = await newKeyBudget(storage, account, usd(1));
      const call = admitOf(account, usd(2), { budgets: [account, key], leastNano: usd(0.5) });
      expect(held(await run(storage, call))).toBe(usd(1));
      const next = await run(storage, admitOf(account, usd(0.1), { budgets: [account, key] }));
      expect(next).toMatchObject({ status: 'refused', budgetId: key, availableNano: 0n, heldNano: usd(1) });
      await run(storage, settleOf(call, usd(0.25)));
      expect(held(await run(storage, admitOf(account, usd(0.75), { budgets: [account, key] })))).toBe(
        usd(0.75),
      );
    });

    it('is idempotent by id', async () => {
      const account = await newAccount(storage, usd(1));
      const call = admitOf(account, usd(0.6));
      const [first, again] = await storage.commit([call, call]);
      expect([first, again]).toMatchObject([
        { heldNano: usd(0.6) },
        { status: 'admitted', heldNano: usd(0.6) },
      ]);
      expect((await balanceOf(storage, account)).held).toBe(usd(0.6));
    });

    it('is not capped in an account without cap, and its spend is counted', async () => {
      const account = await newAccount(storage, null);
      const call = admitOf(account, usd(1000), { hard: false });
      expect(held(await run(storage, call))).toBe(usd(1000));
      await run(storage, settleOf(call, usd(1500)));
      expect(await balanceOf(storage, account)).toEqual({ left: usd(-1500), held: 0n });
    });

    it('runs the operations of a batch in order, and all or none', async () => {
      const account = await newAccount(storage, usd(1));
      const first = admitOf(account, usd(0.8));
      const results = await storage.commit([
        first,
        admitOf(account, usd(0.8)),
        settleOf(first, usd(0.1)),
        admitOf(account, usd(0.8)),
      ]);
      expect(results.map((result) => 'status' in result && result.status)).toEqual([
        'admitted',
        'refused',
        'settled',
        'admitted',
      ]);
      const before = await balanceOf(storage, account);
      const good = admitOf(account, usd(0.05));
      await expect(
        storage.commit([good, admitOf(account, 1n, { budgets: ['no such budget'] })]),
      ).rejects.toThrow('no such budget');
      expect(await balanceOf(storage, account)).toEqual(before);
      expect(await run(storage, extendOf(good.id, 1n))).toMatchObject({ status: 'missing' });
      expect(await storage.commit([])).toEqual([]);
    });

    it('sees in a batch what the batch has done before', async () => {
      const account = await newAccount(storage, usd(1));
      const [a, b] = [admitOf(account, usd(0.1)), admitOf(account, usd(0.1))];
      await storage.commit([a, b]);
      const results = await storage.commit([
        extendOf(a.id, usd(0.2)),
        extendOf(a.id, usd(0.3)),
        settleOf(a, usd(0.5)),
        settleOf(b, usd(0.1)),
        settleOf(b, usd(0.1)),
        settleOf(a, usd(0.4)),
        extendOf(a.id, 1n),
      ]);
      expect(results.map((result) => 'status' in result && result.status)).toEqual([
        'extended',
        'extended',
        'settled',
        'settled',
        'already',
        'already',
        'missing',
      ]);
      expect(results[2]).toMatchObject({ chargedNano: usd(0.5), overNano: 0n });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(0.4), held: 0n });
    });

    it('does not open again what was settled', async () => {
      const account = await newAccount(storage, usd(1));
      const call = admitOf(account, usd(0.1));
      await expect(storage.commit([call, settleOf(call, 0n), call])).rejects.toThrow('settled before');
      await storage.commit([call, settleOf(call, 0n)]);
      await expect(storage.commit([call])).rejects.toThrow('settled before');
      expect(await balanceOf(storage, account)).toEqual({ left: usd(1), held: 0n });
    });

    it('keeps amounts beyond 2^53 exact', async () => {
      const huge = 9_007_199_254_740_993n;
      const account = await newAccount(storage, huge * 3n);
      const call = admitOf(account, huge);
      expect(held(await run(storage, call))).toBe(huge);
      expect(await run(storage, settleOf(call, huge - 2n))).toMatchObject({ chargedNano: huge - 2n });
      expect(await balanceOf(storage, account)).toEqual({ left: huge * 2n + 2n, held: 0n });
      const [row] = await storage.requests({ accountId: account, id: call.id, limit: 1, beforeMs: null });
      expect(row?.costNano).toBe(huge - 2n);
    });
  });

  describe('limits', () => {
    const take = (more: Partial<LimitTake> = {}): LimitTake => ({
      id: `${newId()}:rpm`,
      max: 3,
      windowMs: 3_600_000,
      cost: 1,
      ...more,
    });

    it('admits up to the limit, then says how long to wait', async () => {
      const account = await newAccount(storage, null);
      const limit = take();
      const calls = Array.from({ length: 5 }, () => admitOf(account, 0n, { limits: [limit] }));
      const results = await storage.commit(calls);
      expect(results.map((result) => 'status' in result && result.status)).toEqual([
        'admitted',
        'admitted',
        'admitted',
        'limited',
        'limited',
      ]);
      expect(results[0]).toMatchObject({ limits: [{ id: limit.id, max: 3, remaining: 2 }] });
      const refused = results[4];
      if (refused === undefined || !('retryAfterMs' in refused)) throw new Error('not limited');
      expect(refused.limitId).toBe(limit.id);
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(2 * limit.windowMs);
      expect(refused.limits[0]).toMatchObject({ id: limit.id, remaining: 0 });
      expect(refused.limits[0]?.resetAtMs).toBeGreaterThan(Date.now());
    });

    it('takes nothing of any limit or budget when one refuses', async () => {
      const account = await newAccount(storage, usd(1));
      const [wide, narrow] = [take({ max: 10 }), take({ max: 1 })];
      await run(storage, admitOf(account, 0n, { limits: [wide, narrow] }));
      const limited = await run(storage, admitOf(account, usd(0.1), { limits: [wide, narrow] }));
      expect(limited).toMatchObject({
        status: 'limited',
        limitId: narrow.id,
        limits: [{ remaining: 9 }, { remaining: 0 }],
      });
      expect((await balanceOf(storage, account)).held).toBe(0n);
      const refused = await run(storage, admitOf(account, usd(2), { limits: [wide] }));
      expect(refused).toMatchObject({ status: 'refused' });
      const next = await run(storage, admitOf(account, 0n, { limits: [wide] }));
      expect(next).toMatchObject({ limits: [{ remaining: 8 }] });
    });

    it('counts one limit for all, however many accounts run into it at once', async () => {
      const limit = take({ max: 10 });
      const accounts = await Promise.all(Array.from({ length: 30 }, () => newAccount(storage, null)));
      const results = await Promise.all(
        accounts.map((account) => run(storage, admitOf(account, 0n, { limits: [limit] }))),
      );
      expect(results.filter((result) => result.status === 'admitted')).toHaveLength(10);
    });

    it('forgets a window in proportion, and wholly after two', async () => {
      const account = await newAccount(storage, null);
      const limit = take({ max: 4 });
      await storage.commit(Array.from({ length: 4 }, () => admitOf(account, 0n, { limits: [limit] })));
      expect(await run(storage, admitOf(account, 0n, { limits: [limit] }))).toMatchObject({
        status: 'limited',
      });
      const windows = 2 * limit.windowMs;
      await tamper(
        `UPDATE rate_window SET window_start = window_start - ${windows} WHERE id = '${limit.id}'`,
      );
      const later = await run(storage, admitOf(account, 0n, { limits: [limit] }));
      expect(later).toMatchObject({ status: 'admitted', limits: [{ remaining: 3 }] });
      await tamper(`UPDATE rate_window SET previous = 4, current = 0 WHERE id = '${limit.id}'`);
      const share = 1 - (Date.now() % limit.windowMs) / limit.windowMs;
      const result = await run(storage, admitOf(account, 0n, { limits: [take({ ...limit, max: 1000 })] }));
      if (!('limits' in result)) throw new Error(result.status);
      expect(Math.abs((result.limits[0]?.remaining ?? 0) - Math.floor(999 - 4 * share))).toBeLessThanOrEqual(
        1,
      );
    });

    it('lets a call larger than the limit pass when nothing else runs', async () => {
      const account = await newAccount(storage, null);
      const limit = take({ id: `${newId()}:tpm`, max: 100, cost: 5000 });
      expect(await run(storage, admitOf(account, 0n, { limits: [limit] }))).toMatchObject({
        status: 'admitted',
        limits: [{ remaining: 0 }],
      });
    });

    it('replaces the tokens asked by the tokens used, once the call is settled', async () => {
      const account = await newAccount(storage, null);
      const limit = take({ id: `${newId()}:tpm`, max: 1000, cost: 600 });
      const call = admitOf(account, 0n, { limits: [limit] });
      await run(storage, call);
      await run(storage, settleOf(call, 0n, { usage: { ...noUsage, input: 30, reasoning: 5, output: 15 } }));
      const next = await run(storage, admitOf(account, 0n, { limits: [{ ...limit, cost: 0 }] }));
      expect(next).toMatchObject({ limits: [{ remaining: 950 }] });
    });
  });

  describe('periods', () => {
    it('starts a new period with nothing spent, and charges a late call to the period it was admitted in', async () => {
      const account = await newAccount(storage, usd(100));
      const key = await newKeyBudget(storage, account, usd(1));
      const budgets = [account, key];
      const [done, open] = [admitOf(account, usd(0.5), { budgets }), admitOf(account, usd(0.4), { budgets })];
      await storage.commit([done, open, settleOf(done, usd(0.5))]);
      expect(await run(storage, admitOf(account, usd(0.2), { budgets }))).toMatchObject({
        status: 'refused',
      });
      await tamper(
        `UPDATE budget SET period_key = '2000-01-01' WHERE id = '${key}';
         UPDATE hold SET budgets = '[["${account}","total"],["${key}","2000-01-01"]]' WHERE id = '${open.id}'`,
      );
      const credential = await storage.findCredential({ keyId: key.slice(4) });
      expect(credential?.key.budget).toMatchObject({
        spentNano: 0n,
        heldNano: usd(0.4),
        grantedNano: usd(1),
      });
      expect(held(await run(storage, admitOf(account, usd(0.6), { budgets })))).toBe(usd(0.6));
      await run(storage, settleOf(open, usd(0.4)));
      const after = await storage.findCredential({ keyId: key.slice(4) });
      expect(after?.key.budget).toMatchObject({ spentNano: 0n, heldNano: usd(0.6) });
      expect((await balanceOf(storage, account)).left).toBe(usd(99.1));
    });
  });

  describe('extend', () => {
    it('adds what fits, refuses below the least, and records the checkpoint either way', async () => {
      const account = await newAccount(storage, usd(1));
      const owner = newId();
      const call = admitOf(account, usd(0.5), { owner });
      await run(storage, call);
      const extend = (add: number, least: number, spent: number) =>
        run(storage, extendOf(call.id, usd(add), { leastNano: usd(least), spentNano: usd(spent) }));
      expect(await extend(0.2, 0.2, 0.1)).toEqual({ status: 'extended', addedNano: usd(0.2) });
      expect(await extend(0.9, 0.1, 0.2)).toEqual({ status: 'extended', addedNano: usd(0.3) });
      expect(await extend(0.1, 0.1, 0.6)).toEqual({ status: 'refused', addedNano: 0n });
      expect(await extend(0, 0, 0.3)).toEqual({ status: 'extended', addedNano: 0n });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(1), held: usd(1) });
      await forgetOwner(owner);
      await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(0.4), held: 0n });
    });

    it('does not know a call that is not open', async () => {
      expect(await run(storage, extendOf(newId(), 1n))).toEqual({ status: 'missing', addedNano: 0n });
    });
  });

  describe('settle', () => {
    it('charges the cost, gives back the rest and writes the usage row', async () => {
      const account = await newAccount(storage, usd(1));
      const call = admitOf(account, usd(0.5));
      await run(storage, call);
      const settle = settleOf(call, usd(0.2), {
        sessionId: 's',
        units: { unit: 'audio_ms', quantity: 4_500 },
        usage: { ...noUsage, input: 3, imageInput: 4, cacheRead: 2, output: 7 },
      });
      expect(await run(storage, settle)).toEqual({ status: 'settled', chargedNano: usd(0.2), overNano: 0n });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(0.8), held: 0n });
      const [row, ...more] = await storage.requests({
        accountId: account,
        id: null,
        limit: 10,
        beforeMs: null,
      });
      expect(more).toEqual([]);
      expect(row).toEqual({
        ...settle.record,
        chargedNano: usd(0.2),
        overNano: 0n,
        settledAtMs: row?.settledAtMs,
      });
      expect(Math.abs((row?.settledAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    });

    it('settles once: a repeat changes nothing and answers what was charged', async () => {
      const account = await newAccount(storage, usd(1));
      const call = admitOf(account, usd(0.5));
      await run(storage, call);
      await run(storage, settleOf(call, usd(0.2)));
      expect(await run(storage, settleOf(call, usd(0.4)))).toEqual({
        status: 'already',
        chargedNano: usd(0.2),
        overNano: 0n,
      });
      expect((await balanceOf(storage, account)).left).toBe(usd(0.8));
    });

    it('charges no more than a hard cap has room for; books the excess under a soft one', async () => {
      const hard = await newAccount(storage, usd(1));
      const call = admitOf(hard, usd(0.5));
      const other = admitOf(hard, usd(0.4));
      await run(storage, call);
      await run(storage, other);
      // 0.5 is held for it, 0.4 for the other call: 0.1 is left.
      expect(await run(storage, settleOf(call, usd(0.9)))).toEqual({
        status: 'settled',
        chargedNano: usd(0.6),
        overNano: usd(0.3),
      });
      expect(await run(storage, settleOf(other, usd(0.4)))).toMatchObject({ chargedNano: usd(0.4) });
      expect((await balanceOf(storage, hard)).left).toBe(0n);
      const limited = await newAccount(storage, null);
      const capped = admitOf(limited, usd(0.2));
      await run(storage, capped);
      const settled = await run(storage, { ...settleOf(capped, usd(0.9)), maxChargeNano: usd(0.3) });
      expect(settled).toMatchObject({ chargedNano: usd(0.3), overNano: usd(0.6) });
      const soft = await newAccount(storage, usd(1), true);
      const excess = admitOf(soft, usd(0.5), { hard: false });
      await run(storage, excess);
      expect(await run(storage, settleOf(excess, usd(3)))).toMatchObject({
        chargedNano: usd(3),
        overNano: 0n,
      });
      expect((await balanceOf(storage, soft)).left).toBe(usd(-2));
      expect(await run(storage, admitOf(soft, 1n, { hard: false }))).toMatchObject({ availableNano: 0n });
    });

    it('charges nothing for an unknown price, and keeps it unknown', async () => {
      const account = await newAccount(storage, null);
      const call = admitOf(account, 0n, { hard: false });
      await run(storage, call);
      expect(await run(storage, settleOf(call, null))).toMatchObject({ chargedNano: 0n });
      const [row] = await storage.requests({ accountId: account, id: null, limit: 1, beforeMs: null });
      expect(row).toMatchObject({ costNano: null, listNano: null });
    });

    it('does not settle a call for another account', async () => {
      const [account, other] = [await newAccount(storage, usd(1)), await newAccount(storage, usd(1))];
      const call = admitOf(account, usd(0.5));
      await run(storage, call);
      await expect(run(storage, settleOf({ ...call, accountId: other }, usd(0.1)))).rejects.toThrow(
        'another account',
      );
    });
  });

  describe('idempotency', () => {
    const call = (account: string, fingerprint = 'body') =>
      admitOf(account, usd(0.1), { idempotency: { key: 'retry-1', fingerprint } });

    it('answers in_progress, mismatch and then the stored response', async () => {
      const account = await newAccount(storage, usd(1));
      const first = call(account);
      await run(storage, first);
      expect(await run(storage, call(account))).toEqual({ status: 'in_progress', id: first.id });
      expect(await run(storage, call(account, 'other body'))).toEqual({ status: 'mismatch', id: first.id });
      await run(storage, settleOf(first, usd(0.05), {}, response));
      expect(await run(storage, call(account))).toEqual({ status: 'replay', id: first.id, response });
      expect(await run(storage, call(account, 'other body'))).toMatchObject({ status: 'mismatch' });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(0.95), held: 0n });
    });

    it('is each account’s own', async () => {
      const [a, b] = [await newAccount(storage, usd(1)), await newAccount(storage, usd(1))];
      const results = await storage.commit([call(a), call(b)]);
      expect(results).toMatchObject([{ status: 'admitted' }, { status: 'admitted' }]);
    });

    it('frees the key when the call ends without an answer to keep, or was never admitted', async () => {
      const account = await newAccount(storage, usd(1));
      const first = call(account);
      await storage.commit([first, settleOf(first, 0n, { ending: 'upstream_error' }, null)]);
      const tooMuch = { ...call(account), holdNano: usd(5), leastNano: usd(5) };
      expect(await run(storage, tooMuch)).toMatchObject({ status: 'refused' });
      expect(await run(storage, call(account))).toMatchObject({ status: 'admitted' });
    });

    it('may be used again after it expired', async () => {
      const account = await newAccount(storage, usd(1));
      const first = call(account);
      await storage.commit([first, settleOf(first, 0n, {}, response)]);
      await tamper(`UPDATE idempotency SET expires_at = 1 WHERE account_id = '${account}'`);
      const second = call(account, 'other');
      expect(await run(storage, second)).toMatchObject({ status: 'admitted' });
      expect(await run(storage, call(account, 'other'))).toEqual({ status: 'in_progress', id: second.id });
    });
  });

  describe('credit', () => {
    it('is booked once by id, and missing for an unknown account', async () => {
      const account = await newAccount(storage, 0n);
      const credit = creditOf(account, usd(5), { note: 'ünïcode 🎈 '.repeat(2000) });
      const results = await storage.commit([credit, credit, creditOf('nobody', 1n)]);
      expect(results).toEqual([{ status: 'booked' }, { status: 'already' }, { status: 'missing' }]);
      expect((await balanceOf(storage, account)).left).toBe(usd(5));
    });

    it('takes back no more than is neither spent nor held', async () => {
      const account = await newAccount(storage, usd(5));
      const [spent, open] = [admitOf(account, usd(1)), admitOf(account, usd(2))];
      await storage.commit([spent, settleOf(spent, usd(1)), open]);
      expect(await run(storage, creditOf(account, -usd(2.01)))).toEqual({ status: 'refused' });
      expect(await run(storage, creditOf(account, -usd(2), { kind: 'refund' }))).toEqual({
        status: 'booked',
      });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(2), held: usd(2) });
    });
  });

  describe('sweep', () => {
    it('leaves its own calls, those of living owners, and young ones whose owner was not seen yet', async () => {
      const account = await newAccount(storage, usd(9));
      const [own, live, young] = [newId(), newId(), newId()];
      const calls = [own, live, young].map((owner) => admitOf(account, usd(1), { owner }));
      await storage.commit(calls);
      await tamper(`UPDATE hold SET started_at = 5 WHERE owner IN ('${own}', '${live}')`);
      await storage.pulse(live);
      expect(await run(storage, { op: 'sweep', owner: own, deadAfterMs: 60_000 })).toEqual({ swept: [] });
      expect((await balanceOf(storage, account)).held).toBe(usd(3));
      expect(await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 })).toEqual({
        swept: [calls[0]?.id],
      });
    });

    it('charges the checkpoint or the floor, within the hold, flagged unknown', async () => {
      const account = await newAccount(storage, usd(9));
      const owner = newId();
      const delivered = admitOf(account, usd(1), { owner, floorNano: usd(0.1) });
      const silent = admitOf(account, usd(1), { owner, floorNano: usd(0.2) });
      const beyond = admitOf(account, usd(1), { owner });
      await storage.commit([delivered, silent, beyond]);
      await storage.commit([
        extendOf(delivered.id, 0n, { spentNano: usd(0.5) }),
        extendOf(beyond.id, 0n, { spentNano: usd(4) }),
      ]);
      await forgetOwner(owner);
      const { swept } = await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 });
      expect([...swept].sort()).toEqual([delivered.id, silent.id, beyond.id].sort());
      expect(await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 })).toEqual({ swept: [] });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(7.3), held: 0n });
      const [row] = await storage.requests({ accountId: account, id: silent.id, limit: 1, beforeMs: null });
      expect(row).toMatchObject({
        ...facts,
        ending: 'unknown',
        source: 'none',
        chargedNano: usd(0.2),
        usage: noUsage,
      });
    });

    it('is corrected by a settlement that comes late, once, answer and roll-up included', async () => {
      const account = await newAccount(storage, usd(9));
      const owner = newId();
      const call = admitOf(account, usd(1), {
        owner,
        floorNano: usd(0.2),
        idempotency: { key: 'k', fingerprint: 'f' },
      });
      await run(storage, call);
      await forgetOwner(owner);
      await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 });
      expect(await run(storage, { ...call, id: newId() })).toEqual({
        status: 'outcome_unknown',
        id: call.id,
      });
      await pause(5);
      await storage.rollUp(0);
      const late = settleOf(call, usd(0.7), { model: 'gpt-4o' }, response);
      expect(await run(storage, late)).toEqual({ status: 'corrected', chargedNano: usd(0.7), overNano: 0n });
      expect(await run(storage, late)).toEqual({ status: 'already', chargedNano: usd(0.7), overNano: 0n });
      expect(await balanceOf(storage, account)).toEqual({ left: usd(8.3), held: 0n });
      expect(await run(storage, { ...call, id: newId() })).toEqual({
        status: 'replay',
        id: call.id,
        response,
      });
      const day = new Date().toISOString().slice(0, 10);
      const groups = await storage.usage({ accountId: account, fromDay: day, toDay: day });
      expect(groups).toMatchObject([
        { model: 'gpt-4o', requests: 1, errors: 0, inputTokens: 10, outputTokens: 5, costNano: usd(0.7) },
      ]);
    });

    it('corrects a hard-capped call no further than what is left', async () => {
      const account = await newAccount(storage, usd(1));
      const owner = newId();
      const call = admitOf(account, usd(1), { owner, floorNano: usd(0.2) });
      await run(storage, call);
      await forgetOwner(owner);
      await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 60_000 });
      await run(storage, admitOf(account, usd(0.7)));
      expect(await run(storage, settleOf(call, usd(0.9)))).toEqual({
        status: 'corrected',
        chargedNano: usd(0.3),
        overNano: usd(0.6),
      });
    });
  });
}
