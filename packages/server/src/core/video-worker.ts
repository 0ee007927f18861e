/**
 * Works on video jobs: claims what is due, takes each one step further (video-work.ts), and lets go. Any number of processes do the same
 * on one database; a job belongs to whoever holds its lease, and whatever a process that died had begun is begun again
 * by another. What may not happen twice is decided in the store: one end, one settlement.
 */
import type { Secret } from '../contract/secret.ts';
import type { VideoJob } from '../storage/jobs.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import type { Gateway } from './gateway.ts';
import { keptResult } from './video-job.ts';
import type { Making } from './video-making.ts';
import { leaseMs, VideoWork } from './video-work.ts';
import { sendWebhooks } from './webhooks.ts';

const idleMs = 1_000;
const maxAtOnce = 16;

export interface VideoWorker {
  /** Something is due now. */
  kick(): void;
  /** A caller's own key, for as long as its job runs: it is never written down. */
  lend(jobId: string, key: Secret): void;
  start(): Promise<void>;
  /** Lets go of everything; what is not done is taken up later, here or elsewhere. */
  stop(): Promise<void>;
}

export function createVideoWorker(gatewayOf: () => Gateway): VideoWorker {
  const keys = new Map<string, Secret>();
  const running = new Map<
    string,
    { readonly job: VideoJob; readonly done: Promise<void>; readonly abort: () => void }
  >();
  const making: Making = { running: 0 };
  let timer: NodeJS.Timeout | null = null;
  let stopped = true;
  let looking = false;
  let again = false;

  const look = async (): Promise<void> => {
    if (stopped) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    const gateway = gatewayOf();
    try {
      for (;;) {
        again = false;
        const room = maxAtOnce - running.size;
        const jobs = room > 0 ? await gateway.storage.videoJobs.claim(gateway.owner, leaseMs, room) : [];
        if (stopped) return await letGo(jobs);
        for (const job of jobs) begin(gateway, job);
        await sendWebhooks(gateway);
        if (!again) break;
      }
    } catch (error) {
      if (!(error instanceof StorageUnavailable))
        gateway.log.error({ err: error }, 'video jobs could not be claimed');
    } finally {
      looking = false;
    }
  };

  /** Whoever looks next need not wait for these leases to end. */
  const letGo = async (jobs: readonly VideoJob[]): Promise<void> => {
    const { videoJobs } = gatewayOf().storage;
    for (const job of jobs) await videoJobs.change(job, { nextAtMs: Date.now() }).catch(() => {});
  };

  const begin = (gateway: Gateway, job: VideoJob): void => {
    const work = new VideoWork(gateway, job, keys.get(job.id) ?? null, making);
    const finish = async (): Promise<void> => {
      if (await work.run()) keys.delete(job.id);
      running.delete(job.id);
      void look();
    };
    const done = finish();
    running.set(job.id, { job, done, abort: () => work.abort() });
  };

  return {
    kick: () => void look(),
    lend: (jobId, key) => void keys.set(jobId, key),
    async start() {
      stopped = false;
      const gateway = gatewayOf();
      // One process owns a SQLite file: whoever else held a lease is gone.
      if (gateway.storage.engine === 'sqlite') await gateway.storage.videoJobs.takeOver(gateway.owner);
      timer = setInterval(() => void look(), Math.min(idleMs, gateway.settings.videoPollMs));
      timer.unref();
      void look();
    },
    async stop() {
      stopped = true;
      if (timer !== null) clearInterval(timer);
      const left = [...running.values()];
      for (const { abort } of left) abort();
      await Promise.allSettled(left.map(({ done }) => done));
      await letGo(left.map(({ job }) => job));
      const { owner, storage } = gatewayOf();
      if (keys.size > 0) await storage.videoJobs.forgetKeys(owner).catch(() => {});
    },
  };
}

/** For a deleted job: its files go, too. */
export async function deleteVideoFiles(gateway: Gateway, job: VideoJob): Promise<void> {
  for (const { id } of keptResult(job)?.files ?? []) await gateway.media.remove(id);
}
