/** URLs that callers give: whatever the spelling, no private address is ever dialled, and every refusal reads alike. */
import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkedUrl, isPublicAddress } from '../../src/core/ssrf.ts';
import { startGateway, type TestGateway } from '../gateway.ts';
import { answering, startUpstream, type Upstream } from '../upstream.ts';

let canary: Server;
let port: number;
let connections = 0;
let vendor: Upstream;
let gateway: TestGateway;
/** Lets callers name private addresses, so that redirects can be seen. */
let open: TestGateway;

const answer = JSON.stringify({
  candidates: [{ content: { role: 'model', parts: [{ text: 'a cat' }] }, finishReason: 'STOP', index: 0 }],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 2, totalTokenCount: 12 },
});

beforeAll(async () => {
  canary = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => canary.listen(0, '::', resolve));
  port = (canary.address() as AddressInfo).port;
  vendor = await startUpstream(answering(200, answer));
  const env = { GEMINI_API_KEY: 'k', GEMINI_BASE_URL: vendor.url };
  gateway = await startGateway({ env });
  open = await startGateway({ env: { ...env, INDOXHUB_ALLOW_PRIVATE_URLS: 'on' } });
});
beforeEach(() => {
  connections = 0;
  vendor.calls.length = 0;
});
afterAll(async () => {
  await gateway.close();
  await open.close();
  await vendor.close();
  canary.close();
});

const look = (urls: readonly string[], at = gateway, path = '/v1/chat/completions'): Promise<Response> =>
  at.post(path, {
    model: 'google/gemini-2.5-flash',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          ...urls.map((url) => ({ type: 'image_url', image_url: { url } })),
        ],
      },
    ],
  });

const twelve = [
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '017700000001',
  '0177.0.0.1',
  '0',
  '127.0.0.1.',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[0:0:0:0:0:ffff:7f00:1]',
  '[::]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '\u2460\u2461\u2466.\u24ea.\u24ea.\u2460',
  '\uff11\uff12\uff17.\uff10.\uff10.\uff11',
  '127\u30020\u30020\u30021',
];
const others = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[2001:db8::1]',
  '[::ffff:a9fe:a9fe]',
  '[64:ff9b::a9fe:a9fe]',
  '[2001:0:7f00:1::]',
];
const names = ['localhost', 'LOCALHOST', 'localhost.', 'foo.localhost', 'ip6-localhost'];

describe('refused with one sentence, not dialled', () => {
  let sentence: string | undefined;
  const refused = async (url: string): Promise<void> => {
    for (const path of ['/v1/chat/completions', '/api/v1/chat/completions']) {
      const seen = await look([url], gateway, path);
      const json = (await seen.json()) as { error: unknown; message?: string };
      const error = (
        typeof json.error === 'object' ? json.error : { code: json.error, message: json.message }
      ) as {
        code: string;
        message: string;
      };
      expect([url, seen.status, error.code]).toEqual([url, 400, 'url_not_allowed']);
      sentence ??= error.message;
      expect(error.message).toBe(sentence);
    }
    expect(connections).toBe(0);
    expect(vendor.calls).toHaveLength(0);
  };
  test.each(twelve)('loopback as %s, on 443 and on the canary’s port', async (host) => {
    await refused(`https://${host}/x.png`);
    await refused(`https://${host}:${port}/x.png`);
    await refused(`http://${host}:${port}/x.png`);
  });
  test.each(others)('%s', (host) => refused(`https://${host}/x.png`));
  test('addresses with a user, a port, another scheme', async () => {
    for (const url of [
      `https://example.com@127.0.0.1/`,
      `https://user:password@example.com/`,
      `https://127.0.0.1@example.com/`,
      `http://example.com/`,
      `https://example.com:22/`,
      `https://example.com:5432/`,
      `https://example.com:8443/`,
      `https://`,
      `https://exa mple.com/`,
      `HTTPS://127.0.0.1/`,
      `https:127.0.0.1`,
      `https:/\\127.0.0.1/`,
    ])
      await refused(url);
  });
});

test.each(names)('a name that leads to loopback: %s', async (name) => {
  const seen = await look([`https://${name}/x.png`]);
  expect(seen.status).toBe(400);
  const { error } = (await seen.json()) as { error: { code: string } };
  // A resolver may not know the odder ones.
  expect(['url_not_allowed', 'bad_request']).toContain(error.code);
  if (name.toLowerCase() === 'localhost') expect(error.code).toBe('url_not_allowed');
  expect([connections, vendor.calls.length]).toEqual([0, 0]);
});

test('schemes that are no web address reach neither the network nor the disk', async () => {
  for (const url of [
    'file:///etc/passwd',
    'gopher://127.0.0.1:1/_x',
    'ftp://127.0.0.1/x',
    'javascript:alert(1)',
    'blob:https://x/1',
    '//127.0.0.1/x.png',
    '/etc/passwd',
    'jar:https://127.0.0.1!/x',
    ' https://127.0.0.1/x.png',
    '\thttps://127.0.0.1/x.png',
    'h\nttps://127.0.0.1/x.png',
  ]) {
    const seen = await look([url]);
    const text = await seen.text();
    expect(text).not.toContain('root:');
    expect(seen.status, url).toBe(400);
    for (const call of vendor.calls) expect(call.text).not.toContain('root:');
  }
  expect(connections).toBe(0);
});

test('at most eight links a request', async () => {
  const seen = await look(
    Array.from({ length: 9 }, () => `http://127.0.0.1:${port}/`),
    gateway,
  );
  expect(seen.status).toBe(400);
});

describe('where private addresses are allowed', () => {
  const picture = Buffer.from('89504e470d0a1a0a', 'hex');
  let site: Upstream;
  beforeAll(async () => {
    site = await startUpstream((_, response) => void response.end());
  });
  afterAll(() => site.close());
  const at = (path: string): string => new URL(path, site.url).href;

  test('a picture arrives as data', async () => {
    site.script = (_, response) => void response.writeHead(200, { 'content-type': 'image/png' }).end(picture);
    expect((await look([at('/a.png')], open)).status).toBe(200);
    expect(vendor.calls[0]?.text).toContain(picture.toString('base64'));
    expect(site.calls.at(-1)?.headers.authorization).toBeUndefined();
    expect(JSON.stringify(site.calls.at(-1)?.headers)).not.toContain(open.apiKey);
  });

  test('three redirects are followed, four are not; each hop is checked', async () => {
    const hops =
      (count: number) =>
      (call: { path: string }, response: ServerResponse): void => {
        const hop = Number(call.path.slice(1));
        if (hop < count) response.writeHead(302, { location: `/${hop + 1}` }).end();
        else response.writeHead(200, { 'content-type': 'image/png' }).end(picture);
      };
    site.script = hops(3);
    expect((await look([at('/0')], open)).status).toBe(200);
    site.script = hops(4);
    site.calls.length = 0;
    expect((await look([at('/0')], open)).status).toBe(400);
    expect(site.calls.length).toBeLessThanOrEqual(4);
    for (const location of ['file:///etc/passwd', 'gopher://x/', 'http://u:p@127.0.0.1/', 'http://[::', '']) {
      site.script = (_, response) => void response.writeHead(302, { location }).end();
      const seen = await look([at('/x')], open);
      expect([location, seen.status]).toEqual([location, 400]);
      expect(await seen.text()).not.toContain('root:');
    }
  });

  test('what is no picture, too large, compressed, or an error is a 400 that tells nothing of the body', async () => {
    const cases: [string, number, Record<string, string>, Buffer | string][] = [
      ['HTML', 200, { 'content-type': 'text/html' }, 'secret-body'],
      ['JSON', 200, { 'content-type': 'application/json' }, '{"secret-body":1}'],
      ['an error', 500, { 'content-type': 'image/png' }, 'secret-body'],
      ['forbidden', 403, { 'content-type': 'image/png' }, 'secret-body'],
      ['11 MiB', 200, { 'content-type': 'image/png' }, Buffer.alloc(11 * 1024 * 1024)],
      ['no type', 200, {}, 'secret-body'],
    ];
    for (const [name, status, headers, body] of cases) {
      site.script = (_, response) => void response.writeHead(status, headers).end(body);
      const seen = await look([at('/x')], open);
      expect([name, seen.status]).toEqual([name, 400]);
      const text = await seen.text();
      expect(text).not.toContain('secret-body');
      expect(text).toContain('messages[0].content[1].image_url.url');
    }
    expect(vendor.calls).toHaveLength(0);
  });
});

test('the address table', () => {
  const bare = (host: string): string => new URL(`http://${host}/`).hostname.replace(/^\[|\]$/g, '');
  for (const host of [...twelve, ...others])
    expect(isPublicAddress(bare(host).replace(/\.$/, '')), host).toBe(false);
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
  ])
    expect(isPublicAddress(address), address).toBe(true);
  for (const address of ['', 'localhost', '127.0.0.1 ', '::g']) expect(isPublicAddress(address)).toBe(false);
  expect(checkedUrl('https://example.com:443/', 'url', false).port).toBe('');
});
