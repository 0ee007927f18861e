/** The results as a table, and each held against what the gateway must do. */
import type { BigBodies } from './big-bodies.ts';
import type { ColdStart } from './gateways.ts';
import type { Growth, Scenario, Window } from './scenarios.ts';

export interface Latency {
  readonly direct: { readonly p50Ms: number; readonly p99Ms: number };
  readonly through: Window;
  readonly addedP50Ms: number;
  readonly addedP99Ms: number;
}

export interface Results {
  readonly startedAt: string;
  readonly node: string;
  readonly quick: boolean;
  readonly pinned: boolean;
  readonly loadBefore: string;
  loadAfter: string;
  /** Why the peer is not in it; null: it is. */
  peerMissing: string | null;
  /** Scenario → gateway → the better of its windows. */
  readonly windows: Partial<Record<Scenario['name'], Record<string, Window>>>;
  latency: Latency | null;
  growth: Growth | null;
  cold: ColdStart | null;
  big: { readonly calm: BigBodies | null; readonly big: BigBodies } | null;
  seconds: number;
}

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: number;
  readonly side: 'at most' | 'at least';
  readonly passed: boolean;
}

/** What the gateway must do, where it was measured. */
export function verdicts(results: Results): Verdict[] {
  const all: Verdict[] = [];
  const must = (
    what: string,
    value: number | null | undefined,
    side: Verdict['side'],
    bound: number,
    unit: string,
  ): void => {
    if (value === null || value === undefined || Number.isNaN(value)) return;
    const passed = side === 'at most' ? value <= bound : value >= bound;
    all.push({ what, value, unit, bound, side, passed });
  };
  const { chat, relayed, translated } = results.windows;
  const { latency, growth, cold, big } = results;
  const ours = chat?.['indoxhub'];
  const ratio = (a: Window | undefined, b: Window | undefined): number | null =>
    a === undefined || b === undefined ? null : a.cpuUs / b.cpuUs;
  must('chat: CPU against the bare floor', ratio(ours, chat?.['floor']), 'at most', 2.5, '×');
  must('chat: CPU of Portkey against ours', ratio(chat?.['portkey'], ours), 'at least', 6, '×');
  must('relayed stream: CPU an event', relayed?.['indoxhub']?.cpuUs, 'at most', 3, 'µs');
  must('translated stream: CPU an event', translated?.['indoxhub']?.cpuUs, 'at most', 5, 'µs');
  must('added latency p50, 10 connections', latency?.addedP50Ms, 'at most', 2, 'ms');
  must('added latency p99, 10 connections', latency?.addedP99Ms, 'at most', 10, 'ms');
  must('cold start as published, empty directory', cold?.firstMs, 'at most', 1000, 'ms');
  must('memory under load, 64 connections', ours?.maxRssMb, 'at most', 200, 'MB');
  must('memory growth per 100,000 requests', growth?.mbPer100k, 'at most', 1, 'MB');
  must('300 streams + 1 MB requests: inter-event delay p99', big?.big.gapP99Ms, 'at most', 10, 'ms');
  must('300 streams + 1 MB requests: longest block of the loop', big?.big.maxBlockMs, 'at most', 20, 'ms');
  return all;
}

const columns = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
    .join('  ');

function windowTable(results: Results): string[] {
  const widths = [24, 12, 10, 9, 9, 7, 8, 8, 7];
  const head = ['', 'CPU µs each', 'req/s', 'p50 ms', 'p99 ms', 'core', 'waited', 'RSS MB', 'errors'];
  const lines = [columns(head, widths)];
  for (const [scenario, rows] of Object.entries(results.windows)) {
    for (const [name, each] of Object.entries(rows)) {
      const { cpuUs, perSecond, p50Ms, p99Ms, used, waited, maxRssMb, errors } = each;
      const cells = [
        `${scenario} ${name}`,
        cpuUs.toFixed(2),
        perSecond.toFixed(0),
        p50Ms.toFixed(2),
        p99Ms.toFixed(2),
        `${(used * 100).toFixed(0)} %`,
        `${(waited * 100).toFixed(0)} %`,
        maxRssMb.toFixed(0),
        String(errors),
      ];
      lines.push(columns(cells, widths));
    }
  }
  return lines;
}

function otherLines({ latency, growth, big }: Results): string[] {
  const lines: string[] = [];
  if (latency !== null) {
    const { direct, through } = latency;
    lines.push(
      `latency at 10 connections: p50 ${through.p50Ms.toFixed(2)} ms, p99 ${through.p99Ms.toFixed(2)} ms; the provider alone ${direct.p50Ms.toFixed(2)} and ${direct.p99Ms.toFixed(2)}`,
    );
  }
  if (growth !== null) {
    const lacks = growth.requests < 500_000 ? '; fewer than 500,000 say little' : '';
    lines.push(
      `memory over ${growth.requests} requests: ${growth.beginMb.toFixed(0)} → ${growth.endMb.toFixed(0)} MB${lacks}`,
    );
  }
  for (const [name, each] of [
    ['300 streams alone', big?.calm],
    ['300 streams and 1 MB requests', big?.big],
  ] as const) {
    if (each === null || each === undefined) continue;
    lines.push(
      `${name}: ${each.events} events, ${each.bigRequests} big requests (p50 ${each.bigP50Ms.toFixed(1)} ms); gap over the pace p50 ${each.gapP50Ms.toFixed(2)} p99 ${each.gapP99Ms.toFixed(2)} ms; transit p50 ${each.transitP50Ms.toFixed(2)} p99 ${each.transitP99Ms.toFixed(2)} ms; longest block ${each.maxBlockMs?.toFixed(1) ?? 'unknown'} ms; core ${(each.used * 100).toFixed(0)} %, waited ${(each.waited * 100).toFixed(0)} %, ${each.errors} errors`,
    );
  }
  return lines;
}

export function report(results: Results): string {
  const all = verdicts(results);
  const lines = [
    '',
    ...(Object.keys(results.windows).length === 0 ? [] : windowTable(results)),
    ...otherLines(results),
    '',
    ...all.map(({ what, value, unit, bound, side, passed }) => {
      const digits = value >= 100 ? 0 : 2;
      return columns(
        [what, `${value.toFixed(digits)} ${unit}`, `${side} ${bound} ${unit}`, passed ? 'pass' : 'FAIL'],
        [56, 12, 18, 5],
      );
    }),
    '',
    `${all.filter(({ passed }) => passed).length} of ${all.length} musts hold; load average ${results.loadBefore} before, ${results.loadAfter} after; ${results.seconds.toFixed(0)} s`,
  ];
  return lines.join('\n');
}
