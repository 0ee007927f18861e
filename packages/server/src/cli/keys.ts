/** `indoxhub keys create|list|revoke|rotate` */
import { administer } from './administration.ts';
import { usageError, type Command, type CommandLine } from './command.ts';
import { table, word, type Column } from './table.ts';

const columns: readonly Column[] = [
  { title: 'ID', of: 'id' },
  { title: 'NAME', of: 'name' },
  { title: 'ACCOUNT', of: 'account_id' },
  { title: 'PREFIX', of: 'prefix' },
  { title: 'STATUS', of: 'status' },
  { title: 'LAST USED', of: 'last_used_at' },
];

const account = { type: 'string', value: '<id>', help: 'Account (default: default)' } as const;

const create: Command = {
  name: 'keys create',
  takes: [],
  summary: 'Create an API key and print it, this once',
  options: {
    name: { type: 'string', value: '<name>', help: 'To recognise it by' },
    account,
    budget: { type: 'string', value: '<usd>', help: 'What it may spend: 5.00' },
    period: { type: 'string', value: '<period>', help: 'Of the budget: total (default), day, week or month' },
    rpm: { type: 'string', value: '<n>', help: 'Requests a minute' },
    tpm: { type: 'string', value: '<n>', help: 'Tokens a minute' },
    model: {
      type: 'string',
      multiple: true,
      value: '<model>',
      help: 'Allowed model, provider/model or provider/*; repeatable',
    },
    expires: { type: 'string', value: '<time>', help: 'When it ends: 2027-01-31T00:00:00Z, or 30d from now' },
  },
  async run(line) {
    const body = newKeyBody(line);
    const key = await administer(line.settings().settings, (admin) => admin.createKey(body));
    line.print(key, word(key['api_key']));
    line.say(`Key ${word(key['id'])} of account ${word(key['account_id'])}. It is not shown again.`);
    return 0;
  },
};

function newKeyBody(line: CommandLine): object {
  const amount = line.text('budget');
  const period = line.text('period');
  if (period !== null && amount === null) throw usageError('--period needs a --budget');
  const models = line.list('model');
  return {
    ...given('name', line.text('name')),
    ...given('account_id', line.text('account')),
    ...given('budget', amount === null ? null : { amount, ...given('period', period) }),
    ...given('rpm', wholeNumber(line, 'rpm')),
    ...given('tpm', wholeNumber(line, 'tpm')),
    ...given('allowed_models', models.length === 0 ? null : models),
    ...given('expires_at', expiry(line.text('expires'))),
  };
}

const given = (name: string, value: unknown): object => (value === null ? {} : { [name]: value });

function wholeNumber(line: CommandLine, option: string): number | null {
  const text = line.text(option);
  if (text === null) return null;
  if (!/^\d{1,11}$/.test(text)) throw usageError(`--${option} must be a whole number`);
  return Number(text);
}

function expiry(text: string | null): string | null {
  const days = text === null ? null : /^(\d{1,4})d$/.exec(text);
  return days === null ? text : new Date(Date.now() + Number(days[1]) * 86_400_000).toISOString();
}

const list: Command = {
  name: 'keys list',
  takes: [],
  summary: 'List API keys',
  options: { account: { ...account, help: 'Only of this account' } },
  async run(line) {
    const keys = await administer(line.settings().settings, (admin) => admin.listKeys(line.text('account')));
    line.print({ keys }, table(columns, keys));
    return 0;
  },
};

const revoke: Command = {
  name: 'keys revoke',
  takes: ['id'],
  summary: 'End an API key for good',
  options: {},
  async run(line) {
    const [id = ''] = line.arguments;
    const key = await administer(line.settings().settings, (admin) => admin.revokeKey(id));
    line.print(key, `Revoked ${id}.`);
    return 0;
  },
};

const rotate: Command = {
  name: 'keys rotate',
  takes: ['id'],
  summary: 'Give an API key a new secret and print it; the old one ends',
  options: {},
  async run(line) {
    const [id = ''] = line.arguments;
    const key = await administer(line.settings().settings, (admin) => admin.rotateKey(id));
    line.print(key, word(key['api_key']));
    line.say(`New secret of key ${id}. It is not shown again.`);
    return 0;
  },
};

export const keyCommands: readonly Command[] = [create, list, revoke, rotate];
