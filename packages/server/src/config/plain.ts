/** The settings that are one value each, merged: flag > environment > file > default. */
import { isAbsolute, resolve } from 'node:path';
import { fieldName } from '../contract/validate.ts';
import { names, plainKeys, type Name, type Plain } from './names.ts';
import { ValueError } from './problem.ts';
import type { Notes } from './providers.ts';
import type { ConfigFile, Environment } from './read-file.ts';

/** Values of command line flags by name, without dashes. */
export type Flags = Readonly<Record<string, string | undefined>>;

export interface Inputs {
  readonly flags: Flags;
  readonly environment: Environment;
  /** Without `.env`: a bare PORT or DATABASE_URL there is the application's whose directory this is. */
  readonly processEnvironment: Environment;
  readonly file: ConfigFile | null;
  readonly cwd: string;
  /** Of the file; its relative paths start here. */
  readonly fileDirectory: string;
}

interface Found {
  readonly text: string;
  readonly where: string;
  /** What relative paths are relative to. */
  readonly base: string;
}

function find(name: Name<unknown>, inputs: Inputs, notes: Notes): Found | null {
  const flag = name.flag === null ? undefined : inputs.flags[name.flag];
  if (flag !== undefined) return { text: flag, where: `--${name.flag}`, base: inputs.cwd };
  for (const variable of name.env) {
    const from = variable.startsWith('INDOXHUB_') ? inputs.environment : inputs.processEnvironment;
    const text = from[variable];
    if (text === undefined || text === '') continue;
    if (variable === 'DATABASE_URL' && !/^postgres(ql)?:/.test(text)) {
      notes.warnings.push(
        'DATABASE_URL is not a PostgreSQL URL: ignored, set INDOXHUB_DATABASE_URL if you meant it',
      );
      continue;
    }
    return { text, where: variable, base: inputs.cwd };
  }
  let value: unknown = inputs.file?.settings;
  for (const member of name.file) value = (value as Record<string, unknown> | undefined)?.[member];
  if (typeof value !== 'string') return null;
  return {
    text: value,
    where: inputs.file?.where(name.file) ?? fieldName(name.file),
    base: inputs.fileDirectory,
  };
}

function readOne<K extends keyof Plain>(
  key: K,
  inputs: Inputs,
  notes: Notes,
): { value: Plain[K]; found: Found | null } {
  const name: Name<Plain[K]> = names[key];
  const found = find(name, inputs, notes);
  if (found === null) return { value: name.fallback, found };
  try {
    return { value: name.read(found.text), found };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    notes.problems.push({ where: found.where, sentence: error.message });
    return { value: name.fallback, found };
  }
}

/** `sources` names where each value came from: a flag, a variable, a place in the file, or `default`. */
export function readPlain(
  inputs: Inputs,
  notes: Notes,
): { plain: Plain; sources: Record<keyof Plain, string> } {
  const plain: Partial<Record<keyof Plain, unknown>> = {};
  const sources: Partial<Record<keyof Plain, string>> = {};
  for (const key of plainKeys) {
    const { value, found } = readOne(key, inputs, notes);
    plain[key] = value;
    sources[key] = found?.where ?? 'default';
    if ((key === 'dataDir' || key === 'mediaDir') && value !== null) {
      const directory = value as string;
      plain[key] = isAbsolute(directory) ? directory : resolve(found?.base ?? inputs.cwd, directory);
    }
  }
  if (sources.port === 'PORT' && sources.host === 'default') {
    plain.host = '0.0.0.0';
    sources.host = 'PORT';
  }
  return { plain: plain as Plain, sources: sources as Record<keyof Plain, string> };
}
