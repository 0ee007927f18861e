/** Videos that this process makes itself, watched: how far they are is told, and who is not wanted any more stops at once. */
import type { VideoMaker } from '../providers/provider.ts';
import type { VideoJob } from '../storage/jobs.ts';
import type { Gateway } from './gateway.ts';
import type { NewMedia } from './media.ts';
import { keptRequest } from './video-job.ts';

/** At a time, of one process: one at work, one that waits for its thread. */
export const maxMaking = 2;
/** How often a video says how far it is, and looks whether it is still wanted. */
const watchMs = 200;

/** Shared by all jobs of a process. */
export interface Making {
  running: number;
}

/** A file to be stored. */
export type Piece = Pick<NewMedia, 'contentType' | 'source'>;

/** Null: the job's end was decided meanwhile, or its lease was lost. `stop` ends the work. */
export async function makeWatched(
  gateway: Gateway,
  job: VideoJob,
  maker: VideoMaker,
  stop: AbortController,
): Promise<readonly Piece[] | null> {
  const { request, plan } = keptRequest(job);
  let progress = 0;
  let isOver = false;
  let telling: Promise<void> = Promise.resolve();
  const tell = async (): Promise<void> => {
    // A store that is away for a moment is no reason to stop.
    if (await gateway.storage.videoJobs.change(job, { progress }).catch(() => true)) return;
    isOver = true;
    stop.abort();
  };
  const timer = setInterval(() => {
    telling = telling.then(tell);
  }, watchMs);
  try {
    const videos = await maker.make(request, plan, stop.signal, (percent) => {
      progress = Math.min(99, Math.floor(percent));
    });
    return videos.map(({ contentType, bytes }) => ({ contentType, source: bytes }));
  } catch (error) {
    if (isOver) return null;
    throw error;
  } finally {
    clearInterval(timer);
    await telling;
  }
}
