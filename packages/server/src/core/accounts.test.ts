import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newCredit, newKey, type NewKeyBody } from '../contract/admin.ts';
import { GatewayError } from '../contract/errors.ts';
import { openSqlite } from '../storage/sqlite.ts';
import type { Storage } from '../storage/storage.ts';
import { createAccounts, type Accounts } from './accounts.ts';
import { hashApiKey, isApiKey } from './api-key.ts';
import { createLedger } from './ledger.ts';

let directory: string;
let storage: Storage;
let accounts: Accounts;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-accounts-'));
  storage = await openSqlite(join(directory, 'indoxhub.db'));
  const ledger = createLedger(storage);
  accounts = createAccounts(storage, (operation) => ledger.run(operation));
});
afterEach(async () => {
  expect((await storage.verify()).problems).toEqual([]);
  await storage.close();
  rmSync(directory, { recursive: true });
});

const key = (body: Partial<NewKeyBody> = {}): NewKeyBody => newKey.parse(body);
const credit = (amount: string, id?: string) => newCredit.parse({ amount, id });
const refusal = async (attempt: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await attempt.catch((reason: unknown) => reason);
  if (!(error instanceof GatewayError)) throw new Error('it was not refused');
  return [error.code, error.param];
};

/** Reads the audit once the store is closed: it is append-only and has no reader of its own. */
async function auditEntries(): Promise<Record<string, unknown>[]> {
  await storage.close();
  const database = new DatabaseSync(join(directory, 'indoxhub.db'));
  const rows = database.prepare('select actor, action, target, detail from audit order by rowid').all();
  database.close();
  storage = await openSqlite(join(directory, 'indoxhub.db'));
  return rows;
}

describe('the first run', () => {
  it('makes one account without a cap and one key that works', async () => {
    const issued = await accounts.firstRun();
    expect(isApiKey(issued?.apiKey ?? '')).toBe(true);
    const credential = await storage.findCredential({ hash: hashApiKey(issued?.apiKey ?? '') });
    expect(credential?.account).toMatchObject({ id: 'default', balance: { capped: false } });
    expect(await accounts.firstRun()).toBeNull();
    expect(await accounts.listKeys(null)).toHaveLength(1);
  });

  it('issues one key however many replicas start at once', async () => {
    const issued = await Promise.all(Array.from({ length: 8 }, () => accounts.firstRun()));
    expect(issued.filter((each) => each !== null)).toHaveLength(1);
    expect(await accounts.listKeys('default')).toHaveLength(1);
  });

  it('goes on where it was cut off, and leaves alone what an operator made', async () => {
    await accounts.ensureDefault();
    await accounts.createKey(key(), 'test');
    expect(await accounts.firstRun()).toBeNull();
  });
});

describe('credit', () => {
  it('is exact, booked once, and never below what is spent or held', async () => {
    const { id } = await accounts.createAccount({ name: 'a', credits: '0.000000003', soft: true }, 'test');
    expect((await accounts.credit(id, credit('2', 'x'), 'test')).status).toBe('booked');
    const again = await accounts.credit(id, credit('2', 'x'), 'test');
    expect(again).toMatchObject({
      status: 'already',
      account: { soft: true, balance: { grantedNano: 2_000_000_003n } },
    });
    expect(await refusal(accounts.credit(id, credit('-2.000000004'), 'test'))).toEqual([
      'conflict',
      'amount',
    ]);
    const { account } = await accounts.credit(id, credit('-2.000000003'), 'test');
    expect(account.balance.grantedNano).toBe(0n);
  });

  it('tells an account without credit from one without a cap', async () => {
    const none = await accounts.createAccount({ name: 'none', credits: '0', soft: false }, 'test');
    const uncapped = await accounts.createAccount({ name: 'uncapped', credits: null, soft: false }, 'test');
    expect([none.balance.capped, uncapped.balance.capped]).toEqual([true, false]);
  });

  it('refuses sums that cannot be counted', async () => {
    const { id } = await accounts.createAccount({ name: 'rich', credits: '999999999', soft: false }, 'test');
    for (let i = 0; i < 7; i++) await accounts.credit(id, credit('999999999'), 'test');
    expect(await refusal(accounts.credit(id, credit('999999999'), 'test'))).toEqual([
      'bad_request',
      'amount',
    ]);
  });

  it('needs an account', async () => {
    expect(await refusal(accounts.credit('none', credit('1'), 'test'))).toEqual(['not_found', undefined]);
  });
});

describe('keys', () => {
  it('keep no secret and follow their limits', async () => {
    await accounts.ensureDefault();
    const expires = new Date(Date.now() + 60_000).toISOString();
    const issued = await accounts.createKey(
      key({ budget: '1.5', rpm: 3, allowed_models: ['a/*'], expires_at: expires }),
      'test',
    );
    const stored = await storage.findCredential({ hash: hashApiKey(issued.apiKey) });
    expect(stored?.key).toEqual(issued.key);
    expect(stored?.key).toMatchObject({
      rpm: 3,
      tpm: null,
      allowedModels: ['a/*'],
      expiresAtMs: Date.parse(expires),
      budget: { grantedNano: 1_500_000_000n, period: 'total', capped: true },
    });
  });

  it('lose the old secret when rotated, and all of them when revoked', async () => {
    await accounts.ensureDefault();
    const first = await accounts.createKey(key({ budget: '1.5' }), 'test');
    const second = await accounts.rotateKey(first.key.id, 'test');
    expect(await storage.findCredential({ hash: hashApiKey(first.apiKey) })).toBeNull();
    expect(second.key).toMatchObject({ id: first.key.id, budget: first.key.budget });
    const revoked = await accounts.revokeKey(first.key.id, 'test');
    expect(revoked.revokedAtMs).not.toBeNull();
    expect(await accounts.revokeKey(first.key.id, 'test')).toEqual(revoked);
    expect(await refusal(accounts.rotateKey(first.key.id, 'test'))).toEqual(['conflict', undefined]);
  });

  it('need what they name', async () => {
    expect(await refusal(accounts.createKey(key({ account_id: 'none' }), 'test'))).toEqual([
      'not_found',
      'account_id',
    ]);
    expect(await refusal(accounts.listKeys('none'))).toEqual(['not_found', 'account_id']);
    expect(await refusal(accounts.revokeKey('none', 'test'))).toEqual(['not_found', undefined]);
    expect(await refusal(accounts.rotateKey('none', 'test'))).toEqual(['not_found', undefined]);
    await accounts.ensureDefault();
    const past = accounts.createKey(key({ expires_at: '2020-01-01T00:00:00Z' }), 'test');
    expect(await refusal(past)).toEqual(['bad_request', 'expires_at']);
  });
});

it('audits every change with who did it, and no secret', async () => {
  const issued = await accounts.firstRun();
  const account = await accounts.createAccount({ name: 'a', credits: '1', soft: false }, 'ann');
  const made = await accounts.createKey(key({ account_id: account.id }), 'ben');
  const rotated = await accounts.rotateKey(made.key.id, 'cat');
  await accounts.revokeKey(made.key.id, 'dan');
  await accounts.revokeKey(made.key.id, 'eve');
  const entries = await auditEntries();
  expect(entries.map(({ actor, action, target }) => [actor, action, target])).toEqual([
    ['first run', 'key.create', 'key_default'],
    ['ann', 'account.create', account.id],
    ['ann', 'account.credit', account.id],
    ['ben', 'key.create', made.key.id],
    ['cat', 'key.rotate', made.key.id],
    ['dan', 'key.revoke', made.key.id],
  ]);
  for (const { apiKey } of [made, rotated, ...(issued === null ? [] : [issued])]) {
    expect(JSON.stringify(entries)).not.toContain(apiKey);
    expect(JSON.stringify(entries)).not.toContain(hashApiKey(apiKey));
  }
});
