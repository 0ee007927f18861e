/** A gateway started as people start it: a command in a child process, its keys read from what it prints. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readAddress } from '../../src/cli/address-file.ts';

export interface Started {
  readonly url: string;
  readonly apiKey: string;
  /** All it has printed. */
  readonly output: string;
  /** SIGTERM to the gateway itself; resolves with the command's exit code. */
  stop(): Promise<number | null>;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
}

/** PATH without the folders npm put before it, so that the machine's own programs are found. */
export const plainPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

/** Resolves once it answers. Rejects with its output when it ends before. */
export async function startCommand(
  command: string,
  words: readonly string[],
  { cwd, env = {} }: StartOptions,
): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-started-'));
  const dataDir = join(folder, 'data');
  const quiet = { INDOXHUB_LOCAL_DISCOVERY: 'off', INDOXHUB_PORT: '0', INDOXHUB_LOG_LEVEL: 'silent' };
  const child = spawn(command, words, {
    cwd,
    env: {
      PATH: plainPath,
      HOME: process.env['HOME'] ?? folder,
      ...quiet,
      INDOXHUB_DATA_DIR: dataDir,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let output = '';
  const failures: string[] = [];
  child.once('error', ({ message }) => failures.push(message));
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const find = (pattern: RegExp): string | undefined => pattern.exec(output)?.[1];
  const deadline = Date.now() + 30_000;
  for (;;) {
    const address = readAddress(dataDir);
    const apiKey = find(/API key +(indox-\w+)/);
    if (address !== null && apiKey !== undefined) {
      const stop = async (): Promise<number | null> => {
        process.kill(address.pid, 'SIGTERM');
        const code = await ended;
        rmSync(folder, { recursive: true, force: true });
        return code;
      };
      return {
        url: address.url,
        apiKey,
        get output() {
          return output;
        },
        stop,
      };
    }
    if (failures.length > 0 || child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`${command} did not start: ${failures.join()}\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
