/** Video jobs on both engines: every change is one conditional statement, so that two processes cannot both make it. */
import { sql, type Kysely, type RawBuilder, type Selectable } from 'kysely';
import { clock, tableOf, type Executor } from './executor.ts';
import {
  publicStatus,
  type JobEnd,
  type JobEvent,
  type JobOutcome,
  type JobState,
  type VideoJob,
  type VideoJobs,
  type WebhookDelivery,
} from './jobs.ts';
import type { Tables, VideoJobTable } from './schema.ts';

type Row = Selectable<VideoJobTable>;

const number = (value: bigint | null): number | null => (value === null ? null : Number(value));
const whole = (value: number): bigint => BigInt(Math.round(value));

function decode(row: Row): VideoJob {
  return {
    id: row.id,
    accountId: row.account_id,
    keyId: row.key_id,
    createdAtMs: Number(row.created_at),
    updatedAtMs: Number(row.updated_at),
    provider: row.provider,
    model: row.model,
    requestedModel: row.requested_model,
    prompt: row.prompt,
    request: row.request,
    byok: row.byok === 1n,
    keyOwner: row.key_owner,
    holdNano: row.hold_nano,
    maxChargeNano: row.max_charge_nano,
    sessionId: row.session_id,
    state: row.state as JobState,
    progress: Number(row.progress),
    providerJobId: row.provider_job_id,
    target: row.target,
    files: row.files,
    outcome: row.outcome as JobOutcome | null,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    result: row.result,
    finishedAtMs: number(row.finished_at),
    attempts: Number(row.attempts),
    nextAtMs: Number(row.next_at),
    deadlineAtMs: Number(row.deadline_at),
    fence: Number(row.fence),
    webhookUrl: row.webhook_url,
    webhookAttempts: Number(row.webhook_attempts),
  };
}

/** A process not heard of for so long has died, and the keys it had with it. */
const deadAfterMs = 30_000;

/** What the statements below share. */
type Queue = ReturnType<typeof queueOf>;

function queueOf(database: Kysely<Tables>, executor: Executor) {
  const { engine } = executor;
  const jobs = tableOf(engine, 'video_job');
  const instances = tableOf(engine, 'instance');
  const now = (): RawBuilder<bigint> => clock(engine);
  const rows = async (query: RawBuilder<unknown>): Promise<VideoJob[]> => {
    const { rows: found } = await executor.query(query.compile(database));
    return found.map((row) => decode(row as unknown as Row));
  };
  const changes = async (query: RawBuilder<unknown>): Promise<boolean> =>
    (await executor.query(query.compile(database))).changes > 0n;
  /** Rows that two processes may not both take: PostgreSQL skips those another is taking, SQLite has one process. */
  const skipLocked = sql.raw(engine === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '');
  const leased = ({ id, fence }: { id: string; fence: number }): RawBuilder<unknown> =>
    sql`id = ${id} AND fence = ${whole(fence)} AND state <> 'done'`;

  /** Writes down what callers see now; a repeat of the last event is none. */
  const announce = async (id: string): Promise<void> => {
    // Two processes may write the same number: the one that lost writes the next.
    for (let tries = 0; tries < 5; tries++) {
      // The event before the job: whatever is told in between takes the number, and an older state is never told after it.
      const last = await database
        .selectFrom('video_event')
        .selectAll()
        .where('job_id', '=', id)
        .orderBy('seq', 'desc')
        .limit(1n)
        .executeTakeFirst();
      const job = await find(id);
      if (job === null) return;
      const status = publicStatus(job);
      if (last?.status === status && Number(last.progress) >= job.progress) return;
      const inserted = await database
        .insertInto('video_event')
        .values({
          job_id: id,
          seq: (last?.seq ?? 0n) + 1n,
          at: now(),
          status,
          progress: whole(job.progress),
        })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if ((inserted.numInsertedOrUpdatedRows ?? 0n) > 0n) return;
    }
  };
  const find = async (id: string): Promise<VideoJob | null> =>
    (await rows(sql`SELECT * FROM ${jobs} WHERE id = ${id}`))[0] ?? null;
  const announced = async (id: string, done: boolean): Promise<boolean> => {
    if (done) await announce(id);
    return done;
  };
  return { database, executor, jobs, instances, now, rows, changes, skipLocked, leased, find, announced };
}

/** Coming and going. */
function entries({
  database,
  jobs,
  now,
  changes,
  announced,
}: Queue): Pick<VideoJobs, 'create' | 'admit' | 'drop'> {
  return {
    async create(job) {
      await database
        .insertInto('video_job')
        .values({
          id: job.id,
          account_id: job.accountId,
          key_id: job.keyId,
          created_at: now(),
          updated_at: now(),
          provider: job.provider,
          model: job.model,
          requested_model: job.requestedModel,
          prompt: job.prompt,
          request: job.request,
          byok: job.byok ? 1n : 0n,
          key_owner: job.keyOwner,
          hold_nano: job.holdNano,
          max_charge_nano: job.maxChargeNano,
          session_id: job.sessionId,
          state: 'admitting',
          progress: 0n,
          attempts: 0n,
          // Left behind by a process that died in between, it is looked after then.
          next_at: sql`${now()} + 60000`,
          deadline_at: whole(job.deadlineAtMs),
          lease_until: 0n,
          fence: 0n,
          webhook_url: job.webhookUrl,
          webhook_attempts: 0n,
        })
        .execute();
    },
    admit: async (id, holdNano) =>
      announced(
        id,
        await changes(
          sql`UPDATE ${jobs} SET state = 'queued', hold_nano = ${holdNano}, next_at = ${now()}, updated_at = ${now()}
              WHERE id = ${id} AND state = 'admitting' AND outcome IS NULL`,
        ),
      ),
    async drop(id) {
      await changes(sql`DELETE FROM ${jobs} WHERE id = ${id} AND state = 'admitting'`);
    },
  };
}

/** Looking. */
function views({
  database,
  executor,
  jobs,
  find,
}: Queue): Pick<VideoJobs, 'find' | 'list' | 'events' | 'deliveries'> {
  return {
    find,
    async list(accountId, limit, skip) {
      const mine = sql`account_id = ${accountId} AND state <> 'admitting'`;
      const [page, count] = await executor.read([
        sql`SELECT * FROM ${jobs} WHERE ${mine} ORDER BY created_at DESC, id DESC
            LIMIT ${whole(limit)} OFFSET ${whole(skip)}`.compile(database),
        sql`SELECT count(*) AS total FROM ${jobs} WHERE ${mine}`.compile(database),
      ]);
      return {
        jobs: (page ?? []).map((row) => decode(row as unknown as Row)),
        total: Number(count?.[0]?.['total'] ?? 0),
      };
    },
    async events(id, afterSeq): Promise<JobEvent[]> {
      const found = await database
        .selectFrom('video_event')
        .selectAll()
        .where('job_id', '=', id)
        .where('seq', '>', whole(afterSeq))
        .orderBy('seq')
        .limit(500n)
        .execute();
      return found.map(({ seq, at, status, progress }) => ({
        seq: Number(seq),
        atMs: Number(at),
        status,
        progress: Number(progress),
      }));
    },
    async deliveries(id): Promise<WebhookDelivery[]> {
      const found = await database
        .selectFrom('webhook_delivery')
        .selectAll()
        .where('job_id', '=', id)
        .orderBy('attempt')
        .execute();
      return found.map(({ attempt, at, status, error, next_at: next }) => ({
        attempt: Number(attempt),
        atMs: Number(at),
        status: number(status),
        error,
        nextAtMs: number(next),
      }));
    },
  };
}

/** Working. */
function leases({
  jobs,
  instances,
  now,
  rows,
  changes,
  skipLocked,
  leased,
  announced,
}: Queue): Pick<VideoJobs, 'claim' | 'takeOver' | 'forgetKeys' | 'renew' | 'change'> {
  return {
    claim: (owner, leaseMs, limit) =>
      rows(
        sql`UPDATE ${jobs} SET lease_owner = ${owner}, lease_until = ${now()} + ${whole(leaseMs)}, fence = fence + 1
            WHERE id IN (SELECT id FROM ${jobs} WHERE state <> 'done' AND next_at <= ${now()} AND lease_until <= ${now()}
              AND (key_owner IS NULL OR key_owner = ${owner} OR key_owner NOT IN
                (SELECT owner FROM ${instances} WHERE seen_at > ${now()} - ${whole(deadAfterMs)}))
              ORDER BY next_at LIMIT ${whole(limit)} ${skipLocked}) RETURNING *`,
      ),
    async takeOver(owner) {
      await changes(
        sql`UPDATE ${jobs} SET lease_until = 0 WHERE state <> 'done' AND lease_owner IS NOT NULL AND lease_owner <> ${owner}`,
      );
      await changes(
        sql`UPDATE ${jobs} SET key_owner = NULL WHERE state <> 'done' AND key_owner IS NOT NULL AND key_owner <> ${owner}`,
      );
    },
    async forgetKeys(owner) {
      await changes(sql`UPDATE ${jobs} SET key_owner = NULL WHERE state <> 'done' AND key_owner = ${owner}`);
    },
    renew: (job, leaseMs) =>
      changes(sql`UPDATE ${jobs} SET lease_until = ${now()} + ${whole(leaseMs)} WHERE ${leased(job)}`),
    async change(job, change) {
      const set = [sql`updated_at = ${now()}`];
      if (change.state !== undefined) set.push(sql`state = ${change.state}`);
      // Providers jump back now and then; callers see it rise.
      if (change.progress !== undefined) {
        const progress = whole(change.progress);
        set.push(sql`progress = CASE WHEN progress > ${progress} THEN progress ELSE ${progress} END`);
      }
      if (change.providerJobId !== undefined) set.push(sql`provider_job_id = ${change.providerJobId}`);
      if (change.target !== undefined) set.push(sql`target = ${change.target}`);
      if (change.files !== undefined) set.push(sql`files = ${change.files}`);
      if (change.attempts !== undefined) set.push(sql`attempts = ${whole(change.attempts)}`);
      if (change.nextAtMs !== undefined) {
        set.push(
          sql`next_at = ${now()} + ${whole(Math.max(0, change.nextAtMs - Date.now()))}, lease_until = 0`,
        );
      }
      // The provider's id is worth more than a decided end: without it nobody could cancel there.
      const undecided = change.providerJobId === undefined ? sql`AND outcome IS NULL` : sql``;
      const done = await changes(sql`UPDATE ${jobs} SET ${sql.join(set)} WHERE ${leased(job)} ${undecided}`);
      return announced(job.id, done);
    },
  };
}

/** Ending, and telling of it. */
function endings({
  database,
  jobs,
  now,
  rows,
  changes,
  skipLocked,
  leased,
  announced,
}: Queue): Pick<VideoJobs, 'end' | 'finish' | 'claimWebhooks' | 'webhookTried'> {
  return {
    end: async (id, end: JobEnd) =>
      announced(
        id,
        await changes(
          sql`UPDATE ${jobs} SET outcome = ${end.outcome}, result = ${end.result ?? null},
                error_code = ${end.errorCode ?? null}, error_message = ${end.errorMessage ?? null},
                progress = CASE WHEN ${end.outcome} = 'completed' THEN 100 ELSE progress END,
                finished_at = ${now()}, updated_at = ${now()}, next_at = ${now()}
              WHERE id = ${id} AND outcome IS NULL AND state <> 'admitting'`,
        ),
      ),
    finish: (job) =>
      changes(
        sql`UPDATE ${jobs} SET state = 'done', lease_until = 0, updated_at = ${now()},
              webhook_next_at = CASE WHEN webhook_url IS NULL THEN NULL ELSE ${now()} END
            WHERE ${leased(job)} AND (outcome IS NOT NULL OR state = 'admitting')`,
      ),
    claimWebhooks: (leaseMs, limit) =>
      rows(
        sql`UPDATE ${jobs} SET webhook_next_at = ${now()} + ${whole(leaseMs)}, webhook_attempts = webhook_attempts + 1
            WHERE id IN (SELECT id FROM ${jobs} WHERE webhook_next_at <= ${now()}
              ORDER BY webhook_next_at LIMIT ${whole(limit)} ${skipLocked}) RETURNING *`,
      ),
    async webhookTried(id, { attempt, status, error, nextAtMs }) {
      const pause = nextAtMs === null ? null : whole(Math.max(0, nextAtMs - Date.now()));
      const next = pause === null ? null : sql<bigint>`${now()} + ${pause}`;
      const values = { job_id: id, attempt: whole(attempt), at: now(), error, next_at: next };
      await database
        .insertInto('webhook_delivery')
        .values({ ...values, status: status === null ? null : whole(status) })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await changes(sql`UPDATE ${jobs} SET webhook_next_at = ${next} WHERE id = ${id}`);
    },
  };
}

export function jobRecords(database: Kysely<Tables>, executor: Executor): VideoJobs {
  const queue = queueOf(database, executor);
  return { ...entries(queue), ...views(queue), ...leases(queue), ...endings(queue) };
}
