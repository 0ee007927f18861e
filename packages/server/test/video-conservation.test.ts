/**
 * Random lives of video jobs, on both engines: submitted, asked about, completed, failed, cancelled, expired, worked on by
 * two at once, taken from a worker that lost its lease or died. Whatever happens in whatever order, a hold is released
 * once, a completed job is charged once for what was delivered, nothing else is charged, and the books balance.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VideoWork } from '../src/core/video-work.ts';
import type { VideoJob } from '../src/storage/jobs.ts';
import { mp4 } from './fakes/videos.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { freshDatabase, postgresUrl, type Database } from './storage/databases.ts';
import { startUpstream, type Script, type Upstream } from './upstream.ts';

/** What the provider answers while a worker works. */
const moods = [
  'pending',
  'done',
  'done',
  'done, shorter',
  'done, longer',
  'failed',
  'away',
  'unknown',
  'file cut short',
  'file empty',
] as const;
type Mood = (typeof moods)[number];

const mood = fc.constantFrom(...moods);
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('submit'), seconds: fc.constantFrom(4, 8, 12) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('submit again') }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('work'), mood }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('work twice at once'), mood }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose the lease'), mood, late: mood }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('die'), mood, afterMs: fc.integer({ min: 0, max: 8 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel'), which: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('cancel while working'),
      which: fc.nat(20),
      afterMs: fc.integer({ min: 0, max: 12 }),
      mood,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep') }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** A provider of OpenAI's wire whose mood changes. */
function vendorOf(current: { mood: Mood }): Script {
  const jobs = new Map<string, { id: string; seconds: number }>();
  return (call, response) => {
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (call.method === 'POST') {
      const key = String(call.headers['idempotency-key']);
      const known = jobs.get(key) ?? { id: `video_${key}`, seconds: Number(call.body['seconds']) };
      jobs.set(key, known);
      return json(200, { id: known.id, status: 'queued' });
    }
    const id = /\/videos\/video_([^/]+)/.exec(call.path)?.[1] ?? '';
    if (call.method === 'DELETE') return json(200, { id, deleted: true });
    if (call.path.endsWith('/content')) {
      response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': mp4.length });
      if (current.mood === 'file cut short') {
        response.write(mp4.subarray(0, 100));
        return void setTimeout(() => response.destroy(), 2);
      }
      return void response.end(mp4);
    }
    if (current.mood === 'away') return json(503, {});
    if (current.mood === 'unknown') return json(404, { error: { message: 'No such video' } });
    if (current.mood === 'failed')
      return json(200, { id, status: 'failed', error: { message: 'Not this.' } });
    if (current.mood === 'pending') return json(200, { id, status: 'in_progress', progress: 30 });
    const { seconds = 4 } = jobs.get(id) ?? {};
    const share = current.mood === 'done, shorter' ? 0.5 : current.mood === 'done, longer' ? 2 : 1;
    json(200, { id, status: 'completed', seconds: String(seconds * share) });
  };
}

const ends = new Set(['completed', 'failed', 'cancelled']);
const nanoPerSecond = 100_000_000n;

/** One account and what was submitted for it. */
class History {
  private readonly gateway: TestGateway;
  private readonly current: { mood: Mood };
  private readonly account: { readonly id: string; readonly apiKey: string };
  readonly ids: string[] = [];
  /** Of which a caller was told that they are cancelled. */
  private readonly cancelled = new Set<string>();

  constructor(gateway: TestGateway, current: { mood: Mood }, account: { id: string; apiKey: string }) {
    this.gateway = gateway;
    this.current = current;
    this.account = account;
  }

  private get inner() {
    return this.gateway.running.gateway;
  }

  private work(job: VideoJob): VideoWork {
    return new VideoWork(this.inner, job, null, { running: 0 });
  }

  private claim(owner: string, leaseMs: number): Promise<VideoJob[]> {
    return this.inner.storage.videoJobs.claim(owner, leaseMs, 50);
  }

  /** Claims under a lease that is over at once, so that nothing waits for one that died. */
  private async briefly(owner: string): Promise<VideoJob[]> {
    const jobs = await this.claim(owner, 1);
    await sleep(3);
    return jobs;
  }

  async step(given: Command): Promise<void> {
    if ('mood' in given) this.current.mood = given.mood;
    if ('seconds' in given) return this.submit(given.seconds, `job-${this.ids.length}`);
    if (given.do === 'submit again') return this.submit(4, `job-${this.ids.length - 1}`);
    if ('late' in given) return this.loseTheLease(given.late);
    if ('which' in given) return this.cancel(given.which, 'afterMs' in given ? given.afterMs : null);
    if ('afterMs' in given) return this.die(given.afterMs);
    if (given.do === 'sweep') {
      await this.inner.storage.commit([{ op: 'sweep', owner: 'sweeper', deadAfterMs: 0 }]);
      return this.inner.storage.prune();
    }
    const jobs = await this.claim('worker', 60_000);
    const seen = given.do === 'expire' ? jobs.map((job) => ({ ...job, deadlineAtMs: 1 })) : jobs;
    const times = given.do === 'work twice at once' ? 2 : 1;
    await Promise.all(seen.flatMap((job) => Array.from({ length: times }, () => this.work(job).run())));
  }

  private async submit(seconds: number, key: string): Promise<void> {
    const body = { model: 'openai/sora-2', prompt: 'a film', duration: seconds };
    const headers = { 'idempotency-key': key };
    const answer = await this.gateway.post('/api/v1/videos/generations', body, this.account.apiKey, headers);
    const { data } = (await answer.json()) as { data?: { job_id: string } };
    // 402: the credit does not reach. 409: the key was for another length.
    if (answer.status !== 200) expect([402, 409]).toContain(answer.status);
    else if (data !== undefined && !this.ids.includes(data.job_id)) this.ids.push(data.job_id);
  }

  /** Another goes on while the first, who does not know, does so, too; at its own pace. */
  private async loseTheLease(late: Mood): Promise<void> {
    const stale = await this.briefly('slow');
    const fresh = await this.claim('quick', 60_000);
    await Promise.all(fresh.map((job) => this.work(job).run()));
    this.current.mood = late;
    await Promise.all(stale.map((job) => this.work(job).run()));
  }

  private async die(afterMs: number): Promise<void> {
    const works = (await this.briefly('dying')).map((job) => this.work(job));
    const runs = works.map((work) => work.run());
    if (afterMs > 0) await sleep(afterMs);
    for (const work of works) work.abort();
    await Promise.all(runs);
  }

  /** `afterMs`: while a worker works since then. */
  private async cancel(which: number, afterMs: number | null): Promise<void> {
    const id = this.ids[which % Math.max(1, this.ids.length)];
    if (id === undefined) return;
    const jobs = afterMs === null ? [] : await this.claim('worker', 60_000);
    const works = jobs.map((job) => this.work(job).run());
    if (afterMs !== null && afterMs > 0) await sleep(afterMs);
    const answer = await this.gateway.post(`/api/v1/videos/jobs/${id}/cancel`, {}, this.account.apiKey);
    await Promise.all(works);
    // 400: it was over.
    expect([200, 400]).toContain(answer.status);
    if (answer.status === 200) this.cancelled.add(id);
  }

  private async jobs(): Promise<VideoJob[]> {
    return (await this.inner.storage.videoJobs.list(this.account.id, 100, 0)).jobs;
  }

  /** After every step: the books balance, and what is held is what the unsettled jobs hold. */
  async check(): Promise<void> {
    const { storage } = this.inner;
    expect((await storage.verify()).problems).toEqual([]);
    const held = (await storage.findAccount(this.account.id))?.balance.heldNano ?? 0n;
    const sum = (jobs: readonly VideoJob[]): bigint => jobs.reduce((all, { holdNano }) => all + holdNano, 0n);
    const jobs = await this.jobs();
    expect(held).toBeLessThanOrEqual(sum(jobs.filter(({ state }) => state !== 'done')));
    expect(held).toBeGreaterThanOrEqual(sum(jobs.filter(({ outcome }) => outcome === null)));
  }

  /** Goes on until every job is over. */
  async end(): Promise<void> {
    this.current.mood = 'done';
    for (let turn = 0; turn < 2_000; turn++) {
      const jobs = await this.claim('worker', 60_000);
      await Promise.all(jobs.map((job) => this.work(job).run()));
      if ((await this.jobs()).every(({ state }) => state === 'done')) return;
      if (jobs.length === 0) await sleep(5);
    }
    throw new Error('a job never ended');
  }

  async judge(): Promise<void> {
    const { storage } = this.inner;
    await this.check();
    const jobs = await this.jobs();
    expect(jobs.map(({ id }) => id).sort()).toEqual([...this.ids].sort());
    const rows = await storage.requests({
      accountId: this.account.id,
      id: null,
      limit: 1000,
      beforeMs: null,
    });
    expect(rows.map(({ id }) => id).sort()).toEqual([...this.ids].sort());
    for (const { id, outcome, result, holdNano } of jobs) {
      const { seconds = 0 } = (JSON.parse(result ?? '{}') as { seconds?: number }) ?? {};
      const cost = outcome === 'completed' ? BigInt(seconds) * nanoPerSecond : 0n;
      const charged = rows.find((row) => row.id === id)?.chargedNano ?? -1n;
      // What was delivered beyond what was held is charged as far as the credit reaches.
      expect([id, outcome, charged <= cost]).toEqual([id, outcome, true]);
      expect([id, outcome, charged >= (cost < holdNano ? cost : holdNano)]).toEqual([id, outcome, true]);
      const events = await storage.videoJobs.events(id, 0);
      expect(events.filter(({ status }) => ends.has(status)).map(({ status }) => status)).toEqual([outcome]);
      expect([id, outcome === 'cancelled']).toEqual([id, this.cancelled.has(id)]);
    }
    const found = await storage.findAccount(this.account.id);
    const spent = rows.reduce((sum, { chargedNano }) => sum + chargedNano, 0n);
    expect([found?.balance.heldNano, found?.balance.spentNano]).toEqual([0n, spent]);
  }
}

function suite(open: () => Promise<{ env: Record<string, string>; remove(): Promise<void> }>): void {
  const current: { mood: Mood } = { mood: 'pending' };
  let upstream: Upstream;
  let gateway: TestGateway;
  let place: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    place = await open();
    upstream = await startUpstream(vendorOf(current));
    const env = { OPENAI_API_KEY: 'sk-x', OPENAI_BASE_URL: upstream.url, INDOXHUB_VIDEO_POLL: '10ms' };
    gateway = await startGateway({ env: { ...env, ...place.env } });
    // The histories are the only workers.
    await gateway.running.gateway.videos.stop();
  });
  afterAll(async () => {
    await gateway?.close();
    await upstream?.close();
    await place?.remove();
  });

  test(
    'whatever becomes of jobs: each hold released once, each delivery charged once',
    { timeout: 240_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), async (commands) => {
          const history = new History(gateway, current, await gateway.account('5.00'));
          for (const each of commands) {
            // Until whatever was looked at last is due again.
            await sleep(12);
            await history.step(each);
            await history.check();
          }
          await history.end();
          await history.judge();
        }),
        { numRuns: 25 },
      );
    },
  );
}

describe('conservation on SQLite', () => suite(async () => ({ env: {}, remove: async () => {} })));

describe.skipIf(postgresUrl === null)('conservation on PostgreSQL', () =>
  suite(async () => {
    const database: Database = await freshDatabase();
    const media = mkdtempSync(join(tmpdir(), 'indoxhub-media-'));
    return {
      env: { INDOXHUB_DATABASE_URL: database.url, INDOXHUB_MEDIA_DIR: media, INDOXHUB_MEDIA_SHARED: 'on' },
      async remove() {
        await database.drop();
        rmSync(media, { recursive: true, force: true });
      },
    };
  }),
);
