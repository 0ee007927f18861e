/**
 * The sliding window behind rpm and tpm: the last window counts in proportion to how much of it still overlaps the
 * past `windowMs`, so no window of that length ever passes more than `max` (to within that proportion's error).
 */
import type { LimitState, LimitTake } from './storage.ts';

export interface Window {
  start: number;
  previous: number;
  current: number;
}

/** Moves a window on to the one that holds `nowMs`. */
export function slide(window: Window, windowMs: number, nowMs: number): void {
  const start = nowMs - (nowMs % windowMs);
  if (window.start >= start) return;
  window.previous = window.start === start - windowMs ? window.current : 0;
  window.current = 0;
  window.start = start;
}

function used(window: Window, windowMs: number, nowMs: number): number {
  return window.current + window.previous * (1 - (nowMs - window.start) / windowMs);
}

/** What the take counts: never more than the limit itself, so that a large call passes when nothing else runs. */
export function takeCost(take: LimitTake): number {
  return Math.min(Math.ceil(take.cost), take.max);
}

/** Whether settlement replaces the take's estimate by the tokens really used. */
export function countsTokens(take: LimitTake): boolean {
  return take.id.endsWith(':tpm');
}

/** Milliseconds until the take fits, 0 when it fits now. The window must have been slid to `nowMs`. */
export function waitMs(window: Window, take: LimitTake, nowMs: number): number {
  const cost = takeCost(take);
  if (used(window, take.windowMs, nowMs) + cost <= take.max) return 0;
  const elapsed = nowMs - window.start;
  const room = take.max - cost - window.current;
  if (room >= 0 && window.previous > 0) {
    return Math.max(1, Math.ceil(take.windowMs * (1 - room / window.previous) - elapsed));
  }
  const next = window.current > 0 ? 1 - (take.max - cost) / window.current : 0;
  return Math.max(1, Math.ceil(take.windowMs * (1 + Math.max(0, next)) - elapsed));
}

/** The state told to the caller in its X-RateLimit headers. */
export function limitState(window: Window, take: LimitTake, nowMs: number): LimitState {
  const remaining = Math.max(0, Math.floor(take.max - used(window, take.windowMs, nowMs)));
  const windows = window.current > 0 ? 2 : window.previous > 0 ? 1 : 0;
  return {
    id: take.id,
    max: take.max,
    remaining,
    resetAtMs: windows === 0 ? nowMs : window.start + windows * take.windowMs,
  };
}
