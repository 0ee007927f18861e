/** `indoxhub migrate` */
import { openStore, viaGateway } from './administration.ts';
import type { Command } from './command.ts';

export const migrate: Command = {
  name: 'migrate',
  takes: [],
  summary: "Bring the store's tables up to this version (start does it, too)",
  options: {},
  async run(line) {
    const { settings } = line.settings();
    const running = await viaGateway(settings);
    if (running !== null) {
      line.print(
        { migrated: true, via: running.via },
        `Nothing to do: the running ${running.via} did it when it started.`,
      );
      return 0;
    }
    const storage = await openStore(settings);
    await storage.close();
    line.print(
      { migrated: true, via: 'store', engine: storage.engine },
      `The ${storage.engine} store is up to date.`,
    );
    return 0;
  },
};
