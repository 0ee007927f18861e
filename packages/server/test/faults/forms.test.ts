/** Forms that are wrong, on every route that takes one: a 4xx, nothing kept on the disk, nothing sent, no more read than needed. */
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { drawing, png } from '../fakes/images.ts';
import { transcribing, wavOf } from '../fakes/transcriptions.ts';
import { fakeVideos } from '../fakes/videos.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { startUpstream, type Script, type Upstream } from '../upstream.ts';

const cap = 200 * 1024;
interface Route {
  readonly field: string;
  readonly name: string;
  readonly content: Buffer;
  readonly fields: Readonly<Record<string, string>>;
}
const sound: Route = {
  field: 'file',
  name: 'a.wav',
  content: wavOf(1),
  fields: { model: 'openai/whisper-1' },
};
const edit: Route = {
  field: 'image',
  name: 'a.png',
  content: png,
  fields: { model: 'openai/gpt-image-1', prompt: 'A cat' },
};
const film: Route = {
  field: 'input_reference',
  name: 'a.png',
  content: png,
  fields: { model: 'openai/sora-2', prompt: 'A cat' },
};
const routes: [string, Route][] = [
  ['/api/v1/audio/stt/transcriptions', sound],
  ['/api/v1/audio/stt/translations', sound],
  ['/v1/audio/transcriptions', sound],
  ['/v1/audio/translations', sound],
  ['/audio/transcriptions', sound],
  ['/audio/translations', sound],
  ['/v1/images/edits', edit],
  ['/images/edits', edit],
  ['/v1/videos', film],
];

let upstream: Upstream;
let gateway: TestGateway;
const films = fakeVideos().script;
const script: Script = (call, response) => {
  if (call.path.startsWith('/v1/videos')) return films(call, response);
  return (call.path.includes('/audio/') ? transcribing : drawing)(call, response);
};
beforeAll(async () => {
  upstream = await startUpstream(script);
  gateway = await startGateway({
    env: { OPENAI_API_KEY: 'sk', OPENAI_BASE_URL: upstream.url, INDOXHUB_MAX_UPLOAD: String(cap) },
  });
});
const spooled = (): string[] => {
  const directory = join(gateway.dataDir, 'spool');
  return existsSync(directory) ? readdirSync(directory) : [];
};
afterEach(async () => {
  for (let tries = 0; tries < 100 && spooled().length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(spooled()).toEqual([]);
  await gateway.verify();
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const boundary = 'b0undary';
const field = (name: string, value: string): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const head = (name: string, fileName: string): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${fileName}"\r\n\r\n`;
const end = `\r\n--${boundary}--\r\n`;
const fieldsOf = ({ fields }: Route): string =>
  Object.entries(fields)
    .map(([name, value]) => field(name, value))
    .join('');
const formOf = (route: Route, more = '', content: Buffer = route.content, name = route.name): Buffer =>
  Buffer.concat([Buffer.from(fieldsOf(route) + more + head(route.field, name)), content, Buffer.from(end)]);

const post = (
  path: string,
  body: Buffer,
  type = `multipart/form-data; boundary=${boundary}`,
): Promise<Response> =>
  fetch(gateway.url + path, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': type },
  });

interface Problem {
  readonly status: number;
  readonly param: unknown;
  readonly code: unknown;
}
async function problemOf(answer: Response): Promise<Problem> {
  const { status } = answer;
  const json = (await answer.json()) as { error: unknown; details?: { param?: unknown } | null };
  if (typeof json.error !== 'object' || json.error === null)
    return { status, code: json.error, param: json.details?.param };
  const { code, param } = json.error as { code: unknown; param: unknown };
  return { status, code, param };
}

type Make = (route: Route) => { body: Buffer; type?: string };
const cases: [string, Make, Partial<Problem> | ((route: Route) => Partial<Problem>)][] = [
  ['no boundary', (route) => ({ body: formOf(route), type: 'multipart/form-data' }), {}],
  ['an empty boundary', (route) => ({ body: formOf(route), type: 'multipart/form-data; boundary=' }), {}],
  [
    'a boundary of 71 characters',
    (route) => {
      const long = 'b'.repeat(71);
      const text = formOf(route).toString('latin1').replaceAll(boundary, long);
      return { body: Buffer.from(text, 'latin1'), type: `multipart/form-data; boundary=${long}` };
    },
    { status: 400, param: 'body' },
  ],
  ['a boundary that never comes', () => ({ body: Buffer.from('x'.repeat(1_000)) }), { status: 400 }],
  ['an empty body', () => ({ body: Buffer.alloc(0) }), { status: 400 }],
  [
    'a hundred thousand parts',
    (route) => ({ body: Buffer.concat([Buffer.from(field('x', '1').repeat(100_000)), formOf(route)]) }),
    {},
  ],
  ['no final boundary', (route) => ({ body: formOf(route).subarray(0, -end.length) }), { status: 400 }],
  [
    'eighteen files',
    (route) => ({
      body: Buffer.from(`${(head(route.field, 'a') + 'x\r\n').repeat(18)}--${boundary}--\r\n`),
    }),
    { status: 400 },
  ],
  [
    'an empty file',
    (route) => ({ body: formOf(route, '', Buffer.alloc(0)) }),
    ({ field }) => ({ status: 400, param: field }),
  ],
  [
    'a file one byte too large',
    (route) => ({ body: formOf(route, '', Buffer.alloc(cap + 1)) }),
    { status: 413, code: 'body_too_large', param: 'file' },
  ],
  [
    'a file under another name',
    (route) => ({ body: Buffer.from(`${fieldsOf(route)}${head('payload', 'a.sh')}x${end}`) }),
    { status: 400, param: 'payload' },
  ],
  [
    'a file called __proto__',
    (route) => ({ body: Buffer.from(`${fieldsOf(route)}${head('__proto__', 'a.sh')}x${end}`) }),
    { status: 400, param: '__proto__' },
  ],
  [
    'a field name of a kilobyte',
    (route) => ({ body: formOf(route, field('n'.repeat(1_024), '1')) }),
    { status: 400 },
  ],
  [
    'a field of more than a megabyte',
    (route) => ({ body: formOf(route, field('prompt2', 'x'.repeat(1024 * 1024 + 1))) }),
    {},
  ],
];

describe.each(routes)('%s', (path, route) => {
  test.each(cases)('%s', async (_, make, want) => {
    const seen = upstream.calls.length;
    const { body, type } = make(route);
    const problem = await problemOf(await post(path, body, type));
    expect([400, 413, 415]).toContain(problem.status);
    expect(problem).toMatchObject(typeof want === 'function' ? want(route) : want);
    expect(upstream.calls.length).toBe(seen);
  });

  test('a name that climbs, and fields named like members of objects: nothing comes of them', async () => {
    const evil = ['__proto__', 'constructor', 'toString', '__proto__[polluted]']
      .map((name) => field(name, '1'))
      .join('');
    const answer = await post(path, formOf(route, evil, route.content, '../../../../tmp/indoxhub-evil'));
    expect(answer.status).toBe(200);
    expect(existsSync('/tmp/indoxhub-evil')).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    for (const { bytes } of upstream.calls.slice(-1)) expect(bytes.toString('latin1')).not.toContain('../');
    await answer.arrayBuffer();
  });

  test('a hundred thousand headers of a part: no 5xx', async () => {
    const headers = `--${boundary}\r\n${'x-a: b\r\n'.repeat(100_000)}content-disposition: form-data; name="x"\r\n\r\n1\r\n`;
    const answer = await post(path, Buffer.concat([Buffer.from(headers), formOf(route)]));
    expect(answer.status).toBeLessThan(500);
    await answer.arrayBuffer();
  });

  // Sent with its length told it is refused before a byte is read; without, as soon as it is too much.
  test.each([true, false])('a gigabyte is not read (in chunks: %s)', async (chunked) => {
    const { status, sent } = await pour(path, route, chunked);
    expect(status).toBe(413);
    // What two sockets hold comes on top of the cap.
    expect(sent).toBeLessThan(cap + 16 * 1024 * 1024);
  });
});

/** Sends a file without end until an answer comes; `sent`: bytes handed to the socket by then. */
function pour(path: string, route: Route, chunked: boolean): Promise<{ status: number; sent: number }> {
  const { hostname, port } = new URL(gateway.url);
  const start = Buffer.from(fieldsOf(route) + head(route.field, route.name));
  const total = 1024 ** 3;
  const framing = chunked ? 'transfer-encoding: chunked' : `content-length: ${total}`;
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let sent = 0;
    socket.on('error', () => {});
    socket.on('data', (part: Buffer) => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(part.toString('latin1'))?.[1]), sent });
    });
    socket.on('close', () => resolve({ status: 0, sent }));
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-type: multipart/form-data; boundary=${boundary}\r\n${framing}\r\n\r\n`,
    );
    const block = Buffer.alloc(65_536, 'x');
    const put = (part: Buffer): boolean => {
      sent += part.length;
      if (!chunked) return socket.write(part);
      socket.write(`${part.length.toString(16)}\r\n`);
      socket.write(part);
      return socket.write('\r\n');
    };
    const write = (): void => {
      if (sent >= total || socket.destroyed) return;
      if (put(block)) setImmediate(write);
      else socket.once('drain', write);
    };
    put(start);
    write();
  });
}
