/** The models and user routes over a socket, on a real store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from '../src/config.ts';
import { GatewayError } from '../src/contract/errors.ts';
import { noUsage } from '../src/contract/usage.ts';
import { createAccounts } from '../src/core/accounts.ts';
import { loadCatalogue } from '../src/core/catalogue.ts';
import { createFoundModels } from '../src/core/found.ts';
import type { Gateway } from '../src/core/gateway.ts';
import { createKeys } from '../src/core/keys.ts';
import { createLedger } from '../src/core/ledger.ts';
import { createModels } from '../src/core/models.ts';
import { encodeNativeError } from '../src/dialects/native/errors.ts';
import type { AppEnv } from '../src/http/route.ts';
import { modelRoutes } from '../src/http/routes/models.ts';
import { userRoutes } from '../src/http/routes/user.ts';
import type { Provider } from '../src/providers/provider.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import type { CallFacts, Storage } from '../src/storage/storage.ts';

let directory: string;
let storage: Storage;
let server: Server;
let apiKey = '';

const vendor = (id: string): Provider => ({
  id,
  name: id,
  keyNames: [`${id.toUpperCase()}_API_KEY`],
  baseUrlNames: [],
  baseUrl: `https://${id}.test/v1`,
  auth: { header: 'authorization', prefix: 'Bearer ' },
  proof: {},
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-models-'));
  storage = await openSqlite(join(directory, 'indoxhub.db'));
  const ledger = createLedger(storage);
  const accounts = createAccounts(storage, (operation) => ledger.run(operation));
  const vendors = [vendor('openai'), vendor('together')];
  const { settings } = loadSettings({ vendors, env: { OPENAI_API_KEY: 'sk-x' }, cwd: directory });
  const parts: Partial<Gateway> = {
    settings,
    storage,
    ledger,
    accounts,
    keys: createKeys(storage),
    models: createModels({
      catalogue: loadCatalogue(join(import.meta.dirname, '../catalogue')),
      settings,
      vendors: new Map(vendors.map((each) => [each.id, each])),
      found: createFoundModels(),
    }),
  };
  const gateway = parts as Gateway;
  const account = await accounts.createAccount({ name: 'team', credits: '5.00', soft: false }, 'test');
  const issued = await accounts.createKey({ account_id: account.id, name: 'key' }, 'test');
  apiKey = issued.apiKey;
  for (const model of ['gpt-4o-mini', 'gpt-4o-mini', 'gpt-4o']) {
    await spend(ledger, account.id, issued.key.id, account.balance.id, model);
  }
  const app = new Hono<AppEnv>();
  app.onError((error, context) => {
    if (!(error instanceof GatewayError)) throw error;
    return context.body(encodeNativeError(error, 'request-1'), error.status as 400);
  });
  modelRoutes(app, gateway);
  userRoutes(app, gateway);
  server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  await new Promise((resolve) => server.once('listening', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await storage.close();
  rmSync(directory, { recursive: true });
});

/** One settled call of 100 + 50 tokens for a cent. */
async function spend(
  ledger: ReturnType<typeof createLedger>,
  accountId: string,
  keyId: string,
  budget: string,
  model: string,
): Promise<void> {
  const id = crypto.randomUUID();
  const facts: CallFacts = {
    endpoint: 'chat',
    provider: 'openai',
    model,
    requestedModel: model,
    stream: false,
    byok: false,
  };
  const amount = 10_000_000n;
  await ledger.run({
    op: 'admit',
    id,
    accountId,
    keyId,
    owner: 'test',
    budgets: [budget],
    holdNano: amount,
    leastNano: amount,
    hard: true,
    floorNano: 0n,
    limits: [],
    idempotency: null,
    alias: null,
    facts,
  });
  await ledger.run({
    op: 'settle',
    maxChargeNano: null,
    response: null,
    record: {
      ...facts,
      id,
      accountId,
      keyId,
      startedAtMs: Date.now(),
      ending: 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: 'stop',
      usage: { ...noUsage, input: 100, output: 50 },
      source: 'provider',
      costNano: amount,
      listNano: amount,
      priceVersion: 'v',
      latencyMs: 10,
      firstByteMs: null,
      attempts: 1,
      sessionId: null,
      units: null,
    },
  });
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

function call(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path, headers, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes: Buffer.concat(chunks),
        }),
      );
    });
    request.on('error', reject);
  });
}

const json = (reply: Reply): unknown => JSON.parse(reply.bytes.toString('utf8'));
const withKey = (): Record<string, string> => ({ authorization: `Bearer ${apiKey}` });

describe('models without a key', () => {
  it('are an array on the native prefix, with and without the trailing slash', async () => {
    const bare = await call('/api/v1/models');
    const slash = await call('/api/v1/models/');
    expect([bare.status, slash.status]).toEqual([200, 200]);
    expect(bare.headers['content-type']).toMatch(/^application\/json/);
    expect(bare.bytes.equals(slash.bytes)).toBe(true);
    expect(json(bare)).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: 'openai', available: true })]),
    );
  });

  it.each([
    ['/api/v1/models/openai', { id: 'openai' }],
    ['/api/v1/models/openai/', { id: 'openai' }],
    ['/api/v1/models/openai/gpt-4o-mini', { id: 'gpt-4o-mini', byok: true }],
    ['/api/v1/models/openai/gpt-4o-mini/', { id: 'gpt-4o-mini' }],
    ['/api/v1/models/together/Qwen/Qwen3.5-9B', { id: 'Qwen/Qwen3.5-9B' }],
    ['/api/v1/models/together/Qwen%2FQwen3.5-9B', { id: 'Qwen/Qwen3.5-9B' }],
    ['/v1/models', { object: 'list' }],
    ['/v1/models/', { object: 'list' }],
    ['/v1/models/openai/gpt-4o', { id: 'openai/gpt-4o', object: 'model' }],
    ['/v1/models/gpt-4o', { id: 'openai/gpt-4o' }],
    ['/v1/models/together/Qwen/Qwen3.5-9B', { id: 'together/Qwen/Qwen3.5-9B' }],
  ])('%s', async (path, expected) => {
    const reply = await call(path, { 'content-type': 'application/json' });
    expect(reply.status).toBe(200);
    expect(json(reply)).toMatchObject(expected);
  });

  it.each([
    'text_completions',
    'embeddings',
    'image_generation',
    'text_to_speech',
    'speech_to_text',
    'video_generation',
  ])('one list: %s', async (list) => {
    const reply = await call(`/api/v1/models/openai/${list}`);
    expect(reply.status).toBe(200);
    expect(json(reply)).toEqual(expect.arrayContaining([expect.objectContaining({ provider: 'openai' })]));
  });

  it('that do not exist are 404 in the words clients look for', async () => {
    const model = await call('/api/v1/models/openai/zzz');
    expect(model.status).toBe(404);
    expect(json(model)).toMatchObject({ error: 'model_not_found', detail: "Model 'openai/zzz' not found" });
    const provider = await call('/api/v1/models/zzz');
    expect(provider.status).toBe(404);
    expect(json(provider)).toMatchObject({
      error: 'provider_not_found',
      detail: expect.stringContaining("Provider 'zzz' not found") as string,
    });
    expect((await call('/v1/models/openai/zzz')).status).toBe(404);
  });

  it('are sent compressed to those who take it, and not at all to those who have them', async () => {
    const plain = await call('/api/v1/models');
    const small = await call('/api/v1/models', { 'accept-encoding': 'br, gzip;q=0.8' });
    expect(small.headers['content-encoding']).toBe('gzip');
    expect(small.bytes.length).toBeLessThan(plain.bytes.length / 5);
    expect(gunzipSync(small.bytes).equals(plain.bytes)).toBe(true);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const refused = await call('/api/v1/models', { 'accept-encoding': 'gzip;q=0' });
    expect(refused.headers['content-encoding']).toBeUndefined();
    const etag = plain.headers.etag ?? '';
    const again = await call('/api/v1/models', { 'if-none-match': `"other", ${etag}` });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await call('/api/v1/models', { 'if-none-match': '"other"' })).status).toBe(200);
  });
});

describe('trending', () => {
  it('needs a key', async () => {
    expect((await call('/api/v1/models/trending')).status).toBe(401);
  });

  it('is not taken for a provider', async () => {
    const reply = await call('/api/v1/models/trending', withKey());
    expect(reply.status).toBe(200);
    expect(json(reply)).toMatchObject([
      { rank: 1, id: 'openai/gpt-4o-mini', name: 'GPT-4o mini', total_requests: 2, total_tokens: 300 },
      { rank: 2, id: 'openai/gpt-4o', total_requests: 1, total_tokens: 150 },
    ]);
    expect(json(await call('/api/v1/models/trending?days=1&limit=1', withKey()))).toHaveLength(1);
  });

  it.each(['days=0', 'days=91', 'days=x', 'limit=0', 'limit=101', 'limit=1.5'])(
    'refuses %s',
    async (query) => {
      const reply = await call(`/api/v1/models/trending?${query}`, withKey());
      expect(reply.status).toBe(400);
      expect(json(reply)).toMatchObject({
        detail: expect.stringContaining(query.split('=')[0] ?? '') as string,
      });
    },
  );
});

describe('the user', () => {
  it('sees what the account used, the credits as they are now', async () => {
    const reply = await call('/api/v1/user/usage', withKey());
    expect(reply.status).toBe(200);
    expect(json(reply)).toMatchObject({
      total_requests: 3,
      total_cost: 0.03,
      remaining_credits: 4.97,
      total_tokens: { input: 300, output: 150, total: 450 },
      endpoints: { chat: { requests: 3, cost: 0.03 } },
      providers: { openai: { requests: 3 } },
      models: { 'openai/gpt-4o-mini': { provider: 'openai', model: 'gpt-4o-mini', requests: 2, cost: 0.02 } },
      daily_usage: [{ date: new Date().toISOString().slice(0, 10), requests: 3 }],
    });
    const past = await call('/api/v1/user/usage?start_date=2020-01-01&end_date=2020-01-02', withKey());
    expect(json(past)).toMatchObject({ total_requests: 0, remaining_credits: 4.97, daily_usage: [] });
  });

  it.each([
    ['start_date=yesterday', 'start_date'],
    ['end_date=2026-02-30', 'end_date'],
    ['end_date=2026-1-1', 'end_date'],
    ['start_date=2026-02-02&end_date=2026-02-01', 'start_date'],
  ])('is told which date is wrong: %s', async (query, field) => {
    const reply = await call(`/api/v1/user/usage?${query}`, withKey());
    expect(reply.status).toBe(400);
    expect(json(reply)).toMatchObject({ detail: expect.stringContaining(field) as string });
  });

  it('sees the account, not without a key', async () => {
    expect(json(await call('/api/v1/user/me', withKey()))).toMatchObject({ username: 'team', credits: 4.97 });
    expect((await call('/api/v1/user/me')).status).toBe(401);
    expect((await call('/api/v1/user/usage')).status).toBe(401);
  });

  it('finds the routes alive without a key', async () => {
    expect(json(await call('/api/v1/user/health'))).toEqual({ status: 'ok', router: 'user' });
  });

  it('hears that Resemble is not here, in the word the Python client knows', async () => {
    for (const method of ['GET', 'POST']) {
      const reply = await call('/api/v1/resemble/voices/1', withKey(), method);
      expect(reply.status).toBe(503);
      expect(json(reply)).toMatchObject({ detail: expect.stringContaining('Business-plan') as string });
    }
  });
});
