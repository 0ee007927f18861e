/**
 * Video jobs: the row is the entry of the queue. Holds of jobs belong to an owner that never dies (`jobOwner`), so the
 * sweep of dead processes leaves them alone.
 */
import { jobOwner } from '../jobs.ts';

const columns = (int: string): string => `
  id text PRIMARY KEY, account_id text NOT NULL, key_id text NOT NULL, created_at ${int} NOT NULL, updated_at ${int} NOT NULL,
  provider text NOT NULL, model text NOT NULL, requested_model text NOT NULL, prompt text NOT NULL, request text NOT NULL,
  byok ${int} NOT NULL, hold_nano ${int} NOT NULL, max_charge_nano ${int}, session_id text,
  state text NOT NULL, progress ${int} NOT NULL, provider_job_id text, target text, files text,
  outcome text, error_code text, error_message text, result text, finished_at ${int},
  attempts ${int} NOT NULL, next_at ${int} NOT NULL, deadline_at ${int} NOT NULL,
  lease_owner text, lease_until ${int} NOT NULL, fence ${int} NOT NULL,
  webhook_url text, webhook_next_at ${int}, webhook_attempts ${int} NOT NULL`;

const events = (int: string): string => `
  job_id text NOT NULL, seq ${int} NOT NULL, at ${int} NOT NULL, status text NOT NULL, progress ${int} NOT NULL,
  PRIMARY KEY (job_id, seq)`;

const forever = '9000000000000000000';

export const videoJobsSqlite = [
  `CREATE TABLE video_job (${columns('INTEGER')}) STRICT`,
  `CREATE INDEX video_job_account ON video_job (account_id, created_at)`,
  `CREATE INDEX video_job_due ON video_job (next_at) WHERE state <> 'done'`,
  `CREATE INDEX video_job_webhook ON video_job (webhook_next_at) WHERE webhook_next_at IS NOT NULL`,
  `CREATE TABLE video_event (${events('INTEGER')}) STRICT, WITHOUT ROWID`,
  `INSERT INTO instance (owner, seen_at) VALUES ('${jobOwner}', ${forever})`,
];

export const videoJobsPostgres = [
  `CREATE TABLE indoxhub.video_job (${columns('int8')})`,
  `CREATE INDEX video_job_account ON indoxhub.video_job (account_id, created_at)`,
  `CREATE INDEX video_job_due ON indoxhub.video_job (next_at) WHERE state <> 'done'`,
  `CREATE INDEX video_job_webhook ON indoxhub.video_job (webhook_next_at) WHERE webhook_next_at IS NOT NULL`,
  `CREATE TABLE indoxhub.video_event (${events('int8')})`,
  `INSERT INTO indoxhub.instance (owner, seen_at) VALUES ('${jobOwner}', ${forever})`,
];
