/**
 * The fake provider of the benchmark, a process of its own: a raw TCP server that answers OpenAI's wire with prebuilt
 * bytes, so that it costs little beside what it measures. `"stream":true` answers 101 events at once; a body that names
 * the model `gpt-4o` gets them one packet at a time, each with the time it was written.
 *
 *     node upstream.ts <ms between paced events> <paced events a stream>
 *
 * Writes its port to stdout.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** Events of a burst: 100 of text and one of usage. */
const burstEvents = 101;
const groups = 10;

const [paceMs = 50, pacedEvents = 100] = process.argv.slice(2).map(Number);

const envelope = {
  id: 'chatcmpl-BenchBenchBenchBenchBench00',
  object: 'chat.completion.chunk',
  created: 1_764_000_000,
  model: 'gpt-4o-mini-2024-07-18',
  service_tier: 'default',
  system_fingerprint: 'fp_0123456789',
};
const tokenDetails = {
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
};

function answer(): Buffer {
  const body = JSON.stringify({
    ...envelope,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'A gateway passes on what it is given and writes down what it cost. '.repeat(10).trim(),
          refusal: null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: { prompt_tokens: 190, completion_tokens: 140, total_tokens: 330, ...tokenDetails },
  });
  const head = [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'x-request-id: req_0123456789abcdef',
    'openai-processing-ms: 5',
    'Connection: keep-alive',
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const streamHead = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\nx-request-id: req_0123456789abcdef\r\nConnection: keep-alive\r\n\r\n',
);
const frame = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (data: object | string): string =>
  frame(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);

function delta(text: string, first: boolean, last: boolean): string {
  const said = first ? { role: 'assistant', content: text } : { content: text };
  const choice = { index: 0, delta: said, logprobs: null, finish_reason: last ? 'stop' : null };
  return event({ ...envelope, choices: [choice], usage: null, obfuscation: 'Q7xk2Vd9Lm' });
}

const terminal =
  event({
    ...envelope,
    choices: [],
    usage: { prompt_tokens: 190, completion_tokens: 100, total_tokens: 290, ...tokenDetails },
  }) +
  event('[DONE]') +
  '0\r\n\r\n';

const texts = Array.from({ length: burstEvents - 1 }, (_, at) =>
  delta(` word${at}`, at === 0, at === burstEvents - 2),
);
const burst = Buffer.concat([streamHead, Buffer.from(texts.join('') + terminal)]);
const whole = answer();

interface Paced {
  readonly socket: Socket;
  sent: number;
}

/** Streams take turns, so that their events do not all fall into one moment. */
const turns: Paced[][] = Array.from({ length: groups }, () => []);
let nextGroup = 0;
let turn = 0;
let due = performance.now();

function writeTurn(): void {
  const group = turns[turn % groups] ?? [];
  turn++;
  const now = process.hrtime.bigint() / 1000n;
  turns[(turn - 1) % groups] = group.filter((stream) => {
    if (stream.socket.destroyed) return false;
    stream.sent++;
    const last = stream.sent >= pacedEvents;
    // The caller reads when this was written, in microseconds of the machine's monotonic clock.
    stream.socket.write(delta(` @${now}@`, stream.sent === 1, last) + (last ? terminal : ''));
    return !last;
  });
  due += paceMs / groups;
  setTimeout(writeTurn, Math.max(0, due - performance.now()));
}
writeTurn();

function respond(socket: Socket, body: Buffer): void {
  if (!body.includes('"stream":true')) socket.write(whole);
  else if (body.includes('gpt-4o-mini')) socket.write(burst);
  else {
    socket.write(streamHead);
    turns[nextGroup++ % groups]?.push({ socket, sent: 0 });
  }
}

/** Reads requests with a Content-Length or a chunked body; one at a time on a connection. */
function serve(socket: Socket): void {
  let parts: Buffer[] = [];
  let size = 0;
  let needed = 0;
  let head = -1;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    size += chunk.length;
    if (size < needed) return;
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
    parts = [bytes];
    if (head < 0) head = bytes.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /content-length: *(\d+)/i.exec(bytes.toString('latin1', 0, head))?.[1];
    needed = head + 4 + Number(length ?? 0);
    if (size < needed) return;
    if (length === undefined && bytes.toString('latin1', bytes.length - 5) !== '0\r\n\r\n') return;
    const body = bytes.subarray(head + 4);
    parts = [];
    size = needed = 0;
    head = -1;
    respond(socket, body);
  });
}

const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
// It must not outlive the benchmark, however that ended.
process.on('disconnect', () => process.exit(0));
