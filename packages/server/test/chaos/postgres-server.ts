/** A PostgreSQL of this run's own, with the durability of production, that can be killed and started again. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binaries, freePort, linkLibraries, ready, serverUser } from '../global-setup.ts';

export interface PostgresServer {
  readonly url: string;
  /** SIGKILL to the server and to every process of it. */
  kill(): Promise<void>;
  /** After `kill`: recovers from its log and accepts connections again when it resolves. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The processes a server has forked; where the system does not tell, they see its death by themselves. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export async function startPostgres(): Promise<PostgresServer> {
  const native = binaries();
  linkLibraries(native);
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-chaos-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (user !== null) for (const path of [folder, data]) chownSync(path, user.uid, user.gid);
  const options = { cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' }, ...user };
  const initdb = (from: string) =>
    spawnSync(
      join(from, 'bin', 'initdb'),
      ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8'],
      {
        ...options,
        encoding: 'utf8',
      },
    );
  let programs = native;
  let init = initdb(programs);
  if (init.error !== undefined && user !== null) {
    // The system user may not look into this checkout's folders.
    programs = join(folder, 'native');
    cpSync(native, programs, { recursive: true, verbatimSymlinks: true });
    init = initdb(programs);
  }
  if (init.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb failed: ${init.error?.message ?? init.stderr.slice(-500)}`);
  }
  const port = await freePort();
  let server: ChildProcess | null = null;

  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    const running = server;
    server = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    const children = signal === 'SIGKILL' ? childrenOf(running.pid ?? 0) : [];
    running.kill(signal);
    for (const pid of children) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was quicker.
      }
    }
    await gone;
  };
  const start = async (): Promise<void> => {
    const settings = ['max_connections=100', 'shared_buffers=64MB'].flatMap((each) => ['-c', each]);
    const words = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...settings];
    // Killed processes let go of its shared memory one after another; until then a new server refuses to start.
    for (let attempt = 0; ; attempt++) {
      server = spawn(join(programs, 'bin', 'postgres'), words, {
        ...options,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      try {
        await ready(server);
        return;
      } catch (error) {
        if (attempt === 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const stop = async (): Promise<void> => {
    await ended('SIGINT');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    kill: () => ended('SIGKILL'),
    start,
    stop,
  };
}
