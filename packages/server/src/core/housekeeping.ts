/**
 * What a running gateway does beside serving: five times a second it says that it lives and learns what changed
 * elsewhere; now and then it rolls usage up, sweeps the holds of dead owners and deletes what expired.
 */
import type { Gateway } from './gateway.ts';

const pulseMs = 200;
const retryMs = 500;
const chores = [
  { name: 'touch', everyMs: 10_000 },
  { name: 'roll_up', everyMs: 15_000 },
  { name: 'sweep', everyMs: 15_000 },
  { name: 'prune', everyMs: 300_000 },
  { name: 'media', everyMs: 600_000 },
] as const;
/** An owner not seen for this long is dead; a SQLite file has one owner by its lock, so there all others are. */
const deadAfterMs = { sqlite: 0, postgres: 30_000 } as const;
/** Usage settles behind the watermark's back for at most this long. */
const rollUpLagMs = 10_000;

export interface Housekeeping {
  /** Runs every chore now; for tests and before closing. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

export function startHousekeeping(gateway: Gateway): Housekeeping {
  const { storage, streams, keys, log, ledger, owner, unsettled } = gateway;
  let stopped = false;
  let version: number | null = null;
  let failing = false;
  let running: Promise<unknown> = Promise.resolve();

  const pulse = async (): Promise<void> => {
    const seen = await storage.pulse(owner);
    if (version !== null && seen.version !== version) keys.forget();
    version = seen.version;
    for (const id of seen.stopped) streams.stopById(id);
  };

  const chore = async (name: (typeof chores)[number]['name']): Promise<void> => {
    if (name === 'touch') {
      const used = keys.takeUsed();
      if (used.length > 0) await storage.touchKeys(used);
    } else if (name === 'roll_up') await storage.rollUp(rollUpLagMs);
    else if (name === 'prune') await storage.prune();
    else if (name === 'media') await gateway.media.sweep();
    else {
      const { swept } = await ledger.run({ op: 'sweep', owner, deadAfterMs: deadAfterMs[storage.engine] });
      if (swept.length > 0) log.warn({ calls: swept.length }, 'closed calls whose process died');
    }
  };

  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      // Only the pulse asks the store each time, so only it can tell.
      if (work !== pulse) return;
      if (failing) log.info('the store answers again');
      failing = false;
    } catch (error) {
      // Said once, not five times a second.
      if (!failing) log.error({ err: error }, 'the store does not answer');
      failing = true;
    }
  };

  const loop = (work: () => Promise<void>, everyMs: number): NodeJS.Timeout => {
    let busy = false;
    const timer = setInterval(() => {
      if (busy || stopped) return;
      busy = true;
      const job = guarded(work).finally(() => {
        busy = false;
      });
      running = Promise.all([running, job]);
    }, everyMs);
    timer.unref();
    return timer;
  };

  void guarded(pulse);
  void guarded(() => chore('sweep'));
  const timers = [
    loop(pulse, pulseMs),
    loop(() => unsettled.retry(), retryMs),
    ...chores.map(({ name, everyMs }) => loop(() => chore(name), everyMs)),
  ];

  return {
    async tidy() {
      for (const { name } of chores) await chore(name);
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      await running;
      await guarded(() => unsettled.retry());
    },
  };
}
