/** One connection to a vendor and the call it serves: a named timeout per phase, and no second call before the first is over. */
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { GatewayError } from '../contract/errors.ts';
import type { Timeouts } from '../contract/settings.ts';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { closedEarly, connectionError, notAccepted, timedOut, unreachable } from './connection-errors.ts';
import { MalformedResponse, ResponseParser, type ResponseHeaders } from './http-response.ts';

/** Headers that are checked and written down once, for many calls. A key may be among them, so they are not to be seen. */
export class WrittenHeaders {
  readonly #headers: Readonly<Record<string, string>>;
  #lines: string | null = null;

  constructor(headers: Readonly<Record<string, string>>) {
    this.#headers = headers;
  }

  /** Throws for what cannot be written down. */
  lines(): string {
    this.#lines ??= linesOf(this.#headers);
    return this.#lines;
  }
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>> | WrittenHeaders;
  /** A stream needs a `content-length` header, and has to keep to it. */
  readonly body: Buffer | string | Readable | null;
  readonly timeouts: Timeouts;
}

/** A connection nobody used for so long is not used again; a vendor that says how long it keeps one is believed. */
const idleMs = 30_000;
const maxIdleMs = 300_000;
/** Closed by us before the vendor closes it, which would cost a call. */
const idleMarginMs = 1_000;
/** A body of this size is joined to its head: one write. */
const maxJoinedBytes = 16_384;

const isStream = (body: HttpRequest['body']): body is Readable =>
  body !== null && typeof body !== 'string' && !Buffer.isBuffer(body);

/** Throws for what cannot be written down: a line break in a header would begin another one. */
function linesOf(headers: Readonly<Record<string, string>>): string {
  let lines = '';
  for (const name in headers) {
    const value = headers[name] ?? '';
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw unreachable('ERR_INVALID_HEADER');
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** Throws for what cannot be written down. */
export function headOf(host: string, { method, path, headers, body }: HttpRequest): string {
  if (/[^\x21-\x7e]/.test(path)) throw unreachable('ERR_INVALID_PATH');
  const lines = headers instanceof WrittenHeaders ? headers.lines() : linesOf(headers);
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}`;
  if (isStream(body)) return `${head}\r\n`;
  if (body !== null) return `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return method === 'GET' || method === 'DELETE' ? `${head}\r\n` : `${head}content-length: 0\r\n\r\n`;
}

/** Text of one byte a character is written as it is. Its head says how many bytes it has. */
const isLatin = (head: string, body: string): boolean =>
  head.endsWith(`content-length: ${body.length}\r\n\r\n`);

/** Who owns a connection between calls. */
export interface ConnectionOwner {
  /** It may serve another call. */
  keep(connection: Connection): void;
  /** It is closed. */
  forget(connection: Connection): void;
}

export class Connection {
  private readonly owner: ConnectionOwner;
  private readonly socket: Socket;
  private readonly parser = new ResponseParser(this);
  private call: Call | null = null;
  private connected = false;
  private idleSince = 0;
  /** One timer a connection, armed anew only when it fires: a call costs a clock reading, not a timer. */
  private timer: NodeJS.Timeout | null = null;
  private timerAt = Infinity;

  /** `connect` opens the socket: what it reads goes to the function it is given, which keeps none of it. */
  constructor(owner: ConnectionOwner, isTls: boolean, connect: (read: (bytes: Buffer) => void) => Socket) {
    this.owner = owner;
    this.socket = connect((bytes) => this.read(bytes));
    this.socket
      .setNoDelay(true)
      .on(isTls ? 'secureConnect' : 'connect', () => {
        this.connected = true;
      })
      .on('error', (error) => this.lost(connectionError(error)))
      .on('end', () => this.ended())
      .on('close', () => this.closed());
  }

  /** Whether it can take a call. */
  fresh(now: number): boolean {
    const { keepAliveMs } = this.parser;
    const patience = keepAliveMs === null ? idleMs : Math.min(keepAliveMs - idleMarginMs, maxIdleMs);
    return !this.socket.destroyed && now - this.idleSince < patience;
  }

  begin(call: Call, head: string, body: HttpRequest['body']): void {
    const { socket } = this;
    this.call = call;
    call.connection = this;
    this.parser.begin();
    if (body === null) socket.write(head, 'latin1');
    else if (typeof body === 'string') socket.write(head + body, isLatin(head, body) ? 'latin1' : 'utf8');
    else if (!Buffer.isBuffer(body)) {
      socket.write(head, 'latin1');
      this.pipe(body, Number(/^content-length: (\d+)\r$/m.exec(head)?.[1]));
    } else if (body.length <= maxJoinedBytes) socket.write(head + body.toString('latin1'), 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
    this.watch(call.dueAt(this.connected));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    if (this.call !== null) this.watch(this.call.dueAt(this.connected));
  }

  /** Closes it at once; the call is told nothing. */
  abort(): void {
    this.call = null;
    this.socket.destroy();
  }

  /** Closes it; a call it serves fails. */
  close(): void {
    this.lost(closedEarly());
  }

  onHead(status: number, headers: ResponseHeaders): void {
    const { call } = this;
    if (call === null) return;
    call.hasHead = true;
    this.watch(call.dueAt(true));
    call.handler.onHeaders(status, headers);
  }

  onBody(bytes: Buffer): void {
    this.call?.handler.onData(bytes);
  }

  onComplete(): void {
    const { call } = this;
    if (call === null) return;
    this.call = null;
    const sent = call.finish();
    // An answer before the request was written whole: the rest of it would be read as another one.
    if (this.parser.keepAlive && sent && this.socket.writableLength === 0) {
      if (call.paused) this.socket.resume();
      this.idleSince = performance.now();
      this.owner.keep(this);
    } else this.socket.destroy();
    call.handler.onEnd();
  }

  private pipe(body: Readable, length: number): void {
    let left = length;
    const differs = (): void => this.lost(unreachable('ERR_BODY_LENGTH'));
    body
      .on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0) differs();
      })
      .once('end', () => {
        if (left !== 0) differs();
      })
      .once('error', (error) => this.lost(connectionError(error)))
      .pipe(this.socket, { end: false });
  }

  private read(bytes: Buffer): void {
    if (this.call !== null) this.call.lastByteAt = performance.now();
    try {
      this.parser.push(bytes);
    } catch (error) {
      if (!(error instanceof MalformedResponse)) throw error;
      this.lost(connectionError(error));
    }
  }

  private ended(): void {
    if (this.call === null || !this.parser.close()) this.lost(closedEarly());
  }

  private closed(): void {
    this.owner.forget(this);
    this.lost(this.connected ? closedEarly() : unreachable(''));
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private lost(error: GatewayError): void {
    const { call } = this;
    this.call = null;
    this.socket.destroy();
    call?.fail(error);
  }

  private watch(at: number): void {
    if (at >= this.timerAt) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(() => this.check(), Math.max(1, at - performance.now())).unref();
  }

  private check(): void {
    this.timer = null;
    this.timerAt = Infinity;
    const { call } = this;
    if (call === null) return;
    const at = call.dueAt(this.connected);
    if (at > performance.now()) this.watch(at);
    else this.lost(call.tooLate(this.connected));
  }
}

/** One call in flight. */
export class Call implements UpstreamCall {
  readonly handler: UpstreamHandler;
  connection: Connection | null = null;
  paused = false;
  hasHead = false;
  lastByteAt = 0;
  private over = false;
  private readonly timeouts: Timeouts;
  private readonly body: HttpRequest['body'];
  private readonly startedAt = performance.now();

  constructor({ timeouts, body }: HttpRequest, handler: UpstreamHandler) {
    this.handler = handler;
    this.timeouts = timeouts;
    this.body = body;
  }

  pause(): void {
    if (this.over || this.paused) return;
    this.paused = true;
    this.connection?.pause();
  }

  resume(): void {
    if (this.over || !this.paused) return;
    this.paused = false;
    this.lastByteAt = performance.now();
    this.connection?.resume();
  }

  abort(): void {
    if (this.over) return;
    this.finish();
    this.connection?.abort();
  }

  fail(error: GatewayError): void {
    if (this.over) return;
    this.finish();
    this.handler.onError(error);
  }

  /** Nothing is told to the handler any more, and no more is read of the request's body. True: that was sent whole. */
  finish(): boolean {
    this.over = true;
    const { body } = this;
    if (!isStream(body) || body.readableEnded) return true;
    body.destroy();
    return false;
  }

  /** When the phase it is in has taken too long. */
  dueAt(connected: boolean): number {
    const { connectMs, firstByteMs, idleMs: silenceMs, totalMs } = this.timeouts;
    const end = this.startedAt + totalMs;
    if (!connected) return Math.min(this.startedAt + connectMs, end);
    if (!this.hasHead) return Math.min(this.startedAt + firstByteMs, end);
    return this.paused ? end : Math.min(this.lastByteAt + silenceMs, end);
  }

  tooLate(connected: boolean): GatewayError {
    const { firstByteMs, idleMs: silenceMs, totalMs } = this.timeouts;
    if (!connected) return notAccepted();
    if (!this.hasHead) return timedOut('first byte', Math.min(firstByteMs, totalMs));
    return performance.now() >= this.startedAt + totalMs
      ? timedOut('end', totalMs)
      : timedOut('further byte', silenceMs);
  }
}
