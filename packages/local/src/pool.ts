/**
 * The threads of one engine and the queue before them. A thread starts with the first job, runs one at a time, and is
 * replaced when it dies, breaks or overruns: what it ran is rejected, what waits goes to the next.
 */
import { Worker } from 'node:worker_threads';
import { LocalEngineError } from './errors.ts';
import type { Answer, EngineName, Jobs, Report, Results } from './messages.ts';

export interface PoolOptions {
  readonly threads: number;
  readonly queueLimit: number;
  readonly limitMs: number;
  readonly idleMs: number;
  /** An engine cannot be interrupted. One whose caller left may end its job in this time, else its thread is stopped. */
  readonly graceMs: number;
}

/** Of the JavaScript heap. The engines' own memory is WebAssembly's, which each module bounds. */
const heapMb = 512;

interface Task<E extends EngineName> {
  readonly job: Jobs[E];
  readonly report: Report | undefined;
  /** Removes the listener of the caller's signal; then answers. Called once. */
  readonly settle: (outcome: Results[E] | LocalEngineError) => void;
}

interface Thread<E extends EngineName> {
  readonly worker: Worker;
  running: { id: number; task: Task<E>; limit: NodeJS.Timeout } | null;
  idle: NodeJS.Timeout | null;
}

export class EnginePool<E extends EngineName> {
  private readonly threads = new Set<Thread<E>>();
  private readonly waiting: Task<E>[] = [];
  private readonly engine: E;
  private readonly options: PoolOptions;
  private nextId = 1;
  private closed = false;

  constructor(engine: E, options: PoolOptions) {
    this.engine = engine;
    this.options = options;
  }

  run(job: Jobs[E], signal: AbortSignal | undefined, report?: Report): Promise<Results[E]> {
    if (this.closed) return Promise.reject(new LocalEngineError('closed', 'the local engines are closed'));
    if (signal?.aborted === true) return Promise.reject(cancelled());
    if (this.waiting.length >= this.options.queueLimit && this.freeThread() === null)
      return Promise.reject(
        new LocalEngineError(
          'busy',
          `${this.waiting.length} calls already wait for the ${this.engine} engine`,
        ),
      );
    return new Promise((resolve, reject) => {
      const leave = (): void => this.abandon(task);
      const task: Task<E> = {
        job,
        report,
        settle: (outcome) => {
          signal?.removeEventListener('abort', leave);
          if (outcome instanceof LocalEngineError) reject(outcome);
          else resolve(outcome);
        },
      };
      signal?.addEventListener('abort', leave);
      this.waiting.push(task);
      this.next();
    });
  }

  /** Rejects what runs and waits, and ends when every thread has. */
  async close(): Promise<void> {
    this.closed = true;
    const error = new LocalEngineError('closed', 'the local engines are closed');
    for (const task of this.waiting.splice(0)) task.settle(error);
    await Promise.all([...this.threads].map((thread) => this.stop(thread, error)));
  }

  /** One that can take a job now, started if there is room for another; null when all are at work. */
  private freeThread(): Thread<E> | 'room' | null {
    for (const thread of this.threads) if (thread.running === null) return thread;
    return this.threads.size < this.options.threads ? 'room' : null;
  }

  private next(): void {
    while (this.waiting.length > 0) {
      const free = this.freeThread();
      if (free === null) return;
      const task = this.waiting.shift();
      if (task !== undefined) this.give(free === 'room' ? this.start() : free, task);
    }
  }

  private give(thread: Thread<E>, task: Task<E>): void {
    const id = this.nextId++;
    if (thread.idle !== null) clearTimeout(thread.idle);
    thread.idle = null;
    const limit = setTimeout(() => {
      const seconds = this.options.limitMs / 1000;
      void this.stop(thread, new LocalEngineError('timed_out', `the engine was stopped after ${seconds} s`));
    }, this.options.limitMs);
    thread.running = { id, task, limit };
    thread.worker.ref();
    thread.worker.postMessage({ id, job: task.job }, []);
  }

  private start(): Thread<E> {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    // Engines are other people's code: they get no environment, and so no keys, to read.
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: { engine: this.engine },
      env: {},
      execArgv: [],
      name: `indoxhub-${this.engine}`,
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
      stdout: true,
      stderr: true,
    });
    // Decoders print what they think of a file; the caller gets an error instead.
    worker.stdout.resume();
    worker.stderr.resume();
    const thread: Thread<E> = { worker, running: null, idle: null };
    this.threads.add(thread);
    const died = (): void =>
      void this.stop(
        thread,
        new LocalEngineError('engine_failed', `the thread of the ${this.engine} engine died`),
      );
    worker.on('message', (answer: Answer<E>) => this.take(thread, answer));
    worker.on('messageerror', died);
    worker.on('error', died);
    worker.on('exit', died);
    return thread;
  }

  private take(thread: Thread<E>, { id, progress, result, failure }: Answer<E>): void {
    const { running } = thread;
    if (running === null || running.id !== id) return;
    if (progress !== undefined) return running.task.report?.(progress);
    const error =
      failure === undefined ? null : new LocalEngineError(failure.code, failure.message, failure.field);
    if (error !== null && failure?.fatal === true) {
      void this.stop(thread, error);
      return;
    }
    clearTimeout(running.limit);
    thread.running = null;
    thread.worker.unref();
    thread.idle = setTimeout(() => void this.stop(thread, null), this.options.idleMs).unref();
    if (error !== null) running.task.settle(error);
    else if (result !== undefined) running.task.settle(result);
    this.next();
  }

  /** The caller left: its promise rejects now. A thread at work for nobody gets a moment to finish. */
  private abandon(task: Task<E>): void {
    const place = this.waiting.indexOf(task);
    if (place !== -1) this.waiting.splice(place, 1);
    task.settle(cancelled());
    const thread = [...this.threads].find((each) => each.running?.task === task);
    if (thread?.running == null) return;
    clearTimeout(thread.running.limit);
    if (this.options.graceMs === 0) return void this.stop(thread, cancelled());
    thread.running.limit = setTimeout(() => void this.stop(thread, cancelled()), this.options.graceMs);
  }

  private async stop(thread: Thread<E>, error: LocalEngineError | null): Promise<void> {
    if (!this.threads.delete(thread)) return;
    if (thread.idle !== null) clearTimeout(thread.idle);
    if (thread.running !== null) {
      clearTimeout(thread.running.limit);
      // Settling a promise twice is harmless: an abandoned caller has its answer already.
      if (error !== null) thread.running.task.settle(error);
      thread.running = null;
    }
    this.next();
    await thread.worker.terminate();
  }
}

function cancelled(): LocalEngineError {
  return new LocalEngineError('cancelled', 'the call was cancelled');
}
