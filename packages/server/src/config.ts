/**
 * Configuration: flag > environment (over a `.env` file) > indoxhub.yaml > default, merged into one frozen Settings.
 * The only reader of process.env. docs/configuration.md lists every name.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { Secret } from './contract/secret.ts';
import type { Settings } from './contract/settings.ts';
import { mergeEnvironments, readDotEnv, readIfThere, unknownNames } from './config/environment.ts';
import { names, plainKeys, type Plain } from './config/names.ts';
import { readPlain, type Flags } from './config/plain.ts';
import { SettingsError } from './config/problem.ts';
import { checkAliases, readModels, readProviders, type Notes, type Vendor } from './config/providers.ts';
import { readConfigFile, type ConfigFile, type Environment } from './config/read-file.ts';
import { watchFile } from './config/watch.ts';

export { SettingsError } from './config/problem.ts';
export type { Vendor } from './config/providers.ts';

export interface Sources {
  /** providers/registry.ts has them. */
  readonly vendors: readonly Vendor[];
  /** By name, without dashes: `port`, `data-dir`, `config`. */
  readonly flags?: Flags;
  /** Default: the process's own. */
  readonly env?: Environment;
  /** Where `.env` and indoxhub.yaml are looked for; default: the process's own. */
  readonly cwd?: string;
}

export interface Loaded {
  readonly settings: Settings;
  /** One sentence each; none of them stops the gateway. */
  readonly warnings: string[];
  /** Where each plain setting came from: `--port`, `INDOXHUB_PORT`, `indoxhub.yaml:1:7 (port)`, `default`. */
  readonly sources: Readonly<Record<keyof Plain, string>>;
}

/** Throws SettingsError, which names every problem and shows no value. */
export function loadSettings(from: Sources): Loaded {
  const cwd = from.cwd ?? process.cwd();
  const processEnvironment = from.env ?? process.env;
  const environment = mergeEnvironments(readDotEnv(cwd), processEnvironment);
  const flags = from.flags ?? {};
  const notes: Notes = { problems: [], warnings: unknownNames(environment) };
  const configPath = findFile(cwd, flags['config'], environment['INDOXHUB_CONFIG']);
  const file = configPath === null ? null : readFile(configPath, environment);
  const fileDirectory = configPath === null ? cwd : dirname(configPath);

  const { plain, sources } = readPlain(
    { flags, environment, processEnvironment, file, cwd, fileDirectory },
    notes,
  );
  const ownOrigins = ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${plain.port}`);
  if (plain.publicUrl !== null) ownOrigins.push(new URL(plain.publicUrl).host);
  const providers = readProviders({ vendors: from.vendors, environment, file, ownOrigins }, notes);
  const models = file === null ? [] : readModels(file, providers, from.vendors, notes);
  if (file !== null) checkAliases(file, notes);
  if (notes.problems.length > 0) throw new SettingsError(notes.problems);

  const { connectMs, firstByteMs, idleMs, totalMs, ...rest } = plain;
  const settings: Settings = {
    ...rest,
    configPath,
    providers,
    models,
    aliases: file?.settings.aliases ?? {},
    defaults: withoutUndefined(file?.settings.defaults ?? {}),
    timeouts: { connectMs, firstByteMs, idleMs, totalMs },
  };
  origins.set(settings, from);
  return { settings: freeze(settings), warnings: notes.warnings, sources };
}

/** What settings were made from, so that a changed file is read under the same flags and environment. */
const origins = new WeakMap<Settings, Sources>();

function findFile(cwd: string, flag: string | undefined, variable: string | undefined): string | null {
  const named = flag ?? variable;
  if (named !== undefined && named !== '') {
    const path = resolve(cwd, named);
    if (existsSync(path)) return path;
    const where = flag === undefined ? 'INDOXHUB_CONFIG' : '--config';
    throw new SettingsError([{ where, sentence: `there is no file ${path}` }]);
  }
  const path = resolve(cwd, 'indoxhub.yaml');
  return existsSync(path) ? path : null;
}

function readFile(path: string, environment: Environment): ConfigFile {
  let text: string | null;
  try {
    text = readIfThere(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new SettingsError([{ where: path, sentence: `cannot be read (${code})` }]);
  }
  if (text === null) throw new SettingsError([{ where: path, sentence: 'is gone' }]);
  return readConfigFile(basename(path), text, environment);
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !(value instanceof Secret)) {
    for (const member of Object.values(value)) freeze(member);
    Object.freeze(value);
  }
  return value;
}

/** A listener, a store and the keys cannot be exchanged under running calls. */
const fixedAtStart = plainKeys.filter(
  (key): key is keyof Plain & keyof Settings => names[key].fixed === true,
);

export interface SettingsWatch {
  /** Looks now, as SIGHUP asks. */
  check(): void;
  close(): void;
}

/**
 * Watches the file that `current` came from (nothing to watch without one), under the flags and the environment that
 * loadSettings was given for it unless `from` says others. A change that reads well is handed over as
 * a whole; one that does not leaves everything as it was and is reported. What is taken at start only stays as it is.
 */
export function watchSettings(
  from: Sources,
  current: Settings,
  onChange: (settings: Settings, warnings: readonly string[]) => void,
  onError: (error: SettingsError) => void,
): SettingsWatch {
  if (current.configPath === null) return { check() {}, close() {} };
  const sources: Sources = { ...origins.get(current), ...from };
  return watchFile(current.configPath, () => {
    let loaded: Loaded;
    try {
      loaded = loadSettings(sources);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      onError(error);
      return;
    }
    const kept: Record<string, unknown> = {};
    const warnings = [...loaded.warnings];
    for (const key of fixedAtStart) {
      kept[key] = current[key];
      if (plainText(loaded.settings[key]) !== plainText(current[key])) {
        warnings.push(`${loaded.sources[key]}: takes effect at the next start`);
      }
    }
    onChange(Object.freeze({ ...loaded.settings, ...kept }), warnings);
  });
}

const plainText = (value: unknown): string => (value instanceof Secret ? value.reveal() : String(value));
