/** What a client can be asked to do, and what was found when it was asked. */
import { readFileSync } from 'node:fs';
import { adminKey, startGateway, type TestGateway } from '../packages/server/test/gateway.ts';
import { startUpstream, type Upstream } from '../packages/server/test/upstream.ts';
import { vendor } from '../packages/server/test/clients/vendor.ts';

/** Columns of the table, in its order. */
export const capabilities = [
  'chat',
  'stream',
  'stop',
  'tools',
  'schema',
  'completion',
  'embed',
  'image',
  'speech',
  'transcribe',
  'video',
  'models',
  'cost',
  'errors',
  'retry',
  'account',
  'page',
] as const;
export type Capability = (typeof capabilities)[number];

export interface Check {
  readonly capability: Capability;
  readonly name: string;
  /** Fails by throwing. */
  run(this: void, scene: Scene): Promise<void>;
}

export interface Suite {
  /** The client, with the version that runs. */
  readonly client: string;
  readonly checks: readonly Check[];
}

export interface Outcome {
  readonly capability: Capability;
  readonly passed: boolean;
}

/** What happened to a client; `skipped` says why none of its checks ran. */
export interface Row {
  readonly client: string;
  readonly outcomes: readonly Outcome[];
  readonly skipped?: string;
}

/** A running gateway before a running vendor. */
export interface Scene {
  readonly gateway: TestGateway;
  readonly upstream: Upstream;
  /** The vendor's models that chat. */
  readonly model: string;
  /** Its failures must not make the gateway leave `model` alone. */
  readonly failing: string;
  close(): Promise<void>;
}

export { adminKey };

/** `name 1.2.3 (npm)`, as it is installed. */
export function installed(name: string): string {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${(JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version}`;
}

export async function openScene(): Promise<Scene> {
  const upstream = await startUpstream(vendor);
  const gateway = await startGateway({
    env: {
      INDOXHUB_VIDEO_POLL: '20ms',
      OPENAI_API_KEY: 'sk-of-the-gateway',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_MAX_RETRIES: '0',
      INDOXHUB_HEARTBEAT: '100ms',
    },
  });
  return {
    gateway,
    upstream,
    model: 'openai/gpt-4o-mini',
    failing: 'openai/gpt-4o',
    async close() {
      await gateway.close();
      await upstream.close();
    },
  };
}

/** Runs a client's checks one after the other; each prints a line. */
export async function runSuite({ client, checks }: Suite, scene: Scene): Promise<Row> {
  console.log(`# ${client}`);
  const outcomes: Outcome[] = [];
  for (const { capability, name, run } of checks) {
    const started = performance.now();
    let problem: unknown = null;
    try {
      await run(scene);
    } catch (error) {
      problem = error ?? new Error('something empty was thrown');
    }
    const passed = problem === null;
    outcomes.push({ capability, passed });
    console.log(
      `  ${passed ? 'ok  ' : 'FAIL'} [${capability}] ${name} (${Math.round(performance.now() - started)} ms)`,
    );
    if (!passed)
      console.log(
        `       ${(problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)).replaceAll('\n', '\n       ')}`,
      );
  }
  return { client, outcomes };
}

/** Markdown: a client a row; a cell says how many of its checks passed, of how many, or nothing where it has none. */
export function table(rows: readonly Row[]): string {
  const used = capabilities.filter((each) =>
    rows.some(({ outcomes }) => outcomes.some(({ capability }) => capability === each)),
  );
  const cell = (row: Row, wanted: Capability): string => {
    if (row.skipped !== undefined) return 'skip';
    const those = row.outcomes.filter(({ capability }) => capability === wanted);
    const good = those.filter(({ passed }) => passed).length;
    if (those.length === 0) return '';
    return good === those.length ? `✓ ${good}` : `✗ ${good}/${those.length}`;
  };
  const lines = [
    ['client', ...used],
    ...rows.map((row) => [row.client, ...used.map((each) => cell(row, each))]),
  ];
  const widths = ['', ...used].map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
  const print = (line: readonly string[]): string =>
    `| ${line.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = lines;
  return [print(head), print(widths.map((width) => '-'.repeat(width))), ...body.map(print)].join('\n');
}
