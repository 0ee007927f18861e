/** Coding agents' load: many open streams, and requests of 1 MB that arrive while they run. What do the streams feel? */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from './gateways.ts';
import { percentile, readAnswers, requestBytes } from './load.ts';
import { cpuTime } from './machine.ts';

export const paceMs = 50;
const streams = 300;
/** Requests of 1 MB a second. */
const bigPerSecond = 20;

export interface BigBodies {
  readonly events: number;
  readonly bigRequests: number;
  /** How much later than the pace an event came after the one before it. */
  readonly gapP50Ms: number;
  readonly gapP99Ms: number;
  /** From the provider's write to the caller's read. */
  readonly transitP50Ms: number;
  readonly transitP99Ms: number;
  /** The longest time the gateway's event loop did nothing else; null where it cannot be seen. */
  readonly maxBlockMs: number | null;
  /** Of a 1 MB request. */
  readonly bigP50Ms: number;
  readonly used: number;
  readonly waited: number;
  readonly errors: number;
}

function streamBody(): string {
  return JSON.stringify({
    model: 'openai/gpt-4o',
    messages: [{ role: 'user', content: 'Count slowly.' }],
    max_tokens: 4_000,
    stream: true,
  });
}

/** A conversation of many turns, as agents send them: escapes, code and all. */
function bigBody(bytes: number): string {
  const turn = (at: number): object => ({
    role: at % 2 === 0 ? 'user' : 'assistant',
    content:
      `Step ${at}:\n\`\`\`ts\nconst path = "src/a.ts";\n\tif (x < 1) return "no \\"quotes\\" here — é";\n\`\`\`\n`.repeat(
        40,
      ),
  });
  const messages: object[] = [];
  for (let size = 0, at = 0; size < bytes; at++) {
    const each = turn(at);
    messages.push(each);
    size += JSON.stringify(each).length;
  }
  return JSON.stringify({ model: 'openai/gpt-4o-mini', messages, max_tokens: 256 });
}

interface Felt {
  gaps: number[];
  transits: number[];
  big: number[];
  errors: number;
}

function openStream(port: number, request: Buffer, felt: Felt, sockets: Set<Socket>): void {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  sockets.add(socket);
  let last = 0;
  socket.on('connect', () => socket.write(request));
  socket.on('error', () => felt.errors++);
  socket.on('data', (chunk: Buffer) => {
    const now = Number(process.hrtime.bigint() / 1000n);
    const text = chunk.toString('latin1');
    for (let at = text.indexOf(' @'); at >= 0; at = text.indexOf(' @', at + 1)) {
      felt.transits.push((now - Number(text.slice(at + 2, text.indexOf('@', at + 2)))) / 1000);
      if (last > 0) felt.gaps.push(Math.max(0, (now - last) / 1000 - paceMs));
      last = now;
    }
  });
  readAnswers(socket, (head) => {
    if (!head.startsWith('HTTP/1.1 200')) felt.errors++;
    last = 0;
    socket.write(request);
  });
}

/** Sends 1 MB requests at a fixed rate, whether or not the one before was answered. */
function sendBig(port: number, request: Buffer, felt: Felt, sockets: Set<Socket>): () => void {
  const idle: { socket: Socket; sentAt: number }[] = [];
  const timer = setInterval(() => {
    const free = idle.pop();
    if (free !== undefined) {
      free.sentAt = performance.now();
      free.socket.write(request);
      return;
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const sender = { socket, sentAt: performance.now() };
    sockets.add(socket);
    socket.on('error', () => felt.errors++);
    socket.on('connect', () => socket.write(request));
    readAnswers(socket, (head) => {
      if (!head.startsWith('HTTP/1.1 200')) felt.errors++;
      felt.big.push(performance.now() - sender.sentAt);
      idle.push(sender);
    });
  }, 1000 / bigPerSecond);
  return () => clearInterval(timer);
}

function longestBlock(gateway: Gateway): Promise<number | null> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(null), 500);
    gateway.child.once('message', (message) => {
      clearTimeout(late);
      resolve((message as { maxMs: number }).maxMs);
    });
    gateway.child.send('read');
  });
}

export async function measureBigBodies(gateway: Gateway, ms: number, withBig = true): Promise<BigBodies> {
  const sockets = new Set<Socket>();
  const felt: Felt = { gaps: [], transits: [], big: [], errors: 0 };
  const stream = requestBytes(gateway.openai, streamBody());
  const big = requestBytes(gateway.openai, bigBody(1_000_000));
  for (let at = 0; at < streams; at++) {
    openStream(gateway.openai.port, stream, felt, sockets);
    if (at % 10 === 0) await sleep(10);
  }
  const stopBig = withBig ? sendBig(gateway.openai.port, big, felt, sockets) : () => {};
  await sleep(3_000);
  felt.gaps = [];
  felt.transits = [];
  felt.big = [];
  gateway.child.send('reset');
  const before = cpuTime(gateway.pid);
  const startedAt = performance.now();
  await sleep(ms);
  const after = cpuTime(gateway.pid);
  const tookUs = (performance.now() - startedAt) * 1000;
  const maxBlockMs = await longestBlock(gateway);
  stopBig();
  for (const socket of sockets) socket.destroy();
  await sleep(300);
  return {
    events: felt.transits.length,
    bigRequests: felt.big.length,
    gapP50Ms: percentile(felt.gaps, 0.5),
    gapP99Ms: percentile(felt.gaps, 0.99),
    transitP50Ms: percentile(felt.transits, 0.5),
    transitP99Ms: percentile(felt.transits, 0.99),
    maxBlockMs,
    bigP50Ms: percentile(felt.big, 0.5),
    used: (after.ranUs - before.ranUs) / tookUs,
    waited: (after.waitedUs - before.waitedUs) / tookUs,
    errors: felt.errors,
  };
}
