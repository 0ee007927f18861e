/**
 * Tells callers that their job is over, as Standard Webhooks: an id, a time and an HMAC over both and the body. Tried
 * with growing pauses for about a day.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { GatewayError } from '../contract/errors.ts';
import { nativeVideo } from '../dialects/native/videos.ts';
import type { WrittenWebhook } from '../dialects/dialect.ts';
import type { VideoJob } from '../storage/jobs.ts';
import type { Gateway } from './gateway.ts';
import { keptRequest, shownVideo } from './video-job.ts';

const leaseMs = 60_000;
const atOnce = 8;
/** Between attempts. */
const pausesMs = [5_000, 30_000, 120_000, 600_000, 3_600_000, 14_400_000, 43_200_000];

/** How a job's webhook stands, for its owner; null when none was asked for. */
export async function shownWebhook(gateway: Gateway, job: VideoJob): Promise<WrittenWebhook | null> {
  if (job.webhookUrl === null) return null;
  const deliveries = await gateway.storage.videoJobs.deliveries(job.id);
  return { url: job.webhookUrl, deliveries };
}

/** The account's own secret, as receivers are given it. */
export async function webhookSecret(gateway: Gateway, accountId: string): Promise<string> {
  const key = await gateway.storage.settleSetting('webhook_key', randomBytes(32).toString('base64url'));
  const secret = createHmac('sha256', Buffer.from(key, 'base64url'))
    .update(`webhook\n${accountId}`)
    .digest('base64');
  return `whsec_${secret}`;
}

export async function sendWebhooks(gateway: Gateway): Promise<void> {
  const jobs = await gateway.storage.videoJobs.claimWebhooks(leaseMs, atOnce);
  await Promise.all(jobs.map((job) => deliver(gateway, job)));
}

async function deliver(gateway: Gateway, job: VideoJob): Promise<void> {
  const data = nativeVideo(shownVideo(job, gateway.media, keptRequest(job).origin));
  const body = JSON.stringify({
    type: `video.${job.outcome ?? 'ended'}`,
    timestamp: new Date().toISOString(),
    data,
  });
  const id = `msg_${job.id}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const secret = Buffer.from((await webhookSecret(gateway, job.accountId)).slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  const { status, error } = await gateway.transport
    .postUrl(job.webhookUrl ?? '', body, {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    })
    .then(
      (answered) => ({ status: answered, error: null }),
      (cause: unknown) => ({ status: null, error: cause instanceof GatewayError ? cause.code : 'internal' }),
    );
  const isTaken = status !== null && status >= 200 && status < 300;
  // 410: the receiver wants no more.
  const attempt = job.webhookAttempts;
  const pause = isTaken || status === 410 ? undefined : pausesMs[attempt - 1];
  if (!isTaken) gateway.log.warn({ request_id: job.id, status, error, attempt }, 'a webhook was not taken');
  const nextAtMs = pause === undefined ? null : Date.now() + pause;
  await gateway.storage.videoJobs.webhookTried(job.id, { attempt, status, error, nextAtMs });
}
