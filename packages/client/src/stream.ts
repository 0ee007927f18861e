/** Answers that come piece by piece. */
import type { Reply } from './api-promise.ts';
import { APIConnectionError, APIUserAbortError, toAPIError } from './errors.ts';
import type { Requester } from './request.ts';
import { readEvents } from './sse.ts';

/**
 * An async iterable that can be read once. Leaving the loop early aborts the request.
 *
 * @example
 * for await (const event of stream) if (event.type === 'content') process.stdout.write(event.data);
 */
export class Stream<T> implements AsyncIterable<T> {
  readonly controller: AbortController;
  readonly #open: () => AsyncGenerator<T, void>;
  readonly #isOwner: boolean;
  #isTaken = false;

  /** `isOwner`: leaving it early aborts the request. */
  constructor(open: () => AsyncGenerator<T, void>, controller: AbortController, isOwner = true) {
    this.#open = open;
    this.controller = controller;
    this.#isOwner = isOwner;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    if (this.#isTaken) throw new TypeError('A stream can be read once: use tee() to read it twice');
    this.#isTaken = true;
    let isWhole = false;
    try {
      yield* this.#open();
      isWhole = true;
    } finally {
      if (!isWhole && this.#isOwner) this.controller.abort();
    }
  }

  /**
   * Aborts the request. The gateway charges what was delivered.
   *
   * @example
   * setTimeout(() => stream.abort(), 10_000);
   */
  abort(): void {
    this.controller.abort();
  }

  /**
   * Two streams of the same events, to be read at different speeds. Leaving both aborts the request.
   *
   * @example
   * const [shown, kept] = stream.tee();
   */
  tee(): [Stream<T>, Stream<T>] {
    const source = this[Symbol.asyncIterator]();
    const queues: Promise<IteratorResult<T, void>>[][] = [[], []];
    const left = new Set([0, 1]);
    const branch = (mine: number): Stream<T> => {
      const open = async function* (): AsyncGenerator<T, void> {
        try {
          for (;;) {
            if (queues[mine]?.length === 0) {
              const next = source.next();
              for (const side of left) queues[side]?.push(next);
            }
            const { done, value } = (await queues[mine]?.shift()) ?? { done: true, value: undefined };
            if (done === true) return;
            yield value;
          }
        } finally {
          left.delete(mine);
          if (left.size === 0) await source.return();
        }
      };
      return new Stream(open, this.controller, false);
    };
    return [branch(0), branch(1)];
  }

  /**
   * The events as lines of JSON, to be sent on. Cancelling it aborts the request.
   *
   * @example
   * return new Response(stream.toReadableStream());
   */
  toReadableStream(): ReadableStream<Uint8Array> {
    const source = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    return new ReadableStream({
      async pull(target) {
        try {
          const { done, value } = await source.next();
          if (done === true) target.close();
          else target.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
        } catch (error) {
          target.error(error);
        }
      },
      async cancel() {
        await source.return();
      },
    });
  }

  /**
   * The other end of `toReadableStream`.
   *
   * @example
   * const { body } = await fetch('/my/chat');
   * for await (const event of Stream.fromReadableStream<ChatStreamEvent>(body)) console.log(event.type);
   */
  static fromReadableStream<T>(lines: ReadableStream<Uint8Array>): Stream<T> {
    const controller = new AbortController();
    const open = async function* (): AsyncGenerator<T, void> {
      const decoder = new TextDecoder();
      const reader = lines.getReader();
      let rest = '';
      try {
        for (;;) {
          const { done, value } = await reader.read();
          rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
          const whole = rest.split('\n');
          rest = done ? '' : (whole.pop() ?? '');
          for (const line of whole) if (line.trim() !== '') yield JSON.parse(line) as T;
          if (done) return;
        }
      } finally {
        await reader.cancel().catch(() => {});
      }
    };
    return new Stream(open, controller);
  }
}

/** The frames of a native stream, up to its terminal. Throws for an error frame, and for one that ends without a terminal. */
export async function* nativeFrames<T extends object>(
  requester: Requester,
  reply: Reply,
): AsyncGenerator<T, void> {
  const { response, controller, release } = reply;
  if (response.body === null) throw new APIConnectionError('The answer has no body');
  try {
    for await (const { data } of readEvents(response.body)) {
      if (data === '[DONE]') return;
      const frame = JSON.parse(data) as { error?: unknown; status_code?: number };
      if (frame.error !== undefined && frame.error !== null)
        throw toAPIError(frame.status_code ?? 502, data, response.headers, requester.redact);
      yield frame as T;
    }
  } catch (error) {
    if (controller.signal.aborted) throw new APIUserAbortError('The stream was aborted', { cause: error });
    throw requester.connectionError('The stream broke off', error);
  } finally {
    release();
  }
  if (controller.signal.aborted) throw new APIUserAbortError('The stream was aborted');
  throw new APIConnectionError('The stream ended before it was complete');
}
