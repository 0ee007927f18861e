/** Bytes pushed on one side and awaited on the other; full, it asks the source to pause. */

const highWater = 256 * 1024;

export class ByteQueue implements AsyncIterable<Buffer> {
  private chunks: Buffer[] = [];
  private size = 0;
  private paused = false;
  private done = false;
  private error: Error | null = null;
  private wake: (() => void) | null = null;
  private readonly pause: () => void;
  private readonly resume: () => void;
  private readonly abandon: () => void;

  /** `abandon`: the reader stopped before the end. */
  constructor(pause: () => void, resume: () => void, abandon: () => void) {
    this.pause = pause;
    this.resume = resume;
    this.abandon = abandon;
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size > highWater && !this.paused) {
      this.paused = true;
      this.pause();
    }
    this.wake?.();
  }

  end(): void {
    this.done = true;
    this.wake?.();
  }

  /** What was pushed before is still read. */
  fail(error: Error): void {
    if (this.done) return;
    this.error = error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const chunk = this.chunks.shift();
        if (chunk !== undefined) {
          this.size -= chunk.length;
          if (this.paused && this.size < highWater / 2) {
            this.paused = false;
            this.resume();
          }
          yield chunk;
        } else if (this.done) {
          if (this.error !== null) throw this.error;
          return;
        } else {
          await new Promise<void>((resolve) => (this.wake = resolve));
          this.wake = null;
        }
      }
    } finally {
      if (!this.done) {
        this.done = true;
        this.abandon();
      }
    }
  }
}
