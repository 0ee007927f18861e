/** The three credentials on the same routes, the exchange, and every way in that must stay shut. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SignJWT } from 'jose';
import { adminKey } from '../gateway.ts';
import { jsonOf, openScene, say, type Json, type Scene } from './client.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

/** A chat with these credentials and no others. */
const chat = (headers: Record<string, string>, path = '/api/v1/chat/completions'): Promise<Response> =>
  fetch(scene.gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'local/sandbox', messages: say('Hello') }),
  });

const bearer = (credential: string): Record<string, string> => ({ authorization: `Bearer ${credential}` });

const exchange = (key: string): Promise<Response> =>
  fetch(`${scene.gateway.url}/api/v1/auth/api-key`, { method: 'POST', headers: { 'x-api-key': key } });

async function tokenOf(key: string): Promise<string> {
  return String((await jsonOf(await exchange(key)))['access_token']);
}

async function signed(claims: (jwt: SignJWT) => SignJWT, secret?: string): Promise<string> {
  const { storage } = scene.gateway.running.gateway;
  const key = Buffer.from(secret ?? (await storage.settleSetting('jwt_secret', '')), 'base64');
  return claims(
    new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setIssuer('indoxhub').setIssuedAt(),
  ).sign(key);
}

const surfaces = ['/api/v1/chat/completions', '/v1/chat/completions', '/chat/completions'];

describe.each(surfaces)('%s', (path) => {
  test('takes an API key', async () => {
    expect((await chat(bearer(scene.gateway.apiKey), path)).status).toBe(200);
    expect((await chat({ authorization: `bearer  ${scene.gateway.apiKey} ` }, path)).status).toBe(200);
  });
  test('takes a token', async () => {
    expect((await chat(bearer(await tokenOf(scene.gateway.apiKey)), path)).status).toBe(200);
  });
  test('takes the cookie alone', async () => {
    const cookie = `theme=dark; access_token=${await tokenOf(scene.gateway.apiKey)}; x=1`;
    expect((await chat({ cookie }, path)).status).toBe(200);
  });
  test('takes nothing else', async () => {
    const { apiKey } = scene.gateway;
    const wrong: Record<string, string>[] = [
      {},
      { authorization: apiKey },
      { authorization: `Basic ${apiKey}` },
      { authorization: 'Bearer' },
      bearer('x'),
      bearer(adminKey),
      bearer(`${apiKey.slice(0, -1)}${apiKey.endsWith('a') ? 'b' : 'a'}`),
      bearer(apiKey.toUpperCase()),
      bearer(`indox-${'a'.repeat(32)}`),
      bearer("indox-' OR '1'='1"),
      { cookie: 'access_token=x' },
      { cookie: 'not_access_token=x' },
    ];
    for (const headers of wrong) {
      const answer = await chat(headers, path);
      expect(answer.status, JSON.stringify(headers)).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      const text = await answer.text();
      const given = headers['authorization']?.replace(/^\w+ +/, '') ?? '';
      if (given.length > 8) expect(text).not.toContain(given);
      expect(JSON.parse(text)).toMatchObject(
        path.startsWith('/api') ? { status_code: 401, detail: expect.any(String) as string } : {},
      );
    }
  });
});

describe('the exchange', () => {
  test('by X-API-Key, without body or content type: a token and a cookie a plain-http client sends back', async () => {
    const answer = await exchange(scene.gateway.apiKey);
    expect(answer.status).toBe(200);
    const body = await jsonOf(answer);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^eyJ/) as string,
      token_type: 'bearer',
      expires_in: 1800,
    });
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toContain(`access_token=${String(body['access_token'])}`);
    expect(cookie).toMatch(/Path=\//);
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).not.toMatch(/Secure/);
  });

  test.each(['the key', 'pip_client'])('by a password form, user %s', async (user) => {
    const { apiKey, url } = scene.gateway;
    const form = new URLSearchParams({ username: user === 'the key' ? apiKey : user, password: apiKey });
    const answer = await fetch(`${url}/api/v1/auth/token`, { method: 'POST', body: form });
    expect(answer.status).toBe(200);
    expect((await chat(bearer(String((await jsonOf(answer))['access_token'])))).status).toBe(200);
  });

  test('with a wrong key: 401 whose detail is a string', async () => {
    for (const key of ['', 'x', `indox-${'a'.repeat(32)}`]) {
      const answer = await exchange(key);
      expect(answer.status).toBe(401);
      expect((await jsonOf(answer))['detail']).toBeTypeOf('string');
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
  });

  test('is Secure where the public URL is https', async () => {
    const other = await openScene({ env: { INDOXHUB_PUBLIC_URL: 'https://gateway.example' } });
    const answer = await fetch(`${other.gateway.url}/api/v1/auth/api-key`, {
      method: 'POST',
      headers: { 'x-api-key': other.gateway.apiKey },
    });
    expect(answer.headers.get('set-cookie')).toMatch(/Secure/);
    await other.close();
  });
});

describe('tokens', () => {
  let keyId: string;
  beforeAll(async () => {
    keyId = (await scene.gateway.account(null)).keyId;
  });

  test('of ours in time are taken', async () => {
    const token = await signed((jwt) => jwt.setSubject(keyId).setExpirationTime('1m'));
    expect((await chat(bearer(token))).status).toBe(200);
  });

  test('expired ones are 401 token_expired', async () => {
    const token = await signed((jwt) =>
      jwt.setSubject(keyId).setExpirationTime(Math.floor(Date.now() / 1000) - 1),
    );
    const answer = await chat(bearer(token));
    expect(answer.status).toBe(401);
    expect(await jsonOf(answer)).toMatchObject({ error: 'token_expired' });
  });

  test('forged, altered or of another issuer are 401', async () => {
    const good = await signed((jwt) => jwt.setSubject(keyId).setExpirationTime('1m'));
    const [, payload = '', signature = ''] = good.split('.');
    const part = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const bad = [
      await signed(
        (jwt) => jwt.setSubject(keyId).setExpirationTime('1m'),
        Buffer.alloc(32).toString('base64'),
      ),
      await signed((jwt) => jwt.setSubject(keyId).setIssuer('other').setExpirationTime('1m')),
      await signed((jwt) => jwt.setExpirationTime('1m')),
      await signed((jwt) => jwt.setSubject(crypto.randomUUID()).setExpirationTime('1m')),
      `${part({ alg: 'none' })}.${payload}.`,
      `${part({ alg: 'HS256' })}.${part({ sub: keyId, iss: 'indoxhub', exp: 9_999_999_999 })}.${signature}`,
      'eyJ',
      'eyJ..',
    ];
    for (const token of bad) expect((await chat(bearer(token))).status, token).toBe(401);
  });
});

describe('keys', () => {
  test('of a wrong shape or checksum never reach the store', async () => {
    const spy = vi.spyOn(scene.gateway.running.gateway.storage, 'findCredential');
    const { apiKey } = scene.gateway;
    const flipped = apiKey.slice(0, 10) + (apiKey[10] === 'a' ? 'b' : 'a') + apiKey.slice(11);
    for (const key of ['x', `indox-${'a'.repeat(32)}`, flipped, `${apiKey}a`])
      expect((await chat(bearer(key))).status).toBe(401);
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  });

  test('expire', async () => {
    const { apiKey } = await scene.gateway.account(null, {
      expires_at: new Date(Date.now() + 700).toISOString(),
    });
    const token = await tokenOf(apiKey);
    expect((await chat(bearer(apiKey))).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 800));
    for (const headers of [bearer(apiKey), bearer(token), { cookie: `access_token=${token}` }]) {
      const answer = await chat(headers);
      expect(answer.status).toBe(401);
      expect(await jsonOf(answer)).toMatchObject({ error: 'key_expired' });
    }
    expect((await exchange(apiKey)).status).toBe(401);
  });

  test('revoked end within a second, with their tokens and cookies', async () => {
    const { apiKey, keyId } = await scene.gateway.account(null);
    const token = await tokenOf(apiKey);
    for (const headers of [bearer(apiKey), bearer(token)]) expect((await chat(headers)).status).toBe(200);
    await scene.gateway.admin('POST', `/keys/${keyId}/revoke`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const headers of [bearer(apiKey), bearer(token), { cookie: `access_token=${token}` }]) {
      const answer = await chat(headers);
      expect(answer.status).toBe(401);
      expect(await jsonOf(answer)).toMatchObject({ error: 'key_revoked' });
    }
  });

  test('are answered before the body is read or judged', async () => {
    const answer = await fetch(`${scene.gateway.url}/api/v1/chat/completions`, {
      method: 'POST',
      headers: bearer('x'),
      body: '{',
    });
    expect(answer.status).toBe(401);
  });

  test('do not open the admin routes, nor the admin key the data routes', async () => {
    const answer = await fetch(`${scene.gateway.url}/admin/v1/accounts`, {
      headers: bearer(scene.gateway.apiKey),
    });
    expect(answer.status).toBe(403);
    expect((await chat(bearer(adminKey))).status).toBe(401);
    const token = await tokenOf(scene.gateway.apiKey);
    expect(
      (
        await fetch(`${scene.gateway.url}/admin/v1/accounts`, {
          headers: { cookie: `access_token=${token}` },
        })
      ).status,
    ).toBe(401);
  });
});

test('a store that is down is 503, never 401', async () => {
  const { storage } = scene.gateway.running.gateway;
  const { StorageUnavailable } = await import('../../src/storage/storage.ts');
  const { apiKey } = await scene.gateway.account(null);
  const spy = vi.spyOn(storage, 'findCredential').mockRejectedValue(new StorageUnavailable('down'));
  const answer = await chat(bearer(apiKey));
  expect(answer.status).toBe(503);
  expect(await jsonOf(answer)).toMatchObject({ error: 'store_unavailable' });
  expect(answer.headers.get('retry-after')).not.toBeNull();
  spy.mockRestore();
  expect((await chat(bearer(apiKey))).status).toBe(200);
});
