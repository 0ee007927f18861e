/**
 * Loaded into a gateway with --import: measures how long its event loop was blocked and tells it over the IPC channel.
 * Answers `reset` by starting anew and `read` with the longest block and the 99th percentile, in milliseconds.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const resolution = 1;

if (isMainThread && process.channel !== undefined) {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  // Each sample holds the timer's own interval.
  const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution);
  process.on('message', (message) => {
    if (message === 'reset') delays.reset();
    else if (message === 'read') process.send?.({ maxMs: ms(delays.max), p99Ms: ms(delays.percentile(99)) });
  });
  process.channel?.unref();
}
