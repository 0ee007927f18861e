import { describe, expect, it } from 'vitest';
import {
  StorageUnavailable,
  type Account,
  type Credential,
  type UsageFilter,
  type UsageGroup,
} from '../storage/storage.ts';
import { accountProfile, usageReport } from './usage-report.ts';

const credential = (capped: boolean): Credential => ({
  key: {
    id: 'key-1',
    accountId: 'acc-1',
    name: 'key',
    prefix: 'indox-abc',
    rpm: null,
    tpm: null,
    allowedModels: ['openai/*'],
    expiresAtMs: null,
    revokedAtMs: null,
    createdAtMs: 0,
    lastUsedAtMs: null,
    budget: null,
  },
  account: {
    id: 'acc-1',
    name: 'team',
    soft: false,
    createdAtMs: Date.parse('2026-01-02T03:04:05Z'),
    balance: {
      id: 'b',
      capped,
      period: 'total',
      grantedNano: 1_000_000_000_000n,
      spentNano: 211_400_001n,
      heldNano: 5n,
    },
  },
});

const group = (part: Partial<UsageGroup>): UsageGroup => ({
  day: '2026-11-25',
  endpoint: 'chat',
  provider: 'openai',
  model: 'gpt-4o-mini',
  requests: 1,
  errors: 0,
  inputTokens: 10,
  outputTokens: 20,
  costNano: 1000n,
  latencyMs: 5,
  ...part,
});

const store = (groups: readonly UsageGroup[], asked: UsageFilter[] = [], account: Account | null = null) => ({
  findAccount: (id: string) => Promise.resolve(id === account?.id ? account : null),
  usage: (filter: UsageFilter) => {
    asked.push(filter);
    return Promise.resolve([...groups]);
  },
});

describe('usageReport', () => {
  it('sums by endpoint, provider, model and day, newest day first', async () => {
    const groups = [
      group({ day: '2026-11-23', requests: 2 }),
      group({ day: '2026-11-25', endpoint: 'completion', costNano: 5000n }),
      group({ day: '2026-11-24', provider: 'groq', model: 'openai/gpt-oss-20b', costNano: 0n }),
    ];
    const part = (requests: number, cost: number, times = requests) => ({
      requests,
      cost,
      tokens: { input: 10 * times, output: 20 * times, total: 30 * times },
    });
    expect(await usageReport(store(groups), credential(true), {})).toEqual({
      total_requests: 4,
      total_cost: 0.000006,
      remaining_credits: 999.788599999,
      total_tokens: { input: 30, output: 60, total: 90 },
      endpoints: { chat: part(3, 0.000001, 2), completion: part(1, 0.000005) },
      providers: { openai: part(3, 0.000006, 2), groq: part(1, 0) },
      models: {
        'openai/gpt-4o-mini': { provider: 'openai', model: 'gpt-4o-mini', ...part(3, 0.000006, 2) },
        'groq/openai/gpt-oss-20b': { provider: 'groq', model: 'openai/gpt-oss-20b', ...part(1, 0) },
      },
      daily_usage: [
        { date: '2026-11-25', ...part(1, 0.000005) },
        { date: '2026-11-24', ...part(1, 0) },
        { date: '2026-11-23', ...part(2, 0.000001, 1) },
      ],
    });
  });

  it('asks for the account of the key and the days of the caller, else for everything', async () => {
    const asked: UsageFilter[] = [];
    const days = { start_date: '2026-11-01', end_date: '2026-11-01' };
    await usageReport(store([], asked), credential(true), days);
    await usageReport(store([], asked), credential(true), {});
    expect(asked[0]).toEqual({ accountId: 'acc-1', fromDay: '2026-11-01', toDay: '2026-11-01' });
    expect(asked[1]?.accountId).toBe('acc-1');
    expect((asked[1]?.fromDay ?? '') < '2020-01-01' && (asked[1]?.toDay ?? '') > '2100-01-01').toBe(true);
  });

  it('has zeros and empty groups for an account without calls, and no credits without a cap', async () => {
    expect(await usageReport(store([]), credential(false), {})).toEqual({
      total_requests: 0,
      total_cost: 0,
      remaining_credits: null,
      total_tokens: { input: 0, output: 0, total: 0 },
      endpoints: {},
      providers: {},
      models: {},
      daily_usage: [],
    });
  });

  it('refuses a start after the end, naming the field', async () => {
    const days = { start_date: '2026-11-02', end_date: '2026-11-01' };
    await expect(usageReport(store([]), credential(true), days)).rejects.toMatchObject({
      code: 'bad_request',
      param: 'start_date',
    });
  });

  it('adds up money without a float on the way', async () => {
    const many = Array.from({ length: 10 }, (_, n) => group({ costNano: 100_000_000n, model: `m${n}` }));
    expect((await usageReport(store(many), credential(true), {})).total_cost).toBe(1);
  });
});

describe('accountProfile', () => {
  it('is the account in the shape of the hosted user', async () => {
    expect(await accountProfile(store([]), credential(true))).toMatchObject({
      id: 'acc-1',
      username: 'team',
      is_active: true,
      credits: 999.788599999,
      app_credit: 999_788,
      created_at: '2026-01-02T03:04:05.000Z',
      has_model_restrictions: true,
    });
    expect(await accountProfile(store([]), credential(false))).toMatchObject({
      credits: null,
      app_credit: null,
    });
  });
});

describe('the credits', () => {
  it('are those of the store, not of the credential, which may be old', async () => {
    const { account } = credential(true);
    const spent = { ...account, balance: { ...account.balance, spentNano: 999_000_000_000n } };
    const storage = store([], [], spent);
    expect((await usageReport(storage, credential(true), {})).remaining_credits).toBe(1);
    expect(await accountProfile(storage, credential(true))).toMatchObject({ credits: 1 });
  });

  it('are a 503 when the store does not answer', async () => {
    const down = () => Promise.reject(new StorageUnavailable('gone'));
    const storage = { usage: down, findAccount: down };
    await expect(usageReport(storage, credential(true), {})).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    await expect(accountProfile(storage, credential(true))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });
});
