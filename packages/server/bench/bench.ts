/**
 * The benchmark: what a call costs in this gateway, with everything on, against the bare floor of Node and against a
 * peer, in one run. docs/performance.md says how to read it.
 *
 *     npm run bench -- [--quick] [--only chat,relayed,translated,latency,memory,cold,big] [--no-peer]
 *                      [--tree <another checkout>] [--flat <requests>]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureBigBodies, paceMs, type BigBodies } from './big-bodies.ts';
import {
  buildPackage,
  coldStart,
  killAll,
  startFloor,
  startOurs,
  startPortkey,
  startUpstream,
  type ColdStart,
  type Gateway,
  type Upstream,
} from './gateways.ts';
import { canPin, load, pinSelf } from './machine.ts';
import { report, type Results } from './report.ts';
import {
  measure,
  measureDirect,
  measureGrowth,
  prove,
  scenarios,
  warmUp,
  type Scenario,
  type Window,
} from './scenarios.ts';

const parts = ['chat', 'relayed', 'translated', 'latency', 'memory', 'cold', 'big'] as const;
type Part = (typeof parts)[number];

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    peer: { type: 'boolean', default: true },
    tree: { type: 'string' },
    flat: { type: 'string' },
  },
  allowNegative: true,
});

const { quick } = options;
const wanted = new Set(options.only?.split(',') ?? parts);
for (const part of wanted)
  if (!parts.includes(part as Part)) throw new Error(`--only knows ${parts.join(', ')}, not ${part}`);
const wants = (part: Part): boolean => wanted.has(part);
const rounds = 2;
const windowMs = quick ? 1_500 : 3_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Of two windows the one with less CPU: what disturbs only adds. */
function lower(a: Window | undefined, b: Window): Window {
  const best = a === undefined || b.cpuUs < a.cpuUs ? b : a;
  return { ...best, maxRssMb: Math.max(a?.maxRssMb ?? 0, b.maxRssMb), errors: (a?.errors ?? 0) + b.errors };
}

const pinned = canPin();
const gatewayCore = pinned ? 0 : null;
const tree = options.tree === undefined ? {} : { tree: options.tree };

async function startAll(upstream: Upstream): Promise<{ gateways: Gateway[]; missing: string | null }> {
  const gateways = [
    await startFloor(upstream, gatewayCore),
    await startOurs(upstream, { core: gatewayCore, ...tree }),
  ];
  if (!options.peer) return { gateways, missing: 'left out (--no-peer)' };
  try {
    gateways.push(await startPortkey(upstream, gatewayCore));
    return { gateways, missing: null };
  } catch (error) {
    return {
      gateways,
      missing: `could not be installed or started: ${(error as Error).message.split('\n')[0]}`,
    };
  }
}

/** Rounds of all gateways take turns, so that a disturbance of some seconds does not fall on one of them alone. */
async function runScenario(
  scenario: Scenario,
  gateways: readonly Gateway[],
  results: Results,
): Promise<void> {
  for (const gateway of gateways) {
    await prove(scenario, gateway);
    await warmUp(scenario, gateway, quick ? 6_000 : 15_000);
  }
  for (let round = 0; round < rounds; round++) {
    for (const gateway of gateways) {
      const window = await measure(scenario, gateway, windowMs);
      if (window === null) continue;
      const rows = (results.windows[scenario.name] ??= {});
      rows[gateway.name] = lower(rows[gateway.name], window);
    }
  }
  const row = Object.entries(results.windows[scenario.name] ?? {});
  say(
    `${scenario.name}: ${row.map(([name, { cpuUs }]) => `${name} ${cpuUs.toFixed(2)} µs`).join(' · ')}   (load ${load()})`,
  );
}

async function runBig(results: Results): Promise<void> {
  const upstream = await startUpstream(pinned ? 1 : null, paceMs, 400);
  const flags = ['--import', join(import.meta.dirname, 'loop-delay.ts')];
  const ours = await startOurs(upstream, { core: gatewayCore, flags, ...tree });
  const calm = quick ? null : await measureBigBodies(ours, 4_000, false);
  let big: BigBodies = await measureBigBodies(ours, quick ? 5_000 : 8_000);
  if (!quick) {
    const second = await measureBigBodies(ours, 8_000);
    if (second.gapP99Ms < big.gapP99Ms) big = second;
  }
  results.big = { calm, big };
  await ours.stop();
  await upstream.stop();
  say(
    `big bodies: inter-event delay p99 ${big.gapP99Ms.toFixed(1)} ms, longest block ${big.maxBlockMs?.toFixed(1) ?? '?'} ms`,
  );
}

async function run(): Promise<void> {
  const startedAt = new Date();
  if (pinned) pinSelf(1);
  const results: Results = {
    startedAt: startedAt.toISOString(),
    node: process.version,
    quick,
    pinned,
    loadBefore: load(),
    loadAfter: '',
    peerMissing: null,
    windows: {},
    latency: null,
    growth: null,
    cold: null,
    big: null,
    seconds: 0,
  };
  say(
    `Node ${process.version}, ${pinned ? 'gateway on core 0, fake provider and load on core 1' : 'NOT PINNED: no taskset, or fewer than two cores'}; load average ${load()}`,
  );
  const upstream = await startUpstream(pinned ? 1 : null, paceMs, 100);
  const [chat] = scenarios;
  if (wants('cold')) {
    const cold: ColdStart = await coldStart(upstream, { core: gatewayCore, tree: buildPackage() });
    const sources: ColdStart = await coldStart(upstream, { core: gatewayCore, ...tree });
    results.cold = cold;
    say(
      `cold start: ${cold.firstMs.toFixed(0)} ms on an empty directory, ${cold.againMs.toFixed(0)} ms again; from sources ${sources.firstMs.toFixed(0)} and ${sources.againMs.toFixed(0)} ms`,
    );
  }
  if (wants('chat') || wants('relayed') || wants('translated') || wants('latency') || wants('memory')) {
    const { gateways, missing } = await startAll(upstream);
    results.peerMissing = missing;
    say(
      missing === null
        ? 'Portkey: one line of its start-server.js is edited, without which it answers 500 to every stream'
        : `Portkey ${missing}`,
    );
    for (const scenario of scenarios)
      if (wants(scenario.name)) await runScenario(scenario, gateways, results);
    const ours = gateways[1];
    if (ours !== undefined && chat !== undefined && wants('latency')) {
      const direct = await measureDirect(upstream.port, chat, windowMs);
      await warmUp(chat, ours, 2_000);
      let through = await measure(chat, ours, windowMs, 10);
      const second = await measure(chat, ours, windowMs, 10);
      if (through !== null && second !== null && second.p99Ms < through.p99Ms) through = second;
      if (through !== null)
        results.latency = {
          direct,
          through,
          addedP50Ms: through.p50Ms - direct.p50Ms,
          addedP99Ms: through.p99Ms - direct.p99Ms,
        };
    }
    if (ours !== undefined && chat !== undefined && wants('memory')) {
      await warmUp(chat, ours, 2_000);
      const requests = Number(options.flat ?? (quick ? 20_000 : 1_000_000));
      const limitMs = options.flat === undefined ? (quick ? 6_000 : 180_000) : 3_600_000;
      results.growth = await measureGrowth(chat, ours, requests, limitMs);
    }
    for (const gateway of gateways) await gateway.stop();
  }
  await upstream.stop();
  if (wants('big')) await runBig(results);
  results.loadAfter = load();
  results.seconds = (Date.now() - startedAt.getTime()) / 1000;
  say(report(results));
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${startedAt.toISOString().replaceAll(':', '-').slice(0, 19)}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  say(`written to ${file}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    killAll();
    process.exit(1);
  });
try {
  await run();
} finally {
  killAll();
}
process.exit(0);
