/** Who gets in, and what never gets out: keys through every failure, then looked for wherever a gateway leaves words. */
import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endpoints, type Endpoint } from '../../src/contract/endpoints.ts';
import { adminKey, startGateway, type TestGateway } from '../gateway.ts';
import { startChild, temporaryDir } from '../replicas/child.ts';
import {
  answering,
  chatAnswer,
  startUpstream,
  streaming,
  type Script,
  type SeenCall,
  type Upstream,
} from '../upstream.ts';
import { filesOf, findings } from './planted.ts';
import { raw, request, sleep } from './raw.ts';

const messages = [{ role: 'user', content: 'Tell me something.' }];
const model = 'openai/gpt-4o-mini';
const chatPaths = ['/api/v1/chat/completions', '/v1/chat/completions'];

describe('who gets in', () => {
  let upstream: Upstream;
  let gateway: TestGateway;
  beforeAll(async () => {
    upstream = await startUpstream(answering(200, chatAnswer('hello')));
    gateway = await startGateway({ env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: upstream.url } });
  });
  afterAll(async () => {
    await gateway.close();
    await upstream.close();
  });

  const rows = Object.entries<Endpoint>(endpoints).map(([name, endpoint]) => {
    const path = endpoint.path
      .replaceAll(/:\w+\{[^}]*\}/g, 'x')
      .replaceAll(/:\w+/g, 'x')
      .replaceAll('*', 'x');
    return [name, endpoint, path] as const;
  });
  const open = rows.filter(([, { auth }]) => auth === 'public').map(([name]) => name);

  test('the open routes are these and no others', () => {
    expect(open.toSorted()).toEqual(
      'apiKeyExchange tokenExchange media models provider model openaiModels openaiModel userHealth root live ready health healthLive healthLiveness healthReady healthReadiness openapi docs'
        .split(' ')
        .toSorted(),
    );
  });

  test.each(rows.filter(([, { auth }]) => auth === 'key' || auth === 'admin'))(
    '%s without a key, with a wrong one, with one of another kind',
    async (_, { method, auth }, path) => {
      const ask = (authorization: string | null, suffix = ''): Promise<Response> =>
        fetch(gateway.url + path + suffix, {
          method,
          headers: {
            'content-type': 'application/json',
            ...(authorization === null ? {} : { authorization }),
          },
          ...(method === 'GET' ? {} : { body: '{}' }),
        });
      const wrong = [
        null,
        'Bearer',
        'Bearer ',
        'Basic dXNlcjpwYXNz',
        'Bearer wrong',
        `Token ${gateway.apiKey}`,
      ];
      for (const authorization of wrong) {
        const answer = await ask(authorization);
        expect([authorization, answer.status]).toEqual([authorization, 401]);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        await answer.arrayBuffer();
      }
      for (const suffix of ['?', '?api_key=', '?key=', '?access_token='])
        expect((await ask(null, `${suffix}${auth === 'key' ? gateway.apiKey : adminKey}`)).status).toBe(401);
      const other = await ask(`Bearer ${auth === 'key' ? adminKey : gateway.apiKey}`);
      expect(other.status).toBe(auth === 'key' ? 401 : 403);
    },
  );

  test('metrics: loopback or the admin key, but nobody behind a proxy', async () => {
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(200);
    for (const name of ['x-forwarded-for', 'forwarded'])
      expect((await fetch(`${gateway.url}/metrics`, { headers: { [name]: '127.0.0.1' } })).status).toBe(401);
    expect((await gateway.get('/metrics')).status).toBe(403);
  });

  test('other spellings of a path open nothing', async () => {
    for (const target of [
      '//admin/v1/accounts',
      '/admin//v1/accounts',
      '/./admin/v1/accounts',
      '/x/../admin/v1/accounts',
      '/%61dmin/v1/accounts',
      '/admin/v1/accounts/',
      '/admin/v1/accounts;x',
      '/admin/v1/accounts%2f',
      '/ADMIN/v1/accounts',
      '/admin/v1/accounts?x#y',
      '/api/v1/models/../../admin/v1/accounts',
      '/api/v1/models/%2e%2e/%2e%2e/admin/v1/accounts',
      '/healthz/../admin/v1/accounts',
    ]) {
      const { statuses, text } = await raw(gateway.url, request('GET', target, { connection: 'close' }));
      expect([target, statuses[0] ?? 0]).not.toEqual([target, 200]);
      expect(text).not.toContain('"accounts"');
    }
  });

  test('what is stored opens nothing: the hash of a key in any writing, the prefix, another checksum', async () => {
    const key = gateway.apiKey;
    const digest = hash('sha256', key, 'buffer');
    const last = key.at(-1) === 'A' ? 'B' : 'A';
    for (const credential of [
      digest.toString('hex'),
      digest.toString('base64'),
      digest.toString('base64url'),
      `indox-${digest.toString('hex').slice(0, 32)}`,
      key.slice(0, 12),
      key.slice(0, -1),
      key.slice(0, -1) + last,
      key.toLowerCase(),
      key.toUpperCase(),
      `${key}x`,
      key.slice(6),
      '__proto__',
      'constructor',
    ]) {
      const answer = await gateway.post(chatPaths[1] ?? '', { model, messages }, credential);
      expect([credential.slice(0, 8), answer.status]).toEqual([credential.slice(0, 8), 401]);
    }
  });

  test('three thousand fuzzed Authorization values: 401 or a refusal of the bytes, never a 5xx', async () => {
    const pieces = [
      "' or 1=1 --",
      '"; drop table api_key; --',
      '%s%n%x',
      '{{7*7}}',
      '../../etc/passwd',
      '\\x00',
      'indox-',
      'eyJhbGciOiJub25lIn0.eyJzdWIiOiJkZWZhdWx0In0.',
      'eyJhbGciOiJIUzI1NiJ9.e30.AAAA',
      '\u00ff',
      '\t',
      '(*)(uid=*)',
      '$ne',
      'undefined',
      'null',
    ];
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const value = (): string => {
      const parts = Array.from({ length: 1 + random(4) }, () =>
        random(3) === 0
          ? String.fromCharCode(33 + random(94)).repeat(1 + random(random(20) === 0 ? 16_000 : 40))
          : (pieces[random(pieces.length)] ?? ''),
      );
      return ['Bearer ', 'bearer  ', 'Basic ', ''][random(4)] + parts.join(random(2) === 0 ? '' : ' ');
    };
    for (let batch = 0; batch < 30; batch++) {
      const bytes = Array.from({ length: 100 }, () => {
        const path = ['/api/v1/user/me', '/v1/models/x', '/admin/v1/accounts'][random(2) * 2] ?? '';
        return request('GET', path, { authorization: value() });
      });
      const answers = await Promise.all(
        // Ten a connection: one refused by the parser ends its connection.
        Array.from({ length: 10 }, (_, i) =>
          raw(
            gateway.url,
            Buffer.from(
              `${bytes.slice(i * 10, i * 10 + 10).join('')}${request('GET', '/healthz', { connection: 'close' })}`,
              'latin1',
            ),
          ),
        ),
      );
      for (const { statuses } of answers) {
        expect(statuses.length).toBeGreaterThan(0);
        const last = statuses.at(-1);
        for (const status of last === 200 ? statuses.slice(0, -1) : statuses)
          expect([400, 401, 431]).toContain(status);
      }
    }
  });

  test('bodies that try for more: a tenant cannot name roles, accounts or spend', async () => {
    for (const field of ['role', 'tenant_id', 'account_id', 'spend', 'is_admin']) {
      const answer = await fetch(`${gateway.url}/admin/v1/accounts`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'x', [field]: 'y' }),
      });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ details: { param: field } });
    }
    const { apiKey, id } = await gateway.account('0.01', { allowed_models: ['openai/gpt-4o'] });
    const answer = await gateway.post(
      chatPaths[1] ?? '',
      { model, messages, account_id: 'default', role: 'admin', allowed_models: ['*'] },
      apiKey,
    );
    expect(answer.status).toBe(403);
    expect(await gateway.requests(id)).toHaveLength(0);
  });

  test('revoked under load: within a second every new call is refused, what runs may end', async () => {
    upstream.script = (call, response) =>
      call.body['stream'] === true
        ? streaming({ parts: Array.from({ length: 60 }, () => 'w '), every: 25 })(call, response)
        : answering(200, chatAnswer('hello'))(call, response);
    const { apiKey, keyId } = await gateway.account(null);
    const running = gateway
      .post(chatPaths[1] ?? '', { model, messages, stream: true }, apiKey)
      .then((answer) => answer.text());
    const seen: { startedAt: number; status: number }[] = [];
    const until = performance.now() + 1_700;
    const callers = Array.from({ length: 8 }, async () => {
      while (performance.now() < until) {
        const startedAt = performance.now();
        const answer = await gateway.post(chatPaths[1] ?? '', { model, messages }, apiKey);
        await answer.arrayBuffer();
        seen.push({ startedAt, status: answer.status });
      }
    });
    await sleep(300);
    const revokedAt = performance.now();
    await gateway.admin('POST', `/keys/${keyId}/revoke`);
    await Promise.all(callers);
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([200, 401]));
    expect(seen.filter(({ startedAt, status }) => status !== 401 && startedAt > revokedAt + 1_000)).toEqual(
      [],
    );
    expect(await running).toContain('[DONE]');
    await gateway.verify();
  });
});

describe('planted keys', () => {
  const providerKey = 'sk-proj-PLANTEDproviderKEY0123456789abcdef';
  const byokKey = 'AbYOK-PLANTEDcallersOWNkey-9876543210-zyx';
  const plantedAdmin = 'PLANTED-admin-key-qwertyuiop-0123456789';

  test('are nowhere: answers, output, metrics, files', { timeout: 60_000 }, async () => {
    const upstream = await startUpstream(answering(200, chatAnswer('hello')));
    const home = temporaryDir();
    const child = await startChild({
      dataDir: home.path,
      env: {
        INDOXHUB_ADMIN_KEY: plantedAdmin,
        INDOXHUB_LOG_LEVEL: 'trace',
        OPENAI_API_KEY: providerKey,
        OPENAI_BASE_URL: upstream.url,
        INDOXHUB_FIRST_BYTE_TIMEOUT: '300ms',
        INDOXHUB_TOTAL_TIMEOUT: '500ms',
        INDOXHUB_MAX_RETRIES: '1',
      },
    });
    const admin = (method: string, path: string, body?: object): Promise<Response> =>
      fetch(`${child.url}/admin/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${plantedAdmin}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const issued = (await (await admin('POST', '/keys', { name: 'planted' })).json()) as {
      id: string;
      api_key: string;
    };
    const apiKey = issued.api_key;
    const told: string[] = [];
    const note = async (pending: Promise<Response>): Promise<void> => {
      const answer = await pending.catch(() => null);
      if (answer === null) return;
      told.push(JSON.stringify([...answer.headers]), await answer.text().catch(() => ''));
    };

    // It repeats the key it was sent in every member of its error.
    const quoting = (call: SeenCall): string => {
      const sent = (call.headers.authorization ?? '').slice('Bearer '.length);
      const error = { message: `Bad key ${sent}, Bearer ${sent}`, param: sent, code: sent, type: sent };
      return JSON.stringify({ error });
    };
    const repeating =
      (status: number, frame: (text: string) => string = (text) => text): Script =>
      (call, response) =>
        answering(status, frame(quoting(call)))(call, response);
    const json = { 'content-type': 'application/json' };
    const scripts: Script[] = [
      ...[400, 401, 402, 403, 404, 408, 409, 418, 422, 429, 500, 502, 503, 529].map((status) =>
        repeating(status),
      ),
      repeating(500, (text) => `<html>${text}</html>`),
      repeating(200),
      repeating(200, (text) => `not JSON ${text}`),
      repeating(200, (text) => `data: ${text}\n\n`),
      answering(302, '', { location: `https://x.invalid/?key=${providerKey}` }),
      (_, response) => void response.destroy(),
      () => {},
      (_, response) => void response.writeHead(200, { ...json, 'content-length': '9999' }).end('{"choices":'),
    ];
    let serial = 0;
    for (const script of scripts) {
      upstream.script = script;
      const calls = chatPaths.flatMap((path) =>
        [false, true].flatMap((stream) =>
          [undefined, byokKey].map((byok_api_key) =>
            note(
              child.post(
                path,
                {
                  model: `openai/planted-${++serial}`,
                  messages,
                  stream,
                  ...(byok_api_key === undefined ? {} : { byok_api_key }),
                },
                apiKey,
              ),
            ),
          ),
        ),
      );
      await Promise.all(calls);
    }
    upstream.script = answering(200, chatAnswer('hello'));
    for (const path of chatPaths) {
      const body = { model, messages, byok_api_key: byokKey };
      await note(child.post(path, body, apiKey));
      await note(child.post(path, body, apiKey, { 'idempotency-key': `planted-${path}` }));
      await note(child.post(path, body, apiKey, { 'idempotency-key': `planted-${path}` }));
      await note(child.post(path, { ...body, additional_params: { byok_api_key: byokKey } }, apiKey));
      await note(child.post(path, { ...body, messages: 7 }, apiKey));
      await note(child.post(path, { ...body, byok_api_key: `${byokKey}\n` }, apiKey));
      await note(child.post(path, `{"byok_api_key":"${byokKey}",`, apiKey));
      await note(child.post(path, body, `${apiKey}x`));
      await note(child.post(path, { ...body, model: 'nobody/x' }, apiKey));
      await note(child.post(path, { ...body, model: 'anthropic/claude-x' }, apiKey));
      await note(child.get(`${path}?api_key=${apiKey}`));
    }
    await note(admin('POST', '/keys', { name: 'x', unknown: 1 }));
    await note(admin('GET', '/providers'));
    await note(admin('GET', '/requests?limit=100'));
    await note(admin('GET', '/keys'));
    await note(fetch(`${child.url}/metrics`));
    await note(
      fetch(`${child.url}/admin/v1/keys`, { headers: { authorization: `Bearer ${plantedAdmin}x` } }),
    );
    await note(
      fetch(`${child.url}/api/v1/auth/api-key`, { method: 'POST', headers: { 'x-api-key': `${apiKey}x` } }),
    );
    await note(
      fetch(`${child.url}/api/v1/auth/token`, {
        method: 'POST',
        body: new URLSearchParams({ password: `${apiKey}x` }),
      }),
    );
    // A token of the key is given out on purpose; the key is not in it.
    await note(
      fetch(`${child.url}/api/v1/auth/api-key`, { method: 'POST', headers: { 'x-api-key': apiKey } }),
    );
    await sleep(300);

    const running = filesOf(home.path);
    expect(running).toContain(hash('sha256', apiKey, 'hex'));
    await child.stop();
    const places = { answers: told.join('\n'), output: child.output(), running, stopped: filesOf(home.path) };
    home.remove();
    await upstream.close();

    expect(places.output).toContain('"msg":"call"');
    expect(told.length).toBeGreaterThan(300);
    const secrets = { providerKey, byokKey, plantedAdmin, apiKey };
    // Of an API key the first twelve characters are shown and stored, to recognise it by.
    expect(findings(places, secrets, { apiKey: 13 })).toEqual([]);
  });
});
