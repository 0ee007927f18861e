/**
 * Request bodies being read, and an end to those that come too slowly to be worth their connection. They are looked
 * through now and then: a timer for each would cost more than most of them take to read.
 */
import { GatewayError } from '../contract/errors.ts';
import { SlotList, type Slotted } from '../core/slot-list.ts';

/** From `graceMs` on, a body must have come at this pace. */
const bytesPerSecond = 1024;
const graceMs = 10_000;
const sweepMs = 2_000;

export interface Reading extends Slotted {
  /** What came so far; whoever reads counts. */
  bytes: number;
  readonly since: number;
  /** The whole of it, at most. */
  readonly limitMs: number;
  readonly stop: (error: GatewayError) => void;
}

/** Why it must end at `now`, or null. */
function problemOf({ bytes, since, limitMs }: Reading, now: number): string | null {
  const ms = now - since;
  if (ms > limitMs) return 'The request body took too long.';
  const least = ((ms - graceMs) / 1000) * bytesPerSecond;
  return bytes < least ? `The request body came too slowly: under ${bytesPerSecond} bytes a second.` : null;
}

const unfinished = new SlotList<Reading>();
let sweeper: NodeJS.Timeout | null = null;

function sweep(): void {
  const now = performance.now();
  for (const reading of unfinished.values()) {
    const problem = problemOf(reading, now);
    if (problem !== null) reading.stop(new GatewayError('bad_request', problem));
  }
  if (unfinished.size > 0 || sweeper === null) return;
  clearInterval(sweeper);
  sweeper = null;
}

/** Calls `stop` when the body comes too slowly or takes longer than `limitMs`; until `endReading`. */
export function beginReading(limitMs: number, stop: (error: GatewayError) => void): Reading {
  const reading: Reading = { slot: 0, bytes: 0, since: performance.now(), limitMs, stop };
  unfinished.add(reading);
  sweeper ??= setInterval(sweep, sweepMs).unref();
  return reading;
}

export function endReading(reading: Reading): void {
  unfinished.remove(reading);
}
