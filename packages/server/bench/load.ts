/**
 * The load generator: raw sockets that write one prebuilt request and count bytes until the answer is complete. It
 * parses no more than it must, so that it stays light beside the gateway it loads.
 */
import { connect, type Socket } from 'node:net';

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function requestBytes({ port, path, headers }: Target, body: string): Buffer {
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
}

/** Counters of one load; `reset` begins a window. */
export class Tally {
  requests = 0;
  errors = 0;
  firstError = '';
  latenciesMs: number[] = [];

  reset(): void {
    this.requests = 0;
    this.latenciesMs = [];
  }

  /** Milliseconds; NaN when nothing was counted. */
  percentile(share: number): number {
    return percentile(this.latenciesMs, share);
  }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const crlf2 = Buffer.from('\r\n\r\n');

/** Calls `done` for each complete answer on the socket, with its first bytes and its length. */
export function readAnswers(socket: Socket, done: (head: string, bytes: number) => void): void {
  let held: Buffer | null = null;
  let head = '';
  let bytes = 0;
  /** Bytes of the whole answer; 0: not known yet, -1: chunked. */
  let length = 0;
  let tail = '';
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (length === 0) {
      held = held === null ? chunk : Buffer.concat([held, chunk]);
      const end = held.indexOf(crlf2);
      if (end < 0) return;
      head = held.toString('latin1', 0, end);
      const declared = /content-length: *(\d+)/i.exec(head)?.[1];
      length = declared === undefined ? -1 : end + 4 + Number(declared);
    }
    if (length < 0) {
      // No request follows before its answer is read, so the last chunk is at the end of what came.
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 7))).slice(-7);
      if (!tail.endsWith('\r\n0\r\n\r\n')) return;
    } else if (bytes < length) return;
    const total = bytes;
    held = null;
    bytes = length = 0;
    tail = '';
    done(head, total);
  });
}

export interface RunningLoad {
  readonly tally: Tally;
  /** Closes the connections. */
  stop(): Promise<void>;
}

/** Keeps `connections` requests in flight until stopped. */
export function startLoad(port: number, request: Buffer, connections: number): RunningLoad {
  const tally = new Tally();
  const sockets = new Set<Socket>();
  let stopping = false;
  const open = (): void => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    sockets.add(socket);
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.once('connect', send);
    readAnswers(socket, (head) => {
      tally.requests++;
      tally.latenciesMs.push(performance.now() - sentAt);
      if (!head.startsWith('HTTP/1.1 200')) {
        tally.errors++;
        tally.firstError ||= head.slice(0, 200);
      }
      if (!stopping) send();
    });
    socket.on('error', (error) => {
      tally.errors++;
      tally.firstError ||= error.message;
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (!stopping) setTimeout(open, 10);
    });
  };
  for (let at = 0; at < connections; at++) open();
  return {
    tally,
    async stop() {
      stopping = true;
      for (const socket of sockets) socket.destroy();
      // The gateway sees them close and settles what was cut.
      await new Promise((resolve) => setTimeout(resolve, 200));
    },
  };
}

/** One request on a connection of its own: the whole answer as text. */
export function ask(port: number, request: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const parts: Buffer[] = [];
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    readAnswers(socket, () => {
      socket.destroy();
      resolve(Buffer.concat(parts).toString('utf8'));
    });
    socket.once('connect', () => socket.write(request));
  });
}
