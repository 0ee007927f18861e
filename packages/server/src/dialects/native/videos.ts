/** `/api/v1/videos/*`: a job, in the shapes its clients read. */
import { usdNumber } from '../../contract/answer.ts';
import { videoBody } from '../../contract/bodies.ts';
import type { JsonObject } from '../../contract/chat.ts';
import { decodeJsonVideo, type DecodedVideo } from '../decode-video.ts';
import type { WrittenVideo, WrittenWebhook } from '../dialect.ts';

export const decodeNativeVideo = (body: Buffer): DecodedVideo => decodeJsonVideo(body, videoBody);

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** The answer to a submission: the envelope round a job. */
export function encodeSubmittedVideo(video: WrittenVideo, requestId: string, durationMs: number): string {
  return JSON.stringify({
    request_id: requestId,
    created_at: iso(video.createdAtMs),
    duration_ms: durationMs,
    provider: video.provider,
    model: video.model,
    success: true,
    message: 'The video is being made. Ask for the job until its status is completed.',
    usage: {
      tokens_prompt: 0,
      tokens_completion: 0,
      tokens_total: 0,
      cost: usdNumber(video.costNano),
      latency: durationMs,
      timestamp: iso(video.createdAtMs),
    },
    raw_response: null,
    data: {
      job_id: video.id,
      status: video.status,
      is_async: true,
      provider_video_id: video.providerJobId,
      estimated_cost: usdNumber(video.estimateNano),
    },
    byok_api_key: video.byok,
  });
}

/** One job, as `GET /videos/jobs/{id}` answers it. */
export function nativeVideo(video: WrittenVideo): JsonObject {
  const [first] = video.files;
  const data = video.files.map(({ url, bytes, contentType, fileName }) => ({
    url,
    file_size: bytes,
    content_type: contentType,
    file_name: fileName,
  }));
  return {
    job_id: video.id,
    id: video.id,
    status: video.status,
    progress: video.progress,
    provider: video.provider,
    model: video.model,
    prompt: video.prompt,
    provider_video_id: video.providerJobId,
    created_at: iso(video.createdAtMs),
    updated_at: iso(video.updatedAtMs),
    completed_at: video.status === 'completed' ? iso(video.finishedAtMs) : null,
    result:
      first === undefined
        ? null
        : {
            url: first.url,
            video_url: first.url,
            file_size: first.bytes,
            content_type: first.contentType,
            file_name: first.fileName,
            duration: video.seconds,
            model: video.model,
            created: Math.floor(video.createdAtMs / 1000),
            data,
          },
    error: video.error?.message ?? null,
    error_code: video.error?.code ?? null,
    cost: usdNumber(video.costNano),
    estimated_cost: usdNumber(video.estimateNano),
  };
}

/** What `GET /videos/jobs/{id}` says of the webhook beside its job. */
export function nativeWebhook(webhook: WrittenWebhook | null): JsonObject | null {
  if (webhook === null) return null;
  const last = webhook.deliveries.at(-1);
  const isTaken = last?.status != null && last.status >= 200 && last.status < 300;
  const open = last === undefined ? 'waiting' : last.nextAtMs === null ? 'given_up' : 'retrying';
  return {
    url: webhook.url,
    status: isTaken ? 'delivered' : open,
    next_attempt_at: iso(last?.nextAtMs ?? null),
    deliveries: webhook.deliveries.map(({ attempt, atMs, status, error, nextAtMs }) => ({
      attempt,
      at: iso(atMs),
      status,
      error,
      next_attempt_at: iso(nextAtMs),
    })),
  };
}
