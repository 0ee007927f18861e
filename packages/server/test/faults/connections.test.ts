/** Connections to vendors, on real sockets: which are used again, how each phase ends in time, what may never be mixed up. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayError } from '../../src/contract/errors.ts';
import type { Timeouts } from '../../src/contract/settings.ts';
import type { UpstreamCall } from '../../src/providers/provider.ts';
import { createTransport, type Transport } from '../../src/core/transport.ts';
import { sleep } from './raw.ts';

const patient: Timeouts = { connectMs: 5_000, firstByteMs: 5_000, idleMs: 5_000, totalMs: 10_000 };

/** A vendor that answers each request on each connection with what `answer` writes. */
interface Vendor {
  readonly origin: string;
  readonly sockets: Socket[];
  /** What came on each connection. */
  readonly received: string[];
  close(): void;
}

async function startVendor(answer: (socket: Socket, request: string, nth: number) => void): Promise<Vendor> {
  const sockets: Socket[] = [];
  const received: string[] = [];
  const server: Server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    received.push('');
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      received[index] += text;
      answer(socket, text, index);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    received,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

interface Outcome {
  status: number;
  text: string;
  error: GatewayError | null;
}

/** One call; `started` gets its handle. */
function call(
  transport: Transport,
  origin: string,
  how: {
    body?: string | Buffer | Readable;
    headers?: Record<string, string>;
    timeouts?: Partial<Timeouts>;
    path?: string;
  } = {},
  started: (handle: UpstreamCall) => void = () => {},
  onData: (chunk: Buffer) => void = () => {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const outcome: Outcome = { status: 0, text: '', error: null };
    const handle = transport.send(
      {
        method: 'POST',
        origin,
        path: how.path ?? '/v1/x',
        headers: how.headers ?? {},
        body: how.body ?? '{}',
        timeouts: { ...patient, ...how.timeouts },
      },
      {
        onHeaders(status) {
          outcome.status = status;
        },
        onData(chunk) {
          outcome.text += chunk.toString('utf8');
          onData(chunk);
        },
        onEnd: () => resolve(outcome),
        onError(error) {
          outcome.error = error;
          resolve(outcome);
        },
      },
    );
    started(handle);
  });
}

const answerOf = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

let transport: Transport;
let vendor: Vendor | null = null;
beforeEach(() => {
  transport = createTransport(
    () => patient,
    () => true,
  );
});
afterEach(async () => {
  await transport.close();
  vendor?.close();
  vendor = null;
});

describe('a connection', () => {
  test('serves one call after another, and as many at once as there are calls', async () => {
    vendor = await startVendor((socket) => setTimeout(() => socket.write(answerOf('ok')), 20));
    const { origin, sockets } = vendor;
    for (let i = 0; i < 5; i++)
      expect(await call(transport, origin)).toMatchObject({ status: 200, text: 'ok' });
    expect(sockets).toHaveLength(1);
    await Promise.all(Array.from({ length: 8 }, () => call(transport, origin)));
    expect(sockets).toHaveLength(8);
    await Promise.all(Array.from({ length: 8 }, () => call(transport, origin)));
    expect(sockets).toHaveLength(8);
  });

  const closing: [string, string][] = [
    ['the vendor says it closes', answerOf('ok', 'Connection: close\r\n')],
    ['the vendor keeps it for a second', answerOf('ok', 'Keep-Alive: timeout=1\r\n')],
    ['there are bytes behind the answer', `${answerOf('ok')}${answerOf('smuggled')}`],
    ['the answer is of HTTP/1.0', answerOf('ok').replace('HTTP/1.1', 'HTTP/1.0')],
  ];
  test.each(closing)('is not used again where %s', async (_, bytes) => {
    vendor = await startVendor((socket) => socket.write(bytes));
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok', error: null });
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok', error: null });
    expect(vendor.sockets).toHaveLength(2);
  });

  test('that gets bytes while nobody asks is closed: they are no one’s answer', async () => {
    vendor = await startVendor((socket) => {
      socket.write(answerOf('ok'));
      setTimeout(() => socket.write(answerOf('another’s')), 10);
    });
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok' });
    await sleep(60);
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok' });
    expect(vendor.sockets).toHaveLength(2);
  });

  test('that the vendor closed while it was idle costs no call', async () => {
    vendor = await startVendor((socket) => {
      socket.write(answerOf('ok'));
      setTimeout(() => socket.end(), 10);
    });
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok' });
    await sleep(60);
    expect(await call(transport, vendor.origin)).toMatchObject({ text: 'ok', error: null });
  });

  test('whose vendor answered before it had the whole request is not used again', async () => {
    vendor = await startVendor((socket, _, nth) => {
      if (nth === 0) socket.pause();
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    });
    const large = Buffer.alloc(32 * 1024 * 1024, 'x');
    expect(await call(transport, vendor.origin, { body: large })).toMatchObject({ status: 413, error: null });
    expect(await call(transport, vendor.origin)).toMatchObject({ status: 413, error: null });
    expect(vendor.sockets).toHaveLength(2);
    expect(vendor.received[1]).toMatch(/^POST \/v1\/x HTTP\/1\.1\r\n/);
  });

  test('of a call that was given up is closed at once', async () => {
    vendor = await startVendor((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'));
    const { origin, sockets } = vendor;
    let told = false;
    let handle: UpstreamCall | null = null;
    void call(
      transport,
      origin,
      {},
      (each) => (handle = each),
      () => handle?.abort(),
    ).then(() => (told = true));
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    expect(told).toBe(false);
    (handle as UpstreamCall | null)?.abort();
  });
});

describe('in time', () => {
  const phases: [string, Partial<Timeouts>, (socket: Socket) => void, string][] = [
    ['first byte', { firstByteMs: 80 }, () => {}, 'first byte'],
    ['first byte, half a head', { firstByteMs: 80 }, (socket) => socket.write('HTTP/1.1 200'), 'first byte'],
    [
      'silence between chunks',
      { idleMs: 80 },
      (socket) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n'),
      'further byte',
    ],
    [
      'a stream that drips for ever',
      { idleMs: 80, totalMs: 250 },
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const drip = setInterval(() => socket.write('1\r\na\r\n'), 20);
        socket.on('close', () => clearInterval(drip));
      },
      'end',
    ],
  ];
  test.each(phases)('%s', async (_, timeouts, answer, phase) => {
    vendor = await startVendor(answer);
    const { error } = await call(transport, vendor.origin, { timeouts });
    expect(error).toMatchObject({ code: 'upstream_timeout', details: { phase } });
    await expect.poll(() => vendor?.sockets[0]?.destroyed).toBe(true);
  });

  test('the second call of a connection has the whole of its time', async () => {
    vendor = await startVendor((socket) => setTimeout(() => socket.write(answerOf('ok')), 60));
    for (let i = 0; i < 10; i++)
      expect(await call(transport, vendor.origin, { timeouts: { firstByteMs: 500 } })).toMatchObject({
        error: null,
      });
    expect(vendor.sockets).toHaveLength(1);
  });

  test('a call that its caller does not read is not idle; when it is read on, it is again', async () => {
    vendor = await startVendor((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n'),
    );
    let handle: UpstreamCall | null = null;
    let over = false;
    const outcome = call(
      transport,
      vendor.origin,
      { timeouts: { idleMs: 60 } },
      (each) => (handle = each),
      () => handle?.pause(),
    ).then((each) => {
      over = true;
      return each;
    });
    await sleep(250);
    expect(over).toBe(false);
    (handle as UpstreamCall | null)?.resume();
    expect((await outcome).error).toMatchObject({ details: { phase: 'further byte' } });
  });
});

test('a paused call stops the vendor; resumed, nothing is missing', async () => {
  const size = 64 * 1024 * 1024;
  const piece = Buffer.alloc(1024 * 1024, 'y');
  let written = 0;
  vendor = await startVendor((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    const more = (): void => {
      while (written < size) {
        written += piece.length;
        if (!socket.write(piece)) return void socket.once('drain', more);
      }
    };
    more();
  });
  let got = 0;
  let handle: UpstreamCall | null = null;
  let paused = false;
  const outcome = call(
    transport,
    vendor.origin,
    {},
    (each) => (handle = each),
    (chunk) => {
      got += chunk.length;
      if (got > size / 8 && !paused) {
        paused = true;
        handle?.pause();
      }
    },
  );
  await expect.poll(() => paused).toBe(true);
  await sleep(200);
  const [gotThen, writtenThen] = [got, written];
  await sleep(200);
  expect([got, written]).toEqual([gotThen, writtenThen]);
  expect(written).toBeLessThan(size);
  (handle as UpstreamCall | null)?.resume();
  expect((await outcome).error).toBeNull();
  expect(got).toBe(size);
});

describe('what is sent', () => {
  const bodies: [string, string | Buffer][] = [
    ['a text beyond ASCII', '{"a":"é漢😀"}'],
    ['bytes', Buffer.from([0, 255, 13, 10])],
    ['many bytes', Buffer.alloc(300_000, 'z')],
    ['a long text', 'ü'.repeat(200_000)],
    ['nothing', ''],
  ];
  test.each(bodies)('%s, with its length', async (_, body) => {
    const bytes = Buffer.from(body as string);
    vendor = await startVendor((socket) => {
      const got = vendor?.received[0] ?? '';
      const start = got.indexOf('\r\n\r\n') + 4;
      if (start > 3 && got.length - start >= bytes.length) socket.write(answerOf('ok'));
    });
    expect(await call(transport, vendor.origin, { body, headers: { 'x-a': 'b' } })).toMatchObject({
      text: 'ok',
    });
    const got = vendor.received[0] ?? '';
    const host = new URL(vendor.origin).host;
    expect(got.slice(0, got.indexOf('\r\n\r\n') + 4)).toBe(
      `POST /v1/x HTTP/1.1\r\nhost: ${host}\r\nx-a: b\r\ncontent-length: ${bytes.length}\r\n\r\n`,
    );
    expect(
      Buffer.from(got, 'latin1')
        .subarray(got.indexOf('\r\n\r\n') + 4)
        .equals(bytes),
    ).toBe(true);
  });

  test('a stream of the length that was said', async () => {
    vendor = await startVendor((socket, text) => {
      if (text.includes('end')) socket.write(answerOf('ok'));
    });
    const stream = (): Readable => Readable.from([Buffer.from('abc'), Buffer.from('end')]);
    const headers = { 'content-length': '6' };
    for (let i = 0; i < 2; i++)
      expect(await call(transport, vendor.origin, { body: stream(), headers })).toMatchObject({ text: 'ok' });
    expect(vendor.sockets).toHaveLength(1);
  });

  test.each(['2', '9'])(
    'a stream of 6 bytes that was said to have %s is never followed by another call',
    async (length) => {
      vendor = await startVendor(() => {});
      const body = Readable.from([Buffer.from('abc'), Buffer.from('def')]);
      const { error } = await call(transport, vendor.origin, { body, headers: { 'content-length': length } });
      expect(error).toMatchObject({ code: 'upstream_unreachable' });
      expect(body.destroyed).toBe(true);
      await expect.poll(() => vendor?.sockets.every((each) => each.destroyed)).toBe(true);
    },
  );

  test('the stream of a call that is given up is let go', async () => {
    vendor = await startVendor((socket) => socket.destroy());
    const body = new Readable({ read() {} });
    body.push('abc');
    const { error } = await call(transport, vendor.origin, { body, headers: { 'content-length': '9' } });
    expect(error).toMatchObject({ code: 'upstream_error', details: { reason: 'connection_reset' } });
    expect(body.destroyed).toBe(true);
  });

  const unsendable: [string, { headers?: Record<string, string>; path?: string }][] = [
    ['a line break in a header', { headers: { authorization: 'Bearer a\r\nx-evil: 1' } }],
    ['a character beyond latin1 in a header', { headers: { authorization: 'Bearer 漢' } }],
    ['a space in the path', { path: '/v1/a b' }],
    ['a line break in the path', { path: '/v1/a\r\nx: y' }],
  ];
  test.each(unsendable)('%s is not', async (_, how) => {
    vendor = await startVendor((socket) => socket.write(answerOf('ok')));
    const { error } = await call(transport, vendor.origin, how);
    expect(error).toMatchObject({ code: 'upstream_unreachable' });
    expect(JSON.stringify([error?.message, error?.details])).not.toMatch(/evil|Bearer|a b/);
    expect(vendor.received.join('')).toBe('');
  });
});

test('over TLS: trusted certificates only, sessions used again, streams whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-tls-'));
  const words = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync(
    'openssl',
    [...words, ...names, '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')],
    { stdio: 'ignore' },
  );
  const [key, cert] = [readFileSync(join(folder, 'key')), readFileSync(join(folder, 'cert'), 'utf8')];
  rmSync(folder, { recursive: true });
  const reused: boolean[] = [];
  const server = createHttpsServer({ key, cert }, (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { connection: 'close' });
      for (let i = 0; i < 50; i++) response.write(`event ${i}\n`);
      response.end('done');
    });
  }).on('secureConnection', (socket) => reused.push(socket.isSessionReused()));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const trusted = getCACertificates('default');
  try {
    expect((await call(transport, origin)).error).toMatchObject({
      code: 'upstream_unreachable',
      details: { reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
    setDefaultCACertificates([...trusted, cert]);
    for (let i = 0; i < 3; i++) {
      const { status, text, error } = await call(transport, origin);
      expect([status, error]).toEqual([200, null]);
      expect(text).toMatch(/^event 0\n[^]*event 49\ndone$/);
    }
    expect(reused.slice(-2)).toEqual([true, true]);
  } finally {
    setDefaultCACertificates(trusted);
    server.close();
  }
});
