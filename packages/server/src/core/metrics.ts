/**
 * Prometheus metrics. A call adds to one tally found by one string; the families and their labels are made when somebody
 * scrapes. Labels come from bounded sets: routes, provider ids, models that answered; anything else is `other`.
 */
import type { Metric, Registry } from 'prom-client';
import { inputTokens, type TokenUsage } from '../contract/usage.ts';
import { createMediaMetrics, type MediaMetrics } from './media-metrics.ts';
import { counterFamily, Counts, gaugeFamily, histogramFamily, Histogram } from './metric-families.ts';

const seconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900];
const overheads = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const perTokens = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const maxModels = 500;
const maxTallies = 2_000;

/** One finished call, as far as metrics care. */
export interface CallSample {
  readonly route: string;
  readonly provider: string;
  /** `provider/model` */
  readonly model: string;
  readonly status: number;
  readonly stream: boolean;
  readonly durationMs: number;
  readonly firstByteMs: number | null;
  /** Time spent waiting for the provider. */
  readonly upstreamMs: number;
  readonly usage: TokenUsage;
  readonly costNano: bigint | null;
}

export interface Metrics {
  call(sample: CallSample): void;
  upstream(provider: string, outcome: string): void;
  retry(provider: string): void;
  fallback(provider: string): void;
  started(): void;
  ended(): void;
  readonly media: MediaMetrics;
  /** Text exposition format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Everything counted of calls that share their labels. */
class Tally {
  readonly labels: { route: string; provider: string; model: string; status: string; stream: string };
  requests = 0;
  readonly duration = new Histogram(seconds);
  readonly overhead = new Histogram(overheads);
  readonly firstByte = new Histogram(seconds);
  readonly perToken = new Histogram(perTokens);
  input = 0;
  output = 0;
  cacheRead = 0;
  cacheWrite = 0;
  reasoning = 0;
  costNano = 0n;

  constructor(labels: Tally['labels']) {
    this.labels = labels;
  }

  add({ durationMs, upstreamMs, firstByteMs, stream, usage, costNano }: CallSample): void {
    this.requests++;
    this.duration.observe(durationMs / 1000);
    this.overhead.observe(Math.max(0, durationMs - upstreamMs) / 1000);
    const output = usage.output + usage.reasoning;
    if (stream && firstByteMs !== null) {
      this.firstByte.observe(firstByteMs / 1000);
      if (output > 1) this.perToken.observe((durationMs - firstByteMs) / (output - 1) / 1000);
    }
    this.input += inputTokens(usage);
    this.output += usage.output;
    this.cacheRead += usage.cacheRead;
    this.cacheWrite += usage.cacheWrite + usage.cacheWriteLong;
    this.reasoning += usage.reasoning;
    if (costNano !== null) this.costNano += costNano;
  }
}

const others = { route: 'other', provider: 'other', model: 'other', status: 'other', stream: 'other' };

/** The tallies of every combination of labels seen, a bounded number. */
class Tallies {
  private readonly tallies = new Map<string, Tally>();
  private readonly models = new Set<string>();

  all(): Iterable<Tally> {
    return this.tallies.values();
  }

  of({ route, provider, model, status, stream }: CallSample): Tally {
    const label = this.modelLabel(model, status);
    const key = `${route} ${provider} ${label} ${status} ${stream}`;
    const known = this.tallies.get(key);
    if (known !== undefined) return known;
    const isFull = this.tallies.size >= maxTallies;
    const labels = isFull
      ? others
      : { route, provider, model: label, status: String(status), stream: String(stream) };
    const tally = (isFull ? this.tallies.get('other') : undefined) ?? new Tally(labels);
    this.tallies.set(isFull ? 'other' : key, tally);
    return tally;
  }

  /** A name no provider ever answered for is the caller's text, not a label. */
  private modelLabel(model: string, status: number): string {
    if (this.models.has(model)) return model;
    if (status >= 400 || this.models.size >= maxModels) return 'other';
    this.models.add(model);
    return model;
  }
}

const tokenTypes = [
  ['input', 'input'],
  ['output', 'output'],
  ['cache_read', 'cacheRead'],
  ['cache_write', 'cacheWrite'],
  ['reasoning', 'reasoning'],
] as const;

function callFamilies(tallies: () => Iterable<Tally>): Metric[] {
  const each = <T>(make: (tally: Tally) => T): T[] => [...tallies()].map(make);
  return [
    counterFamily('indoxhub_requests_total', 'Calls by outcome', () =>
      each(({ labels, requests }) => ({ labels, value: requests })),
    ),
    counterFamily('indoxhub_tokens_total', 'Tokens by class', () =>
      each((tally) =>
        tokenTypes.map(([type, field]) => ({
          labels: { provider: tally.labels.provider, type },
          value: tally[field],
        })),
      ).flat(),
    ),
    counterFamily('indoxhub_cost_usd_total', 'Cost in US dollars', () =>
      each(({ labels, costNano }) => ({
        labels: { provider: labels.provider },
        value: Number(costNano) / 1e9,
      })),
    ),
    histogramFamily('indoxhub_request_duration_seconds', 'Whole call', seconds, () =>
      each(({ labels: { route, provider, stream }, duration }) => ({
        labels: { route, provider, stream },
        histogram: duration,
      })),
    ),
    histogramFamily(
      'indoxhub_time_to_first_token_seconds',
      'Until the first token of a stream',
      seconds,
      () => each(({ labels: { provider }, firstByte }) => ({ labels: { provider }, histogram: firstByte })),
    ),
    histogramFamily(
      'indoxhub_time_per_output_token_seconds',
      'Between output tokens of a stream',
      perTokens,
      () => each(({ labels: { provider }, perToken }) => ({ labels: { provider }, histogram: perToken })),
    ),
    histogramFamily(
      'indoxhub_overhead_seconds',
      'Call time not spent waiting for the provider',
      overheads,
      () => each(({ labels: { route }, overhead }) => ({ labels: { route }, histogram: overhead })),
    ),
  ];
}

const circuitStates: Readonly<Record<string, number>> = { closed: 0, half_open: 1, open: 2 };

export function createMetrics(circuits: () => ReadonlyMap<string, string>): Metrics {
  const tallies = new Tallies();
  const attempts = new Counts('provider', 'outcome');
  const retries = new Counts('provider');
  const fallbacks = new Counts('provider');
  const media = createMediaMetrics();
  let running = 0;
  const families = (): Metric[] => [
    ...callFamilies(() => tallies.all()),
    counterFamily('indoxhub_upstream_requests_total', 'Attempts at providers that failed or answered', () =>
      attempts.rows(),
    ),
    counterFamily('indoxhub_upstream_retries_total', 'Attempts after the first', () => retries.rows()),
    counterFamily('indoxhub_fallbacks_total', 'Calls moved to another target', () => fallbacks.rows()),
    gaugeFamily('indoxhub_inflight_requests', 'Calls running now', () => [{ labels: {}, value: running }]),
    gaugeFamily('indoxhub_provider_circuit_state', '0 closed, 1 half open, 2 open', () =>
      [...circuits()].map(([target, state]) => ({ labels: { target }, value: circuitStates[state] ?? 0 })),
    ),
    ...media.families(),
  ];

  /** Loaded for the first scrape: most of what it does is to watch the process, and many are never scraped. */
  let registry: Promise<Registry> | null = null;
  const open = async (): Promise<Registry> => {
    const { collectDefaultMetrics, Registry: Families } = await import('prom-client');
    const opened = new Families();
    collectDefaultMetrics({ register: opened });
    for (const family of families()) opened.registerMetric(family);
    return opened;
  };

  return {
    call: (sample) => tallies.of(sample).add(sample),
    upstream: (provider, outcome) => attempts.add([provider, outcome]),
    retry: (provider) => retries.add([provider]),
    fallback: (provider) => fallbacks.add([provider]),
    started: () => {
      running++;
    },
    ended: () => {
      running--;
    },
    media,
    text: async () => {
      registry ??= open();
      return (await registry).metrics();
    },
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  };
}
