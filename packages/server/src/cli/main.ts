/** The command line. Every failure ends here: one line on stderr and an exit code. */
import { readFileSync } from 'node:fs';
import { SettingsError } from '../config.ts';
import { didYouMean } from '../config/problem.ts';
import { GatewayError } from '../contract/errors.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import { accountCommands } from './accounts.ts';
import { CliError, parseLine, usageError, verbIndex, type Command, type ExitCode } from './command.ts';
import { configCommands } from './config.ts';
import { doctor } from './doctor.ts';
import { commandHelp, generalHelp } from './help.ts';
import { keyCommands } from './keys.ts';
import { ledgerVerify } from './ledger.ts';
import { migrate } from './migrate.ts';
import { startCommand } from './start.ts';

const commands: readonly Command[] = [
  startCommand,
  ...keyCommands,
  ...accountCommands,
  ledgerVerify,
  doctor,
  migrate,
  ...configCommands,
];

/** The command and the words after its name; options may come before it. Start when no verb is given. */
function choose(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const at = verbIndex(words);
  const [first, second] = words.slice(at);
  if (first === undefined) return { command: startCommand, rest: words };
  const rest = (used: number): readonly string[] => [...words.slice(0, at), ...words.slice(at + used)];
  const single = commands.find(({ name }) => name === first);
  if (single !== undefined) return { command: single, rest: rest(1) };
  const family = commands.filter(({ name }) => name.startsWith(`${first} `));
  const double = family.find(({ name }) => name === `${first} ${second ?? ''}`);
  if (double !== undefined) return { command: double, rest: rest(2) };
  if (family.length > 0) {
    const verbs = family.map(({ name }) => name.slice(first.length + 1));
    throw usageError(`indoxhub ${first} takes one of: ${verbs.join(', ')}`);
  }
  const known = new Set(commands.map(({ name }) => name.split(' ')[0] ?? name));
  throw usageError(`there is no command '${first}'${didYouMean(first, known)} (indoxhub --help lists them)`);
}

function version(): string {
  return String(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version);
}

async function run(words: readonly string[]): Promise<ExitCode> {
  if (words[0] === '--version' || words[0] === '-v') {
    console.log(version());
    return 0;
  }
  if (words[0] === '--help' || words[0] === '-h' || words[0] === 'help') {
    console.log(generalHelp(commands));
    return 0;
  }
  const { command, rest } = choose(words);
  const line = parseLine(command, rest);
  if (line.isSet('help')) {
    console.log(commandHelp(command));
    return 0;
  }
  return command.run(line);
}

function report(error: unknown): ExitCode {
  if (error instanceof CliError) return fail(error.exitCode, error.message);
  if (error instanceof SettingsError) {
    for (const { where, sentence } of error.problems) fail(1, `${where}: ${sentence}`);
    return 1;
  }
  if (error instanceof StorageUnavailable) return fail(3, error.message);
  if (error instanceof GatewayError) {
    return fail(error.status === 400 ? 2 : error.status === 503 ? 3 : 1, error.message);
  }
  // A plain Error or a system's own is a sentence; a TypeError and the like is a bug and shows where it is.
  if (error instanceof Error && (error.constructor === Error || 'code' in error))
    return fail(1, error.message);
  throw error;
}

function fail(exitCode: ExitCode, message: string): ExitCode {
  console.error(`indoxhub: ${message}`);
  return exitCode;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
