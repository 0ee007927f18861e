/** The scenarios and how one window of one scenario is measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from './gateways.ts';
import { ask, requestBytes, startLoad, type Target } from './load.ts';
import { cpuTime, residentMb } from './machine.ts';

export const eventsPerStream = 101;

const system = 'You are a careful assistant that answers in short and clear sentences, without asides. ';
const question = 'Explain how a gateway passes a request on, what it must not change, and why. ';

function body(stream: boolean): string {
  return JSON.stringify({
    model: 'openai/gpt-4o-mini',
    messages: [
      { role: 'system', content: system.repeat(4).trim() },
      { role: 'user', content: question.repeat(5).trim() },
    ],
    temperature: 0.7,
    top_p: 1,
    max_tokens: 256,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  });
}

export interface Scenario {
  readonly name: 'chat' | 'relayed' | 'translated';
  readonly connections: number;
  readonly body: string;
  /** What the CPU time is divided by, for each request. */
  readonly unitsPerRequest: number;
  /** null: the gateway cannot do it. */
  target(gateway: Gateway): Target | null;
  /** Requests before the first window. */
  readonly warmUp: number;
  /** What a right answer has in it. */
  readonly proof: RegExp;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'chat',
    connections: 64,
    body: body(false),
    unitsPerRequest: 1,
    target: (gateway) => gateway.openai,
    // Node still compiles what it found to be hot for some 50,000 requests.
    warmUp: 80_000,
    proof: /"total_tokens":330/,
  },
  {
    name: 'relayed',
    connections: 32,
    body: body(true),
    unitsPerRequest: eventsPerStream,
    target: (gateway) => gateway.openai,
    warmUp: 4_000,
    proof: /word98[^]*"total_tokens":290[^]*\[DONE\]/,
  },
  {
    name: 'translated',
    connections: 32,
    body: body(true),
    unitsPerRequest: eventsPerStream,
    target: (gateway) => gateway.native,
    warmUp: 4_000,
    proof: /word98[^]*\[DONE\]/,
  },
];

/** On its connections, before a window counts. */
const settleMs = 2_000;

export interface Window {
  /** Microseconds of CPU a request or an event. */
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of its core that the gateway had. */
  readonly used: number;
  /** Share of the time in which it was ready and had to wait for its core: other work on the machine. */
  readonly waited: number;
  readonly maxRssMb: number;
  readonly requests: number;
  readonly errors: number;
}

/** Throws when the answer is not what the fake provider said. */
export async function prove(scenario: Scenario, gateway: Gateway): Promise<void> {
  const target = scenario.target(gateway);
  if (target === null) return;
  const answer = await ask(target.port, requestBytes(target, scenario.body));
  if (!scenario.proof.test(answer))
    throw new Error(
      `${gateway.name} answers ${scenario.name} wrongly: ${answer.slice(0, 400)} … ${answer.slice(-300)}`,
    );
}

/** Runs load until `requests` are answered, or for `limitMs`. */
export async function warmUp(scenario: Scenario, gateway: Gateway, limitMs: number): Promise<void> {
  const target = scenario.target(gateway);
  if (target === null) return;
  const load = startLoad(target.port, requestBytes(target, scenario.body), scenario.connections);
  const deadline = performance.now() + limitMs;
  while (load.tally.requests < scenario.warmUp && performance.now() < deadline) await sleep(50);
  await load.stop();
}

export async function measure(
  scenario: Scenario,
  gateway: Gateway,
  ms: number,
  connections = scenario.connections,
): Promise<Window | null> {
  const target = scenario.target(gateway);
  if (target === null) return null;
  const load = startLoad(target.port, requestBytes(target, scenario.body), connections);
  // Connections that close and open send Node's own code back to the compiler; the window begins when that is over.
  await sleep(settleMs);
  load.tally.reset();
  const startedAt = performance.now();
  const before = cpuTime(gateway.pid);
  let maxRssMb = 0;
  while (performance.now() - startedAt < ms) {
    await sleep(100);
    maxRssMb = Math.max(maxRssMb, residentMb(gateway.pid));
  }
  const after = cpuTime(gateway.pid);
  const { tally } = load;
  const tookUs = (performance.now() - startedAt) * 1000;
  const { requests, errors, firstError } = tally;
  const [p50Ms, p99Ms] = [tally.percentile(0.5), tally.percentile(0.99)];
  await load.stop();
  if (errors > 0)
    process.stderr.write(`# ${gateway.name}/${scenario.name}: ${errors} errors: ${firstError}\n`);
  return {
    cpuUs: (after.ranUs - before.ranUs) / (requests * scenario.unitsPerRequest),
    perSecond: (requests * 1e6) / tookUs,
    p50Ms,
    p99Ms,
    used: (after.ranUs - before.ranUs) / tookUs,
    waited: (after.waitedUs - before.waitedUs) / tookUs,
    maxRssMb,
    requests,
    errors,
  };
}

/** Chat at 10 connections against the fake provider itself: what is to be subtracted. */
export async function measureDirect(
  port: number,
  scenario: Scenario,
  ms: number,
): Promise<{ p50Ms: number; p99Ms: number }> {
  const request = requestBytes({ port, path: '/v1/chat/completions', headers: {} }, scenario.body);
  const load = startLoad(port, request, 10);
  await sleep(300);
  load.tally.reset();
  await sleep(ms);
  const result = { p50Ms: load.tally.percentile(0.5), p99Ms: load.tally.percentile(0.99) };
  await load.stop();
  return result;
}

export interface Growth {
  readonly requests: number;
  readonly mbPer100k: number;
  readonly beginMb: number;
  readonly endMb: number;
}

/**
 * Memory over `requests` chat calls: the slope of a straight line through samples of the last four fifths. In the first
 * the compiler still works on what the scenarios before this one left it.
 */
export async function measureGrowth(
  scenario: Scenario,
  gateway: Gateway,
  requests: number,
  limitMs: number,
): Promise<Growth> {
  const load = startLoad(
    gateway.openai.port,
    requestBytes(gateway.openai, scenario.body),
    scenario.connections,
  );
  const samples: { readonly x: number; readonly y: number }[] = [];
  const deadline = performance.now() + limitMs;
  while (load.tally.requests < requests && performance.now() < deadline) {
    await sleep(100);
    load.tally.latenciesMs = [];
    samples.push({ x: load.tally.requests, y: residentMb(gateway.pid) });
  }
  await load.stop();
  const from = (samples.at(-1)?.x ?? 0) / 5;
  const steady = samples.filter((each) => each.x >= from);
  const mean = (of: (each: { x: number; y: number }) => number): number =>
    steady.reduce((sum, each) => sum + of(each), 0) / steady.length;
  const [mx, my] = [mean((each) => each.x), mean((each) => each.y)];
  const slope = mean((each) => (each.x - mx) * (each.y - my)) / mean((each) => (each.x - mx) ** 2);
  return {
    requests: samples.at(-1)?.x ?? 0,
    mbPer100k: slope * 100_000,
    beginMb: samples[0]?.y ?? Number.NaN,
    endMb: samples.at(-1)?.y ?? Number.NaN,
  };
}
