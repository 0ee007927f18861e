/** What is kept of a video job beside its row's own columns, and what its owner is told of it. */
import type { VideoPlan, VideoRequest } from '../contract/media.ts';
import { noUsage, type UnitCount } from '../contract/usage.ts';
import type { WrittenVideo } from '../dialects/dialect.ts';
import { publicStatus, type VideoJob } from '../storage/jobs.ts';
import type { UsageRecord } from '../storage/storage.ts';
import type { Media, StoredMedia } from './media.ts';
import type { Traits } from './unit-prices.ts';

/** The row's `request`, as JSON. */
export interface KeptRequest {
  /** Where the gateway answers, as the caller knew it: for links in webhooks. */
  readonly origin: string;
  readonly request: VideoRequest;
  readonly plan: VideoPlan;
  /** List price of the plan, nano-USD as text; null = unknown. */
  readonly listNano: string | null;
  readonly priceVersion: string | null;
}

/** The row's `result`, as JSON. */
export interface KeptResult {
  readonly files: readonly StoredMedia[];
  /** Of one video. */
  readonly seconds: number;
}

export const keptRequest = (job: VideoJob): KeptRequest => JSON.parse(job.request) as KeptRequest;

export const keptResult = (job: VideoJob): KeptResult | null =>
  job.result === null ? null : (JSON.parse(job.result) as KeptResult);

export function unitsOf({ seconds, n }: Pick<VideoPlan, 'seconds' | 'n'>): UnitCount {
  return { unit: 'video_ms', quantity: Math.ceil(seconds * 1000) * n };
}

export const traitsOf = ({ resolution, audio }: VideoPlan): Traits => ({ resolution, audio });

/** What was delivered at the price that was agreed; half a nano up. */
function costOf({ plan, listNano }: KeptRequest, result: KeptResult | null): bigint | null {
  if (result === null) return 0n;
  if (listNano === null) return null;
  const planned = BigInt(unitsOf(plan).quantity);
  const delivered = BigInt(unitsOf({ seconds: result.seconds, n: result.files.length }).quantity);
  return planned === 0n ? 0n : (BigInt(listNano) * delivered * 2n + planned) / (planned * 2n);
}

/** The usage row of a job whose end is decided. */
export function recordOf(job: VideoJob): UsageRecord {
  const kept = keptRequest(job);
  const result = job.outcome === 'completed' ? keptResult(job) : null;
  const listNano = costOf(kept, result);
  const endings = {
    completed: 'completed',
    cancelled: 'client_cancelled',
    failed: 'upstream_error',
  } as const;
  return {
    id: job.id,
    accountId: job.accountId,
    keyId: job.keyId,
    endpoint: 'video',
    provider: job.provider,
    model: job.model,
    requestedModel: job.requestedModel,
    stream: false,
    byok: job.byok,
    startedAtMs: job.createdAtMs,
    ending: endings[job.outcome ?? 'failed'],
    httpStatus: job.outcome === 'completed' ? 200 : job.outcome === 'cancelled' ? 499 : 502,
    errorCode: job.errorCode,
    finishReason: job.outcome === 'cancelled' ? 'cancelled' : null,
    usage: noUsage,
    units: result === null ? null : unitsOf({ seconds: result.seconds, n: result.files.length }),
    source: result === null ? 'none' : 'provider',
    costNano: job.byok ? 0n : listNano,
    listNano,
    priceVersion: kept.priceVersion,
    latencyMs: Math.max(0, (job.finishedAtMs ?? Date.now()) - job.createdAtMs),
    firstByteMs: null,
    attempts: Math.max(1, job.attempts),
    sessionId: job.sessionId,
  };
}

/** `origin`: where this gateway answers, as the caller knows it. */
export function shownVideo(job: VideoJob, media: Media, origin: string): WrittenVideo {
  const kept = keptRequest(job);
  const result = job.outcome === 'completed' ? keptResult(job) : null;
  const files = (result?.files ?? []).map((file) => ({ ...file, url: media.link(file, origin) }));
  const { errorCode, errorMessage } = job;
  return {
    id: job.id,
    status: publicStatus(job),
    progress: job.progress,
    provider: job.provider,
    model: job.model,
    prompt: job.prompt,
    providerJobId: job.providerJobId,
    createdAtMs: job.createdAtMs,
    updatedAtMs: job.updatedAtMs,
    finishedAtMs: job.finishedAtMs,
    byok: job.byok,
    seconds: result?.seconds ?? kept.plan.seconds,
    size: kept.request.size,
    estimateNano: job.byok ? 0n : kept.listNano === null ? null : BigInt(kept.listNano),
    costNano: job.outcome === null ? null : job.byok ? 0n : costOf(kept, result),
    files,
    expiresAtMs: result?.files[0]?.expiresAtMs ?? null,
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? 'The job failed.' },
  };
}
