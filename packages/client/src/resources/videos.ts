/** Videos: every one is a job. */
import type { APIPromise } from '../api-promise.ts';
import { APIError, APIConnectionError, APIUserAbortError, IndoxHubError } from '../errors.ts';
import type { RequestOptions } from '../options.ts';
import { Page, PagePromise } from '../pages.ts';
import type { Requester } from '../request.ts';
import { sleep } from '../retry.ts';
import { readEvents } from '../sse.ts';
import type { VideoJob, VideoParams, VideoProgress, VideoResponse } from '../types/media.ts';

export interface VideoListParams {
  /** Of one page: 1 to 100, without it 20. */
  limit?: number;
  skip?: number;
}

export interface WaitOptions extends Pick<RequestOptions, 'signal'> {
  /** Told of every change. */
  onProgress?: ((progress: VideoProgress) => void) | undefined;
  /** `events` (the default) listens, and asks where listening fails; `poll` only asks. */
  mode?: 'events' | 'poll' | undefined;
  /** Milliseconds between questions; without it 5,000. */
  pollInterval?: number | undefined;
  /** Milliseconds after which waiting ends with a VideoWaitTimeoutError; the job goes on. Without it there is no limit. */
  maxWait?: number | undefined;
}

/** The job failed or was cancelled. */
export class VideoJobError extends IndoxHubError {
  override name: string = 'VideoJobError';
  readonly job: VideoJob;

  constructor(job: VideoJob) {
    super(
      `The video job ${job.job_id} ${job.status === 'failed' ? `failed: ${job.error ?? 'no reason given'}` : `was ${job.status}`}`,
    );
    this.job = job;
  }
}

/** `maxWait` ran out; the job goes on. */
export class VideoWaitTimeoutError extends IndoxHubError {
  override name: string = 'VideoWaitTimeoutError';
}

export interface CancelledVideo {
  success: boolean;
  message: string;
  job_id: string;
  status: 'cancelled';
}

const isOver = (status: string): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

export class Videos {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Takes a job on, and answers at once.
   *
   * @example
   * const { data } = await client.videos.create({ prompt: 'A fox runs through snow', duration: 4 });
   * const job = await client.videos.wait(data.job_id);
   */
  create<const M extends string>(
    params: VideoParams<M>,
    options?: RequestOptions,
  ): APIPromise<VideoResponse> {
    return this.#requester.send(
      { method: 'POST', path: '/api/v1/videos/generations', body: params, isModel: true },
      options,
    );
  }

  /**
   * A job as it is now.
   *
   * @example
   * const { status, progress, result } = await client.videos.retrieve(id);
   */
  retrieve(id: string, options?: RequestOptions): APIPromise<VideoJob> {
    return this.#requester.send({ method: 'GET', path: pathOf(id) }, options);
  }

  /**
   * The jobs of the account, newest first. Awaited it is a page, iterated it is all of them.
   *
   * @example
   * for await (const job of client.videos.list()) console.log(job.job_id, job.status);
   */
  list(query: VideoListParams = {}, options?: RequestOptions): PagePromise<VideoJob> {
    const page = this.#requester
      .send<{ jobs: VideoJob[]; total: number; limit: number; skip: number }>(
        { method: 'GET', path: '/api/v1/videos/jobs', query },
        options,
      )
      .map(
        ({ jobs, ...rest }) =>
          new Page<VideoJob>({ data: jobs, ...rest }, (skip) => this.list({ ...query, skip }, options)),
      );
    return new PagePromise(page);
  }

  /**
   * Cancels a job. A BadRequestError when it is completed or failed already.
   *
   * @example
   * await client.videos.cancel(id);
   */
  cancel(id: string, options?: RequestOptions): APIPromise<CancelledVideo> {
    return this.#requester.send({ method: 'POST', path: `${pathOf(id)}/cancel` }, options);
  }

  /**
   * Waits until the job is completed, and answers it. Throws a VideoJobError when it failed or was cancelled.
   *
   * @example
   * const job = await client.videos.wait(id, { onProgress: ({ progress }) => console.log(`${progress} %`) });
   * console.log(job.result?.url);
   */
  async wait(id: string, options: WaitOptions = {}): Promise<VideoJob> {
    const { maxWait } = options;
    const limit = new AbortController();
    const late = new VideoWaitTimeoutError(`The video job ${id} was not over within ${maxWait} ms`);
    const stop = (): void => limit.abort(options.signal?.reason);
    if (options.signal?.aborted === true) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    const timer = maxWait === undefined ? undefined : setTimeout(() => limit.abort(late), maxWait);
    try {
      const job = await this.#ended(id, { ...options, signal: limit.signal });
      if (job.status === 'completed') return job;
      throw new VideoJobError(job);
    } catch (error) {
      if (!limit.signal.aborted || error instanceof VideoJobError) throw error;
      throw limit.signal.reason === late
        ? late
        : new APIUserAbortError('The wait was aborted', { cause: error });
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
    }
  }

  /**
   * Takes a job on and waits for it.
   *
   * @example
   * const { result } = await client.videos.createAndWait({ prompt: 'A fox runs through snow' });
   */
  async createAndWait<const M extends string>(
    params: VideoParams<M>,
    options: WaitOptions & RequestOptions = {},
  ): Promise<VideoJob> {
    const { onProgress, mode, pollInterval, maxWait, ...request } = options;
    const { data } = await this.create<M>(params, request);
    return this.wait(data.job_id, { onProgress, mode, pollInterval, maxWait, signal: options.signal });
  }

  /**
   * Every change of a job as it happens, up to its end. Goes on after a broken connection without repeating any.
   *
   * @example
   * for await (const { status, progress } of client.videos.events(id)) console.log(status, progress);
   */
  async *events(id: string, options: RequestOptions = {}): AsyncGenerator<VideoProgress, void> {
    let last = '';
    for (let idle = 0; idle < 3; idle++) {
      const call = {
        method: 'GET',
        path: `${pathOf(id)}/events`,
        isStream: true,
        headers: { accept: 'text/event-stream', 'last-event-id': last === '' ? null : last },
      } as const;
      const reply = await this.#requester.send(call, options, async (reply) => reply);
      try {
        if (reply.response.body === null) throw new APIConnectionError('The answer has no body');
        for await (const event of readEvents(reply.response.body)) {
          if (event.id === last) continue;
          last = event.id;
          idle = 0;
          const progress = JSON.parse(event.data) as VideoProgress;
          yield progress;
          if (isOver(progress.status)) return;
        }
        // After its last event a job has no more to tell.
        if (last !== '' && isOver((await this.retrieve(id, options)).status)) return;
      } catch (error) {
        if (options.signal?.aborted === true)
          throw new APIUserAbortError('The events were aborted', { cause: error });
        if (error instanceof APIError) throw error;
      } finally {
        reply.release();
        reply.controller.abort();
      }
      await sleep(250, options.signal);
    }
    throw new APIConnectionError(`The events of the video job ${id} broke off`);
  }

  async #ended(
    id: string,
    { mode, onProgress, pollInterval = 5_000, signal }: WaitOptions,
  ): Promise<VideoJob> {
    if (mode !== 'poll') {
      try {
        for await (const progress of this.events(id, { signal })) onProgress?.(progress);
      } catch (error) {
        // A proxy that lets no events through is no reason to give up; a job that is not there is one.
        if (
          signal?.aborted === true ||
          (error instanceof APIError && error.status < 500 && error.status !== 404)
        )
          throw error;
      }
    }
    let told = '';
    for (;;) {
      const job = await this.retrieve(id, { signal });
      const now = `${job.status} ${job.progress}`;
      if (mode === 'poll' || !isOver(job.status)) {
        const { job_id, status, progress, updated_at: at } = job;
        if (now !== told) onProgress?.({ job_id, status, progress, at });
        told = now;
      }
      if (isOver(job.status)) return job;
      await sleep(pollInterval, signal);
    }
  }
}

const pathOf = (id: string): string => `/api/v1/videos/jobs/${encodeURIComponent(id)}`;
