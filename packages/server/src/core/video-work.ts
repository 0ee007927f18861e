/** One video job under one lease: whatever is next for it, from its submission to its settlement. */
import type { VideoRequest, VideoState } from '../contract/media.ts';
import { GatewayError } from '../contract/errors.ts';
import type { Secret } from '../contract/secret.ts';
import type { CallTarget, VideoCodec, VideoMaker } from '../providers/provider.ts';
import type { JobEnd, VideoJob } from '../storage/jobs.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import { Refusal, VendorExchange } from './exchange.ts';
import { classifyError, type Classified } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { StoredMedia } from './media.ts';
import type { Target } from './models.ts';
import { keptRequest, recordOf, type KeptResult } from './video-job.ts';
import { makeWatched, maxMaking, type Making, type Piece } from './video-making.ts';
import { callTargetOf, makesVideos } from './videos.ts';

export const leaseMs = 30_000;
const maxSubmits = 6;
const longestPollMs = 15_000;
const longestBackoffMs = 30_000;
/** Where a job's vendor is spoken to. */
interface Line {
  readonly codec: VideoCodec;
  readonly callTarget: CallTarget;
  readonly exchange: VendorExchange;
  readonly name: string;
}

/** One job under one lease. */
export class VideoWork {
  private readonly gateway: Gateway;
  private job: VideoJob;
  private readonly key: Secret | null;
  private readonly making: Making;
  private line: Line | null = null;
  private ending: (() => void) | null = null;
  private lost = false;

  constructor(gateway: Gateway, job: VideoJob, key: Secret | null, making: Making) {
    this.gateway = gateway;
    this.job = job;
    this.key = key;
    this.making = making;
  }

  abort(): void {
    this.lost = true;
    this.line?.exchange.abort();
    this.ending?.();
  }

  /** True when nothing is left to do on the job. */
  async run(): Promise<boolean> {
    const { videoJobs } = this.gateway.storage;
    const renew = async (): Promise<void> => {
      // A store that is away says nothing about the lease; the fence does when it is back.
      const held = await videoJobs.renew(this.job, leaseMs).catch(() => true);
      if (!held) this.abort();
    };
    const renewal = setInterval(() => void renew(), leaseMs / 3);
    try {
      return await this.step();
    } catch (error) {
      if (this.lost || error instanceof StorageUnavailable || isAway(error)) return false;
      this.gateway.log.error({ err: error, request_id: this.job.id }, 'a video job stumbled');
      await videoJobs.change(this.job, { nextAtMs: Date.now() + 5_000 }).catch(() => {});
      return false;
    } finally {
      clearInterval(renewal);
    }
  }

  private async step(): Promise<boolean> {
    const { job } = this;
    if (job.state === 'admitting') return this.abandon();
    if (job.outcome !== null) return this.conclude();
    if (Date.now() > job.deadlineAtMs)
      return this.end({
        outcome: 'failed',
        errorCode: 'upstream_timeout',
        errorMessage: 'The video was not done in time.',
      });
    if (job.byok && this.key === null) return this.withoutKey();
    const target = this.target();
    if (target?.vendor.videoMaker !== undefined) return this.make(target, target.vendor.videoMaker);
    if (job.state === 'queued' || job.state === 'submitting') return this.submit();
    if (job.state === 'processing') return this.poll();
    return this.download();
  }

  /** Its taker died before its money was held, or just after, and its caller did not come back: nothing is owed. */
  private async abandon(): Promise<boolean> {
    await this.gateway.storage.videoJobs.admit(this.job.id, 0n);
    return this.end({
      outcome: 'failed',
      errorCode: 'outcome_unknown',
      errorMessage: 'The gateway was stopped while it took this job.',
    });
  }

  /** The key lived in the process that took the job, and that is gone. */
  private withoutKey(): Promise<boolean> {
    return this.end({
      outcome: 'failed',
      errorCode: 'outcome_unknown',
      errorMessage: 'The gateway that held your own key was restarted, and the key is never stored.',
    });
  }

  /** Who works, or worked, on it; undefined when that is not configured any more. */
  private target(): Target | undefined {
    const { gateway, job } = this;
    const { model, providerField } = keptRequest(job).request;
    const { targets } = gateway.models.resolve(model, providerField, 'video', { byok: job.byok });
    return targets.find((each) => (job.target === null ? makesVideos(each) : each.name === job.target));
  }

  private open(): Line {
    if (this.line !== null) return this.line;
    const { gateway, job } = this;
    const request: VideoRequest = { ...keptRequest(job).request, byokKey: this.key };
    const target = this.target();
    if (target?.vendor.video === undefined)
      throw new GatewayError(
        'provider_not_configured',
        `'${job.target ?? job.provider}' is not configured any more.`,
      );
    this.line = {
      codec: target.vendor.video,
      callTarget: callTargetOf(target),
      exchange: new VendorExchange(gateway, target, target.vendor.video, request, job.id),
      name: target.name,
    };
    if (this.lost) this.line.exchange.abort();
    return this.line;
  }

  private async submit(): Promise<boolean> {
    const { gateway, job } = this;
    const { videoJobs } = gateway.storage;
    if (!(await videoJobs.change(job, { state: 'submitting', attempts: job.attempts + 1 })))
      return this.decided();
    let providerJobId: string;
    let line: Line;
    try {
      line = this.open();
      const { request } = keptRequest(job);
      providerJobId = await line.codec.submit(request, line.callTarget, line.exchange);
    } catch (error) {
      const { error: told, again } = this.classify(error);
      if (again === 'never' || job.attempts + 1 >= maxSubmits) return this.failed(told);
      const nextAtMs = Date.now() + Math.min(1_000 * 2 ** job.attempts, longestBackoffMs);
      if (!(await videoJobs.change(job, { state: 'queued', nextAtMs }))) return this.decided();
      return false;
    }
    // Before anything else: whoever goes on with the job asks for this one, and submits no second.
    const change = { state: 'processing', providerJobId, target: line.name } as const;
    await videoJobs.change(job, { ...change, nextAtMs: Date.now() + gateway.settings.videoPollMs });
    return false;
  }

  private async poll(): Promise<boolean> {
    const { gateway, job } = this;
    const { videoJobs } = gateway.storage;
    let state: VideoState;
    try {
      const { codec, callTarget, exchange } = this.open();
      state = await codec.poll(job.providerJobId ?? '', callTarget, exchange);
    } catch (error) {
      return this.putOff(error);
    }
    if (state.status === 'failed') {
      const said = state.message ?? state.code ?? 'The provider could not make the video.';
      const errorMessage = this.line?.exchange.redacted(said) ?? said;
      return this.end({ outcome: 'failed', errorCode: 'upstream_error', errorMessage });
    }
    if (state.status === 'pending') {
      const progress = Math.min(99, Math.max(0, Math.round(state.progress ?? job.progress)));
      if (!(await videoJobs.change(job, { progress, nextAtMs: Date.now() + this.pause() })))
        return this.decided();
      return false;
    }
    const files = JSON.stringify({ files: state.files, seconds: state.seconds });
    if (!(await videoJobs.change(job, { state: 'downloading', files }))) return this.decided();
    this.job = { ...job, state: 'downloading', files };
    return this.download();
  }

  /** In this process, begun anew by whoever has the lease. One that somebody ended meanwhile is stopped at once. */
  private async make(target: Target, maker: VideoMaker): Promise<boolean> {
    const { gateway, job, making } = this;
    const { videoJobs } = gateway.storage;
    if (making.running >= maxMaking) {
      if (!(await videoJobs.change(job, { nextAtMs: Date.now() + this.pause() }))) return this.decided();
      return false;
    }
    making.running++;
    let stored: StoredMedia[];
    try {
      const attempts = job.attempts + 1;
      const change = { state: 'processing', target: target.name, attempts } as const;
      if (!(await videoJobs.change(job, change))) return await this.decided();
      const stop = new AbortController();
      this.ending = () => stop.abort();
      if (this.lost) stop.abort();
      const made = await makeWatched(gateway, job, maker, stop);
      if (made === null) return await this.decided();
      stored = await this.store(made);
    } catch (error) {
      const { error: told, again } = this.classify(error);
      if (again === 'never' || job.attempts + 1 >= maxSubmits) return await this.failed(told);
      return await this.putOff(error);
    } finally {
      making.running--;
    }
    return this.complete(stored, null);
  }

  /** The older a job, the longer it may take to see that it is done. */
  private pause(): number {
    const { videoPollMs } = this.gateway.settings;
    return Math.min(longestPollMs, Math.max(videoPollMs, (Date.now() - this.job.createdAtMs) / 20));
  }

  private async download(): Promise<boolean> {
    const ready = JSON.parse(this.job.files ?? '{}') as { files: string[]; seconds: number | null };
    let stored: StoredMedia[];
    try {
      stored = await this.store(this.fetched(ready.files));
    } catch (error) {
      return isHopeless(error) ? this.failed(error) : this.putOff(error);
    }
    return this.complete(stored, ready.seconds);
  }

  private async *fetched(files: readonly string[]): AsyncGenerator<Piece> {
    const { codec, callTarget, exchange } = this.open();
    for (const file of files) {
      const { headers, body } = await codec.fetch(file, callTarget, exchange);
      const type = headers['content-type'];
      const contentType = typeof type === 'string' && type.startsWith('video/') ? type : 'video/mp4';
      yield { contentType, source: body };
    }
  }

  /** All of them, or nothing is left behind and it throws. */
  private async store(pieces: Iterable<Piece> | AsyncIterable<Piece>): Promise<StoredMedia[]> {
    const { gateway, job } = this;
    const stored: StoredMedia[] = [];
    try {
      for await (const piece of pieces)
        stored.push(await gateway.media.put({ accountId: job.accountId, kind: 'video', ...piece }));
      if (stored.length === 0 || stored.some(({ bytes }) => bytes === 0))
        throw new GatewayError('upstream_malformed', 'The provider sent an empty video.');
      return stored;
    } catch (error) {
      await this.discard(stored);
      throw error;
    }
  }

  private async complete(stored: readonly StoredMedia[], seconds: number | null): Promise<boolean> {
    const { gateway, job } = this;
    const result: KeptResult = { files: stored, seconds: seconds ?? keptRequest(job).plan.seconds };
    const end = { outcome: 'completed', result: JSON.stringify(result) } as const;
    if (!(await gateway.storage.videoJobs.end(job.id, end))) await this.discard(stored);
    return this.decided();
  }

  private async discard(stored: readonly StoredMedia[]): Promise<void> {
    for (const { id } of stored) await this.gateway.media.remove(id).catch(() => {});
  }

  /** A provider that is away loses no job: it is asked again, until the deadline. */
  private async putOff(error: unknown): Promise<boolean> {
    const { job } = this;
    const { error: told } = this.classify(error);
    if (['model_unavailable', 'upstream_bad_request', 'byok_rejected'].includes(told.code))
      return this.failed(told);
    const age = Date.now() - job.updatedAtMs;
    const nextAtMs =
      Date.now() + Math.max(this.pause(), told.retryAfterMs ?? Math.min(age, longestBackoffMs));
    if (!(await this.gateway.storage.videoJobs.change(job, { nextAtMs }))) return this.decided();
    return false;
  }

  private classify(error: unknown): Classified {
    if (this.lost) throw error;
    const known = this.line?.exchange.withoutKey(error) ?? error;
    return known instanceof Refusal ? known.classified : classifyError(known);
  }

  private failed(error: GatewayError): Promise<boolean> {
    return this.end({ outcome: 'failed', errorCode: error.code, errorMessage: error.message });
  }

  private async end(end: JobEnd): Promise<boolean> {
    await this.gateway.storage.videoJobs.end(this.job.id, end);
    return this.decided();
  }

  /** The end may have been decided by somebody else meanwhile; whoever holds the lease carries it out. */
  private async decided(): Promise<boolean> {
    const job = await this.gateway.storage.videoJobs.find(this.job.id);
    if (job === null || job.fence !== this.job.fence || job.outcome === null) return false;
    this.job = job;
    return this.conclude();
  }

  /** Settles what was decided, exactly once: the ledger knows the job by its id. */
  private async conclude(): Promise<boolean> {
    const { gateway, job } = this;
    const mayCancel = !job.byok || this.key !== null;
    if (job.outcome !== 'completed' && job.providerJobId !== null && mayCancel) await this.cancelThere();
    const record = recordOf(job);
    const answer = { job_id: job.id };
    await gateway.ledger.run({
      op: 'settle',
      record,
      maxChargeNano: job.maxChargeNano,
      response: { status: 200, contentType: 'application/json', body: JSON.stringify(answer) },
    });
    const finished = await gateway.storage.videoJobs.finish(job);
    if (finished) {
      gateway.metrics.call({
        route: '/videos/jobs',
        provider: record.provider,
        model: `${record.provider}/${record.model}`,
        status: record.httpStatus,
        stream: false,
        durationMs: record.latencyMs,
        firstByteMs: null,
        upstreamMs: record.latencyMs,
        usage: record.usage,
        costNano: record.costNano,
      });
      gateway.accessLog?.call(record, record.latencyMs);
    }
    return finished;
  }

  /** What the provider goes on with is not paid by the caller any more; it is worth a try to stop it. */
  private async cancelThere(): Promise<void> {
    try {
      const { codec, callTarget, exchange } = this.open();
      await codec.cancel?.(this.job.providerJobId ?? '', callTarget, exchange);
    } catch (error) {
      if (this.lost) throw error;
    }
  }
}

/** A result that would be no better another time. */
const isHopeless = (error: unknown): error is GatewayError =>
  error instanceof GatewayError &&
  ['too_large', 'url_not_allowed'].includes(String(error.details?.['reason']));

const isAway = (error: unknown): boolean =>
  error instanceof GatewayError && error.code === 'ledger_unavailable';
