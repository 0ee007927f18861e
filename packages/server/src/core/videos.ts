/** Videos: a submission is a durable job before its caller hears of it. Working on it is video-worker.ts. */
import { GatewayError } from '../contract/errors.ts';
import type { VideoRequest } from '../contract/media.ts';
import { noUsage } from '../contract/usage.ts';
import type { CallTarget } from '../providers/provider.ts';
import { jobOwner, type VideoJob } from '../storage/jobs.ts';
import { keyOf } from './addressing.ts';
import { admit } from './admission.ts';
import type { Incoming } from './call-types.ts';
import { boundsOf } from './demand.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import { costOfUnits } from './pricing.ts';
import { checkedUrl } from './ssrf.ts';
import { resolve } from './resolve.ts';
import { traitsOf, unitsOf, type KeptRequest } from './video-job.ts';

export const callTargetOf = (target: Target): CallTarget => ({
  provider: target.provider.id,
  model: target.model,
  info: target.info,
  maxTokens: null,
  options: target.provider.options,
});

export const makesVideos = ({ vendor }: Target): boolean =>
  vendor.video !== undefined || vendor.videoMaker !== undefined;

/** Takes a job on: its money is held and it is queued. Under a repeated Idempotency-Key it is the job of the first time. */
export async function submitVideo(
  gateway: Gateway,
  call: Incoming,
  request: VideoRequest,
  webhookUrl: string | null,
  fingerprint: () => string,
): Promise<VideoJob> {
  if (gateway.draining) throw new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
  if (!gateway.media.isConfigured) throw new GatewayError('media_store_unavailable');
  const resolved = resolve(gateway, call, request, 'video');
  const target = resolved.targets.find(makesVideos);
  const { video, videoMaker } = target?.vendor ?? {};
  const codec = video ?? videoMaker;
  if (target === undefined || codec === undefined)
    throw new GatewayError('bad_request', `'${resolved.provider}' does not make videos.`, { param: 'model' });
  if (target.vendor.inProcess === undefined) keyOf(target, request);
  await videoMaker?.check();
  const plan = codec.plan(request, callTargetOf(target));
  const units = unitsOf(plan);
  const traits = traitsOf(plan);
  const bounds = boundsOf({ call, request, resolved }, { inputTokens: 0, outputTokens: 0, units, traits });
  const listNano = resolved.prices === null ? null : costOfUnits(noUsage, units, traits, resolved.prices);
  const { byokKey, ...open } = request;
  if (webhookUrl !== null) checkedUrl(webhookUrl, 'webhook_url', gateway.settings.allowPrivateUrls);
  const kept: KeptRequest = {
    origin: call.origin,
    request: { ...open, byokKey: null, maxCostNano: null },
    plan,
    listNano: listNano === null ? null : String(listNano),
    priceVersion: resolved.prices?.version ?? null,
  };
  const { videoJobs } = gateway.storage;
  const id = call.requestId;
  await videoJobs.create({
    id,
    accountId: call.credential.account.id,
    keyId: call.credential.key.id,
    provider: resolved.provider,
    model: resolved.model,
    requestedModel: request.model ?? '',
    prompt: request.prompt,
    request: JSON.stringify(kept),
    byok: byokKey !== null,
    keyOwner: byokKey === null ? null : gateway.owner,
    holdNano: bounds.holdNano,
    maxChargeNano: bounds.ceilingNano,
    sessionId: request.sessionId,
    deadlineAtMs: Date.now() + gateway.settings.videoDeadlineMs,
    webhookUrl,
  });
  const granted = await admit(gateway, {
    call,
    request,
    resolved,
    bounds,
    tokens: 0,
    fingerprint,
    affordable: () => null,
    owner: jobOwner,
  }).catch(async (error: unknown) => {
    // Where the store is away the row stays behind, and is looked after when it is due.
    await videoJobs.drop(id).catch(() => {});
    throw error;
  });
  if (granted.status !== 'admitted') {
    await videoJobs.drop(id);
    const first = await videoJobs.find(granted.id);
    if (first === null) throw new GatewayError('outcome_unknown');
    if (first.state !== 'admitting') return first;
    // Its money is held, only its taker died before it said so.
    await videoJobs.admit(first.id, first.holdNano);
    gateway.videos.kick();
    return (await videoJobs.find(first.id)) ?? first;
  }
  if (byokKey !== null) gateway.videos.lend(id, byokKey);
  await videoJobs.admit(id, granted.heldNano);
  gateway.videos.kick();
  const job = await videoJobs.find(id);
  if (job === null) throw new GatewayError('internal');
  return job;
}

/** A stranger's job is a missing one. */
export async function findVideo(gateway: Gateway, accountId: string, id: string): Promise<VideoJob> {
  const job = await gateway.storage.videoJobs.find(id);
  if (job === null || job.accountId !== accountId || job.state === 'admitting')
    throw new GatewayError('not_found', 'There is no such job.');
  return job;
}

/** Throws a 400 for a job that is over. */
export async function cancelVideo(gateway: Gateway, accountId: string, id: string): Promise<VideoJob> {
  await findVideo(gateway, accountId, id);
  const done = await gateway.storage.videoJobs.end(id, { outcome: 'cancelled' });
  const job = await findVideo(gateway, accountId, id);
  if (!done && job.outcome !== 'cancelled')
    throw new GatewayError('bad_request', `The job is over: it ${job.outcome ?? 'ended'}.`, {
      param: 'job_id',
    });
  gateway.videos.kick();
  return job;
}
