/** What `--help` prints. */
import { commonOptions, settingOptions, type Command, type CommandOption } from './command.ts';

function optionLines(options: Readonly<Record<string, CommandOption>>): string[] {
  return Object.entries(options).map(([name, { value, help }]) => {
    const left = `  --${name}${value === undefined ? '' : ` ${value}`}`;
    return `${left.padEnd(32)}${help}`;
  });
}

export function generalHelp(commands: readonly Command[]): string {
  const lines = commands.map(({ name, takes, summary }) => {
    const left = `  indoxhub ${[name, ...takes.map((each) => `<${each}>`)].join(' ')}`;
    return `${left.padEnd(42)}${summary}`;
  });
  return [
    'IndoxHub: one API in front of every AI provider.',
    '',
    ...lines,
    '',
    ...optionLines(commonOptions),
    '  --version                     Print the version',
    '',
    '`indoxhub <command> --help` says more. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing could be reached.',
  ].join('\n');
}

export function commandHelp(command: Command): string {
  const { name, takes, summary, options } = command;
  return [
    `indoxhub ${[name, ...takes.map((each) => `<${each}>`)].join(' ')}`,
    '',
    `${summary}.`,
    '',
    ...optionLines(options),
    ...(name === 'start'
      ? optionLines(settingOptions)
      : optionLines({ 'data-dir': settingOptions['data-dir'] ?? { type: 'string', help: '' } })),
    ...optionLines(commonOptions),
  ].join('\n');
}
