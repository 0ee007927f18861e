/**
 * Runs the real Python clients against a real gateway: `node packages/server/test/clients/run.ts [python]`. It makes a
 * virtual environment in a temporary folder, installs the pinned clients from PyPI and runs every script of python/.
 * The last line counts: `N passed, N failed, N skipped`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { adminKey, startGateway, type TestGateway } from '../gateway.ts';
import { startUpstream } from '../upstream.ts';
import { vendor } from './vendor.ts';

const clients = ['indoxhub==0.2.2', 'openai==3.57.0'];
const scripts = join(import.meta.dirname, 'python');
const names = readdirSync(scripts).filter((name) => name.endsWith('_client.py'));

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs a program; its output is shown and returned. */
function show(
  program: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      process.stdout.write(part);
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, text }));
  });
}

/** The environment's python, or a sentence on why there is none. */
function virtualEnvironment(folder: string, python: string): { python: string } | { problem: string } {
  const steps: [string, string[]][] = [
    [python, ['-m', 'venv', folder]],
    [
      join(folder, 'bin', 'python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...clients],
    ],
  ];
  for (const [program, words] of steps) {
    const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8', timeout: 300_000 });
    if (status !== 0)
      return { problem: `${program} ${words.join(' ')}: ${error?.message ?? stderr.trim().slice(-500)}` };
  }
  return { python: join(folder, 'bin', 'python') };
}

/** A token of the key that ended an hour ago, signed as the gateway signs. */
async function expiredToken(gateway: TestGateway): Promise<string> {
  const { storage } = gateway.running.gateway;
  const secret = Buffer.from(await storage.settleSetting('jwt_secret', ''), 'base64');
  const { id } = await gateway.admin('POST', '/keys', { name: 'expired token' });
  const hourAgo = Math.floor(Date.now() / 1000) - 3600;
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(String(id))
    .setIssuer('indoxhub')
    .setIssuedAt(hourAgo - 60)
    .setExpirationTime(hourAgo)
    .sign(secret);
}

async function runScripts(python: string, counts: Counts): Promise<void> {
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
  const env = {
    PATH: process.env['PATH'],
    GATEWAY_URL: gateway.url,
    GATEWAY_KEY: gateway.apiKey,
    GATEWAY_ADMIN_KEY: adminKey,
    GATEWAY_EXPIRED_TOKEN: await expiredToken(gateway),
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
  };
  for (const name of names) {
    console.log(`# ${name}`);
    const { code, text } = await show(python, [join(scripts, name)], env);
    const last = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(text);
    counts.passed += Number(last?.[1] ?? 0);
    counts.failed += last === null ? 1 : Number(last[2]);
    counts.skipped += Number(last?.[3] ?? 0);
    if (last === null) console.log(`  FAIL ${name} ended with ${code} before it had counted`);
  }
  try {
    await gateway.verify();
    console.log('  ok   the books balance');
    counts.passed++;
  } catch (error) {
    console.log(`  FAIL ${String(error)}`);
    counts.failed++;
  }
  await gateway.close();
  await upstream.close();
}

const folder = mkdtempSync(join(tmpdir(), 'indoxhub-python-'));
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
try {
  const made = virtualEnvironment(folder, process.argv[2] ?? 'python3');
  if ('problem' in made) {
    console.log(`  skip ${names.join(', ')}: ${made.problem}`);
    counts.skipped += names.length;
  } else {
    console.log(`# ${clients.join(', ')}`);
    await runScripts(made.python, counts);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
