/**
 * Video jobs as they are remembered: the row is the entry of the queue. A process works on a job only while it holds the
 * job's lease, and every claim raises the fence, so one that lost its lease can write nothing any more.
 */

/** The owner of jobs' holds: not a process, so it never dies and nothing sweeps them. */
export const jobOwner = 'video jobs';

/**
 * `admitting`: written down, its money not yet held. `queued`: to be sent. `submitting`: being sent, perhaps by a process
 * that died meanwhile. `processing`: the provider is at work. `downloading`: its result is being fetched. `done`: settled.
 */
export type JobState = 'admitting' | 'queued' | 'submitting' | 'processing' | 'downloading' | 'done';

/** How a job ends, decided exactly once; the state follows. */
export type JobOutcome = 'completed' | 'failed' | 'cancelled';

export interface NewVideoJob {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly provider: string;
  readonly model: string;
  readonly requestedModel: string;
  readonly prompt: string;
  /** JSON, without secrets. */
  readonly request: string;
  readonly byok: boolean;
  /** The process that has the caller's own key; null: nobody needs it, or nobody has it any more. */
  readonly keyOwner: string | null;
  readonly holdNano: bigint;
  readonly maxChargeNano: bigint | null;
  readonly sessionId: string | null;
  readonly deadlineAtMs: number;
  readonly webhookUrl: string | null;
}

export interface VideoJob extends NewVideoJob {
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly state: JobState;
  /** 0 to 100. */
  readonly progress: number;
  readonly providerJobId: string | null;
  /** `provider/model` of the target that took the job. */
  readonly target: string | null;
  /** JSON of what the provider has ready, once it has. */
  readonly files: string | null;
  readonly outcome: JobOutcome | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** JSON of what the caller gets. */
  readonly result: string | null;
  readonly finishedAtMs: number | null;
  readonly attempts: number;
  readonly nextAtMs: number;
  readonly fence: number;
  readonly webhookAttempts: number;
}

/** What the holder of the lease changes. An absent member stays. */
export interface JobChange {
  readonly state?: JobState;
  readonly progress?: number;
  readonly providerJobId?: string;
  readonly target?: string;
  readonly files?: string;
  readonly attempts?: number;
  /** When the job is due again; its lease ends with this change. */
  readonly nextAtMs?: number;
}

/** An ending. `result` is JSON, of a completed job; the error, of a failed one. */
export interface JobEnd {
  readonly outcome: JobOutcome;
  readonly result?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

export interface JobEvent {
  /** From 1, without gaps, in order. */
  readonly seq: number;
  readonly atMs: number;
  readonly status: string;
  readonly progress: number;
}

/** One attempt to deliver a webhook. */
export interface WebhookDelivery {
  /** From 1; one that a process began and did not survive is missing. */
  readonly attempt: number;
  readonly atMs: number;
  /** The receiver's answer; null when there was none. */
  readonly status: number | null;
  /** Why there was none: one of our error codes. */
  readonly error: string | null;
  /** When the next attempt is due; null: no more. */
  readonly nextAtMs: number | null;
}

export interface VideoJobs {
  /** In state `admitting`. Throws when the id is taken. */
  create(job: NewVideoJob): Promise<void>;
  /** Its money is held: it may be worked on. False when it is not `admitting` any more. */
  admit(id: string, holdNano: bigint): Promise<boolean>;
  /** Forgets a job whose money was refused. */
  drop(id: string): Promise<void>;
  find(id: string): Promise<VideoJob | null>;
  /** Newest first. */
  list(accountId: string, limit: number, skip: number): Promise<{ jobs: VideoJob[]; total: number }>;
  /**
   * Up to `limit` jobs that are due and that nobody works on, leased for `leaseMs` to this owner. A job whose key another
   * living process has is left to that one.
   */
  claim(owner: string, leaseMs: number, limit: number): Promise<VideoJob[]>;
  /** Leases of any other owner, and what keys it had, end now: for an engine that only one process can open. */
  takeOver(owner: string): Promise<void>;
  /** This owner has no keys any more. */
  forgetKeys(owner: string): Promise<void>;
  /** Keeps the lease. False when it was lost. */
  renew(job: Pick<VideoJob, 'id' | 'fence'>, leaseMs: number): Promise<boolean>;
  /** Changes a job under its lease. False when the lease was lost or, for a job still running, its end was decided meanwhile. */
  change(job: Pick<VideoJob, 'id' | 'fence'>, change: JobChange): Promise<boolean>;
  /** Decides how a job ends; whoever comes first. False when it was decided before, or there is no such job. */
  end(id: string, end: JobEnd): Promise<boolean>;
  /** The decided end is settled: nothing is left to do. False when the lease was lost. */
  finish(job: Pick<VideoJob, 'id' | 'fence'>): Promise<boolean>;
  /** Events after `seq`, at most 500. */
  events(id: string, afterSeq: number): Promise<JobEvent[]>;
  /** Up to `limit` finished jobs whose webhook is due, put off by `leaseMs`. */
  claimWebhooks(leaseMs: number, limit: number): Promise<VideoJob[]>;
  /** What became of an attempt, and when the next is due: written down once. */
  webhookTried(id: string, tried: Omit<WebhookDelivery, 'atMs'>): Promise<void>;
  /** Every attempt, in order. */
  deliveries(id: string): Promise<WebhookDelivery[]>;
}

/** What callers are told of a job. */
export function publicStatus({ outcome, state }: Pick<VideoJob, 'outcome' | 'state'>): string {
  if (outcome !== null) return outcome;
  return state === 'processing' || state === 'downloading' ? 'processing' : 'queued';
}
