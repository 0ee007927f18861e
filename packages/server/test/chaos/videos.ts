/**
 * Video jobs while gateways (and their database) are killed: every job must reach one end, be submitted once (or again
 * under its own idempotency key), and be charged once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeVideos } from '../fakes/videos.ts';
import { startChild, temporaryDir, type Child } from '../replicas/child.ts';
import { startUpstream } from '../upstream.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

export interface VideoChaosOptions {
  readonly engine: 'sqlite' | 'postgres';
  readonly jobs: number;
  /** SIGKILLs of a gateway. */
  readonly kills: number;
  /** SIGKILLs of PostgreSQL. */
  readonly postgresKills: number;
  /** Gateways at once; one on SQLite. */
  readonly replicas: number;
  readonly say: (text: string) => void;
}

export interface VideoChaosReport {
  readonly violations: readonly string[];
  readonly facts: Readonly<Record<string, number>>;
}

type Json = Record<string, unknown>;

const patienceMs = 240_000;
const ends = ['completed', 'failed', 'cancelled'];

interface Fleet {
  readonly members: Child[];
  readonly restart: (index: number) => Promise<void>;
  /** Any answer but a refused connection or a 503. */
  readonly call: (make: (child: Child) => Promise<Response>) => Promise<Response>;
}

async function startFleet(count: number, start: (index: number) => Promise<Child>): Promise<Fleet> {
  const members = await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
  return {
    members,
    async restart(index) {
      await members[index]?.kill();
      members[index] = await start(index);
    },
    async call(make) {
      const deadline = Date.now() + patienceMs;
      for (let turn = 0; ; turn++) {
        const child = members[turn % count];
        try {
          if (child === undefined) throw new Error('no gateway');
          const answer = await make(child);
          if (answer.status < 500) return answer;
          await answer.arrayBuffer();
        } catch (error) {
          if (Date.now() > deadline) throw error;
        }
        if (Date.now() > deadline) throw new Error('no gateway answered');
        await sleep(100);
      }
    },
  };
}

/** Submits jobs under keys of their own, repeated until a gateway has said yes. */
async function submitAll(fleet: Fleet, apiKey: string, count: number): Promise<Map<string, string>> {
  const jobs = new Map<string, string>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next++;
      const prompt = at % 10 === 3 ? `[fail] ${at}` : at % 10 === 7 ? `[forever] ${at}` : `film ${at}`;
      const body = { model: 'openai/sora-2', prompt, duration: 4 };
      const headers = { 'idempotency-key': `job-${at}` };
      const answer = await fleet.call((child) =>
        child.post('/api/v1/videos/generations', body, apiKey, headers),
      );
      const { data } = (await answer.json()) as { data: { job_id: string } };
      jobs.set(data.job_id, prompt);
      await sleep(20);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return jobs;
}

export async function runVideoChaos(options: VideoChaosOptions): Promise<VideoChaosReport> {
  const fake = fakeVideos(6);
  const upstream = await startUpstream(fake.script);
  const dir = temporaryDir();
  const postgres: PostgresServer | null = options.engine === 'postgres' ? await startPostgres() : null;
  const count = options.engine === 'postgres' ? options.replicas : 1;
  const fleet = await startFleet(count, (index) =>
    startChild({
      dataDir: `${dir.path}/${index}`,
      env: {
        OPENAI_API_KEY: 'sk-chaos',
        OPENAI_BASE_URL: upstream.url,
        INDOXHUB_VIDEO_POLL: '200ms',
        INDOXHUB_MEDIA_DIR: `${dir.path}/media`,
        INDOXHUB_MEDIA_SHARED: 'on',
        ...(postgres === null ? {} : { INDOXHUB_DATABASE_URL: postgres.url }),
      },
    }),
  );
  try {
    const [first] = fleet.members;
    if (first === undefined) throw new Error('no gateway');
    const { apiKey } = await first.account('1000.00');
    const killing = (async () => {
      const total = options.kills + options.postgresKills;
      for (let kill = 0; kill < total; kill++) {
        await sleep(300 + Math.random() * 900);
        const isPostgres =
          postgres !== null && kill % Math.ceil(total / Math.max(1, options.postgresKills)) === 1;
        options.say(`kill ${kill + 1} of ${total}: ${isPostgres ? 'PostgreSQL' : 'a gateway'}`);
        if (isPostgres) {
          await postgres.kill();
          await postgres.start();
        } else await fleet.restart(kill % count);
      }
    })();
    const jobs = await submitAll(fleet, apiKey, options.jobs);
    for (const [id, prompt] of jobs)
      if (prompt.startsWith('[forever]'))
        await fleet.call((child) => child.post(`/api/v1/videos/jobs/${id}/cancel`, {}, apiKey));
    await killing;
    return await judge(fleet, { apiKey, jobs, fake });
  } finally {
    for (const child of fleet.members) await child.kill();
    await postgres?.stop();
    await upstream.close();
    dir.remove();
  }
}

interface Evidence {
  readonly apiKey: string;
  readonly jobs: ReadonlyMap<string, string>;
  readonly fake: ReturnType<typeof fakeVideos>;
}

async function judge(fleet: Fleet, { apiKey, jobs, fake }: Evidence): Promise<VideoChaosReport> {
  const violations: string[] = [];
  const counts: Record<string, number> = {};
  for (const [id, prompt] of jobs) {
    const deadline = Date.now() + patienceMs;
    let job: Json = {};
    while (!ends.includes(String(job['status']))) {
      if (Date.now() > deadline) {
        violations.push(`${id} never ended: ${JSON.stringify(job)}`);
        break;
      }
      job = (await (
        await fleet.call((child) => child.get(`/api/v1/videos/jobs/${id}`, apiKey))
      ).json()) as Json;
      if (!ends.includes(String(job['status']))) await sleep(200);
    }
    const status = String(job['status']);
    counts[status] = (counts[status] ?? 0) + 1;
    const want = prompt.startsWith('[fail]')
      ? 'failed'
      : prompt.startsWith('[forever]')
        ? 'cancelled'
        : 'completed';
    if (status !== want) violations.push(`${id} (${prompt}) is ${status}, not ${want}`);
    if (status === 'completed') await checkFile(id, job, fleet, violations);
  }
  // The last settlements follow the ends.
  await sleep(2_000);
  const [child] = fleet.members;
  if (child === undefined) throw new Error('no gateway');
  for (const [id, prompt] of jobs) {
    const { requests } = (await child.admin('GET', `/requests?id=${id}`)) as {
      requests: { charged: string }[];
    };
    const rows = requests.map(({ charged }) => charged);
    const want = prompt.startsWith('[') ? '0.00' : '0.40';
    if (rows.length !== 1 || rows[0] !== want)
      violations.push(`${id} (${prompt}) was charged ${rows.join(', ')}`);
  }
  const keys = new Map<string, number>();
  for (const { key } of fake.submits) keys.set(key, (keys.get(key) ?? 0) + 1);
  for (const id of jobs.keys()) if (!keys.has(id)) violations.push(`${id} was never submitted`);
  for (const key of keys.keys())
    if (!jobs.has(key)) violations.push(`${key} was submitted, and is nobody's job`);
  const report = (await child.admin('POST', '/ledger/verify')) as {
    ok: boolean;
    problems: string[];
    open_holds: number;
  };
  if (!report.ok) violations.push(...report.problems);
  const repeats = fake.submits.length - keys.size;
  return {
    violations,
    facts: { jobs: jobs.size, ...counts, submits: keys.size, repeats, open_holds: report.open_holds },
  };
}

async function checkFile(id: string, job: Json, fleet: Fleet, violations: string[]): Promise<void> {
  const { url, file_size: size } = job['result'] as { url: string; file_size: number };
  // The link names the gateway it was asked at, which may be gone.
  const { pathname, search } = new URL(url);
  const answer = await fleet.call((child) => fetch(child.url + pathname + search));
  const bytes = await answer.arrayBuffer();
  if (answer.status !== 200 || bytes.byteLength !== size) violations.push(`${id}: its file is not whole`);
}
