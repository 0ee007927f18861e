/** Video jobs on both surfaces: taken, looked at, listed, watched, cancelled. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpoints } from '../../contract/endpoints.ts';
import { badField, GatewayError } from '../../contract/errors.ts';
import { videoJobsQuery, openaiVideosQuery } from '../../contract/bodies.ts';
import type { Incoming, Reply } from '../../core/call-types.ts';
import type { Gateway } from '../../core/gateway.ts';
import { imageType } from '../../core/image-type.ts';
import { shownVideo } from '../../core/video-job.ts';
import { deleteVideoFiles } from '../../core/video-worker.ts';
import { cancelVideo, findVideo, submitVideo } from '../../core/videos.ts';
import { shownWebhook, webhookSecret } from '../../core/webhooks.ts';
import { keptResult } from '../../core/video-job.ts';
import type { DecodedVideo } from '../../dialects/decode-video.ts';
import {
  decodeNativeVideo,
  encodeSubmittedVideo,
  nativeVideo,
  nativeWebhook,
} from '../../dialects/native/videos.ts';
import { decodeOpenaiVideo, decodeOpenaiVideoForm, openaiVideo } from '../../dialects/openai/videos.ts';
import type { VideoJob } from '../../storage/jobs.ts';
import { readBody } from '../body.ts';
import type { Door } from '../door.ts';
import { originOf } from '../headers.ts';
import { readForm, type Spool } from '../multipart.ts';
import { mount, readQuery, type App, type AppContext } from '../route.ts';

const json = { 'content-type': 'application/json' };
const fileFields = new Set(['input_reference']);
const watchMs = 250;
const heartbeatMs = 15_000;

const fingerprintOf = (route: string, { request, webhookUrl }: DecodedVideo): string => {
  const { byokKey: _, ...open } = request;
  return createHash('sha256')
    .update(`${route}\n${JSON.stringify({ ...open, maxCostNano: null, webhookUrl })}`)
    .digest('hex');
};

function submit(gateway: Gateway, call: Incoming, decoded: DecodedVideo): Promise<VideoJob> {
  const { request, webhookUrl } = decoded;
  return submitVideo(gateway, call, request, webhookUrl, () => fingerprintOf(call.route, decoded));
}

/** The submissions, on the raw outgoing message like all that costs money. */
export function videoDoors(gateway: Gateway, spool: Spool): Door[] {
  const reply = (body: string): Reply => ({ status: 200, headers: json, body });
  const native: Door = {
    endpoint: endpoints.video,
    kind: 'video',
    async serve(call, incoming) {
      const body = await readBody(incoming, gateway.settings.maxBodyBytes);
      const job = await submit(gateway, call, decodeNativeVideo(body));
      const shown = shownVideo(job, gateway.media, call.origin);
      return reply(encodeSubmittedVideo(shown, call.requestId, Date.now() - call.startedAtMs));
    },
  };
  const openai: Door = {
    endpoint: endpoints.openaiVideo,
    kind: 'video',
    async serve(call, incoming) {
      const decoded = /^multipart\//i.test(incoming.headers['content-type'] ?? '')
        ? await formOf(gateway, spool, incoming)
        : decodeOpenaiVideo(await readBody(incoming, gateway.settings.maxBodyBytes));
      const job = await submit(gateway, call, decoded);
      return reply(JSON.stringify(openaiVideo(shownVideo(job, gateway.media, call.origin))));
    },
  };
  return [native, openai];
}

async function formOf(
  gateway: Gateway,
  spool: Spool,
  incoming: Parameters<Door['serve']>[1],
): Promise<DecodedVideo> {
  const { maxUploadBytes: maxFileBytes } = gateway.settings;
  const form = await readForm(incoming, spool, { maxFileBytes, maxFiles: 1, fileFields });
  try {
    const [file] = form.files;
    if (file === undefined) return decodeOpenaiVideoForm(form.fields, null);
    const chunks: Buffer[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const type = imageType(bytes);
    if (type === null)
      throw badField('input_reference', "Invalid value for 'input_reference': is no picture");
    return decodeOpenaiVideoForm(form.fields, `data:${type};base64,${bytes.toString('base64')}`);
  } finally {
    await form.dispose();
  }
}

const idOf = (context: AppContext): string => context.req.param('id') ?? '';
const accountOf = (context: AppContext): string => context.get('credential').account.id;

export function videoRoutes(app: App, gateway: Gateway): void {
  const shown = (context: AppContext, job: VideoJob) =>
    shownVideo(job, gateway.media, originOf(context.req.header('host')));
  const find = (context: AppContext): Promise<VideoJob> =>
    findVideo(gateway, accountOf(context), idOf(context));

  mount(app, gateway, endpoints.videoJobs, async (context) => {
    const { limit, skip } = readQuery(context, videoJobsQuery);
    const { jobs, total } = await gateway.storage.videoJobs.list(accountOf(context), limit, skip);
    return context.json({ jobs: jobs.map((job) => nativeVideo(shown(context, job))), total, limit, skip });
  });
  mount(app, gateway, endpoints.videoJob, async (context) => {
    const job = await find(context);
    const webhook = nativeWebhook(await shownWebhook(gateway, job));
    return context.json({ ...nativeVideo(shown(context, job)), webhook });
  });
  mount(app, gateway, endpoints.cancelVideo, async (context) => {
    const job = await cancelVideo(gateway, accountOf(context), idOf(context));
    return context.json({
      success: true,
      message: 'The job is cancelled.',
      job_id: job.id,
      status: 'cancelled',
    });
  });
  mount(app, gateway, endpoints.videoEvents, async (context) => {
    const job = await find(context);
    const last = Number(context.req.header('last-event-id') ?? 0);
    const after = Number.isSafeInteger(last) && last > 0 ? last : 0;
    const body = ReadableStream.from(eventsOf(gateway, job.id, after)) as ReadableStream<Uint8Array>;
    return new Response(body, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      },
    });
  });
  mount(app, gateway, endpoints.webhookSecret, async (context) =>
    context.json({ secret: await webhookSecret(gateway, accountOf(context)) }),
  );
  openaiVideoRoutes(app, gateway, shown, find);
}

function openaiVideoRoutes(
  app: App,
  gateway: Gateway,
  shown: (context: AppContext, job: VideoJob) => Parameters<typeof openaiVideo>[0],
  find: (context: AppContext) => Promise<VideoJob>,
): void {
  mount(app, gateway, endpoints.openaiVideos, async (context) => {
    const { limit, after, order } = readQuery(context, openaiVideosQuery);
    const { jobs } = await gateway.storage.videoJobs.list(accountOf(context), 1_000, 0);
    const ordered = order === 'asc' ? jobs.toReversed() : jobs;
    const from = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
    const page = ordered.slice(from, from + limit);
    return context.json({
      object: 'list',
      data: page.map((job) => openaiVideo(shown(context, job))),
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
      has_more: from + limit < ordered.length,
    });
  });
  mount(app, gateway, endpoints.openaiVideoJob, async (context) =>
    context.json(openaiVideo(shown(context, await find(context)))),
  );
  mount(app, gateway, endpoints.openaiVideoContent, async (context) => {
    const job = await find(context);
    const [file] = job.outcome === 'completed' ? (keptResult(job)?.files ?? []) : [];
    if (file === undefined)
      throw new GatewayError('conflict', 'The video is not ready.', { param: 'video_id' });
    const bytes = await gateway.media.read({ ...file, createdAtMs: 0 }, 0, file.bytes - 1);
    if (bytes === null) throw new GatewayError('not_found', 'The video has expired.');
    return new Response(ReadableStream.from(bytes) as ReadableStream<Uint8Array>, {
      headers: { 'content-type': file.contentType, 'content-length': String(file.bytes) },
    });
  });
  mount(app, gateway, endpoints.deleteOpenaiVideo, async (context) => {
    const job = await find(context);
    if (job.outcome === null) await cancelVideo(gateway, accountOf(context), job.id);
    else await deleteVideoFiles(gateway, job);
    return context.json({ id: job.id, object: 'video.deleted', deleted: true });
  });
}

/** Every change as an event of its own, numbered, until the last. A comment now and then keeps the line open. */
async function* eventsOf(gateway: Gateway, id: string, after: number): AsyncGenerator<Buffer> {
  let seen = after;
  let quietSince = Date.now();
  for (;;) {
    const events = await gateway.storage.videoJobs.events(id, seen);
    for (const { seq, status, progress, atMs } of events) {
      seen = seq;
      quietSince = Date.now();
      const data = JSON.stringify({ job_id: id, status, progress, at: new Date(atMs).toISOString() });
      yield Buffer.from(`id: ${seq}\nevent: ${status}\ndata: ${data}\n\n`);
      if (status === 'completed' || status === 'failed' || status === 'cancelled') return;
    }
    // Whoever comes back after the last event gets none, and need not wait for one.
    if (events.length === 0 && (await gateway.storage.videoJobs.find(id))?.outcome !== null && seen > 0)
      return;
    if (gateway.draining) return;
    if (Date.now() - quietSince > heartbeatMs) {
      quietSince = Date.now();
      yield Buffer.from(': still here\n\n');
    }
    await sleep(watchMs);
  }
}
