/** The client against the gateway's table of endpoints, and its public methods against their own documentation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endpoints, type Endpoint } from '../../server/src/contract/endpoints.ts';
import type { IndoxHub } from '../src/index.ts';
import { answering, question, withServer } from './server.ts';

/** One call of every method that has a path of its own. */
const calls: readonly ((client: IndoxHub) => PromiseLike<unknown>)[] = [
  (client) => client.chat(question('hi')),
  (client) => client.chat.stopStream('ID'),
  (client) => client.completion('hi'),
  (client) => client.completions.stopStream('ID'),
  (client) => client.embeddings('hi'),
  (client) => client.images('a fox'),
  (client) => client.videos('a fox'),
  (client) => client.videos.list(),
  (client) => client.videos.retrieve('ID'),
  (client) => client.videos.cancel('ID'),
  (client) => client.videos.events('ID').next(),
  (client) => client.webhooks.secret(),
  (client) => client.textToSpeech('hi'),
  (client) => client.speechToText(new Blob(['x'])),
  (client) => client.translateAudio(new Blob(['x'])),
  (client) => client.models.list(),
  (client) => client.models.provider('PROVIDER'),
  (client) => client.models.retrieve('PROVIDER/a/b'),
  (client) => client.models.trending(),
  (client) => client.usage.retrieve(),
];

/** Not the client's: tokens are for clients that cannot send the key itself, the rest is for the hosted service's. */
const others = /^\/api\/v1\/(auth\/|resemble|user\/(me|health)$)/;

test('every native endpoint has a method, and every method an endpoint', async () => {
  const script = answering(200, '{"jobs":[],"total":0,"status":"completed"}');
  await withServer(script, async (server, client) => {
    for (const call of calls) await Promise.resolve(call(client({ maxRetries: 0 }))).catch(() => {});
    const called = server.calls.map(({ method, path }) => `${method} ${path.split('?')[0]}`);
    const rows: readonly Endpoint[] = Object.values(endpoints);
    const wanted = rows
      .filter(({ path }) => path.startsWith('/api/v1') && !others.test(path))
      .map(({ method, path }) =>
        `${method} ${path}`
          .replace(':provider', 'PROVIDER')
          .replace(':model{.+}', 'a/b')
          .replace(':id', 'ID'),
      );
    expect([...new Set(called)].sort()).toEqual(wanted.sort());
  });
});

test('every public method is described with an example', () => {
  const folder = join(import.meta.dirname, '../src');
  const internal = new Set(['request.ts', 'sse.ts', 'log.ts', 'errors.ts']);
  const missing: string[] = [];
  let found = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || internal.has(name)) continue;
    for (const [, kind = '', body = ''] of readFileSync(join(folder, name), 'utf8').matchAll(
      /^export class (\w+)[^{]*\{\n([\s\S]*?)^\}/gm,
    )) {
      const seen = new Set(['constructor', 'then', 'catch', 'finally', 'baseURL']);
      const method =
        /((?:^  (?:\/\*\*| \*).*\n)*)^  (?:static )?(?:async )?(?:\*|get )?([a-z]\w*)(?:<[^(]*>)?\(/gm;
      for (const [, comment = '', member = ''] of body.matchAll(method)) {
        // The first of several overloads speaks for all.
        if (seen.has(member)) continue;
        seen.add(member);
        found++;
        if (!comment.includes('@example')) missing.push(`${kind}.${member}`);
      }
    }
  }
  expect(missing).toEqual([]);
  expect(found).toBeGreaterThan(45);
});
