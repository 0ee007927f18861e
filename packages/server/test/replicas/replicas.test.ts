/** Replicas on one PostgreSQL behave as one gateway; a SQLite file has one owner. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, postgresUrl, runSql, type Database } from '../storage/databases.ts';
import { answering, chatAnswer, startUpstream, streaming, type Upstream } from '../upstream.ts';
import { spawnGateway, startChild, temporaryDir, type Child } from './child.ts';

const model = 'openai/gpt-4o-mini';
const chat = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'hi' }];
/** 10 × 0.15 + 5 × 0.60 US dollars per million tokens, what `chatAnswer` reports. */
const callCost = 0.0000045;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('a second process on a SQLite data dir is told so, and ends', async () => {
  const folder = temporaryDir();
  const first = await startChild({ dataDir: folder.path });
  try {
    const second = spawnGateway({ dataDir: folder.path });
    expect(await second.exited).toEqual({ code: 3, signal: null });
    expect(second.output()).toMatch(/^indoxhub: .*in use by another process.*INDOXHUB_DATABASE_URL.*\n$/);
    expect((await first.get('/readyz')).status).toBe(200);
  } finally {
    expect((await first.stop()).code).toBe(0);
    folder.remove();
  }
});

test('keys made by a start that then fails are shown, and are good', async () => {
  const folder = temporaryDir();
  const taken = await startUpstream(() => {});
  const port = new URL(taken.url).port;
  const env = { INDOXHUB_ADMIN_KEY: undefined };
  try {
    const failed = spawnGateway({ dataDir: folder.path, env: { ...env, INDOXHUB_PORT: port } });
    expect((await failed.exited).code).toBe(1);
    expect(failed.output()).toContain(`port ${port}`);
    const [apiKey = ''] = /indox-[0-9A-Za-z]{32}\b/.exec(failed.output()) ?? [];
    const [adminKey = ''] = /indox-admin-[\w-]{32}/.exec(failed.output()) ?? [];
    const next = await startChild({ dataDir: folder.path, env });
    expect(next.output()).not.toMatch(/indox-/);
    expect((await next.get('/api/v1/user/me', apiKey)).status).toBe(200);
    expect((await next.get('/admin/v1/keys', adminKey)).status).toBe(200);
    await next.stop();
  } finally {
    await taken.close();
    folder.remove();
  }
});

describe.skipIf(postgresUrl === null)('ten replicas', () => {
  test('started at once on an empty database: one migration, one set of keys, all ready', async () => {
    const folder = temporaryDir();
    const database = await freshDatabase();
    const env = { INDOXHUB_DATABASE_URL: database.url, INDOXHUB_ADMIN_KEY: undefined };
    const replicas = Array.from({ length: 10 }, (_, index) =>
      spawnGateway({ dataDir: join(folder.path, String(index)), env }),
    );
    try {
      const urls = await Promise.all(replicas.map((each) => each.answersAt));
      const ready = await Promise.all(urls.map((url) => fetch(`${url}/readyz`)));
      expect(ready.map(({ status }) => status)).toEqual(urls.map(() => 200));

      const said = replicas.map((each) => each.output()).join('');
      const apiKeys = said.match(/indox-[0-9A-Za-z]{32}(?![0-9A-Za-z_-])/g) ?? [];
      const adminKeys = said.match(/indox-admin-[\w-]{32}/g) ?? [];
      expect(new Set(apiKeys).size).toBe(1);
      expect(said.match(/API key {4}/g)).toHaveLength(1);
      expect(adminKeys).toHaveLength(1);

      const me = await Promise.all(
        urls.map((url) =>
          fetch(`${url}/api/v1/user/me`, { headers: { authorization: `Bearer ${apiKeys[0]}` } }),
        ),
      );
      expect(me.map(({ status }) => status)).toEqual(urls.map(() => 200));
      const reports = await Promise.all(
        urls.map((url) =>
          fetch(`${url}/admin/v1/ledger/verify`, {
            method: 'POST',
            headers: { authorization: `Bearer ${adminKeys[0]}` },
          }),
        ),
      );
      for (const report of reports) expect(await report.json()).toMatchObject({ ok: true, accounts: 1 });
      const migrations = await runSql('SELECT name FROM indoxhub.schema_migration', database.url);
      expect(new Set(migrations.map(({ name }) => name)).size).toBe(migrations.length);
      expect(migrations.length).toBeGreaterThan(0);
    } finally {
      for (const each of replicas) each.signal('SIGTERM');
      const exits = await Promise.all(replicas.map((each) => each.exited));
      await database.drop();
      folder.remove();
      expect(exits.map(({ code }) => code)).toEqual(replicas.map(() => 0));
    }
  });
});

describe.skipIf(postgresUrl === null)('three replicas', () => {
  let folder: ReturnType<typeof temporaryDir>;
  let database: Database;
  let upstream: Upstream;
  let replicas: [Child, Child, Child];

  beforeAll(async () => {
    folder = temporaryDir();
    database = await freshDatabase();
    upstream = await startUpstream(answering(200, chatAnswer('hello')));
    const env = {
      INDOXHUB_DATABASE_URL: database.url,
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: upstream.url,
    };
    const start = (name: string): Promise<Child> => startChild({ dataDir: join(folder.path, name), env });
    replicas = await Promise.all([start('a'), start('b'), start('c')]);
  });
  afterEach(async () => {
    expect(await replicas[0].admin('POST', '/ledger/verify')).toMatchObject({ ok: true, open_holds: 0 });
  });
  afterAll(async () => {
    const exits = await Promise.all(replicas.map((each) => each.stop()));
    await upstream.close();
    await database.drop();
    folder.remove();
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0]);
  });

  /** `count` calls over the replicas in turn, all at once; their statuses. */
  async function spread(count: number, apiKey: string, body: object, headers = {}): Promise<number[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const replica = replicas[index % 3] ?? replicas[0];
        const answer = await replica.post(chat, body, apiKey, headers);
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
  }

  const slowly = (text: string): typeof upstream.script => {
    return async (call, response) => {
      await pause(5 + Math.random() * 20);
      return answering(200, chatAnswer(text))(call, response);
    };
  };

  test('a key made on one works on another at once', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey } = await replicas[0].account('1.00');
    for (const replica of [replicas[1], replicas[2]]) {
      const answer = await replica.post(chat, { model, messages }, apiKey);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
    }
  });

  test('a token issued by one is accepted by another', async () => {
    const { apiKey, id } = await replicas[0].account('1.00');
    const exchanged = await fetch(`${replicas[0].url}/api/v1/auth/api-key`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey },
    });
    const { access_token: token } = (await exchanged.json()) as { access_token: string };
    const me = await replicas[1].get('/api/v1/user/me', token);
    expect(me.status).toBe(200);
    expect(JSON.stringify(await me.json())).toContain(id);
  });

  test.each(['its id', 'its own name'])('a stream is stopped through another replica by %s', async (by) => {
    upstream.script = streaming({ parts: Array.from({ length: 2000 }, () => 'word '), every: 20 });
    const { apiKey, id: account } = await replicas[0].account('1.00');
    const stranger = await replicas[2].account('1.00');
    const before = upstream.calls.length;
    const answer = await replicas[0].post(
      '/api/v1/chat/completions',
      { model, messages, stream: true, additional_params: { stream_id: 'mine' } },
      apiKey,
    );
    const requestId = answer.headers.get('x-request-id') ?? '';
    const stopPath = `/api/v1/chat/stop-stream/${by === 'its id' ? requestId : 'mine'}`;
    const foreign = await replicas[1].post(stopPath, {}, stranger.apiKey);
    expect([foreign.status, await foreign.text()]).toEqual([200, '{"success":false}']);

    const stoppedAt = Date.now();
    const stop = await replicas[1].post(stopPath, {}, apiKey);
    expect([stop.status, await stop.text()]).toEqual([200, '{"success":true}']);
    const text = await answer.text();
    expect(text).toContain('"finish_reason":"cancelled"');
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(((await upstream.calls[before]?.closed) ?? Infinity) - stoppedAt).toBeLessThan(1500);
    const rows = (await replicas[2].admin('GET', `/requests?id=${requestId}`))['requests'];
    expect(rows).toMatchObject([{ ending: 'stopped', account_id: account }]);
    expect(await (await replicas[1].post(stopPath, {}, apiKey)).json()).toEqual({ success: false });
  });

  test('a revoked key is refused by the others within a second', async () => {
    upstream.script = answering(200, chatAnswer('hello'));
    const { apiKey, keyId } = await replicas[0].account('1.00');
    expect(await spread(3, apiKey, { model, messages })).toEqual([200, 200, 200]);
    await replicas[0].admin('POST', `/keys/${keyId}/revoke`);
    const revokedAt = Date.now();
    expect((await replicas[0].post(chat, { model, messages }, apiKey)).status).toBe(401);
    for (const replica of [replicas[1], replicas[2]]) {
      const refused = async (): Promise<number> => (await replica.get('/api/v1/user/me', apiKey)).status;
      await expect.poll(refused, { interval: 20, timeout: 5000 }).toBe(401);
    }
    expect(Date.now() - revokedAt).toBeLessThan(1000);
    upstream.script = answering(200, chatAnswer('hello'));
    expect(await spread(3, apiKey, { model, messages })).toEqual([401, 401, 401]);
  });

  test('a hard cap holds: 300 calls at once against a balance for 30', async () => {
    upstream.script = slowly('hello');
    const { apiKey, id } = await replicas[0].account((callCost * 30).toFixed(7));
    const before = upstream.calls.length;
    const statuses = await spread(300, apiKey, { model, messages, max_tokens: 5 });
    const count = (status: number): number => statuses.filter((each) => each === status).length;
    expect([count(200), count(402)]).toEqual([30, 270]);
    expect(upstream.calls.length - before).toBe(30);
    const { accounts } = (await replicas[1].admin('GET', '/accounts')) as { accounts: { id: string }[] };
    expect(accounts.find((each) => each.id === id)).toMatchObject({ balance: '0.00' });
  });

  test('a limit of 20 requests a minute holds over all of them', async () => {
    upstream.script = slowly('hello');
    const { apiKey } = await replicas[0].account(null, { rpm: 20 });
    const statuses = await spread(90, apiKey, { model, messages });
    expect(statuses.filter((each) => each === 200)).toHaveLength(20);
    expect(statuses.filter((each) => each === 429)).toHaveLength(70);
  });

  test('one Idempotency-Key on three replicas at once: one call upstream, one charge', async () => {
    upstream.script = async (call, response) => {
      await pause(200);
      return answering(200, chatAnswer('once'))(call, response);
    };
    const { apiKey, id } = await replicas[0].account('1.00');
    const before = upstream.calls.length;
    const headers = { 'idempotency-key': 'the-very-same' };
    const statuses = await spread(30, apiKey, { model, messages }, headers);
    expect(statuses.filter((each) => each === 200).length).toBeGreaterThanOrEqual(1);
    expect(new Set(statuses.filter((each) => each !== 200))).toEqual(new Set([409]));
    for (const replica of replicas) {
      const again = await replica.post(chat, { model, messages }, apiKey, headers);
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      expect(await again.json()).toMatchObject({ choices: [{ message: { content: 'once' } }] });
    }
    expect(upstream.calls.length - before).toBe(1);
    const rows = (await replicas[1].admin('GET', `/requests?account_id=${id}`))['requests'];
    expect(rows).toHaveLength(1);
  });
});
