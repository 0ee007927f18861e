/** The admin routes over a socket, on a real store. */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from '../src/config.ts';
import { GatewayError } from '../src/contract/errors.ts';
import { noUsage } from '../src/contract/usage.ts';
import { createAccounts } from '../src/core/accounts.ts';
import { createCatalogue } from '../src/core/catalogue.ts';
import { createFoundModels } from '../src/core/found.ts';
import type { Gateway } from '../src/core/gateway.ts';
import { createKeys } from '../src/core/keys.ts';
import { createLedger, type Ledger } from '../src/core/ledger.ts';
import { createModels } from '../src/core/models.ts';
import { createStreams } from '../src/core/streams.ts';
import { createTargets } from '../src/core/targets.ts';
import { adminRoutes } from '../src/http/routes/admin.ts';
import type { AppEnv } from '../src/http/route.ts';
import type { Provider } from '../src/providers/provider.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import type { CallFacts, Storage } from '../src/storage/storage.ts';
import { byName } from '../src/providers/own-servers.ts';

const adminKey = 'admin-key-for-the-tests';
const canary = 'sk-canary-0123456789';

let directory: string;
let storage: Storage;
let ledger: Ledger;
let gateway: { -readonly [K in keyof Gateway]: Gateway[K] };
let server: Server;
let origin: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-admin-'));
  storage = await openSqlite(join(directory, 'indoxhub.db'));
  ledger = createLedger(storage);
  const openai: Provider = {
    id: 'openai',
    name: 'OpenAI',
    keyNames: ['OPENAI_API_KEY'],
    baseUrlNames: [],
    baseUrl: 'https://api.openai.com/v1',
    auth: { header: 'authorization', prefix: 'Bearer ' },
    proof: {},
  };
  const ollama: Provider = { ...openai, id: 'ollama', keyNames: [], keyless: true, loopback: true };
  const vendors = new Map([openai, ollama].map((vendor) => [vendor.id, vendor]));
  const found = createFoundModels();
  found.set('ollama', ['llama3'].map(byName));
  const env = { INDOXHUB_ADMIN_KEY: adminKey, OPENAI_API_KEY: canary };
  const { settings } = loadSettings({ vendors: [openai], env, cwd: directory });
  // What the admin routes use of it.
  const parts: Partial<Gateway> = {
    settings,
    version: '1.2.3',
    storage,
    ledger,
    accounts: createAccounts(storage, (operation) => ledger.run(operation)),
    keys: createKeys(storage),
    models: createModels({ catalogue: createCatalogue([]), settings, vendors, found }),
    targets: createTargets(),
    streams: createStreams(),
    adminKeyHashes: [hash('sha256', adminKey, 'buffer')],
    draining: false,
  };
  gateway = parts as Gateway;
  await gateway.accounts.ensureDefault();
  const app = new Hono<AppEnv>();
  app.onError((error, context) => {
    if (!(error instanceof GatewayError)) throw error;
    return context.json(
      { error: error.code, message: error.message, param: error.param ?? null },
      error.status as 400,
    );
  });
  adminRoutes(app, gateway);
  server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  await new Promise((resolve) => server.once('listening', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/admin/v1`;
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await storage.close().catch(() => {});
  rmSync(directory, { recursive: true });
});

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  key: string | null = adminKey,
): Promise<Reply> {
  const response = await fetch(origin + path, {
    method,
    headers: {
      connection: 'close',
      'content-type': 'application/json',
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const facts: CallFacts = {
  endpoint: '/v1/chat/completions',
  provider: 'openai',
  model: 'gpt-4o',
  requestedModel: 'fast',
  stream: true,
  byok: false,
};

/** One finished call of the account, as the gateway would book it. */
async function bookCall(id: string, accountId: string, costNano: bigint | null): Promise<void> {
  const holdNano = costNano ?? 0n;
  const admitted = await ledger.run({
    op: 'admit',
    id,
    accountId,
    keyId: 'key_1',
    owner: 'test',
    budgets: [accountId],
    holdNano,
    leastNano: holdNano,
    hard: true,
    floorNano: 0n,
    limits: [],
    idempotency: null,
    alias: null,
    facts,
  });
  expect(admitted.status).toBe('admitted');
  await ledger.run({
    op: 'settle',
    maxChargeNano: null,
    response: null,
    record: {
      ...facts,
      id,
      accountId,
      keyId: 'key_1',
      startedAtMs: Date.now() - 40,
      ending: 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: 'stop',
      usage: { ...noUsage, input: 10, cacheRead: 5, output: 7, reasoning: 3 },
      source: 'provider',
      costNano,
      listNano: costNano,
      priceVersion: '2026-11-01',
      latencyMs: 40,
      firstByteMs: 12,
      attempts: 1,
      sessionId: null,
      units: null,
    },
  });
}

describe('who may call', () => {
  it.each([
    ['GET', '/accounts'],
    ['POST', '/accounts'],
    ['GET', '/keys'],
    ['POST', '/keys'],
    ['GET', '/usage'],
    ['GET', '/requests'],
    ['GET', '/providers'],
    ['GET', '/health'],
    ['POST', '/ledger/verify'],
    ['POST', '/accounts/default/credits'],
    ['POST', '/keys/x/revoke'],
    ['POST', '/keys/x/rotate'],
  ])('%s %s needs the admin key', async (method, path) => {
    const { apiKey } = await gateway.accounts.createKey({ account_id: 'default', name: 'x' }, 'test');
    for (const key of [null, 'wrong', `${adminKey}x`, apiKey]) {
      const { status } = await call(method, path, method === 'POST' ? {} : undefined, key);
      expect([401, 403]).toContain(status);
    }
  });
});

describe('accounts', () => {
  it('are created, credited and listed', async () => {
    const made = await call('POST', '/accounts', { name: ' team ', credits: '5' });
    expect(made).toEqual({
      status: 201,
      body: {
        id: expect.stringMatching(/^acct_[0-9a-f]{24}$/),
        name: 'team',
        soft: false,
        credits: '5.00',
        balance: '5.00',
        available: '5.00',
        spent: '0.00',
        held: '0.00',
        created_at: expect.stringMatching(/^20\d\d-.*Z$/),
      },
    });
    const id = String(made.body['id']);
    const credited = await call('POST', `/accounts/${id}/credits`, {
      amount: '0.5',
      note: 'gift',
      id: 'order-1',
    });
    expect(credited).toMatchObject({
      status: 200,
      body: { account_id: id, id: 'order-1', status: 'booked', balance: '5.50' },
    });
    const again = await call('POST', `/accounts/${id}/credits`, {
      amount: '0.5',
      note: 'gift',
      id: 'order-1',
    });
    expect(again.body).toMatchObject({ status: 'already', balance: '5.50' });
    const { body } = await call('GET', '/accounts');
    expect(body['accounts']).toEqual([
      expect.objectContaining({ id: 'default', credits: null, balance: null, available: null }),
      expect.objectContaining({ id, balance: '5.50' }),
    ]);
  });

  it('show what they spent and hold', async () => {
    const { body } = await call('POST', '/accounts', { name: 'team', credits: '5' });
    await bookCall('call-1', String(body['id']), 1_250_000n);
    const { body: listed } = await call('GET', '/accounts');
    expect((listed['accounts'] as unknown[])[1]).toMatchObject({
      credits: '5.00',
      spent: '0.00125',
      balance: '4.99875',
    });
  });

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x', credits: 5 }, 'credits'],
    [{ name: 'x', credits: '-5' }, 'credits'],
    [{ name: 'x', credits: '1e3' }, 'credits'],
    [{ name: 'x', role: 'admin' }, 'role'],
    [{ name: 'x', spend: '0', id: 'default' }, 'spend'],
    ['[]', null],
    ['{', null],
  ])('refuse %j, naming %s', async (body, param) => {
    expect(await call('POST', '/accounts', body)).toMatchObject({ status: 400, body: { param } });
  });

  it('refuse a body that is not said to be JSON, as a form of another site would send it', async () => {
    const answer = await fetch(`${origin}/accounts`, {
      method: 'POST',
      headers: { connection: 'close', authorization: `Bearer ${adminKey}`, 'content-type': 'text/plain' },
      body: '{"name":"x"}',
    });
    expect(answer.status).toBe(415);
  });

  it.each([
    ['/accounts/none/credits', { amount: '1' }, 404],
    ['/accounts/default/credits', { amount: '0' }, 400],
    ['/accounts/default/credits', { amount: '1', balance: '9' }, 400],
    ['/accounts/default/credits', { amount: '-1' }, 409],
  ])('POST %s %j is %i', async (path, body, status) => {
    expect((await call('POST', path, body)).status).toBe(status);
  });
});

describe('keys', () => {
  it('are shown once, and end at once when revoked or rotated', async () => {
    const made = await call('POST', '/keys', {
      name: 'ci',
      budget: { amount: '1', period: 'month' },
      rpm: 5,
      allowed_models: ['openai/*'],
      expires_at: '2099-01-01T00:00:00+02:00',
    });
    expect(made).toMatchObject({
      status: 201,
      body: {
        account_id: 'default',
        name: 'ci',
        status: 'active',
        budget: { amount: '1.00', period: 'month', spent: '0.00', held: '0.00' },
        rpm: 5,
        tpm: null,
        allowed_models: ['openai/*'],
        expires_at: '2098-12-31T22:00:00.000Z',
        revoked_at: null,
      },
    });
    const { id, api_key: first } = made.body as { id: string; api_key: string };
    expect((await gateway.keys.byKey(first)).key.id).toBe(id);

    const rotated = await call('POST', `/keys/${id}/rotate`);
    const second = String(rotated.body['api_key']);
    await expect(gateway.keys.byKey(first)).rejects.toMatchObject({ code: 'invalid_api_key' });
    expect((await gateway.keys.byKey(second)).key.id).toBe(id);

    expect(await call('POST', `/keys/${id}/revoke`)).toMatchObject({
      status: 200,
      body: { id, status: 'revoked' },
    });
    await expect(gateway.keys.byKey(second)).rejects.toMatchObject({ code: 'key_revoked' });
    expect((await call('POST', `/keys/${id}/rotate`)).status).toBe(409);

    const { body } = await call('GET', '/keys?account_id=default');
    expect(JSON.stringify(body)).not.toContain(second);
    expect(body['keys']).toEqual([
      expect.objectContaining({ id, prefix: second.slice(0, 12), status: 'revoked' }),
    ]);
  });

  it.each([
    [{ rpm: 0 }, 400, 'rpm'],
    [{ tpm: 1.5 }, 400, 'tpm'],
    [{ budget: '0' }, 400, 'budget'],
    [{ expires_at: 'tomorrow' }, 400, 'expires_at'],
    [{ expires_at: '2020-01-01T00:00:00Z' }, 400, 'expires_at'],
    [{ allowed_models: 'all' }, 400, 'allowed_models'],
    [{ allowed_routes: ['*'] }, 400, 'allowed_routes'],
    [{ account_id: 'none' }, 404, 'account_id'],
  ])('are refused for %j with %i', async (body, status, param) => {
    expect(await call('POST', '/keys', body)).toMatchObject({ status, body: { param } });
  });

  it.each([
    ['POST', '/keys/none/revoke', 404],
    ['POST', '/keys/none/rotate', 404],
    ['GET', '/keys?account_id=none', 404],
    ['GET', '/keys?acount_id=x', 400],
  ])('%s %s is %i', async (method, path, status) => {
    expect((await call(method, path)).status).toBe(status);
  });
});

describe('reports', () => {
  it('sum usage by day, endpoint, provider and model', async () => {
    await bookCall('call-1', 'default', 1_000_000n);
    await bookCall('call-2', 'default', 500n);
    const today = new Date().toISOString().slice(0, 10);
    const sums = {
      requests: 2,
      errors: 0,
      input_tokens: 30,
      output_tokens: 20,
      cost: '0.0010005',
      average_latency_ms: 40,
    };
    expect(await call('GET', '/usage')).toMatchObject({
      status: 200,
      body: {
        end_date: today,
        total: sums,
        usage: [
          { date: today, endpoint: '/v1/chat/completions', provider: 'openai', model: 'gpt-4o', ...sums },
        ],
      },
    });
    expect((await call('GET', '/usage?account_id=other')).body['usage']).toEqual([]);
    const earlier = await call('GET', '/usage?start_date=2020-01-01&end_date=2020-01-31');
    expect(earlier.body).toMatchObject({
      total: { requests: 0, cost: '0.00', average_latency_ms: null },
      usage: [],
    });
  });

  it.each(['start_date=today', 'start_date=2026-02-01&end_date=2026-01-01', 'days=3'])(
    'refuse ?%s',
    async (query) => {
      expect((await call('GET', `/usage?${query}`)).status).toBe(400);
    },
  );

  it('list single requests, page by page, with unknown costs as null', async () => {
    for (const id of ['call-1', 'call-2', 'call-3'])
      await bookCall(id, 'default', id === 'call-2' ? null : 2_000_000n);
    const seen: unknown[] = [];
    let query = 'limit=1';
    for (let page = 0; page < 5; page++) {
      const { body } = await call('GET', `/requests?${query}`);
      seen.push(...(body['requests'] as unknown[]));
      const next = body['next'] as { before: number; before_id: string } | null;
      if (next === null) break;
      query = `limit=1&before=${next.before}&before_id=${next.before_id}`;
    }
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map((row) => (row as { id: string }).id))).toEqual(
      new Set(['call-1', 'call-2', 'call-3']),
    );
    const { body } = await call('GET', '/requests?id=call-2');
    expect(body['requests']).toEqual([
      expect.objectContaining({
        id: 'call-2',
        requested_model: 'fast',
        cost: null,
        charged: '0.00',
        usage_source: 'provider',
        usage: expect.objectContaining({ input: 10, cache_read: 5, output: 7, reasoning: 3 }),
        first_byte_ms: 12,
      }),
    ]);
    expect((await call('GET', '/requests?limit=1000')).status).toBe(400);
  });
});

describe('operations', () => {
  it('show providers without their keys, and which of their models are failing', async () => {
    for (let i = 0; i < 5; i++) gateway.targets.failed('openai/gpt-4o', null);
    gateway.targets.failed('other/model', null);
    const { body } = await call('GET', '/providers');
    expect(body['providers']).toEqual([
      {
        id: 'openai',
        type: 'openai',
        base_url: null,
        has_key: true,
        configured: true,
        usable: true,
        targets: [{ model: 'gpt-4o', circuit: 'open' }],
      },
      expect.objectContaining({ id: 'ollama', has_key: false, configured: false, usable: true, targets: [] }),
    ]);
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  it('tell how the server is', async () => {
    const healthy = { status: 'ok', version: '1.2.3', store: { engine: 'sqlite', status: 'ok' }, streams: 0 };
    expect(await call('GET', '/health')).toMatchObject({ status: 200, body: healthy });
    gateway.draining = true;
    expect(await call('GET', '/health')).toMatchObject({ status: 503, body: { status: 'draining' } });
  });

  it('prove the books', async () => {
    await bookCall('call-1', 'default', 1n);
    expect(await call('POST', '/ledger/verify')).toMatchObject({
      status: 200,
      body: { ok: true, problems: [], open_holds: 0 },
    });
  });

  it('say 503, not 500, when the store is gone', async () => {
    await storage.close();
    expect(await call('GET', '/health')).toMatchObject({
      status: 503,
      body: { store: { status: 'unavailable' } },
    });
    for (const path of ['/accounts', '/keys', '/usage', '/requests']) {
      expect(await call('GET', path)).toMatchObject({ status: 503, body: { error: 'store_unavailable' } });
    }
    const credit = await call('POST', '/accounts', { name: 'x' });
    expect(credit).toMatchObject({ status: 503, body: { error: 'store_unavailable' } });
  });
});
