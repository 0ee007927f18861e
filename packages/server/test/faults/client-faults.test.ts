/** Callers that leave, stall, or stop what is not theirs: sockets close, money settles once, nobody else notices. */
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { transcribing, wavOf } from '../fakes/transcriptions.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { startChild, temporaryDir, type Child } from '../replicas/child.ts';
import {
  answering,
  chatAnswer,
  contentEvent,
  startUpstream,
  streaming,
  type SeenCall,
  type Upstream,
} from '../upstream.ts';
import { request, sleep } from './raw.ts';

const messages = [{ role: 'user', content: 'Tell me something.' }];
const model = 'openai/gpt-4o-mini';
const surfaces = [
  ['native', '/api/v1/chat/completions'],
  ['openai', '/v1/chat/completions'],
] as const;
let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream(answering(200, chatAnswer('hello')));
  gateway = await startGateway({ env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url } });
});
beforeEach(() => {
  upstream.calls.length = 0;
});
afterEach(async () => {
  const holds = async (): Promise<unknown> => (await gateway.admin('POST', '/ledger/verify'))['open_holds'];
  await expect.poll(holds, { timeout: 5_000 }).toBe(0);
  await gateway.verify();
  expect(gateway.running.gateway.streams.size).toBe(0);
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const bytesOf = (path: string, body: object, apiKey = gateway.apiKey): string =>
  request(
    'POST',
    path,
    { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    JSON.stringify(body),
  );

function dial(url: string, bytes: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(bytes);
  return socket;
}

const words = (count: number): string[] => Array.from({ length: count }, () => 'word ');

describe.each(surfaces)('%s: leaving', (_, path) => {
  const ways: [string, (socket: Socket) => void][] = [
    ['FIN', (socket) => void socket.end()],
    ['RST', (socket) => void socket.resetAndDestroy()],
    ['close', (socket) => void socket.destroy()],
  ];
  for (const after of [0, 1, 5]) {
    test.each(ways)(
      `after ${after} chunks by %s: upstream closed, billed what was delivered`,
      async (_way, leave) => {
        const { id, apiKey } = await gateway.account('1.00');
        upstream.script = after === 0 ? () => {} : streaming({ parts: words(1000), every: 10 });
        const socket = dial(gateway.url, bytesOf(path, { model, messages, stream: true }, apiKey));
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        await expect.poll(() => upstream.calls.length, { interval: 5 }).toBe(1);
        await expect
          .poll(() => text.match(/"content":"word "/g)?.length ?? 0, { interval: 5 })
          .toBeGreaterThanOrEqual(after);
        const leftAt = Date.now();
        leave(socket);
        const closedAt = await upstream.calls[0]?.closed;
        expect((closedAt ?? Infinity) - leftAt).toBeLessThan(500);
        await expect.poll(async () => (await gateway.requests(id)).length).toBe(1);
        const [row] = await gateway.requests(id);
        expect(row).toMatchObject({ ending: 'client_cancelled', usage_source: 'counted' });
        expect(Number(row?.['charged'])).toBeGreaterThan(0);
        expect(Number(row?.['charged'])).toBeLessThan(0.001);
        socket.destroy();
      },
    );
  }

  test('before a whole answer: the call is cut, one row', async () => {
    const { id, apiKey } = await gateway.account('1.00');
    upstream.script = () => {};
    const socket = dial(gateway.url, bytesOf(path, { model, messages }, apiKey));
    await expect.poll(() => upstream.calls.length, { interval: 5 }).toBe(1);
    socket.destroy();
    await upstream.calls[0]?.closed;
    await expect.poll(async () => (await gateway.requests(id)).length).toBe(1);
    expect((await gateway.requests(id))[0]).toMatchObject({ ending: 'client_cancelled' });
  });

  test('in the middle of the request body: nothing is called, nothing is owed', async () => {
    const { id, apiKey } = await gateway.account('1.00');
    const socket = dial(gateway.url, bytesOf(path, { model, messages }, apiKey).slice(0, -10));
    await sleep(50);
    socket.destroy();
    await sleep(100);
    expect(upstream.calls).toHaveLength(0);
    expect(await gateway.requests(id)).toHaveLength(0);
  });
});

test(
  'three hundred calls a second that are sent and left leave nothing behind',
  { timeout: 60_000 },
  async () => {
    let open = 0;
    const track = (call: SeenCall): void => {
      open++;
      void call.closed.then(() => open--);
    };
    const script = streaming({ parts: words(300), every: 20 });
    upstream.script = (call, response) => {
      track(call);
      return call.body['stream'] === true ? script(call, response) : undefined;
    };
    const { id, apiKey } = await gateway.account('100.00');
    const bytes = surfaces.flatMap(([, path]) =>
      [true, false].map((stream) => bytesOf(path, { model, messages, stream, max_tokens: 50 }, apiKey)),
    );
    const total = 900;
    const startedAt = performance.now();
    const left: Promise<void>[] = [];
    for (let i = 0; i < total; i++) {
      const due = startedAt + (i * 1000) / 300;
      if (due > performance.now()) await sleep(due - performance.now());
      const socket = dial(gateway.url, bytes[i % bytes.length] ?? '');
      left.push(
        sleep((i * 7) % 60).then(() => void (i % 2 === 0 ? socket.destroy() : socket.resetAndDestroy())),
      );
    }
    await Promise.all(left);
    await expect.poll(() => open, { timeout: 10_000 }).toBe(0);
    const { gateway: inside } = gateway.running;
    await expect.poll(() => inside.streams.size, { timeout: 10_000 }).toBe(0);
    // Whatever was admitted has its row, once, and the account was charged exactly their sum.
    const holds = async (): Promise<unknown> => (await gateway.admin('POST', '/ledger/verify'))['open_holds'];
    await expect.poll(holds, { timeout: 10_000 }).toBe(0);
    expect(upstream.calls.length).toBeGreaterThan(100);
    const rows = await gateway.requests(id);
    expect(rows.every((row) => row['ending'] === 'client_cancelled')).toBe(true);
    upstream.script = answering(200, chatAnswer('hello'));
    expect((await gateway.post('/v1/chat/completions', { model, messages }, apiKey)).status).toBe(200);
  },
);

describe('stopping', () => {
  test('what a stranger, a stopped, a finished and an unknown id get is the same to the byte', async () => {
    upstream.script = streaming({ parts: words(200), every: 10 });
    const stranger = await gateway.account(null);
    const answer = await gateway.post('/v1/chat/completions', {
      model,
      messages,
      stream: true,
      stream_id: 'my-own-name',
    });
    const id = answer.headers.get('x-request-id') ?? '';
    const stop = async (
      target: string,
      apiKey?: string,
    ): Promise<{ body: string; headers: string; status: number }> => {
      const seen = await gateway.post(`/api/v1/completions/stop-stream/${target}`, '', apiKey);
      const headers = [...seen.headers].filter(([name]) => name !== 'x-request-id' && name !== 'date');
      return { body: await seen.text(), headers: JSON.stringify(headers), status: seen.status };
    };
    const unknown = await stop('00000000-0000-4000-8000-000000000000', stranger.apiKey);
    expect([unknown.status, unknown.body]).toEqual([200, '{"success":false}']);
    expect(await stop(id, stranger.apiKey)).toEqual(unknown);
    expect(await stop('my-own-name', stranger.apiKey)).toEqual(unknown);
    for (const junk of ['x', "'--", '%00', 'x'.repeat(4_000), '__proto__', '..%2f..', '%E2%28'])
      expect([junk.slice(0, 10), (await stop(junk, stranger.apiKey)).status]).not.toEqual([
        junk.slice(0, 10),
        500,
      ]);
    // Untouched by all that.
    expect(gateway.running.gateway.streams.size).toBe(1);
    expect((await stop('my-own-name')).body).toBe('{"success":true}');
    expect(await answer.text()).toContain('"finish_reason":"cancelled"');
    expect(await stop(id)).toEqual(unknown);
    expect(await stop(id, stranger.apiKey)).toEqual(unknown);
  });

  test('a name that is another account’s stream id does not stand in the way', async () => {
    upstream.script = streaming({ parts: words(100), every: 10 });
    const other = await gateway.account(null);
    const theirs = await gateway.post('/v1/chat/completions', { model, messages, stream: true });
    const id = theirs.headers.get('x-request-id') ?? '';
    const mine = await gateway.post(
      '/v1/chat/completions',
      { model, messages, stream: true, stream_id: id },
      other.apiKey,
    );
    const stopped = await gateway.post(`/api/v1/chat/stop-stream/${id}`, '', other.apiKey);
    expect(await stopped.json()).toEqual({ success: true });
    expect(await mine.text()).toContain('"finish_reason":"cancelled"');
    expect(await theirs.text()).toContain('"finish_reason":"stop"');
  });

  test('at the very moment of the natural end: one terminal, one row, one charge', async () => {
    const { id, apiKey } = await gateway.account('10.00');
    const count = 60;
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const [, path] = surfaces[i % 2] ?? surfaces[0];
        upstream.script = streaming({ parts: words(10), every: 8 });
        const answer = await gateway.post(path, { model, messages, stream: true }, apiKey);
        const stream = answer.headers.get('x-request-id') ?? '';
        const stops = [70, 80, 85].map(async (ms) => {
          await sleep(ms + (i % 10));
          const seen = await gateway.post(`/api/v1/completions/stop-stream/${stream}`, '', apiKey);
          return ((await seen.json()) as { success: boolean }).success;
        });
        const text = await answer.text();
        const won = (await Promise.all(stops)).filter(Boolean).length;
        expect(won).toBeLessThanOrEqual(1);
        expect(text.match(/^data: \[DONE\]$/gm)).toHaveLength(1);
        expect(text.match(/"finish_reason":"(stop|cancelled)"/g)?.length).toBeGreaterThanOrEqual(1);
        const row = await gateway.row(stream);
        expect([row['ending'], text.includes('"finish_reason":"cancelled"')]).toEqual(
          won === 1 ? ['stopped', true] : ['completed', false],
        );
      }),
    );
    const rows = await gateway.requests(id);
    expect(rows).toHaveLength(count);
    expect(new Set(rows.map((row) => row['id'])).size).toBe(count);
  });
});

describe('beside a gateway of its own process', () => {
  const home = temporaryDir();
  let child: Child;
  let apiKey: string;
  beforeAll(async () => {
    child = await startChild({
      dataDir: home.path,
      env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url },
    });
    apiKey = (await child.account(null)).apiKey;
  });
  afterAll(async () => {
    await child.stop();
    home.remove();
  });

  async function residentMiB(): Promise<number> {
    const text = await (await fetch(`${child.url}/metrics`)).text();
    return Number(/^\w*process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1024 / 1024;
  }

  test('readers that do not read: the provider is paused, memory stays', { timeout: 30_000 }, async () => {
    const readers = 20;
    const eachMiB = 64;
    const written: number[] = [];
    upstream.script = async (call, response) => {
      const at = written.push(0) - 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = contentEvent('x'.repeat(60_000));
      for (let i = 0; i < eachMiB * 16 && call.closedAt === null; i++) {
        const more = response.write(event);
        written[at] = (written[at] ?? 0) + event.length;
        if (!more) await Promise.race([new Promise((go) => response.once('drain', go)), call.closed]);
      }
      response.end();
    };
    const before = await residentMiB();
    const sockets = Array.from({ length: readers }, (_, i) => {
      const [, path] = surfaces[i % 2] ?? surfaces[0];
      const socket = dial(child.url, bytesOf(path, { model, messages, stream: true }, apiKey));
      socket.pause();
      return socket;
    });
    await expect.poll(() => written.length, { timeout: 5_000 }).toBe(readers);
    await sleep(1_500);
    const total = (): number => written.reduce((sum, each) => sum + each, 0);
    const stalled = total();
    await sleep(1_000);
    // Nothing moves any more, and what was sent lies in the kernel's buffers, not in the gateway.
    expect(total()).toBe(stalled);
    for (const each of written) expect(each).toBeLessThan(eachMiB * 1024 * 1024 * 0.5);
    expect((await residentMiB()) - before).toBeLessThan(100);
    upstream.script = answering(200, chatAnswer('hello'));
    expect((await child.post('/v1/chat/completions', { model, messages }, apiKey)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(async () => (await child.admin('GET', '/health'))['streams'], { timeout: 5_000 })
      .toBe(0);
  });

  test('bombs of another caller leave no gap of 100 ms in a stream', { timeout: 60_000 }, async () => {
    upstream.script = (call, response) =>
      call.body['stream'] === true
        ? streaming({ parts: words(3_000), every: 4 })(call, response)
        : answering(200, chatAnswer('hello'))(call, response);
    const many = (unit: string, count: number): string => unit.repeat(count);
    const bombs = [
      many('[', 5_000_000),
      many('{"a":', 1_000_000),
      `{"model":"${model}","messages":[${many('[],', 3_300_000)}[]]}`,
      `{"model":"${model}","messages":[${many('{},', 100_000)}{}]}`,
      `{"model":"${model}","messages":[${many('1,', 399_000)}1]}`,
      `{${Array.from({ length: 500_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
      `{"model":"${model}","messages":[{"role":"u","content":"x","o":{${Array.from({ length: 99_000 }, (_, i) => `"k${i}":0`).join(',')}}}],"n":0}`,
      `{"model":"${model}","messages":[{"role":"user","content":"${many('\\"', 2_000_000)}"}],"n":0}`,
    ];
    const { hostname, port } = new URL(child.url);
    /** From a socket that only notes when bytes came: the sender shares this process. */
    const gaps = async (bomb: string): Promise<number> => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(bytesOf('/v1/chat/completions', { model, messages, stream: true }, apiKey));
      let last = 0;
      let widest = 0;
      socket.on('data', () => {
        const now = performance.now();
        if (last > 0) widest = Math.max(widest, now - last);
        last = now;
      });
      await expect.poll(() => last, { interval: 5 }).toBeGreaterThan(0);
      await sleep(50);
      widest = 0;
      const answer = await child.post('/v1/chat/completions', bomb, apiKey);
      await answer.arrayBuffer();
      expect(answer.status).toBe(400);
      await sleep(30);
      socket.destroy();
      return widest;
    };
    for (const bomb of bombs) {
      // The machine may be busy: a block of the gateway's own shows every time.
      let widest = Infinity;
      for (let attempt = 0; attempt < 4 && widest > 100; attempt++)
        widest = Math.min(widest, await gaps(bomb));
      expect({ bomb: bomb.slice(0, 60), fine: widest <= 100, widest }).toMatchObject({ fine: true });
    }
  });

  test('uploads lie on the disk, not in memory', { timeout: 60_000 }, async () => {
    upstream.script = transcribing;
    const upload = async (content: Uint8Array<ArrayBuffer>): Promise<void> => {
      const form = new FormData();
      form.set('model', 'openai/whisper-1');
      form.set('file', new Blob([content]), 'a.wav');
      const answer = await fetch(`${child.url}/v1/audio/transcriptions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}` },
        body: form,
      });
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('text')]);
    };
    const [small, large] = [new Uint8Array(wavOf(60)), new Uint8Array(wavOf(6_200))];
    for (let i = 0; i < 20; i++) await upload(small);
    const before = await residentMiB();
    let most = 0;
    const uploading = upload(large);
    while ((await Promise.race([uploading.then(() => 'done'), sleep(20)])) !== 'done')
      most = Math.max(most, await residentMiB());
    // The sound is 95 MiB; what is read and written of it is garbage until it is collected.
    expect(most - before).toBeLessThan(64);
    upstream.script = answering(200, chatAnswer('hello'));
  });
});
