/**
 * Reads HTTP/1.1 answers off a connection, strictly: what is ambiguous about where an answer ends (RFC 9112, section 6)
 * is an error, never a guess. It sees bytes and no socket, so that any cutting of them can be tested.
 */

export type ResponseHeaders = Readonly<Record<string, string | string[]>>;

export interface ResponseSink {
  /** A final answer's head. */
  onHead(status: number, headers: ResponseHeaders): void;
  /** What one read held of the body: never empty, and the sink's to keep. */
  onBody(bytes: Buffer): void;
  /** The answer is complete. */
  onComplete(): void;
}

/** The bytes are no answer. `reason` is one of ours, so it quotes nothing. */
export class MalformedResponse extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

export const maxHeadBytes = 32_768;
const maxChunkLineBytes = 1_024;
const maxInformational = 16;
const maxTrailers = 64;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const endOfHead = Buffer.from('\r\n\r\n');
const start = 'HTTP/1.';
const bareFeed = /(?:^|[^\r])\n/;

type State =
  | 'idle'
  | 'head'
  | 'length'
  | 'until_close'
  | 'chunk_line'
  | 'chunk'
  | 'chunk_return'
  | 'chunk_feed'
  | 'trailer';

/** Field names seen before, as they were written: true ones only, so that most answers check none. */
const knownNames = new Map<string, string>();
const maxKnownNames = 1_000;

function fieldName(written: string): string {
  const known = knownNames.get(written);
  if (known !== undefined) return known;
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(written)) throw new MalformedResponse('bad_header_name');
  const name = written.toLowerCase();
  if (knownNames.size < maxKnownNames) knownNames.set(written, name);
  return name;
}

function parseFields(head: string, from: number): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = from; at < head.length;) {
    let end = head.indexOf('\r\n', at);
    if (end === -1) end = head.length;
    const colon = head.indexOf(':', at);
    if (colon === -1 || colon > end) throw new MalformedResponse('bad_header');
    const name = fieldName(head.slice(at, colon));
    const value = head.slice(colon + 1, end).trim();
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (typeof before === 'string') headers[name] = [before, value];
    else before.push(value);
    at = end + 2;
  }
  return headers;
}

/** One value, or an error where there are several. */
function only(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name];
  if (value === undefined) return null;
  if (typeof value !== 'string') throw new MalformedResponse(`repeated_${name.replaceAll('-', '_')}`);
  return value;
}

function says(headers: ResponseHeaders, name: string, word: string): boolean {
  const value = headers[name];
  if (value === undefined) return false;
  return String(value)
    .toLowerCase()
    .split(',')
    .some((each) => each.trim() === word);
}

export class ResponseParser {
  /** After this answer the connection may serve another call. */
  keepAlive = true;
  /** For how long the vendor says it keeps an idle connection, in ms; null where it does not say. */
  keepAliveMs: number | null = null;
  private state: State = 'idle';
  private readonly sink: ResponseSink;
  private informational = 0;
  private trailers = 0;
  private complete = false;
  /** Of a head or a line that is not complete yet. */
  private pending: Buffer | null = null;
  /** Bytes that are left of the body or of the chunk. */
  private left = 0;
  /** What this read has brought of the body. */
  private body: Buffer | null = null;
  private bodyBytes = 0;

  constructor(sink: ResponseSink) {
    this.sink = sink;
  }

  /** Expects an answer. */
  begin(): void {
    this.state = 'head';
    this.informational = 0;
    this.trailers = 0;
    this.keepAlive = true;
    this.keepAliveMs = null;
  }

  /** Nothing is expected: bytes that come now belong to nobody. */
  get idle(): boolean {
    return this.state === 'idle';
  }

  /** Of `bytes` nothing is kept: they may be overwritten afterwards. Throws MalformedResponse. */
  push(bytes: Buffer): void {
    if (this.state === 'idle') throw new MalformedResponse('bytes_without_a_call');
    let at = 0;
    while (at < bytes.length && !this.complete) at = this.step(bytes, at);
    // Whatever follows an answer that nobody asked for: the connection cannot be trusted with another call.
    if (at < bytes.length) this.keepAlive = false;
    this.deliver();
  }

  /** The vendor sends no more. True when that is a proper end of what was read. */
  close(): boolean {
    if (this.state === 'idle') return true;
    if (this.state !== 'until_close') return false;
    this.complete = true;
    this.deliver();
    return true;
  }

  /** Reads on from `at`; answers how far it came. */
  private step(bytes: Buffer, at: number): number {
    switch (this.state) {
      case 'head':
        return this.readHead(bytes, at);
      case 'length':
      case 'chunk':
        return this.readCounted(bytes, at);
      case 'chunk_line':
        return this.readChunkLine(bytes, at);
      case 'chunk_return':
        return this.readMark(bytes, at, CR, 'chunk_feed');
      case 'chunk_feed':
        return this.readMark(bytes, at, LF, 'chunk_line');
      case 'trailer':
        return this.readTrailer(bytes, at);
      default:
        this.take(bytes, at, bytes.length);
        return bytes.length;
    }
  }

  private readHead(bytes: Buffer, at: number): number {
    let head = at === 0 ? bytes : bytes.subarray(at);
    const before = this.pending?.length ?? 0;
    if (this.pending !== null) head = Buffer.concat([this.pending, head]);
    const end = head.indexOf(endOfHead);
    if (end === -1 || end > maxHeadBytes) {
      this.refuseEarly(head);
      this.pending = Buffer.from(head);
      return bytes.length;
    }
    this.pending = null;
    this.parseHead(head.toString('latin1', 0, end));
    return at + end + endOfHead.length - before;
  }

  /** What can never become a head is not waited for. */
  private refuseEarly(head: Buffer): void {
    if (head.length > maxHeadBytes) throw new MalformedResponse('head_too_large');
    const text = head.toString('latin1', 0, Math.min(head.length, 4_096));
    if (!text.startsWith(start.slice(0, text.length))) throw new MalformedResponse('not_http');
    if (bareFeed.test(text)) throw new MalformedResponse('bare_line_feed');
  }

  private parseHead(head: string): void {
    const firstEnd = head.indexOf('\r\n');
    const line = firstEnd === -1 ? head : head.slice(0, firstEnd);
    const found = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\0]*)?$/.exec(line);
    if (found === null) throw new MalformedResponse(line.startsWith(start) ? 'bad_status' : 'not_http');
    // With \r\n gone, any of these is a line of its own to somebody else.
    if (/(?:^|[^\r])\n|\r(?!\n)|\0/.test(head))
      throw new MalformedResponse(bareFeed.test(head) ? 'bare_line_feed' : 'bad_header');
    const status = Number(found[2]);
    const headers = parseFields(head, firstEnd === -1 ? head.length : firstEnd + 2);
    if (status < 200) {
      if (status === 101 || ++this.informational > maxInformational)
        throw new MalformedResponse('unexpected_status');
      return;
    }
    const isOld = found[1] === '0';
    this.keepAlive = isOld
      ? says(headers, 'connection', 'keep-alive')
      : headers['connection'] === undefined || !says(headers, 'connection', 'close');
    const hint = headers['keep-alive'];
    const seconds = typeof hint === 'string' ? /timeout=\s*(\d+)/i.exec(hint)?.[1] : undefined;
    if (seconds !== undefined) this.keepAliveMs = Number(seconds) * 1000;
    this.frame(status, headers, isOld);
    this.sink.onHead(status, headers);
    if (this.left === 0 && this.state === 'length') this.complete = true;
  }

  /** How the end of the body will be known. */
  private frame(status: number, headers: ResponseHeaders, isOld: boolean): void {
    const coding = only(headers, 'transfer-encoding');
    const length = only(headers, 'content-length');
    if (length !== null && !/^\d{1,15}$/.test(length)) throw new MalformedResponse('bad_content_length');
    if (coding !== null) {
      if (length !== null) throw new MalformedResponse('length_and_transfer_encoding');
      if (isOld || coding.toLowerCase() !== 'chunked') throw new MalformedResponse('bad_transfer_encoding');
    }
    this.left = 0;
    if (status === 204 || status === 304) this.state = 'length';
    else if (coding !== null) this.state = 'chunk_line';
    else if (length !== null) {
      this.state = 'length';
      this.left = Number(length);
    } else {
      this.state = 'until_close';
      this.keepAlive = false;
    }
  }

  private readCounted(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.left);
    this.take(bytes, at, end);
    this.left -= end - at;
    if (this.left > 0) return end;
    if (this.state === 'chunk') this.state = 'chunk_return';
    else this.complete = true;
    return end;
  }

  /** `1a;extension` and the end of the line. */
  private readChunkLine(bytes: Buffer, at: number): number {
    const end = this.endOfLine(bytes, at);
    if (end === -1) return bytes.length;
    const { pending } = this;
    this.pending = null;
    if (pending === null) this.openChunk(bytes, at, end - 2);
    else {
      const line = Buffer.concat([pending, bytes.subarray(at, end)]);
      this.openChunk(line, 0, line.length - 2);
    }
    return end;
  }

  private openChunk(line: Buffer, from: number, to: number): void {
    let size = 0;
    let at = from;
    for (; at < to; at++) {
      const byte = line[at] ?? 0;
      if (byte === SEMICOLON) break;
      const lower = byte | 0x20;
      if (byte >= 0x30 && byte <= 0x39) size = size * 16 + (byte - 0x30);
      else if (lower >= 0x61 && lower <= 0x66) size = size * 16 + (lower - 0x57);
      else throw new MalformedResponse('bad_chunk_size');
    }
    if (at === from || at - from > 12) throw new MalformedResponse('bad_chunk_size');
    this.left = size;
    this.state = size === 0 ? 'trailer' : 'chunk';
  }

  private readMark(bytes: Buffer, at: number, mark: number, next: State): number {
    if (bytes[at] !== mark) throw new MalformedResponse('bad_chunk_end');
    this.state = next;
    return at + 1;
  }

  /** Trailers are read past: nothing of ours is in them. */
  private readTrailer(bytes: Buffer, at: number): number {
    const end = this.endOfLine(bytes, at);
    if (end === -1) return bytes.length;
    const isBlank = (this.pending?.length ?? 0) + end - at === 2;
    this.pending = null;
    if (isBlank) this.complete = true;
    else if (++this.trailers > maxTrailers) throw new MalformedResponse('trailer_too_large');
    return end;
  }

  /** Behind the \r\n of the line that `at` is in; -1 and all kept where it is not there yet. */
  private endOfLine(bytes: Buffer, at: number): number {
    const before = this.pending?.length ?? 0;
    const feed = bytes.indexOf(LF, at);
    const length = (feed === -1 ? bytes.length : feed) - at + before;
    if (length > maxChunkLineBytes) throw new MalformedResponse('line_too_large');
    if (feed === -1) {
      const rest = bytes.subarray(at);
      this.pending = this.pending === null ? Buffer.from(rest) : Buffer.concat([this.pending, rest]);
      return -1;
    }
    const previous = feed > at ? bytes[feed - 1] : this.pending?.[before - 1];
    if (previous !== CR) throw new MalformedResponse('bare_line_feed');
    return feed + 1;
  }

  /** Copies into what this read will deliver at once, however many chunks it holds. */
  private take(bytes: Buffer, from: number, to: number): void {
    this.body ??= Buffer.allocUnsafe(bytes.length - from);
    this.bodyBytes += bytes.copy(this.body, this.bodyBytes, from, to);
  }

  private deliver(): void {
    const { body, bodyBytes } = this;
    if (body !== null) {
      this.body = null;
      this.bodyBytes = 0;
      if (bodyBytes > 0) this.sink.onBody(bodyBytes === body.length ? body : body.subarray(0, bodyBytes));
    }
    if (!this.complete) return;
    this.complete = false;
    this.state = 'idle';
    this.sink.onComplete();
  }
}
