/** `indoxhub accounts create|list|credit` */
import { administer } from './administration.ts';
import type { Command } from './command.ts';
import { table, word, type Column } from './table.ts';

const columns: readonly Column[] = [
  { title: 'ID', of: 'id' },
  { title: 'NAME', of: 'name' },
  { title: 'CREDITS', of: 'credits', right: true },
  { title: 'SPENT', of: 'spent', right: true },
  { title: 'HELD', of: 'held', right: true },
  { title: 'AVAILABLE', of: 'available', right: true },
];

const create: Command = {
  name: 'accounts create',
  takes: ['name'],
  summary: 'Create an account and print its id',
  options: {
    credits: { type: 'string', value: '<usd>', help: 'What it may spend: 5.00 (default: no cap)' },
    soft: { type: 'boolean', help: 'Book what exceeds the cap instead of refusing it' },
  },
  async run(line) {
    const body = { name: line.arguments[0], credits: line.text('credits'), soft: line.isSet('soft') };
    const account = await administer(line.settings().settings, (admin) => admin.createAccount(body));
    line.print(account, word(account['id']));
    return 0;
  },
};

const list: Command = {
  name: 'accounts list',
  takes: [],
  summary: 'List accounts with what they have, spent and hold',
  options: {},
  async run(line) {
    const accounts = await administer(line.settings().settings, (admin) => admin.listAccounts());
    line.print({ accounts }, table(columns, accounts));
    return 0;
  },
};

const credit: Command = {
  name: 'accounts credit',
  takes: ['id', 'amount'],
  summary: 'Give an account US dollars (after --, a negative amount takes them back)',
  options: {
    note: { type: 'string', value: '<text>', help: 'Kept in the ledger' },
    id: { type: 'string', value: '<id>', help: 'Sent again with the same id nothing happens' },
  },
  async run(line) {
    const [accountId = '', amount] = line.arguments;
    const id = line.text('id');
    const body = { amount, note: line.text('note') ?? '', ...(id === null ? {} : { id }) };
    const booked = await administer(line.settings().settings, (admin) => admin.credit(accountId, body));
    const balance = booked['balance'] === null ? 'no cap' : `balance ${word(booked['balance'])}`;
    const what = booked['status'] === 'already' ? 'Was booked before' : `Booked ${word(amount)}`;
    line.print(booked, `${what}: account ${accountId}, ${balance}.`);
    return 0;
  },
};

export const accountCommands: readonly Command[] = [create, list, credit];
