/** Prometheus metrics. Labels come from bounded sets: routes, provider ids, catalogue models; anything else is `other`. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { TokenUsage } from '../contract/usage.ts';
import { inputTokens } from '../contract/usage.ts';

const seconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900];
const maxModels = 500;

/** One finished call, as far as metrics care. */
export interface CallSample {
  readonly route: string;
  readonly provider: string;
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
  /** Text exposition format. */
  text(): Promise<string>;
  readonly contentType: string;
}

function instruments(registers: Registry[]) {
  return {
    requests: new Counter({
      name: 'indoxhub_requests_total',
      help: 'Calls by outcome',
      labelNames: ['route', 'provider', 'model', 'status', 'stream'],
      registers,
    }),
    duration: new Histogram({
      name: 'indoxhub_request_duration_seconds',
      help: 'Whole call',
      labelNames: ['route', 'provider', 'stream'],
      buckets: seconds,
      registers,
    }),
    firstByte: new Histogram({
      name: 'indoxhub_time_to_first_token_seconds',
      help: 'Until the first token of a stream',
      labelNames: ['provider'],
      buckets: seconds,
      registers,
    }),
    perToken: new Histogram({
      name: 'indoxhub_time_per_output_token_seconds',
      help: 'Between output tokens of a stream',
      labelNames: ['provider'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    overhead: new Histogram({
      name: 'indoxhub_overhead_seconds',
      help: 'Call time not spent waiting for the provider',
      labelNames: ['route'],
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    upstream: new Counter({
      name: 'indoxhub_upstream_requests_total',
      help: 'Attempts at providers',
      labelNames: ['provider', 'outcome'],
      registers,
    }),
    retries: new Counter({
      name: 'indoxhub_upstream_retries_total',
      help: 'Attempts after the first',
      labelNames: ['provider'],
      registers,
    }),
    fallbacks: new Counter({
      name: 'indoxhub_fallbacks_total',
      help: 'Calls moved to another target',
      labelNames: ['provider'],
      registers,
    }),
    tokens: new Counter({
      name: 'indoxhub_tokens_total',
      help: 'Tokens by class',
      labelNames: ['provider', 'type'],
      registers,
    }),
    cost: new Counter({
      name: 'indoxhub_cost_usd_total',
      help: 'Cost in US dollars',
      labelNames: ['provider'],
      registers,
    }),
    inflight: new Gauge({ name: 'indoxhub_inflight_requests', help: 'Calls running now', registers }),
  };
}

export function createMetrics(circuits: () => ReadonlyMap<string, string>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const all = instruments([registry]);
  const circuit: Gauge<'target'> = new Gauge({
    name: 'indoxhub_provider_circuit_state',
    help: '0 closed, 1 half open, 2 open',
    labelNames: ['target'],
    registers: [registry],
    collect() {
      circuit.reset();
      for (const [target, state] of circuits())
        circuit.set({ target }, state === 'closed' ? 0 : state === 'open' ? 2 : 1);
    },
  });
  const models = new Set<string>();
  const modelLabel = (model: string): string => {
    if (models.has(model)) return model;
    if (models.size >= maxModels) return 'other';
    models.add(model);
    return model;
  };
  return {
    call({ route, provider, model, status, stream, durationMs, firstByteMs, upstreamMs, usage, costNano }) {
      const streamed = String(stream);
      // A refused name is the caller's text, not a label.
      const label = status < 400 ? modelLabel(model) : models.has(model) ? model : 'other';
      all.requests.inc({ route, provider, model: label, status, stream: streamed });
      all.duration.observe({ route, provider, stream: streamed }, durationMs / 1000);
      all.overhead.observe({ route }, Math.max(0, durationMs - upstreamMs) / 1000);
      const output = usage.output + usage.reasoning;
      if (stream && firstByteMs !== null) {
        all.firstByte.observe({ provider }, firstByteMs / 1000);
        if (output > 1) all.perToken.observe({ provider }, (durationMs - firstByteMs) / (output - 1) / 1000);
      }
      if (inputTokens(usage) + output === 0) return;
      all.tokens.inc({ provider, type: 'input' }, inputTokens(usage));
      all.tokens.inc({ provider, type: 'output' }, usage.output);
      if (usage.cacheRead > 0) all.tokens.inc({ provider, type: 'cache_read' }, usage.cacheRead);
      if (usage.cacheWrite > 0) all.tokens.inc({ provider, type: 'cache_write' }, usage.cacheWrite);
      if (usage.reasoning > 0) all.tokens.inc({ provider, type: 'reasoning' }, usage.reasoning);
      if (costNano !== null && costNano > 0n) all.cost.inc({ provider }, Number(costNano) / 1e9);
    },
    upstream: (provider, outcome) => all.upstream.inc({ provider, outcome }),
    retry: (provider) => all.retries.inc({ provider }),
    fallback: (provider) => all.fallbacks.inc({ provider }),
    started: () => all.inflight.inc(),
    ended: () => all.inflight.dec(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
