/**
 * Kills a gateway (and its database) again and again under load, then holds three logs against one another: what
 * callers saw, what the provider was asked, what the ledger says.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatUsd, parseUsd } from '../../src/contract/money.ts';
import { freePort } from '../global-setup.ts';
import { adminKey, startChild, temporaryDir, type Child, type ChildOptions } from '../replicas/child.ts';
import { pause, startLoad, startProvider, type Caller, type Logs } from './load.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';
import {
  judge,
  openedForTheDead,
  usageRow,
  type AccountState,
  type Finding,
  type UsageRow,
} from './verdict.ts';

export interface ChaosOptions {
  readonly engine: 'sqlite' | 'postgres';
  /** SIGKILLs of the gateway. */
  readonly kills: number;
  /** SIGKILLs of PostgreSQL and all its processes. */
  readonly postgresKills: number;
  readonly callers: number;
  /** Milliseconds between a start and the next kill, at most. */
  readonly everyMs: number;
  readonly say: (text: string) => void;
}

export interface ChaosReport {
  readonly findings: readonly Finding[];
  readonly facts: readonly (readonly [string, string])[];
}

/** Promised: 30 s until an owner counts as dead, 15 s until the next sweep, and a little. */
const sweepMs = 60_000;
const firstCredits = '0.004';
const topUpCredits = '0.003';
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The gateway of the moment, at one address over all its lives. */
class Lives {
  readonly options: ChildOptions;
  current: Child | null = null;
  slowestMs = 0;

  constructor(options: ChildOptions) {
    this.options = options;
  }

  async start(): Promise<Child> {
    const from = performance.now();
    this.current = await startChild(this.options);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - from);
    return this.current;
  }

  /** Repeats until the gateway of the moment has done it: give it what may be done twice. */
  async insist<T>(work: (child: Child) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        if (this.current === null) throw new Error('no gateway');
        return await work(this.current);
      } catch (error) {
        if (attempt === 300) throw error;
        await pause(100);
      }
    }
  }
}

interface Wallet {
  readonly accountId: string;
  grantedNano: bigint;
}

/** Callers of three accounts: one without a cap, two with one that runs out and is filled up again. */
async function createCallers(lives: Lives, first: Child, count: number): Promise<[Caller[], Wallet[]]> {
  const wallets: Wallet[] = [];
  const callers: Caller[] = [];
  const uncapped = await first.admin('POST', '/accounts', { name: 'uncapped', credits: null });
  for (const name of ['capped-a', 'capped-b']) {
    const made = await first.admin('POST', '/accounts', { name, credits: firstCredits });
    wallets.push({ accountId: String(made['id']), grantedNano: parseUsd(firstCredits) });
  }
  for (let index = 0; index < count; index++) {
    const wallet = wallets[index % 3];
    const accountId = wallet?.accountId ?? String(uncapped['id']);
    const key = await first.admin('POST', '/keys', { account_id: accountId, name: `caller ${index}` });
    let topUps = 0;
    const topUp = async (): Promise<void> => {
      if (wallet === undefined) return;
      // The same id until it is done: however often it is sent, it is booked once.
      const id = `top-up-${index}-${topUps++}`;
      wallet.grantedNano += parseUsd(topUpCredits);
      const body = { amount: topUpCredits, note: 'chaos', id };
      await lives.insist((child) => child.admin('POST', `/accounts/${accountId}/credits`, body));
    };
    callers.push({ keyId: String(key['id']), accountId, apiKey: String(key['api_key']), topUp });
  }
  return [callers, wallets];
}

async function allRows(child: Child): Promise<UsageRow[]> {
  const rows: UsageRow[] = [];
  for (let page = ''; ;) {
    const answer = await child.admin('GET', `/requests?limit=100${page}`);
    rows.push(...(answer['requests'] as Record<string, unknown>[]).map(usageRow));
    const next = answer['next'] as { before: number; before_id: string } | null;
    if (next === null) return rows;
    page = `&before=${next.before}&before_id=${next.before_id}`;
  }
}

async function accountStates(child: Child, wallets: readonly Wallet[]): Promise<AccountState[]> {
  const { accounts } = (await child.admin('GET', '/accounts')) as {
    accounts: Record<string, string | null>[];
  };
  return accounts.map((account) => {
    const credits = account['credits'] ?? null;
    return {
      id: String(account['id']),
      cappedAtNano: wallets.find(({ accountId }) => accountId === account['id'])?.grantedNano ?? null,
      creditsNano: credits === null ? null : parseUsd(credits),
      spentNano: parseUsd(String(account['spent'])),
    };
  });
}

/** Waits until no call of a dead gateway is open; answers how long that took, or null when it never was. */
async function swept(child: Child): Promise<{ before: number; waitedMs: number | null }> {
  const from = performance.now();
  const open = async (): Promise<number> =>
    Number((await child.admin('POST', '/ledger/verify'))['open_holds']);
  const before = await open();
  for (let now = before; now > 0; now = await open()) {
    if (performance.now() - from > sweepMs) return { before, waitedMs: null };
    await pause(500);
  }
  return { before, waitedMs: performance.now() - from };
}

/** The command line's own proof, after the gateway has ended. */
function verifiedByCommand(options: ChildOptions): Finding {
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, 'ledger', 'verify'], {
    cwd: options.dataDir,
    env: { PATH: process.env['PATH'] ?? '', INDOXHUB_DATA_DIR: options.dataDir, ...databaseOf(options) },
    encoding: 'utf8',
  });
  const said = (stdout + stderr).trim();
  const violations = status === 0 ? [] : [said];
  return { promise: 'indoxhub ledger verify: the books balance', checked: 1, violations };
}

const databaseOf = ({ env }: ChildOptions): Record<string, string> => {
  const url = env?.['INDOXHUB_DATABASE_URL'];
  return url === undefined ? {} : { INDOXHUB_DATABASE_URL: url };
};

async function killOnce(
  victim: 'gateway' | 'postgres',
  lives: Lives,
  postgres: PostgresServer | null,
): Promise<void> {
  if (victim === 'postgres' && postgres !== null) {
    await postgres.kill();
    await pause(Math.random() * 1000);
    await postgres.start();
    return;
  }
  const { current } = lives;
  if (current === null) throw new Error('no gateway');
  lives.current = null;
  await current.kill();
  await lives.start();
}

/** Every victim in random order. */
function victims(options: ChaosOptions): ('gateway' | 'postgres')[] {
  const all = [
    ...Array.from({ length: options.kills }, () => 'gateway' as const),
    ...Array.from({ length: options.postgresKills }, () => 'postgres' as const),
  ];
  return all
    .map((victim) => ({ victim, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ victim }) => victim);
}

interface Stage {
  readonly options: ChaosOptions;
  readonly lives: Lives;
  readonly postgres: PostgresServer | null;
  readonly logs: Logs;
}

async function act({ options, lives, postgres, logs }: Stage): Promise<ChaosReport> {
  const from = performance.now();
  const first = await lives.start();
  const [callers, wallets] = await createCallers(lives, first, options.callers);
  const load = startLoad(first.url, callers, logs.client);
  const order = victims(options);
  for (const [index, victim] of order.entries()) {
    await pause(options.everyMs * (0.2 + 0.8 * Math.random()));
    await killOnce(victim, lives, postgres);
    options.say(
      `kill ${index + 1} of ${order.length}: ${victim}; ${logs.client.length} answers and endings so far`,
    );
  }
  await pause(options.everyMs / 2);
  await load.stop();
  const child = lives.current;
  if (child === null) throw new Error('no gateway');
  const loadSeconds = (performance.now() - from) / 1000;
  options.say('waiting for the sweep');
  const { before, waitedMs } = await swept(child);
  const asked = await load.askAgain();
  const { rows, accounts } = { rows: await allRows(child), accounts: await accountStates(child, wallets) };
  const { code } = await child.stop();
  const findings = [
    ...judge({ ...logs, rows, accounts }, options.postgresKills > 0),
    {
      promise: `calls of dead gateways are closed within ${sweepMs / 1000} s`,
      checked: before,
      violations: waitedMs === null ? ['some are still open'] : [],
    },
    verifiedByCommand(lives.options),
    {
      promise: 'SIGTERM at the end: exit code 0',
      checked: 1,
      violations: code === 0 ? [] : [`exit code ${code}`],
    },
  ];
  const count = (outcome: string): string =>
    String(logs.client.filter((entry) => entry.outcome === outcome).length);
  const late = openedForTheDead({ ...logs, rows, accounts });
  const unknown = rows.filter(({ ending }) => ending === 'unknown');
  return {
    findings,
    facts: [
      ['engine', options.engine],
      ['gateway killed', `${options.kills} times`],
      ['PostgreSQL killed', `${options.postgresKills} times`],
      ['load', `${options.callers} callers, ${loadSeconds.toFixed(0)} s`],
      ['answers seen whole', count('complete')],
      ['connections lost', count('cut')],
      ['callers who left', count('left')],
      ['answers with a typed error', count('failed')],
      ['calls to the provider', String(logs.upstream.length)],
      ['usage rows', String(rows.length)],
      [
        'of them closed by the sweep',
        `${unknown.length}, charged ${formatUsd(unknown.reduce((sum, row) => sum + row.chargedNano, 0n))} US dollars`,
      ],
      ['opened by the database after its gateway died', `${late.count}, ${late.latestMs} ms after at most`],
      ['open at the end of the load', String(before)],
      ['until the sweep had closed them', waitedMs === null ? 'never' : `${(waitedMs / 1000).toFixed(1)} s`],
      ['Idempotency-Keys asked for again', String(asked)],
      ['slowest start', `${(lives.slowestMs / 1000).toFixed(1)} s`],
    ],
  };
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = temporaryDir();
  const postgres = options.engine === 'postgres' ? await startPostgres() : null;
  const logs: Logs = { client: [], upstream: [] };
  const provider = await startProvider(logs.upstream);
  const env = {
    INDOXHUB_PORT: String(await freePort()),
    INDOXHUB_ADMIN_KEY: adminKey,
    // One attempt a call, so that the provider's log and the ledger's rows can be compared one to one.
    INDOXHUB_MAX_RETRIES: '0',
    OPENAI_API_KEY: 'sk-chaos',
    OPENAI_BASE_URL: provider.url,
    ...(postgres === null ? {} : { INDOXHUB_DATABASE_URL: postgres.url }),
  };
  const lives = new Lives({ dataDir: join(folder.path, 'data'), env });
  try {
    return await act({ options, lives, postgres, logs });
  } finally {
    await lives.current?.kill();
    await provider.close();
    await postgres?.stop();
    folder.remove();
  }
}

/** The report as people read it. */
export function table({ facts, findings }: ChaosReport): string {
  const width = Math.max(
    ...facts.map(([name]) => name.length),
    ...findings.map(({ promise }) => promise.length),
  );
  const lines = [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    `${'promise'.padEnd(width)}  ${'checked'.padStart(7)}  violations`,
    ...findings.map(
      ({ promise, checked, violations }) =>
        `${promise.padEnd(width)}  ${String(checked).padStart(7)}  ${violations.length}`,
    ),
  ];
  for (const { violations } of findings) {
    for (const violation of violations.slice(0, 10)) lines.push(`  VIOLATION: ${violation}`);
    if (violations.length > 10) lines.push(`  … and ${violations.length - 10} more of that kind`);
  }
  return lines.join('\n');
}
