/**
 * The real Python clients: a virtual environment in a temporary folder, the pinned clients from PyPI, and every script of
 * python/ in it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { adminKey, capabilities, type Capability, type Outcome, type Row, type Scene } from './checks.ts';

const scripts = join(import.meta.dirname, 'python');
const clients = [
  {
    package: 'indoxhub==0.2.2',
    client: 'indoxhub 0.2.2 (PyPI)',
    script: 'native_client.py',
    page: 'python-indoxhub.md',
  },
  {
    package: 'openai==3.57.0',
    client: 'openai 3.57.0 (PyPI)',
    script: 'openai_client.py',
    page: 'openai.md',
  },
] as const;

/** Runs a program; its output is returned, and shown where that is wanted. */
function show(
  program: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  isQuiet = false,
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (!isQuiet) process.stdout.write(part);
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, text }));
  });
}

/** The environment's python, or a sentence on why there is none. */
function virtualEnvironment(folder: string, python: string): { python: string } | { problem: string } {
  const own = join(folder, 'bin', 'python');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const steps: [string, string[]][] = [
    [python, ['-m', 'venv', folder]],
    [own, [...pip, ...clients.map((each) => each.package)]],
  ];
  for (const [program, words] of steps) {
    const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8', timeout: 300_000 });
    if (status !== 0)
      return { problem: `${program} ${words.join(' ')}: ${error?.message ?? stderr.trim().slice(-500)}` };
  }
  return { python: own };
}

/** A token of the key that ended an hour ago, signed as the gateway signs. */
async function expiredToken({ gateway }: Scene): Promise<string> {
  const { storage } = gateway.running.gateway;
  const secret = Buffer.from(await storage.settleSetting('jwt_secret', ''), 'base64');
  const { id } = await gateway.admin('POST', '/keys', { name: 'expired token' });
  const hourAgo = Math.floor(Date.now() / 1000) - 3600;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: String(id), iss: 'indoxhub', iat: hourAgo - 60, exp: hourAgo };
  const signed = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** What a script printed: `ok` or `FAIL`, and the capability in brackets. One that did not reach its count has failed. */
function outcomesOf(text: string): Outcome[] {
  const outcomes = [...text.matchAll(/^ {2}(ok {2}|FAIL) \[(\w+)\]/gm)].map(([, verdict = '', word = '']) => {
    const capability = capabilities.find((each) => each === word);
    if (capability === undefined) throw new Error(`a Python check of no known capability: ${word}`);
    return { capability, passed: verdict.startsWith('ok') };
  });
  const counted = /(\d+) passed, (\d+) failed, \d+ skipped\s*$/.exec(text);
  const isWhole = counted !== null && Number(counted[1]) + Number(counted[2]) === outcomes.length;
  const lost: Capability = 'chat';
  return isWhole ? outcomes : [...outcomes, { capability: lost, passed: false }];
}

/** The programs of a page of docs/clients, run one by one: each prints what the comments before it say. */
async function runPage(page: string, python: string, { gateway }: Scene): Promise<Outcome[]> {
  const text = readFileSync(new URL(`../docs/clients/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/((?:<!-- prints: .+ -->\n+)+)```python\n([\s\S]*?)```/g)];
  const env = {
    PATH: process.env['PATH'],
    OPENAI_BASE_URL: `${gateway.url}/v1`,
    OPENAI_API_KEY: gateway.apiKey,
  };
  const outcomes: Outcome[] = [];
  for (const [at, [, before = '', code = '']] of blocks.entries()) {
    const program = code
      .replaceAll('http://127.0.0.1:8100', gateway.url)
      .replaceAll('indox-…', gateway.apiKey);
    const prints = [...before.matchAll(/<!-- prints: (.+) -->/g)].map(([, line = '']) => line);
    const { text: said } = await show(python, ['-c', program], env, true);
    const passed = prints.length > 0 && prints.every((line) => said.includes(line));
    outcomes.push({ capability: 'page', passed });
    console.log(
      `  ${passed ? 'ok  ' : 'FAIL'} [page] docs/clients/${page}, program ${at + 1} of ${blocks.length}`,
    );
    if (!passed) console.log(`       ${said}`);
  }
  return outcomes.length > 0 ? outcomes : [{ capability: 'page', passed: false }];
}

/** Runs `use` with a Python that has the clients, or with a sentence on why there is none. */
export async function withPython<T>(
  python: string,
  use: (made: { python: string } | { problem: string }) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-python-'));
  try {
    return await use(virtualEnvironment(folder, python));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function runPython(python: string, scene: Scene): Promise<Row[]> {
  const env = {
    PATH: process.env['PATH'],
    GATEWAY_URL: scene.gateway.url,
    GATEWAY_KEY: scene.gateway.apiKey,
    GATEWAY_ADMIN_KEY: adminKey,
    GATEWAY_EXPIRED_TOKEN: await expiredToken(scene),
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
  };
  const rows: Row[] = [];
  for (const { client, script, page } of clients) {
    console.log(`# ${client}`);
    const { code, text } = await show(python, [join(scripts, script)], env);
    const outcomes = outcomesOf(text);
    if (code !== 0 && outcomes.every(({ passed }) => passed))
      outcomes.push({ capability: 'chat', passed: false });
    rows.push({ client, outcomes: [...outcomes, ...(await runPage(page, python, scene))] });
  }
  return rows;
}

export const skippedPython = (skipped: string): Row[] =>
  clients.map(({ client }) => ({ client, outcomes: [], skipped }));
