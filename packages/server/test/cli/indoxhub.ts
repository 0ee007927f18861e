/** The command line as people run it: a child process in a directory of its own, on SQLite. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Home {
  readonly directory: string;
  readonly dataDir: string;
  /** Runs a command to its end. */
  run(words: readonly string[], env?: Record<string, string>): Promise<Finished>;
  /** Runs it with --json and parses what it prints. */
  json(words: readonly string[]): Promise<Record<string, unknown>>;
  start(words: readonly string[], env?: Record<string, string>): ChildProcess;
  remove(): void;
}

/** Nothing of the caller's environment but what a process needs to run. */
function cleanEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'SystemRoot', 'NODE_OPTIONS']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

export function createHome(): Home {
  const directory = mkdtempSync(join(tmpdir(), 'indoxhub-cli-'));
  const start = (words: readonly string[], env: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, [main, ...words], {
      cwd: directory,
      env: { ...cleanEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const run = (words: readonly string[], env: Record<string, string> = {}): Promise<Finished> => {
    const child = start(words, env);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
    });
  };
  return {
    directory,
    dataDir: join(directory, '.indoxhub'),
    run,
    start,
    async json(words) {
      const { exitCode, stdout, stderr } = await run([...words, '--json']);
      if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
      return JSON.parse(stdout);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
