/** What a command is, and how a command line becomes a call of one. */
import { parseArgs, type ParseArgsOptionDescriptor } from 'node:util';
import { loadSettings, type Loaded } from '../config.ts';
import { names } from '../config/names.ts';
import { didYouMean } from '../config/problem.ts';
import { vendors } from '../providers/registry.ts';

/** 0 done, 1 it failed, 2 the command line is wrong, 3 neither gateway nor store could be reached. */
export type ExitCode = 0 | 1 | 2 | 3;

/** A failure that is one sentence to the person at the keyboard. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CliError => new CliError(2, message);

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  /** May be given several times. */
  readonly multiple?: boolean;
  /** What stands for the value in the help: `<usd>`. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** One or two words. */
  readonly name: string;
  /** Positional arguments, all of them required: `['id', 'amount']`. */
  readonly takes: readonly string[];
  readonly summary: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  run(line: CommandLine): Promise<ExitCode>;
}

/** A parsed command line. */
export interface CommandLine {
  readonly arguments: readonly string[];
  readonly isJson: boolean;
  /** An option's value, or null when it was not given. */
  text(option: string): string | null;
  list(option: string): readonly string[];
  isSet(option: string): boolean;
  /** The configuration as this command line, the environment and the file make it. Throws SettingsError. */
  settings(): Loaded;
  /** Prints `value` as JSON with --json, else the text. */
  print(value: unknown, text: string): void;
  /** For people, on stderr; nothing with --json. */
  say(text: string): void;
}

/** Options every command takes. */
export const commonOptions: Readonly<Record<string, CommandOption>> = {
  config: { type: 'string', value: '<file>', help: 'Configuration file (default: ./indoxhub.yaml if there)' },
  json: { type: 'boolean', help: 'Print JSON' },
  help: { type: 'boolean', help: 'Say how this is used' },
};

/** One flag per setting that is no secret. */
export const settingOptions: Readonly<Record<string, CommandOption>> = Object.fromEntries(
  Object.values(names).flatMap(({ flag, env }): [string, CommandOption][] =>
    flag === null
      ? []
      : [[flag, { type: 'string', value: '<value>', help: `Instead of ${env[0] ?? 'the file'}` }]],
  ),
);

export function parseLine(command: Command, words: readonly string[]): CommandLine {
  const options = { ...settingOptions, ...commonOptions, ...command.options };
  const { values, positionals } = parse(options, words);
  if (values['help'] !== true && positionals.length !== command.takes.length) {
    const wanted = command.takes.map((name) => ` <${name}>`).join('');
    throw usageError(`usage: indoxhub ${command.name}${wanted}`);
  }
  const isJson = values['json'] === true;
  const text = (option: string): string | null => {
    const value = values[option];
    return typeof value === 'string' ? value : null;
  };
  return {
    arguments: positionals,
    isJson,
    text,
    list: (option) => {
      const value = values[option];
      return Array.isArray(value) ? value.map(String) : [];
    },
    isSet: (option) => values[option] === true,
    settings: () => {
      const flags = Object.keys({ ...settingOptions, config: null }).map((flag) => [
        flag,
        text(flag) ?? undefined,
      ]);
      return loadSettings({ vendors, flags: Object.fromEntries(flags) });
    },
    print: (value, words) => console.log(isJson ? JSON.stringify(value, null, 2) : words),
    say: (words) => {
      if (!isJson) console.error(words);
    },
  };
}

function descriptorsOf(
  options: Readonly<Record<string, CommandOption>>,
): Record<string, ParseArgsOptionDescriptor> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple }]): [string, ParseArgsOptionDescriptor] => [
      name,
      { type, multiple: multiple === true, ...(name === 'help' ? { short: 'h' } : {}) },
    ]),
  );
}

/** Where the first word stands that is neither an option nor an option's value. */
export function verbIndex(words: readonly string[]): number {
  const options = descriptorsOf({ ...settingOptions, ...commonOptions });
  const { tokens } = parseArgs({
    args: [...words],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  return tokens.find((token) => token.kind === 'positional')?.index ?? words.length;
}

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

function parse(options: Readonly<Record<string, CommandOption>>, words: readonly string[]) {
  try {
    const parsed = parseArgs({
      args: [...words],
      options: descriptorsOf(options),
      allowPositionals: true,
      strict: true,
    });
    return { values: parsed.values as Values, positionals: parsed.positionals };
  } catch (error) {
    const failure = error as Error & { code?: string };
    if (failure.code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    throw usageError(optionSentence(failure, options, words));
  }
}

function optionSentence(
  error: Error & { code?: string },
  options: Readonly<Record<string, CommandOption>>,
  words: readonly string[],
): string {
  if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const unknown = words
      .map((word) => /^--?([^=]+)/.exec(word)?.[1])
      .find((name) => name !== undefined && !Object.hasOwn(options, name) && name !== 'h');
    if (unknown !== undefined) {
      const hint = /^[\d.]+$/.test(unknown)
        ? '; a negative number comes after --'
        : didYouMean(unknown, Object.keys(options));
      return `there is no option --${unknown}${hint}`;
    }
  }
  const option = /'(?:-\w, )?(--[\w-]+)/.exec(error.message)?.[1];
  if (option === undefined) return error.message.split('\n')[0] ?? error.message;
  return error.message.includes('does not take an argument')
    ? `${option} takes no value`
    : `${option} needs a value`;
}
