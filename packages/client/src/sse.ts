/** Server-sent events, as the WHATWG specification reads them. */

export interface ServerSentEvent {
  /** Empty when it has none. */
  readonly event: string;
  readonly data: string;
  /** The last id seen, of this event or an earlier one; empty without one. */
  readonly id: string;
}

/** Takes text in pieces of any size, cut anywhere, and hands on whole events. */
export class SSEParser {
  #rest = '';
  #isFirst = true;
  #data: string[] = [];
  #event = '';
  #id = '';
  readonly #emit: (event: ServerSentEvent) => void;

  constructor(emit: (event: ServerSentEvent) => void) {
    this.#emit = emit;
  }

  push(piece: string): void {
    if (piece === '') return;
    let text = this.#rest + piece;
    if (this.#isFirst) {
      if (text.startsWith('\uFEFF')) text = text.slice(1);
      this.#isFirst = false;
    }
    let from = 0;
    for (;;) {
      const feed = text.indexOf('\n', from);
      const back = text.indexOf('\r', from);
      const end = back === -1 || (feed !== -1 && feed < back) ? feed : back;
      // A lone CR at the end may be half of a CRLF.
      if (end === -1 || (end === back && back === text.length - 1)) break;
      this.#line(text.slice(from, end));
      from = end + (end === back && text[end + 1] === '\n' ? 2 : 1);
    }
    this.#rest = text.slice(from);
  }

  /** The input is over: a last CR waits for no LF. */
  end(): void {
    if (this.#rest.endsWith('\r')) this.push('\n');
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(): void {
    if (this.#data.length > 0) this.#emit({ event: this.#event, data: this.#data.join('\n'), id: this.#id });
    this.#data = [];
    this.#event = '';
  }
}

/** The events of a body. What is cut off in the middle of one is left out. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent, void> {
  let ready: ServerSentEvent[] = [];
  const parser = new SSEParser((event) => ready.push(event));
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      parser.push(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      if (done) parser.end();
      const events = ready;
      ready = [];
      yield* events;
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}
