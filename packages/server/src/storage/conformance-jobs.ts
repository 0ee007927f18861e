/** The meaning of jobs.ts: leases, fences, one end, events without gaps. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  admitOf,
  balanceOf,
  newAccount,
  newId,
  pause,
  run,
  settleOf,
  usd,
  type Place,
} from './conformance-fixtures.ts';
import { jobOwner, type NewVideoJob, type VideoJob } from './jobs.ts';
import type { Storage } from './storage.ts';

const leaseMs = 60_000;

export function jobsConformance(create: () => Promise<Place>): void {
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

  const jobOf = (accountId: string, more: Partial<NewVideoJob> = {}): NewVideoJob => ({
    id: newId(),
    accountId,
    keyId: 'key',
    provider: 'openai',
    model: 'sora-2',
    requestedModel: 'openai/sora-2',
    prompt: 'Ein Fuchs 🦊',
    request: '{"seconds":4}',
    byok: false,
    keyOwner: null,
    holdNano: 0n,
    maxChargeNano: null,
    sessionId: null,
    deadlineAtMs: Date.now() + 3_600_000,
    webhookUrl: null,
    ...more,
  });
  const queued = async (more: Partial<NewVideoJob> = {}): Promise<NewVideoJob> => {
    const job = jobOf(more.accountId ?? newId(), more);
    await storage.videoJobs.create(job);
    expect(await storage.videoJobs.admit(job.id, 5n)).toBe(true);
    return job;
  };
  /** Claims until this very job is had; others stay claimed. */
  const claimed = async (id: string, ms = leaseMs): Promise<VideoJob> => {
    for (let tries = 0; tries < 50; tries++) {
      const found = (await storage.videoJobs.claim('worker', ms, 100)).find((each) => each.id === id);
      if (found !== undefined) return found;
      await pause(2);
    }
    throw new Error(`job ${id} was not due`);
  };

  describe('video jobs', () => {
    it('are found as they were made, and queued once their money is held', async () => {
      const job = jobOf(newId(), {
        maxChargeNano: 7n,
        sessionId: 's',
        webhookUrl: 'https://example.com/hook',
      });
      await storage.videoJobs.create(job);
      expect(await storage.videoJobs.find(job.id)).toMatchObject({ ...job, state: 'admitting', progress: 0 });
      expect((await storage.videoJobs.list(job.accountId, 10, 0)).total).toBe(0);
      expect(await storage.videoJobs.admit(job.id, 9n)).toBe(true);
      expect(await storage.videoJobs.admit(job.id, 9n)).toBe(false);
      expect(await storage.videoJobs.find(job.id)).toMatchObject({ state: 'queued', holdNano: 9n });
      await expect(storage.videoJobs.create(job)).rejects.toThrow();
      await storage.videoJobs.drop(job.id);
      expect(await storage.videoJobs.find(job.id)).not.toBeNull();
      expect(await storage.videoJobs.find('nothing')).toBeNull();
    });

    it('are forgotten when their money was refused', async () => {
      const job = jobOf(newId());
      await storage.videoJobs.create(job);
      await storage.videoJobs.drop(job.id);
      expect(await storage.videoJobs.find(job.id)).toBeNull();
      expect(await storage.videoJobs.admit(job.id, 1n)).toBe(false);
    });

    it('are listed newest first, page by page, the account’s own only', async () => {
      const accountId = newId();
      const ids: string[] = [];
      for (let made = 0; made < 5; made++) {
        ids.unshift((await queued({ accountId })).id);
        await pause(2);
      }
      const page = await storage.videoJobs.list(accountId, 2, 1);
      expect(page.jobs.map(({ id }) => id)).toEqual(ids.slice(1, 3));
      expect(page.total).toBe(5);
      expect(await storage.videoJobs.list(newId(), 2, 0)).toEqual({ jobs: [], total: 0 });
    });

    it('are leased to one worker, also when ten ask at once', async () => {
      const { id } = await queued();
      const claims = await Promise.all(
        Array.from({ length: 10 }, (_, n) => storage.videoJobs.claim(`w${n}`, leaseMs, 100)),
      );
      expect(claims.flat().filter((each) => each.id === id)).toHaveLength(1);
      expect((await storage.videoJobs.claim('late', leaseMs, 100)).filter((each) => each.id === id)).toEqual(
        [],
      );
    });

    it('change under their lease only: who lost it is fenced off', async () => {
      const { id } = await queued();
      const first = await claimed(id, 1);
      await pause(5);
      const second = await claimed(id);
      expect(second.fence).toBeGreaterThan(first.fence);
      expect(await storage.videoJobs.renew(first, leaseMs)).toBe(false);
      expect(await storage.videoJobs.change(first, { state: 'submitting' })).toBe(false);
      expect(await storage.videoJobs.finish(first)).toBe(false);
      expect(await storage.videoJobs.renew(second, leaseMs)).toBe(true);
      const change = {
        state: 'processing',
        providerJobId: 'v_1',
        target: 'openai/sora-2',
        attempts: 2,
      } as const;
      expect(await storage.videoJobs.change(second, { ...change, progress: 40, files: '[]' })).toBe(true);
      expect(await storage.videoJobs.change(second, { progress: 30 })).toBe(true);
      expect(await storage.videoJobs.find(id)).toMatchObject({ ...change, progress: 40, files: '[]' });
    });

    it('are due again when they say so, and their lease ends with that', async () => {
      const { id } = await queued();
      const job = await claimed(id);
      expect(await storage.videoJobs.change(job, { nextAtMs: Date.now() + 60_000 })).toBe(true);
      const due = async () =>
        (await storage.videoJobs.claim('w', leaseMs, 100)).some((each) => each.id === id);
      expect(await due()).toBe(false);
      const other = await queued();
      const leased = await claimed(other.id);
      expect(await storage.videoJobs.change(leased, { nextAtMs: Date.now() })).toBe(true);
      await claimed(other.id);
    });

    it('end once: cancellation and completion race to one outcome', async () => {
      for (let round = 0; round < 5; round++) {
        const { id } = await queued();
        const job = await claimed(id);
        const ends = await Promise.all([
          storage.videoJobs.end(id, { outcome: 'completed', result: '{"x":1}' }),
          storage.videoJobs.end(id, { outcome: 'cancelled' }),
          storage.videoJobs.end(id, { outcome: 'failed', errorCode: 'upstream_error', errorMessage: 'no' }),
        ]);
        expect(ends.filter(Boolean)).toHaveLength(1);
        // A worker that does not know yet writes nothing more, but what it learned of the provider's id.
        expect(await storage.videoJobs.change(job, { progress: 50 })).toBe(false);
        expect(await storage.videoJobs.change(job, { providerJobId: 'v_2' })).toBe(true);
        expect((await storage.videoJobs.find(id))?.providerJobId).toBe('v_2');
        expect(await storage.videoJobs.finish(job)).toBe(true);
        expect(await storage.videoJobs.finish(job)).toBe(false);
        const done = await storage.videoJobs.find(id);
        expect([done?.state, done?.finishedAtMs === null]).toEqual(['done', false]);
      }
      expect(await storage.videoJobs.end('nothing', { outcome: 'cancelled' })).toBe(false);
    });

    it('tell every change once, in order', async () => {
      const { id } = await queued();
      const job = await claimed(id);
      await storage.videoJobs.change(job, { state: 'submitting' });
      await storage.videoJobs.change(job, { state: 'processing' });
      await storage.videoJobs.change(job, { progress: 50 });
      await storage.videoJobs.change(job, { progress: 50 });
      await storage.videoJobs.end(id, { outcome: 'completed', result: '{}' });
      await storage.videoJobs.end(id, { outcome: 'cancelled' });
      const events = await storage.videoJobs.events(id, 0);
      expect(events.map(({ seq, status, progress }) => [seq, status, progress])).toEqual([
        [1, 'queued', 0],
        [2, 'processing', 0],
        [3, 'processing', 50],
        [4, 'completed', 100],
      ]);
      expect((await storage.videoJobs.events(id, 3)).map(({ seq }) => seq)).toEqual([4]);
    });

    it('tell nothing after the end, however many change a job at once', async () => {
      for (let round = 0; round < 40; round++) {
        const made = [await queued(), await queued(), await queued()];
        const ids = new Set(made.map(({ id }) => id));
        const leased = (await storage.videoJobs.claim('worker', leaseMs, 1_000)).filter(({ id }) =>
          ids.has(id),
        );
        expect(leased.length).toBe(made.length);
        await Promise.all(
          leased.flatMap((job) => [
            storage.videoJobs.change(job, { state: 'processing', progress: 20 }),
            pause(round % 4).then(() => storage.videoJobs.end(job.id, { outcome: 'cancelled' })),
            pause(round % 3).then(() => storage.videoJobs.change(job, { providerJobId: 'v_2' })),
          ]),
        );
        for (const id of ids) {
          const told = (await storage.videoJobs.events(id, 0)).map(({ status }) => status);
          expect(told.indexOf('cancelled')).toBe(told.length - 1);
        }
        for (const job of leased) await storage.videoJobs.finish(job);
      }
    });

    it('hand out a webhook that is due to one process at a time', async () => {
      const { id } = await queued({ webhookUrl: 'https://example.com/hook' });
      await storage.videoJobs.end(id, { outcome: 'cancelled' });
      const take = async (): Promise<VideoJob[]> =>
        (await storage.videoJobs.claimWebhooks(leaseMs, 100)).filter((each) => each.id === id);
      expect(await take()).toEqual([]);
      expect(await storage.videoJobs.finish(await claimed(id))).toBe(true);
      const both = (await Promise.all([take(), take()])).flat();
      expect(both.map(({ webhookAttempts }) => webhookAttempts)).toEqual([1]);
      const tried = { status: 503, error: null, nextAtMs: Date.now() };
      await storage.videoJobs.webhookTried(id, { attempt: 1, ...tried });
      expect((await take())[0]?.webhookAttempts).toBe(2);
      await storage.videoJobs.webhookTried(id, { attempt: 2, ...tried, nextAtMs: null });
      expect(await take()).toEqual([]);
    });

    it('remember every attempt of a webhook, once and in order', async () => {
      const { id } = await queued({ webhookUrl: 'https://example.com/hook' });
      expect(await storage.videoJobs.deliveries(id)).toEqual([]);
      const before = Date.now() - 60_000;
      const nextAtMs = Date.now() + 30_000;
      const last = { attempt: 10, status: 204, error: null, nextAtMs: null };
      await storage.videoJobs.webhookTried(id, last);
      const first = { attempt: 2, status: null, error: 'upstream_unreachable', nextAtMs };
      await storage.videoJobs.webhookTried(id, first);
      await storage.videoJobs.webhookTried(id, { ...first, status: 500 });
      const told = await storage.videoJobs.deliveries(id);
      expect(told).toMatchObject([{ ...first, nextAtMs: expect.any(Number) }, last]);
      expect(Math.abs((told[0]?.nextAtMs ?? 0) - nextAtMs)).toBeLessThan(20_000);
      for (const { atMs } of told) expect(atMs).toBeGreaterThan(before);
      expect(await storage.videoJobs.deliveries('nothing')).toEqual([]);
    });

    it('hold money that no sweep takes for a dead process’s', async () => {
      const account = await newAccount(storage, usd(1));
      const call = { ...admitOf(account, usd(0.5)), owner: jobOwner };
      await run(storage, call);
      await pause(3);
      const { swept } = await run(storage, { op: 'sweep', owner: 'other', deadAfterMs: 0 });
      expect(swept).not.toContain(call.id);
      await storage.prune();
      expect((await balanceOf(storage, account)).held).toBe(usd(0.5));
      await run(storage, settleOf(call, usd(0.3)));
      expect(await balanceOf(storage, account)).toEqual({ left: usd(0.7), held: 0n });
    });

    it('whose key a living process has are left to it; once that is gone, anybody takes them', async () => {
      const due = async (owner: string, id: string): Promise<boolean> =>
        (await storage.videoJobs.claim(owner, 1, 100)).some((each) => each.id === id);
      const keeper = newId();
      await storage.pulse(keeper);
      const { id } = await queued({ byok: true, keyOwner: keeper });
      expect((await storage.videoJobs.find(id))?.keyOwner).toBe(keeper);
      expect(await due('other', id)).toBe(false);
      expect(await due(keeper, id)).toBe(true);
      await pause(3);
      await storage.videoJobs.forgetKeys('other');
      expect(await due('other', id)).toBe(false);
      await storage.videoJobs.forgetKeys(keeper);
      expect(await due('other', id)).toBe(true);
      const orphan = await queued({ byok: true, keyOwner: newId() });
      expect(await due('other', orphan.id)).toBe(true);
      const kept = await queued({ byok: true, keyOwner: keeper });
      await storage.videoJobs.takeOver('successor');
      expect(await due('successor', kept.id)).toBe(true);
    });

    it('of another owner are free at once where one process owns the store', async () => {
      const { id } = await queued();
      await claimed(id);
      await storage.videoJobs.takeOver('worker');
      expect((await storage.videoJobs.claim('x', leaseMs, 100)).some((each) => each.id === id)).toBe(false);
      await storage.videoJobs.takeOver('successor');
      expect((await storage.videoJobs.claim('x', leaseMs, 100)).some((each) => each.id === id)).toBe(true);
    });
  });
}
