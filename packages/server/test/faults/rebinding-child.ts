/**
 * In a network namespace of its own, where a public address is this machine's and the names are answered here: a name that
 * is public when it is asked for first and private afterwards, and others like it. Prints what was dialled, as JSON.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { startGateway } from '../gateway.ts';
import { answering, startUpstream } from '../upstream.ts';

const [publicAddress, privateAddress] = ['93.184.216.34', '127.0.0.1'];

/** What the name resolves to at its first question, its second …; the last for ever. */
const zone: Record<string, string[][]> = {
  'rebind.test': [[publicAddress], [privateAddress]],
  'back.test': [[privateAddress], [publicAddress]],
  'mixed.test': [[publicAddress, privateAddress]],
  'private.test': [[privateAddress]],
  'honest.test': [[publicAddress]],
};
const asked = new Map<string, number>();

/** The whole of the DNS that is needed: one question, answers of type A that nobody may keep. */
function answerTo(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const name = labels.join('.').toLowerCase();
  const isA = query.readUInt16BE(at + 1) === 1;
  const stages = zone[name] ?? [];
  const count = asked.get(name) ?? 0;
  if (isA) asked.set(name, count + 1);
  const addresses = isA ? (stages[Math.min(count, stages.length - 1)] ?? []) : [];
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(stages.length === 0 ? 0x8183 : 0x8180, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([head, question, ...records]);
}

async function listen(address: string): Promise<{ connections: number }> {
  const seen = { connections: 0 };
  const server = createServer((socket) => {
    seen.connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(443, address, resolve));
  server.unref();
  return seen;
}

const directory = mkdtempSync(join(tmpdir(), 'indoxhub-dns-'));
writeFileSync(join(directory, 'resolv.conf'), `nameserver 127.0.0.1\noptions timeout:1 attempts:1\n`);
execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['address', 'add', `${publicAddress}/32`, 'dev', 'lo']);
execFileSync('mount', ['--bind', join(directory, 'resolv.conf'), '/etc/resolv.conf']);
const names = createSocket('udp4');
names.on('message', (query, from) => names.send(answerTo(query), from.port, from.address));
await new Promise<void>((resolve) => names.bind(53, '127.0.0.1', resolve));
const outside = await listen(publicAddress);
const inside = await listen(privateAddress);

const vendor = await startUpstream(answering(200, '{}'));
const gateway = await startGateway({ env: { GEMINI_API_KEY: 'k', GEMINI_BASE_URL: vendor.url } });
const results: Record<string, unknown> = {};
for (const name of Object.keys(zone)) {
  const before = { outside: outside.connections, inside: inside.connections };
  const codes: unknown[] = [];
  for (let times = 0; times < 3; times++) {
    const answer = await gateway.post('/v1/chat/completions', {
      model: 'google/gemini-2.5-flash',
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: { url: `https://${name}/x.png` } }] },
      ],
    });
    codes.push(((await answer.json()) as { error?: { code?: string } }).error?.code);
  }
  results[name] = {
    codes,
    outside: outside.connections - before.outside,
    inside: inside.connections - before.inside,
    asked: asked.get(name),
  };
}
await gateway.close();
await vendor.close();
process.stdout.write(`${JSON.stringify(results)}\n`);
process.exit(0);
