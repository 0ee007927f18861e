/** The chaos run in small: `npm run chaos` is the real one. */
import { expect, test } from 'vitest';
import { runChaos } from './run.ts';
import { runVideoChaos } from './videos.ts';

test('three kills of a gateway on SQLite break no promise', { timeout: 120_000 }, async () => {
  const { findings } = await runChaos({
    engine: 'sqlite',
    kills: 3,
    postgresKills: 0,
    callers: 6,
    everyMs: 1500,
    say: () => {},
  });
  expect(findings.flatMap(({ violations }) => violations)).toEqual([]);
  const checked = (promise: string): number =>
    findings.find((each) => each.promise.startsWith(promise))?.checked ?? 0;
  expect(checked('an answer whose last byte came')).toBeGreaterThan(20);
  expect(checked('every call to the provider')).toBeGreaterThan(20);
});

test('three kills of a gateway lose, repeat and overcharge no video job', { timeout: 180_000 }, async () => {
  const { violations, facts } = await runVideoChaos({
    engine: 'sqlite',
    jobs: 30,
    kills: 3,
    postgresKills: 0,
    replicas: 1,
    say: () => {},
  });
  expect(violations).toEqual([]);
  expect(facts).toMatchObject({ jobs: 30, completed: 24, failed: 3, cancelled: 3, open_holds: 0 });
});
