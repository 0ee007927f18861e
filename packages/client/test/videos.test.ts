/** Video jobs and their webhooks, against the running gateway and a fake provider. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fakeVideos, type FakeVideos } from '../../server/test/fakes/videos.ts';
import { startUpstream, type SeenCall, type Upstream } from '../../server/test/upstream.ts';
import {
  APIUserAbortError,
  BadRequestError,
  NotFoundError,
  unwrapWebhook,
  VideoJobError,
  VideoWaitTimeoutError,
  WebhookVerificationError,
  type VideoProgress,
} from '../src/index.ts';
import { answering, failure, useGateway, withServer } from './server.ts';

const model = 'openai/sora-2';
const prompt = 'A fox runs';
let fake: FakeVideos;
let upstream: Upstream;
let receiver: Upstream;
const its = useGateway(async () => {
  fake = fakeVideos();
  upstream = await startUpstream(fake.script);
  return {
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_VIDEO_POLL: '20ms',
      INDOXHUB_ALLOW_PRIVATE_URLS: 'on',
    },
  };
});
beforeAll(async () => {
  receiver = await startUpstream(answering(204, ''));
});
beforeEach(() => {
  fake.polls = 3;
});
afterAll(async () => {
  await upstream.close();
  await receiver.close();
});

const submit = async (words = prompt): Promise<string> =>
  (await its.client.videos.create({ model, prompt: words, duration: 4 })).data.job_id;

describe('waiting', () => {
  test('createAndWait: every change once, then the job with its link', async () => {
    const seen: VideoProgress[] = [];
    const job = await its.client.videos.createAndWait(
      { model, prompt, duration: 4 },
      { onProgress: (progress) => seen.push(progress) },
    );
    expect(job).toMatchObject({ status: 'completed', progress: 100, cost: 0.4, error: null });
    expect((await fetch(job.result?.url ?? '')).status).toBe(200);
    expect(seen.at(-1)).toMatchObject({ job_id: job.job_id, status: 'completed' });
    const lines = seen.map(({ status, progress }) => `${status} ${progress}`);
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('by polling, and by the Python client’s name', async () => {
    const seen: VideoProgress[] = [];
    const options = {
      mode: 'poll',
      pollInterval: 15,
      onProgress: (progress: VideoProgress) => seen.push(progress),
    } as const;
    const { data } = await its.client.videos(prompt, { model, duration: 4 });
    fake.polls = 6;
    const job = await its.client.waitForVideoJob(data.job_id, options);
    expect(job.status).toBe('completed');
    expect(seen.at(-1)?.status).toBe('completed');
    const lines = seen.map(({ status, progress }) => `${status} ${progress}`);
    expect(new Set(lines).size).toBe(lines.length);
    expect(await its.client.getVideoJobStatus(data.job_id)).toMatchObject({ status: 'completed' });
  });

  test('a failed job is a VideoJobError with the job', async () => {
    const error = await failure(VideoJobError, its.client.videos.wait(await submit('[fail] A fox')));
    expect(error.job).toMatchObject({ status: 'failed', cost: 0 });
    expect(error.message).toContain('Not this.');
  });

  test('cancelling ends a wait; a completed job cannot be cancelled', async () => {
    fake.polls = 100_000;
    const id = await submit();
    const waiting = failure(VideoJobError, its.client.videos.wait(id));
    expect(await its.client.videos.cancel(id)).toMatchObject({ success: true, status: 'cancelled' });
    expect((await waiting).job.status).toBe('cancelled');
    expect(await its.client.cancelVideoJob(id)).toMatchObject({ status: 'cancelled' });
    fake.polls = 1;
    const done = await its.client.videos.wait(await submit());
    await failure(BadRequestError, its.client.videos.cancel(done.job_id));
  });

  test('a time limit and a signal end the wait, not the job', async () => {
    fake.polls = 100_000;
    const id = await submit();
    const late = await failure(VideoWaitTimeoutError, its.client.videos.wait(id, { maxWait: 50 }));
    expect(late.message).toContain('50 ms');
    const polled = its.client.videos.wait(id, { maxWait: 50, mode: 'poll', pollInterval: 10 });
    await failure(VideoWaitTimeoutError, polled);
    const stopper = new AbortController();
    const waiting = failure(APIUserAbortError, its.client.videos.wait(id, { signal: stopper.signal }));
    stopper.abort();
    await waiting;
    await failure(APIUserAbortError, its.client.videos.wait(id, { signal: AbortSignal.abort() }));
    expect((await its.client.videos.retrieve(id)).status).toBe('processing');
    await its.client.videos.cancel(id);
  });

  test('a job that is not there, a prompt that is none', async () => {
    await failure(NotFoundError, its.client.videos.wait('no-such-job'));
    const error = await failure(BadRequestError, its.client.videos.create({ model, prompt: '' }));
    expect(error.param).toBe('prompt');
  });

  test('events that break off are taken up where they ended', async () => {
    const event = (id: number, status: string): string =>
      `id: ${id}\nevent: ${status}\ndata: ${JSON.stringify({ job_id: 'j', status, progress: id, at: '' })}\n\n`;
    const seen: (string | undefined)[] = [];
    const script = (call: SeenCall, response: Parameters<typeof upstream.script>[1]): void => {
      if (!call.path.endsWith('/events'))
        return answering(200, '{"status":"processing"}')(call, response) as void;
      const last = call.headers['last-event-id'] as string | undefined;
      seen.push(last);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (last === undefined) response.write(event(1, 'queued'), () => response.destroy());
      else if (last === '1') response.end(event(2, 'processing'));
      else response.end(event(2, 'processing') + event(3, 'completed'));
    };
    await withServer(script, async (_, client) => {
      const statuses: string[] = [];
      for await (const { status } of client().videos.events('j')) statuses.push(status);
      expect(statuses).toEqual(['queued', 'processing', 'completed']);
      expect(seen).toEqual([undefined, '1', '2']);
    });
  });

  test('where no events come through, the job is asked for', async () => {
    let asked = 0;
    await withServer(
      (call, response) =>
        call.path.endsWith('/events')
          ? answering(404, '{}')(call, response)
          : answering(
              200,
              JSON.stringify({ status: ++asked < 3 ? 'processing' : 'completed', progress: asked }),
            )(call, response),
      async (_, client) => {
        const seen: number[] = [];
        const onProgress = ({ progress }: VideoProgress): void => void seen.push(progress);
        const job = await client().videos.wait('j', { pollInterval: 5, onProgress });
        expect(job.status).toBe('completed');
        expect(seen.slice(0, 2)).toEqual([1, 2]);
      },
    );
  });
});

test('lists: a page when awaited, everything when iterated', async () => {
  const { apiKey } = await its.gateway.account(null);
  const client = its.client.withOptions({ apiKey });
  const ids: string[] = [];
  for (let n = 0; n < 5; n++)
    ids.unshift((await client.videos.create({ model, prompt, duration: 4 })).data.job_id);
  const page = await client.videos.list({ limit: 2 });
  expect(page).toMatchObject({ total: 5, limit: 2, skip: 0 });
  expect(page.data.map(({ job_id }) => job_id)).toEqual(ids.slice(0, 2));
  expect(page.hasNextPage()).toBe(true);
  const next = await page.getNextPage();
  expect(next.skip).toBe(2);
  const all: string[] = [];
  for await (const job of client.videos.list({ limit: 2 })) all.push(job.job_id);
  expect(all).toEqual(ids);
  const last = await client.listVideoJobs({ limit: 2, skip: 4 });
  expect(last.hasNextPage()).toBe(false);
  await expect(last.getNextPage()).rejects.toThrow('last page');
  expect((await client.videos.list().withResponse()).requestId).toBeTypeOf('string');
  expect((await client.videos.list().asResponse()).status).toBe(200);
  for (const id of ids) await client.videos.wait(id);
});

test('an empty page is the last, whatever the total says', async () => {
  const body = '{"jobs":[],"total":5,"limit":20,"skip":0}';
  await withServer(answering(200, body), async (server, client) => {
    for await (const _ of client().videos.list()) throw new Error('there is none');
    expect(server.calls).toHaveLength(1);
  });
});

describe('webhooks', () => {
  async function received(): Promise<SeenCall> {
    receiver.calls.length = 0;
    await its.client.videos.createAndWait({
      model,
      prompt,
      duration: 4,
      webhook_url: `${receiver.url}/hook`,
    });
    for (let tries = 0; tries < 500; tries++) {
      const [call] = receiver.calls;
      if (call !== undefined) return call;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('no webhook came');
  }

  test('what the gateway sends is verified and read; anything changed is refused', async () => {
    const { text, headers } = await received();
    const { secret } = await its.client.webhooks.secret();
    const event = await unwrapWebhook(text, headers, secret);
    expect(event).toMatchObject({ type: 'video.completed', data: { status: 'completed', prompt } });
    await expect
      .poll(async () => (await its.client.videos.retrieve(event.data.job_id)).webhook)
      .toMatchObject({ status: 'delivered', deliveries: [{ attempt: 1, status: 204, error: null }] });
    expect(
      await its.client.webhooks.unwrap(Buffer.from(text), new Headers(headers as Record<string, string>)),
    ).toEqual(event);
    const wrong = (...given: Parameters<typeof unwrapWebhook>): Promise<WebhookVerificationError> =>
      failure(WebhookVerificationError, unwrapWebhook(...given));
    await wrong(text.replace('fox', 'dog'), headers, secret);
    await wrong(text, headers, `whsec_${btoa('another secret')}`);
    await wrong(text, headers, 'no base64 at all');
    await wrong(text, { ...headers, 'webhook-id': 'msg_other' }, secret);
    await wrong(text, { ...headers, 'webhook-signature': 'v2,abc v1,????' }, secret);
    const other = String(headers['webhook-signature']).replace('v1,', 'v2,');
    await wrong(text, { ...headers, 'webhook-signature': other }, secret);
    await wrong(text, { ...headers, 'webhook-signature': undefined }, secret);
    const later = { now: Date.now() + 301_000 };
    expect((await wrong(text, headers, secret, later)).message).toContain('too old');
    const patient = { ...later, tolerance: 400 };
    expect(await unwrapWebhook(text, headers, secret, patient)).toEqual(event);
    const rotated = { ...headers, 'webhook-signature': `v1,AAAA ${String(headers['webhook-signature'])}` };
    expect(await unwrapWebhook(text, rotated, secret)).toEqual(event);
  });
});
