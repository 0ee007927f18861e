/** `indoxhub` or `indoxhub start` */
import type { Command } from './command.ts';

export const startCommand: Command = {
  name: 'start',
  takes: [],
  summary: 'Start the gateway (also without a verb)',
  options: {},
  async run(line) {
    const { settings, warnings } = line.settings();
    for (const warning of warnings) console.error(`indoxhub: warning: ${warning}`);
    const { start } = await import('../main.ts');
    const running = await start({ settings });
    await stopSignal();
    const again = stopSignal().then(() => process.exit(1));
    await Promise.race([running.close(), again]);
    return 0;
  },
};

/** Resolves at the next SIGTERM or SIGINT. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      process.off('SIGTERM', done).off('SIGINT', done);
      resolve();
    };
    process.on('SIGTERM', done).on('SIGINT', done);
  });
}
