/** Planted keys of every provider and of the bucket, through every modality and every failure, are nowhere to be found. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { vendors } from '../../src/providers/registry.ts';
import { startBucket } from '../bucket.ts';
import { png } from '../fakes/images.ts';
import { wavOf } from '../fakes/transcriptions.ts';
import { startChild, temporaryDir } from '../replicas/child.ts';
import { startUpstream, type Script, type SeenCall } from '../upstream.ts';
import { filesOf, findings } from './planted.ts';
import { sleep } from './raw.ts';

const byokKey = 'AbYOK-PLANTEDcallersOWNkey-9876543210-zyx';
const outside = vendors.filter((vendor) => vendor.inProcess === undefined);
/** Each with an end of its own. */
const keyOf = (id: string): string =>
  `PLANTED-${id}-0123456789abcdef-${createHash('md5').update(id).digest('hex')}`;

/** Whatever key came, repeated in every member of an error, in a text and in a link. */
function quoting(call: SeenCall): string {
  const [sent = 'no key'] = /[\w-]*PLANTED[\w-]*/.exec(JSON.stringify(call.headers)) ?? [];
  const text = `Bad key ${sent}, Bearer ${sent}, https://x.invalid/?key=${sent}`;
  return JSON.stringify({
    error: { message: text, param: sent, code: sent, type: sent },
    message: text,
    detail: { message: text, status: sent },
    err_msg: text,
    errors: [text],
    code: sent,
    failure: text,
    status: 'failed',
    // A job's id is handed on as it is, to be asked for by it.
    id: 'job-1',
  });
}
const told =
  (status: number, frame: (text: string) => string = (text) => text): Script =>
  (call, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(frame(quoting(call)));
  };
const scripts: Script[] = [
  ...[400, 401, 402, 404, 422, 429, 500].map((status) => told(status)),
  told(502, (text) => `<html>${text}</html>`),
  told(200),
  told(200, (text) => `not JSON ${text}`),
  // What comes as sound is sound.
  (_, response) => {
    response.writeHead(200, { 'content-type': 'audio/mpeg' }).write('ID3');
    setTimeout(() => response.destroy(), 5);
  },
];

interface Sent {
  readonly path: string;
  readonly has: 'embedding' | 'image' | 'speech' | 'transcription' | 'translation' | 'video';
  readonly fields: Record<string, string | number>;
  /** A form with this file. */
  readonly file?: readonly [field: string, content: Buffer];
}
const sound = ['file', wavOf(1)] as const;
const calls: Sent[] = [
  { path: '/api/v1/embeddings', has: 'embedding', fields: { text: 'hi' } },
  { path: '/v1/embeddings', has: 'embedding', fields: { input: 'hi' } },
  { path: '/api/v1/images/generations', has: 'image', fields: { prompt: 'A cat' } },
  { path: '/v1/images/generations', has: 'image', fields: { prompt: 'A cat' } },
  { path: '/v1/images/edits', has: 'image', fields: { prompt: 'A cat' }, file: ['image', png] },
  { path: '/api/v1/audio/tts/generations', has: 'speech', fields: { input: 'hi', voice: 'a' } },
  { path: '/v1/audio/speech', has: 'speech', fields: { input: 'hi', voice: 'a' } },
  { path: '/api/v1/audio/stt/transcriptions', has: 'transcription', fields: {}, file: sound },
  { path: '/v1/audio/transcriptions', has: 'transcription', fields: {}, file: sound },
  { path: '/v1/audio/translations', has: 'translation', fields: {}, file: sound },
  { path: '/api/v1/videos/generations', has: 'video', fields: { prompt: 'A cat', duration: 4 } },
  { path: '/v1/videos', has: 'video', fields: { prompt: 'A cat' } },
];

test('in answers, output, metrics, database, spool', { timeout: 180_000 }, async () => {
  const upstream = await startUpstream(() => {});
  const bucket = await startBucket();
  const home = temporaryDir();
  const planted = Object.fromEntries(outside.map(({ id }) => [id, keyOf(id)]));
  const keys = Object.fromEntries(
    outside.flatMap(({ id, keyNames: [key], baseUrlNames: [url] }) => [
      ...(key === undefined ? [] : [[key, keyOf(id)]]),
      ...(url === undefined ? [] : [[url, upstream.url]]),
    ]) as [string, string][],
  );
  const child = await startChild({
    dataDir: home.path,
    env: {
      ...keys,
      ...bucket.env,
      INDOXHUB_LOG_LEVEL: 'trace',
      INDOXHUB_TOTAL_TIMEOUT: '2s',
      INDOXHUB_MAX_RETRIES: '0',
      INDOXHUB_VIDEO_POLL: '10ms',
      INDOXHUB_VIDEO_DEADLINE: '2s',
    },
  });
  const { apiKey } = await child.account(null);
  const words: string[] = [];
  const note = async (pending: Promise<Response>): Promise<void> => {
    const answer = await pending;
    words.push(JSON.stringify([...answer.headers]), await answer.text().catch(() => ''));
  };
  const send = ({ path, fields, file }: Sent, more: Record<string, string>): Promise<Response> => {
    if (file === undefined) return child.post(path, { ...fields, ...more }, apiKey);
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, ...more })) form.append(name, String(value));
    form.append(file[0], new File([new Uint8Array(file[1])], 'a.bin'));
    const headers = { authorization: `Bearer ${apiKey}` };
    return fetch(child.url + path, { method: 'POST', body: form, headers });
  };
  let serial = 0;
  const seen = new Set<string>();
  for (const script of scripts) {
    upstream.script = (call, response) => {
      seen.add(/PLANTED(?:-([\w-]+?)-0123)?/.exec(JSON.stringify(call.headers))?.[1] ?? 'byok');
      return script(call, response);
    };
    for (const sent of calls)
      await Promise.all(
        outside
          .filter((vendor) => vendor[sent.has] !== undefined)
          .flatMap(({ id }) =>
            [{}, { byok_api_key: byokKey }].map((byok) =>
              note(
                send(sent, {
                  model: `${id}/${id === 'replicate' ? 'owner/' : ''}planted-${++serial}`,
                  ...byok,
                }),
              ),
            ),
          ),
      );
  }
  bucket.hook = ({ url }) => ({ status: 403, body: `<Error><Code>AccessDenied</Code>${url.href}</Error>` });
  for (const [method, path] of [
    ['POST', '/media/check'],
    ['GET', '/providers'],
    ['GET', '/requests?limit=100'],
    ['GET', '/health'],
  ] as const)
    words.push(JSON.stringify(await child.admin(method, path)));
  for (const path of ['/api/v1/videos/jobs?limit=100', '/v1/videos']) await note(child.get(path, apiKey));
  await note(child.get('/metrics'));
  await sleep(300);
  const running = filesOf(home.path);
  await child.stop();
  const places = { answers: words.join('\n'), output: child.output(), running, stopped: filesOf(home.path) };
  home.remove();
  await upstream.close();
  await bucket.close();

  // Every vendor with a modality of its own was called, with both kinds of keys; the packages of these take only models
  // they know.
  const choosy = new Set(['ai-sdk', 'hume', 'prodia', 'revai']);
  const wanted = outside.filter(
    ({ id, ...vendor }) => !choosy.has(id) && calls.some(({ has }) => has in vendor),
  );
  expect([...seen].filter((id) => !choosy.has(id)).toSorted()).toEqual(
    [...wanted.map(({ id }) => id), 'byok'].toSorted(),
  );
  expect(places.output).toContain('"msg":"call"');
  const { secretAccessKey } = bucket.bucket;
  const begins = { ...Object.fromEntries(outside.map(({ id }) => [id, 12 + id.length])), apiKey: 13 };
  expect(findings(places, { ...planted, byokKey, secretAccessKey, apiKey }, begins)).toEqual([]);
});
