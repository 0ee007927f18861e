/**
 * A process of its own that works on the ledger, for tests of several processes at once. Reads its task as JSON from
 * argv, answers one line of JSON on stdout.
 */
import { admitOf, extendOf, settleOf } from '../../src/storage/conformance-fixtures.ts';
import { openStorage } from '../../src/storage/open.ts';
import { StorageUnavailable, type LedgerOperation, type Storage } from '../../src/storage/storage.ts';

export interface Task {
  readonly kind: 'fixed' | 'varied' | 'hold';
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly accountId: string;
  readonly owner: string;
  readonly calls: number;
  /** Calls at once. */
  readonly concurrency: number;
  readonly costNano: string;
}

export interface Outcome {
  admitted: number;
  refused: number;
  /** True costs beyond what could be charged, and charges. */
  charged: string;
}

async function call(storage: Storage, task: Task, index: number, outcome: Outcome): Promise<void> {
  const estimate = BigInt(task.costNano);
  const admit = admitOf(task.accountId, estimate, { owner: task.owner });
  const [result] = await storage.commit([admit]);
  if (result === undefined || !('status' in result) || result.status !== 'admitted') {
    outcome.refused++;
    return;
  }
  outcome.admitted++;
  if (task.kind === 'hold') return;
  // From a tenth of the estimate to five times it, spread evenly and the same in every run.
  const cost = task.kind === 'fixed' ? estimate : (estimate * BigInt(10 + ((index * 37) % 491))) / 100n;
  let held = estimate;
  while (held < cost) {
    const operations: LedgerOperation[] = [extendOf(admit.id, estimate, { leastNano: 1n, spentNano: held })];
    const [extended] = await storage.commit(operations);
    if (extended === undefined || !('addedNano' in extended) || extended.addedNano === 0n) break;
    held += extended.addedNano;
  }
  const [settled] = await storage.commit([settleOf(admit, cost)]);
  if (settled !== undefined && 'chargedNano' in settled) {
    outcome.charged = String(BigInt(outcome.charged) + settled.chargedNano);
  }
}

async function main(): Promise<void> {
  const task: Task = JSON.parse(process.argv[2] ?? '');
  const storage = await openStorage(task);
  await storage.pulse(task.owner);
  const outcome: Outcome = { admitted: 0, refused: 0, charged: '0' };
  let next = 0;
  await Promise.all(
    Array.from({ length: task.concurrency }, async () => {
      while (next < task.calls) await call(storage, task, next++, outcome);
    }),
  );
  console.log(JSON.stringify(outcome));
  // Waits to be killed: its calls stay open, as after a crash.
  if (task.kind === 'hold') setInterval(() => {}, 1000);
  else await storage.close();
}

try {
  await main();
} catch (error) {
  console.log(
    JSON.stringify({
      error: error instanceof Error ? error.message : String(error),
      away: error instanceof StorageUnavailable,
    }),
  );
  process.exitCode = 1;
}
