/** `indoxhub doctor`: is everything here that the gateway needs? Leaves nothing behind but the store of an empty data directory. */
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SettingsError, type Loaded } from '../config.ts';
import type { Settings } from '../contract/settings.ts';
import { vendorById } from '../providers/registry.ts';
import { checkMedia, type MediaCheck } from '../storage/media-files.ts';
import { openMediaFiles } from '../storage/media-place.ts';
import { openStore, viaGateway, type Administration } from './administration.ts';
import type { Command } from './command.ts';

interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly text: string;
}

const ok = (name: string, text: string): Check => ({ name, state: 'ok', text });
const warning = (name: string, text: string): Check => ({ name, state: 'warning', text });
const failed = (name: string, text: string): Check => ({ name, state: 'failed', text });

const marks = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const;

export const doctor: Command = {
  name: 'doctor',
  takes: [],
  summary: 'Check this machine and the configuration',
  options: {},
  async run(line) {
    const checks: Check[] = [nodeVersion()];
    const { check, loaded } = configuration(() => line.settings());
    checks.push(check);
    if (loaded !== null) {
      const { settings } = loaded;
      const running = await viaGateway(settings);
      checks.push(dataDirectory(settings.dataDir), providerKeys(settings), ...(await packages(settings)));
      for (const sentence of loaded.warnings) checks.push(warning('configuration', sentence));
      checks.push(
        running === null ? await portFree(settings) : ok('port', `the ${running.via} is running`),
        ...(running === null ? await store(settings) : await inUse(running)),
      );
    }
    const isWell = checks.every(({ state }) => state !== 'failed');
    const text = checks.map(({ name, state, text }) => `${marks[state]}  ${name}: ${text}`).join('\n');
    line.print({ ok: isWell, checks }, text);
    return isWell ? 0 : 1;
  },
};

function nodeVersion(): Check {
  const version = process.versions.node;
  return Number(version.split('.')[0]) >= 24
    ? ok('node', version)
    : failed('node', `${version} is too old: 24 or newer is needed`);
}

function configuration(load: () => Loaded): { check: Check; loaded: Loaded | null } {
  try {
    const loaded = load();
    return { check: ok('configuration', loaded.settings.configPath ?? 'no file, environment only'), loaded };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { check: failed('configuration', error.message), loaded: null };
  }
}

function dataDirectory(directory: string): Check {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK);
    const probe = join(directory, `.doctor-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return ok('data directory', directory);
  } catch (error) {
    return failed('data directory', `${directory} cannot be written (${codeOf(error)})`);
  }
}

function providerKeys({ providers }: Settings): Check {
  const withKey = providers.filter(({ apiKey }) => apiKey !== null).map(({ id }) => id);
  if (withKey.length > 0) return ok('providers', `keys for ${withKey.join(', ')}`);
  return warning(
    'providers',
    'no provider key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY …): local models only',
  );
}

/** Of providers that are served through a package the operator installs. */
async function packages({ providers }: Settings): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { id, vendor, options } of providers) {
    const adapter = vendorById(vendor)?.adapter;
    if (adapter === undefined) continue;
    const problem = await adapter.check(options).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : 'it cannot be loaded'),
    );
    const name = `provider ${id}`;
    checks.push(problem === null ? ok(name, 'its package is installed') : failed(name, problem));
  }
  return checks;
}

async function portFree({ host, port }: Settings): Promise<Check> {
  const code = await new Promise<string | null>((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(codeOf(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (code === null) return ok('port', `${host}:${port} is free`);
  const reason = code === 'EADDRINUSE' ? 'another program listens there' : code;
  return failed('port', `${host}:${port} cannot be used: ${reason}`);
}

async function store(settings: Settings): Promise<Check[]> {
  try {
    const storage = await openStore(settings);
    try {
      await storage.ping();
      const { ok: balances, problems } = await storage.verify();
      if (!balances)
        return [
          failed('store', `${storage.engine} answers, but the books do not balance: ${problems.join('; ')}`),
        ];
      return [
        ok('store', `${storage.engine} answers and the books balance`),
        media(await checkMedia(await openMediaFiles(settings, storage))),
      ];
    } finally {
      await storage.close();
    }
  } catch (error) {
    return [failed('store', (error as Error).message)];
  }
}

/** Text models work without a place for media. */
function media({ ok: isWell, configured, where, problem }: MediaCheck): Check {
  if (isWell) return ok('media store', `${where} can be written and read`);
  return configured ? failed('media store', problem ?? '') : warning('media store', problem ?? '');
}

/** The gateway that runs has the store; it tries its media itself. */
async function inUse(running: Administration): Promise<Check[]> {
  const store = ok('store', `in use by the ${running.via}`);
  try {
    return [store, media(await running.checkMedia())];
  } catch (error) {
    return [store, failed('media store', (error as Error).message)];
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';
