/** Budgets over HTTP: nothing overspent, nothing refused that fits, and books that balance after every case. */
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { freshDatabase } from './storage/databases.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { answering, chatAnswer, startUpstream, streaming, type Upstream } from './upstream.ts';

const model = 'openai/gpt-4o-mini';
const messages = [{ role: 'user', content: 'hi' }];
const chat = '/v1/chat/completions';
/** 10 × 0.15 + 5 × 0.60 US dollars per million tokens. */
const callCost = 0.0000045;

const engines = ['sqlite', 'postgres'] as const;

describe.each(engines)('on %s', (engine) => {
  let upstream: Upstream;
  let gateway: TestGateway;
  let dropDatabase: (() => Promise<void>) | null = null;
  const isMissing = engine === 'postgres' && inject('postgresUrl') === null;

  beforeAll(async () => {
    if (isMissing) return;
    upstream = await startUpstream(answering(200, chatAnswer('hello')));
    const env: Record<string, string> = { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url };
    if (engine === 'postgres') {
      const database = await freshDatabase();
      dropDatabase = () => database.drop();
      env['INDOXHUB_DATABASE_URL'] = database.url;
    }
    gateway = await startGateway({ env });
  });
  afterEach(async () => {
    if (!isMissing) await gateway.verify();
  });
  afterAll(async () => {
    if (isMissing) return;
    await gateway.close();
    await upstream.close();
    await dropDatabase?.();
  });

  test.skipIf(isMissing)(
    '1,000 concurrent calls against a balance for 100: exactly 100 × 200 and 900 × 402',
    async () => {
      upstream.script = async (call, response) => {
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
        return answering(200, chatAnswer('hello'))(call, response);
      };
      const before = upstream.calls.length;
      const { id, apiKey } = await gateway.account((callCost * 100).toFixed(7));
      const body = { model, messages, max_tokens: 5 };
      const answers = await Promise.all(
        Array.from({ length: 1000 }, () =>
          gateway.post(chat, body, apiKey).then(async (answer) => {
            await answer.arrayBuffer();
            return answer.status;
          }),
        ),
      );
      const count = (status: number): number => answers.filter((each) => each === status).length;
      expect([count(200), count(402)]).toEqual([100, 900]);
      expect(upstream.calls.length - before).toBe(100);
      const accounts = (await gateway.admin('GET', '/accounts'))['accounts'] as Record<string, unknown>[];
      expect(accounts.find((each) => each['id'] === id)).toMatchObject({ balance: '0.00' });
    },
  );

  test.skipIf(isMissing)(
    'true costs 0.1 to 5 × the estimate, 50 callers, 20 % to spare: cap kept, hardly a phantom refusal',
    async () => {
      const input = 'word '.repeat(100);
      let total = 0;
      upstream.script = async (call, response) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        // The caller expects 60 tokens out; the truth is between 6 and 300.
        const completion = Math.round(6 + Math.random() ** 2 * 294);
        const usage = { prompt_tokens: 105, completion_tokens: completion };
        total += 105 * 0.15 + completion * 0.6;
        return answering(200, chatAnswer('x', usage))(call, response);
      };
      const calls = 2000;
      const mean = 105 * 0.15 + (6 + 294 / 3) * 0.6;
      const credits = ((mean * calls * 1.2) / 1e6).toFixed(9);
      const { apiKey } = await gateway.account(credits);
      const body = { model, messages: [{ role: 'user', content: input }], max_tokens: 300 };
      let refused = 0;
      let next = 0;
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          while (next++ < calls) {
            const answer = await gateway.post(chat, body, apiKey);
            await answer.arrayBuffer();
            if (answer.status === 402) refused++;
            else expect(answer.status).toBe(200);
          }
        }),
      );
      expect(total / 1e6).toBeLessThanOrEqual(Number(credits));
      expect(refused / calls).toBeLessThanOrEqual(0.001);
    },
  );

  test.skipIf(isMissing)('a call whose price is unknown: 402 when capped, cost null when not', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey } = await gateway.account('1.00');
    const body = { model: 'openai/some-model-of-tomorrow', messages };
    const refused = await gateway.post(chat, body, apiKey);
    expect(refused.status).toBe(402);
    expect(await refused.json()).toMatchObject({ error: { code: 'price_unknown' } });
    const served = await gateway.post('/api/v1/chat/completions', body);
    expect(served.status).toBe(200);
    expect(await served.json()).toMatchObject({ usage: { cost: null } });
  });

  test.skipIf(isMissing)('max_cost is a budget of one call', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const refused = await gateway.post('/api/v1/chat/completions', {
      model,
      messages,
      max_tokens: 1000,
      additional_params: { max_cost: 0.0000001 },
    });
    expect(refused.status).toBe(402);
    expect(await refused.json()).toMatchObject({ error: 'max_cost_exceeded' });
    const before = upstream.calls.length;
    const lowered = await gateway.post(chat, { model, messages }, undefined, {
      'x-indoxhub-max-cost': '0.0001',
    });
    expect(lowered.status).toBe(200);
    expect(Number(lowered.headers.get('x-indoxhub-max-tokens'))).toBeLessThan(170);
    expect(
      Number(
        upstream.calls[before]?.body['max_tokens'] ?? upstream.calls[before]?.body['max_completion_tokens'],
      ),
    ).toBe(Number(lowered.headers.get('x-indoxhub-max-tokens')));
  });

  test.skipIf(isMissing)('without max_tokens the bound sent upstream is lowered to what fits', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey } = await gateway.account('0.001');
    const before = upstream.calls.length;
    const answer = await gateway.post(chat, { model, messages }, apiKey);
    expect(answer.status).toBe(200);
    const bound = Number(answer.headers.get('x-indoxhub-max-tokens'));
    expect(bound).toBeGreaterThan(1000);
    expect(bound).toBeLessThan(1667);
    const sent = upstream.calls[before]?.body ?? {};
    expect(sent['max_tokens'] ?? sent['max_completion_tokens']).toBe(bound);
  });

  test.skipIf(isMissing)('a soft cap books the excess', async () => {
    upstream.script = answering(200, chatAnswer('x', { prompt_tokens: 10, completion_tokens: 100_000 }));
    const { id, apiKey } = await gateway.account('0.01', {}, { soft: true });
    expect((await gateway.post(chat, { model, messages }, apiKey)).status).toBe(200);
    expect((await gateway.post(chat, { model, messages }, apiKey)).status).toBe(402);
    const [row] = await gateway.requests(id);
    expect(Number(row?.['charged'])).toBeCloseTo(0.0600015, 9);
  });

  test.skipIf(isMissing)('a budget of the key refuses although the account has money', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey } = await gateway.account('5.00', { budget: { amount: '0.0000001', period: 'day' } });
    const answer = await gateway.post('/api/v1/chat/completions', { model, messages, max_tokens: 5 }, apiKey);
    expect(answer.status).toBe(402);
    expect(await answer.json()).toMatchObject({ error: 'budget_exceeded' });
  });

  test.skipIf(isMissing)(
    'BYOK costs nothing, is recorded at list price, and sends only the caller’s key',
    async () => {
      upstream.script = answering(200, chatAnswer('hello'));
      const { id, apiKey } = await gateway.account('0.00');
      const before = upstream.calls.length;
      const answer = await gateway.post(
        '/api/v1/chat/completions',
        { model, messages, byok_api_key: 'sk-callers-own' },
        apiKey,
      );
      expect(await answer.json()).toMatchObject({ byok_api_key: true, usage: { cost: 0 } });
      expect(answer.headers.get('x-ratelimit-bypass')).toBe('BYOK API key used');
      expect(upstream.calls[before]?.headers.authorization).toBe('Bearer sk-callers-own');
      const [row] = await gateway.requests(id);
      expect(row).toMatchObject({ byok: true, cost: '0.00', list_cost: '0.0000045' });
      upstream.script = answering(401, '{"error":{"message":"Incorrect API key provided: sk-callers-own."}}');
      const rejected = await gateway.post(
        '/api/v1/chat/completions',
        { model, messages, byok_api_key: 'sk-callers-own' },
        apiKey,
      );
      expect(rejected.status).toBe(400);
      const text = await rejected.text();
      expect(JSON.parse(text)).toMatchObject({ error: 'byok_rejected' });
      expect(text).not.toContain('sk-callers-own');
    },
  );

  test.skipIf(isMissing)('rate limits: requests and tokens a minute, with their headers', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey } = await gateway.account(null, { rpm: 3 });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      const answer = await gateway.post('/api/v1/chat/completions', { model, messages }, apiKey);
      statuses.push(answer.status);
      if (answer.status !== 429) continue;
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(answer.headers.get('x-ratelimit-remaining')).toBe('0');
      expect(await answer.json()).toMatchObject({
        error: 'rate_limit_exceeded',
        details: { limit_type: 'requests_per_minute', limit: 3 },
      });
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
    const { apiKey: tight } = await gateway.account(null, { tpm: 40 });
    expect((await gateway.post(chat, { model, messages, max_tokens: 30 }, tight)).status).toBe(200);
    const second = await gateway.post(chat, { model, messages, max_tokens: 30 }, tight);
    expect(second.status).toBe(429);
    expect(second.headers.get('x-ratelimit-limit-tokens')).toBe('40');
  });

  test.skipIf(isMissing)('streams of one budget share it: all deliver, the cap holds', async () => {
    upstream.script = streaming({
      parts: Array.from({ length: 40 }, () => 'word '),
      usage: { prompt_tokens: 10, completion_tokens: 40 },
      every: 2,
    });
    const { id, apiKey } = await gateway.account('0.05');
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => gateway.post(chat, { model, messages, stream: true }, apiKey)),
    );
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(texts.every((text) => text.includes('[DONE]') && text.includes('"finish_reason":"stop"'))).toBe(
      true,
    );
    const rows = await gateway.requests(id);
    expect(rows.reduce((sum, row) => sum + Number(row['charged']), 0)).toBeLessThanOrEqual(0.05);
  });
});
