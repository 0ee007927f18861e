/** `indoxhub` or `indoxhub start` */
import type { Running } from '../main.ts';
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
    guard(running);
    await stopSignal();
    const again = stopSignal().then(() => process.exit(1));
    await Promise.race([running.close(), again]);
    return 0;
  },
};

/** What a broken exit may take. */
const lastWordsMs = 5_000;

/**
 * A mistake inside one request must not end the others: a rejection nobody looked at is logged and that is all. After an
 * exception nobody caught nothing is sure any more: what runs is ended settled, and the process goes.
 */
function guard(running: Running): void {
  const { gateway } = running;
  process.on('unhandledRejection', (reason) =>
    gateway.log.error({ err: reason }, 'a rejection nobody looked at'),
  );
  process.once('uncaughtException', (cause) => {
    gateway.log.fatal({ err: cause }, 'an exception nobody caught: the gateway ends');
    setTimeout(() => process.exit(1), lastWordsMs).unref();
    gateway.streams.shutDown();
    void running.close().finally(() => process.exit(1));
  });
}

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
