/** Random calls from many workers at once: whatever they do, the books balance and no cap is passed. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  admitOf,
  creditOf,
  extendOf,
  newAccount,
  newId,
  problems,
  settleOf,
  type Place,
} from './conformance-fixtures.ts';
import type { AdmitOperation, LedgerOperation, Storage } from './storage.ts';

const workers = 8;

/** One call as a worker plays it; amounts are nano-USD, small enough that caps are met all the time. */
const callPlan = fc.record({
  hold: fc.bigInt(0n, 400n),
  leastShare: fc.integer({ min: 0, max: 100 }),
  extensions: fc.array(fc.record({ add: fc.bigInt(0n, 200n), spent: fc.bigInt(0n, 500n) }), { maxLength: 3 }),
  cost: fc.bigInt(0n, 900n),
  ending: fc.constantFrom('settle', 'settle', 'settle twice', 'die', 'die, settle late'),
  credit: fc.option(fc.bigInt(-300n, 300n), { nil: null }),
  withKey: fc.boolean(),
});
type CallPlan = typeof callPlan extends fc.Arbitrary<infer T> ? T : never;

const scenario = fc.record({
  credit: fc.bigInt(0n, 3000n),
  keyBudget: fc.bigInt(0n, 2000n),
  plans: fc.array(fc.array(callPlan, { minLength: 1, maxLength: 5 }), {
    minLength: workers,
    maxLength: workers,
  }),
});

interface Run {
  readonly storage: Storage;
  readonly account: string;
  readonly keyBudget: string;
  readonly admitted: string[];
  /** Calls left open by an owner that died, with the settlement that comes late, if one does. */
  readonly orphans: { admit: AdmitOperation; late: bigint | null }[];
}

async function play(
  plan: CallPlan,
  owner: string,
  { storage, account, keyBudget, admitted, orphans }: Run,
): Promise<void> {
  const admit = admitOf(account, plan.hold, {
    leastNano: (plan.hold * BigInt(plan.leastShare)) / 100n,
    budgets: plan.withKey ? [account, keyBudget] : [account],
    floorNano: plan.hold / 3n,
    owner: plan.ending.startsWith('die') ? 'dead owner' : owner,
  });
  const first: LedgerOperation[] = plan.credit === null ? [admit] : [admit, creditOf(account, plan.credit)];
  const [result] = await storage.commit(first);
  if (result === undefined || !('status' in result) || result.status !== 'admitted') return;
  admitted.push(admit.id);
  for (const { add, spent } of plan.extensions) {
    await storage.commit([extendOf(admit.id, add, { leastNano: add / 2n, spentNano: spent })]);
  }
  if (plan.ending.startsWith('die')) {
    orphans.push({ admit, late: plan.ending === 'die' ? null : plan.cost });
    return;
  }
  const settle = settleOf(admit, plan.cost);
  await Promise.all(
    plan.ending === 'settle'
      ? [storage.commit([settle])]
      : [storage.commit([settle]), storage.commit([settle])],
  );
}

export function propertyConformance(create: () => Promise<Place>, runs: number): void {
  describe('random interleavings', () => {
    let place: Place;
    let storage: Storage;
    beforeAll(async () => {
      place = await create();
      storage = await place.open();
    });
    afterAll(async () => {
      await storage?.close();
      await place?.remove();
    });

    it('balance, pass no cap, and end every hold once', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async ({ credit, keyBudget, plans }) => {
          const account = await newAccount(storage, credit);
          const keyId = newId();
          const budget = { amountNano: keyBudget, period: 'total' as const };
          const key = {
            id: keyId,
            accountId: account,
            name: '',
            hash: keyId,
            prefix: '',
            rpm: null,
            tpm: null,
          };
          await storage.createKey({ ...key, allowedModels: null, expiresAtMs: null, budget });
          const current: Run = { storage, account, keyBudget: `key:${keyId}`, admitted: [], orphans: [] };
          const sweeping = (async () => {
            for (let times = 0; times < 5; times++) {
              await storage.commit([{ op: 'sweep', owner: 'sweeper', deadAfterMs: 0 }]);
            }
          })();
          for (let worker = 0; worker < workers; worker++) await storage.pulse(`worker ${worker}`);
          await Promise.all(
            plans.map(async (calls, worker) => {
              for (const plan of calls) await play(plan, `worker ${worker}`, current);
            }),
          );
          await sweeping;
          // The sweep spares what is younger than a millisecond.
          await new Promise((resolve) => setTimeout(resolve, 3));
          await storage.commit([{ op: 'sweep', owner: 'sweeper', deadAfterMs: 0 }]);
          for (const { admit, late } of current.orphans) {
            if (late !== null) await storage.commit([settleOf(admit, late)]);
          }
          await check(current);
        }),
        { numRuns: runs },
      );
    });
  });
}

async function check({ storage, account, admitted }: Run): Promise<void> {
  expect(await problems(storage)).toEqual([]);
  const found = await storage.findAccount(account);
  if (found === null) throw new Error('the account is gone');
  const { grantedNano, spentNano, heldNano } = found.balance;
  expect(heldNano).toBe(0n);
  expect(spentNano).toBeLessThanOrEqual(grantedNano);
  const rows = await storage.requests({ accountId: account, id: null, limit: 1000, beforeMs: null });
  expect(rows.map((row) => row.id).sort()).toEqual([...admitted].sort());
  expect(rows.reduce((sum, row) => sum + row.chargedNano, 0n)).toBe(spentNano);
}
