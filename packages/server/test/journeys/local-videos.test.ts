/** Videos without a key and without a network: `local/motion`, from the submission to a browser that plays the file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium, inChromium } from '../chromium.ts';
import { frames, startGateway, type TestGateway } from '../gateway.ts';
import { jsonOf, type Json } from './client.ts';

const path = '/api/v1/videos';
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { INDOXHUB_VIDEO_POLL: '50ms' } });
});
afterAll(async () => {
  await gateway.verify();
  await gateway.close();
});

const start = async (body: Json): Promise<string> => {
  const answer = await gateway.post(`${path}/generations`, { prompt: 'a quiet lake at dawn', ...body });
  const { data } = (await jsonOf(answer)) as { data: Json };
  expect(data).toMatchObject({ is_async: true, provider_video_id: null });
  return String(data['job_id']);
};
const jobOf = async (id: string): Promise<Json> => jsonOf(await gateway.get(`${path}/jobs/${id}`));
const until = async (id: string, holds: (job: Json) => boolean): Promise<Json> => {
  for (let tries = 0; tries < 3_000; tries++) {
    const job = await jobOf(id);
    if (holds(job)) return job;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the job stayed as it was');
};
const ended = (id: string): Promise<Json> =>
  until(id, ({ status }) => ['completed', 'failed', 'cancelled'].includes(String(status)));
const eventsOf = async (id: string): Promise<Json[]> =>
  frames(await (await gateway.get(`${path}/jobs/${id}/events`)).text())
    .filter(({ data }) => data !== '')
    .map(({ data }) => JSON.parse(data) as Json);

/** Plays a link in a page: facts of the file, and its pictures at two times as numbers. */
const play = (url: string): string => `
  const video = document.createElement('video');
  Object.assign(video, { crossOrigin: 'anonymous', muted: true, src: ${JSON.stringify(url)} });
  document.body.append(video);
  const next = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true });
  });
  if (video.readyState < 2) await next('loadeddata');
  const { readyState, duration, videoWidth, videoHeight } = video;
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 36 });
  const context = canvas.getContext('2d');
  const pictureAt = async (seconds) => {
    const sought = next('seeked');
    video.currentTime = seconds;
    await sought;
    context.drawImage(video, 0, 0, 64, 36);
    return Array.from(context.getImageData(0, 0, 64, 36).data);
  };
  const [early, late] = [await pictureAt(0.25), await pictureAt(duration - 0.25)];
  const changed = early.filter((value, at) => Math.abs(value - late[at]) > 8).length;
  const colours = new Set(early).size;
  video.currentTime = 0;
  await video.play();
  await next('timeupdate');
  while (video.currentTime < 0.5) await next('timeupdate');
  return { readyState, duration, videoWidth, videoHeight, changed, colours, played: video.currentTime };`;

describe('local/motion', () => {
  test(
    'the default: job, events, link, range request; and a browser plays it',
    { timeout: 90_000 },
    async (context) => {
      const id = await start({ duration: 3 });
      const events = await eventsOf(id);
      expect(events.map(({ status }) => status)).toEqual([
        'queued',
        ...events.slice(1, -1).map(() => 'processing'),
        'completed',
      ]);
      const job = await ended(id);
      expect(job).toMatchObject({
        provider: 'local',
        model: 'motion',
        status: 'completed',
        progress: 100,
        cost: 0,
      });
      const result = job['result'] as {
        url: string;
        file_size: number;
        content_type: string;
        duration: number;
      };
      expect(result).toMatchObject({ content_type: 'video/mp4', duration: 3 });
      const head = await fetch(result.url, { headers: { range: 'bytes=0-39' } });
      expect([head.status, head.headers.get('content-range')]).toEqual([
        206,
        `bytes 0-39/${result.file_size}`,
      ]);
      expect(Buffer.from(await head.arrayBuffer()).toString('latin1')).toMatch(/^.{4}ftyp.{16}.{4}moov/s);
      expect(await gateway.row(id)).toMatchObject({ endpoint: 'video', ending: 'completed', cost: '0.00' });
      if (chromium === undefined) return context.skip('no Chromium on this machine');
      const seen = (await inChromium(play(result.url))) as Record<string, number>;
      expect(seen).toMatchObject({ videoWidth: 640, videoHeight: 360 });
      expect(seen['readyState']).toBeGreaterThanOrEqual(2);
      expect(seen['duration']).toBeCloseTo(3, 1);
      expect(seen['played']).toBeGreaterThanOrEqual(0.5);
      // It shows something, and something else later.
      expect(seen['colours']).toBeGreaterThan(20);
      expect(seen['changed']).toBeGreaterThan(300);
    },
  );

  test('a size that no macroblock divides is shown as asked for', { timeout: 90_000 }, async (context) => {
    if (chromium === undefined) return context.skip('no Chromium on this machine');
    const { result } = await ended(await start({ size: '202x114', seconds: 1 }));
    const seen = await inChromium(play(String((result as Json)['url'])));
    expect(seen).toMatchObject({ videoWidth: 202, videoHeight: 114 });
  });

  test('the same request is the same file; each of several is another', { timeout: 60_000 }, async () => {
    const filesOf = async (body: Json): Promise<string[]> => {
      const { result } = await ended(await start({ size: '128x72', duration: 1, ...body }));
      const links = (result as { data: { url: string }[] }).data;
      return Promise.all(
        links.map(async ({ url }) => Buffer.from(await (await fetch(url)).arrayBuffer()).toString('base64')),
      );
    };
    const [one = ''] = await filesOf({});
    expect(Buffer.from(one, 'base64').toString('latin1')).toContain('Procedural film');
    const three = await filesOf({ n: 3 });
    expect([three[0], new Set(three).size]).toEqual([one, 3]);
    expect(await filesOf({ seed: 7 })).not.toEqual([one]);
  });

  test('progress is true: it rises with the frames, and the last before the end is below 100', async () => {
    const id = await start({ resolution: '720p', duration: 4 });
    const steps = (await eventsOf(id)).map(({ progress }) => Number(progress));
    expect(steps.length).toBeGreaterThan(4);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    const between = steps.filter((each) => each > 0 && each < 100);
    expect(new Set(between).size).toBeGreaterThan(2);
  }, 60_000);

  test(
    'cancelled while it is drawn: the thread ends, nothing is stored, the next one is made',
    { timeout: 60_000 },
    async () => {
      const id = await start({ resolution: '720p', duration: 20 });
      await until(id, ({ progress }) => Number(progress) > 0);
      expect((await gateway.post(`${path}/jobs/${id}/cancel`, {})).status).toBe(200);
      // 480 frames would take the thread far longer than this.
      const next = await ended(await start({ size: '128x72', duration: 1 }));
      expect(next).toMatchObject({ status: 'completed' });
      expect(await jobOf(id)).toMatchObject({ status: 'cancelled', result: null, cost: 0 });
      expect(Number((await jobOf(id))['progress'])).toBeLessThan(60);
      expect(await gateway.row(id)).toMatchObject({ ending: 'client_cancelled', charged: '0.00' });
    },
  );

  test(
    'a gateway that stops in the middle begins the film anew when it is back',
    { timeout: 60_000 },
    async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'indoxhub-'));
      const first = await startGateway({ dataDir });
      const body = { prompt: 'hills', resolution: '720p', duration: 3 };
      const { data } = (await jsonOf(await first.post(`${path}/generations`, body))) as { data: Json };
      const jobAt = async (at: TestGateway): Promise<Json> =>
        jsonOf(await at.get(`${path}/jobs/${String(data['job_id'])}`, first.apiKey));
      const reaches = (at: TestGateway, holds: (job: Json) => boolean): Promise<void> =>
        expect.poll(async () => holds(await jobAt(at)), { timeout: 40_000, interval: 20 }).toBe(true);
      await reaches(first, ({ progress }) => Number(progress) > 0);
      await first.close();
      const second = await startGateway({ dataDir });
      try {
        await reaches(second, ({ status }) => status === 'completed');
        expect(await second.row(String(data['job_id']))).toMatchObject({ ending: 'completed', attempts: 2 });
        await second.verify();
      } finally {
        await second.close();
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  );

  test.each([
    [{ resolution: '1080p' }, 'resolution'],
    [{ size: '2000x1000' }, 'size'],
    [{ size: '101x100' }, 'size'],
    [{ aspect_ratio: '21:9' }, 'aspect_ratio'],
    [{ duration: 30 }, 'duration'],
    [{ n: 5 }, 'n'],
    [{ generate_audio: true }, 'generate_audio'],
    [{ input_image: 'data:image/png;base64,AAAA' }, 'input_image'],
    [{ prompt: 'x'.repeat(4_001) }, 'prompt'],
  ])('%j is a 400 that names %s', async (body, param) => {
    const answer = await gateway.post(`${path}/generations`, { model: 'local/motion', prompt: 'x', ...body });
    expect([answer.status, ((await jsonOf(answer)) as { details: Json }).details['param']]).toEqual([
      400,
      param,
    ]);
  });

  test('OpenAI’s own client: create, poll, download', { timeout: 60_000 }, async () => {
    const openai = new OpenAI({ apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1` });
    const { id } = await openai.videos.create({
      model: 'local/motion',
      prompt: 'red hills',
      seconds: '4',
      size: '1280x720',
    });
    await ended(id);
    const made = await openai.videos.retrieve(id);
    expect(made).toMatchObject({ status: 'completed', progress: 100, size: '1280x720', seconds: '4' });
    const file = Buffer.from(await (await openai.videos.downloadContent(made.id)).arrayBuffer());
    expect(file.toString('latin1', 4, 8)).toBe('ftyp');
  });
});
