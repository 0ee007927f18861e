/** `indoxhub ledger verify` */
import { administer } from './administration.ts';
import type { Command } from './command.ts';
import { word } from './table.ts';

export const ledgerVerify: Command = {
  name: 'ledger verify',
  takes: [],
  summary: 'Prove that the books balance',
  options: {},
  async run(line) {
    const report = await administer(line.settings().settings, (admin) => admin.verify());
    const { ok, problems, accounts, entries, open_holds: holds } = report;
    const counted = `${word(accounts)} accounts, ${word(entries)} entries, ${word(holds)} open holds`;
    if (ok === true) {
      line.print(report, `The books balance: ${counted}.`);
      return 0;
    }
    const sentences = Array.isArray(problems) ? problems.map((problem) => `  ${word(problem)}`) : [];
    line.print(report, [`The books do not balance: ${counted}.`, ...sentences].join('\n'));
    return 1;
  },
};
