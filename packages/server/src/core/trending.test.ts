import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UsageFilter, UsageGroup } from '../storage/storage.ts';
import { loadCatalogue } from './catalogue.ts';
import { trending } from './trending.ts';

const catalogue = loadCatalogue(join(import.meta.dirname, '../../catalogue'));
const now = Date.parse('2026-11-25T13:00:00Z');

const group = (day: string, id: string, requests: number, tokens = 0): UsageGroup => {
  const [provider = '', model = ''] = id.split('/');
  return {
    day,
    endpoint: 'chat',
    provider,
    model,
    requests,
    errors: 0,
    inputTokens: Math.floor(tokens / 3),
    outputTokens: tokens - Math.floor(tokens / 3),
    costNano: 5n,
    latencyMs: 10,
  };
};

/** A store with these groups, which also tells what it was asked. */
function store(groups: readonly UsageGroup[]) {
  const asked: UsageFilter[] = [];
  return {
    asked,
    usage: (filter: UsageFilter) => {
      asked.push(filter);
      return Promise.resolve(groups.filter(({ day }) => day >= filter.fromDay && day <= filter.toDay));
    },
  };
}

describe('trending', () => {
  it('ranks by requests, then tokens, and adds up days and endpoints', async () => {
    const storage = store([
      group('2026-11-25', 'openai/gpt-4o', 2, 100),
      group('2026-11-19', 'openai/gpt-4o', 2, 100),
      { ...group('2026-11-20', 'openai/gpt-4o-mini', 3, 700), endpoint: 'completion' },
      group('2026-11-20', 'openai/gpt-4o-mini', 3, 100),
      group('2026-11-21', 'groq/own-model', 4, 300),
    ]);
    const models = await trending({ storage, catalogue }, { days: 7, limit: 10 }, now);
    expect(models.map((each) => [each.rank, each.id, each.total_requests, each.total_tokens])).toEqual([
      [1, 'openai/gpt-4o-mini', 6, 800],
      [2, 'groq/own-model', 4, 300],
      [3, 'openai/gpt-4o', 4, 200],
    ]);
    expect(models[0]).toEqual({
      rank: 1,
      provider: 'openai',
      model: 'gpt-4o-mini',
      id: 'openai/gpt-4o-mini',
      name: 'GPT-4o mini',
      total_requests: 6,
      total_tokens: 800,
      share: { requests: 0.4286, tokens: 0.6154 },
      change: { requests: null, tokens: null },
    });
    expect(models[1]?.name).toBe('own-model');
  });

  it('counts whole UTC days, today included, and compares with as many before', async () => {
    const storage = store([
      group('2026-11-25', 'a/x', 30, 300),
      group('2026-11-24', 'a/x', 1, 0),
      group('2026-11-23', 'a/x', 20, 600),
      group('2026-11-22', 'a/x', 0, 0),
      group('2026-11-21', 'a/x', 1000, 1000),
      group('2026-11-22', 'a/gone', 9, 9),
    ]);
    const models = await trending({ storage, catalogue }, { days: 2, limit: 10 }, now);
    expect(storage.asked).toEqual([{ accountId: null, fromDay: '2026-11-22', toDay: '2026-11-25' }]);
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({
      total_requests: 31,
      total_tokens: 300,
      share: { requests: 1, tokens: 1 },
      change: { requests: 0.55, tokens: -0.5 },
    });
  });

  it('cuts the list, not the shares', async () => {
    const storage = store([
      group('2026-11-25', 'a/x', 3),
      group('2026-11-25', 'a/y', 1),
      group('2026-11-25', 'a/z', 1),
    ]);
    const models = await trending({ storage, catalogue }, { days: 1, limit: 2 }, now);
    expect(models.map((each) => [each.id, each.share.requests, each.share.tokens])).toEqual([
      ['a/x', 0.6, 0],
      ['a/y', 0.2, 0],
    ]);
  });

  it('leaves out calls that reached no provider, and says nothing of users or cost', async () => {
    const storage = store([group('2026-11-25', '/', 5), group('2026-11-25', 'a/x', 1, 2)]);
    const models = await trending({ storage, catalogue }, { days: 1, limit: 10 }, now);
    expect(models.map((each) => each.id)).toEqual(['a/x']);
    expect(JSON.stringify(models)).not.toMatch(/cost|user|account|latency/);
    expect(await trending({ storage: store([]), catalogue }, { days: 1, limit: 10 }, now)).toEqual([]);
  });
});
