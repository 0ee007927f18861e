/** The environment as the gateway sees it: the process's own, and under it a `.env` file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { knownEnvNames } from './names.ts';
import { didYouMean } from './problem.ts';
import type { Environment } from './read-file.ts';

/** The variables of `<directory>/.env`, or none. What is set to nothing counts as not set. */
export function readDotEnv(directory: string): Environment {
  const text = readIfThere(join(directory, '.env'));
  return text === null ? {} : parseEnv(text);
}

/** `over` wins, variable by variable. */
export function mergeEnvironments(under: Environment, over: Environment): Environment {
  const merged: Record<string, string | undefined> = { ...under };
  for (const [name, value] of Object.entries(over))
    if (value !== undefined && value !== '') merged[name] = value;
  return merged;
}

/** A warning for each variable with our prefix that nothing reads. */
export function unknownNames(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('INDOXHUB_') && !knownEnvNames.has(name))
    .map((name) => `${name} is not a known name${didYouMean(name, knownEnvNames)}`);
}

/** The file's text; null when there is no such file. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
