/** A provider that makes videos as OpenAI does: done after some polls; the prompt can ask for other ends. */
import type { Script, SeenCall } from '../upstream.ts';
import { fieldsOf } from './transcriptions.ts';

export const mp4 = Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42'), Buffer.alloc(5_000, 7)]);

export interface FakeVideos {
  readonly script: Script;
  /** Bodies of submissions, with the idempotency key each came with. */
  readonly submits: { readonly key: string; readonly body: Record<string, unknown> }[];
  readonly cancelled: string[];
  /** Polls until a video is done. */
  polls: number;
}

export function fakeVideos(polls = 3): FakeVideos {
  const jobs = new Map<string, { prompt: string; seconds: string; asked: number }>();
  const byKey = new Map<string, string>();
  const fake: FakeVideos = { script, submits: [], cancelled: [], polls };

  function script(call: SeenCall, response: Parameters<Script>[1]): void {
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (call.method === 'POST') {
      const isForm = call.headers['content-type']?.startsWith('multipart/') === true;
      const body: Record<string, unknown> = isForm ? Object.fromEntries(fieldsOf(call)) : call.body;
      const prompt = String(body['prompt']);
      const status = /\[status (\d+)\]/.exec(prompt)?.[1];
      if (status !== undefined)
        return json(Number(status), { error: { message: `The vendor says ${status}` } });
      const key = String(call.headers['idempotency-key']);
      fake.submits.push({ key, body });
      const known = byKey.get(key);
      const id = known ?? `video_${jobs.size + 1}`;
      byKey.set(key, id);
      const { seconds } = body;
      const length = typeof seconds === 'string' ? seconds : '4';
      if (known === undefined) jobs.set(id, { prompt, seconds: length, asked: 0 });
      return json(200, { id, object: 'video', status: 'queued', progress: 0 });
    }
    const id = /\/videos\/([^/]+)/.exec(call.path)?.[1] ?? '';
    const job = jobs.get(id);
    if (job === undefined) return json(404, { error: { message: 'No such video' } });
    if (call.method === 'DELETE') {
      fake.cancelled.push(id);
      return json(200, { id, deleted: true });
    }
    if (call.path.endsWith('/content')) {
      response.writeHead(200, { 'content-type': 'video/mp4' });
      response.write(mp4.subarray(0, 100));
      return void setTimeout(() => response.end(mp4.subarray(100)), 10);
    }
    job.asked++;
    if (job.prompt.includes('[fail]') && job.asked >= fake.polls)
      return json(200, { id, status: 'failed', error: { code: 'moderation', message: 'Not this.' } });
    const isDone = job.asked >= fake.polls && !job.prompt.includes('[forever]');
    const status = isDone ? 'completed' : 'in_progress';
    return json(200, {
      id,
      status,
      progress: isDone ? 100 : Math.min(90, job.asked * 30),
      seconds: job.seconds,
    });
  }
  return fake;
}
