/** indoxhub.yaml edited while the gateway runs: a valid change serves the next call, a broken one changes nothing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';
import { answering, chatAnswer, startUpstream, type Upstream } from './upstream.ts';

let upstream: Upstream;
let gateway: TestGateway;
const messages = [{ role: 'user', content: 'hi' }];

const yaml = (alias: string): string => `
providers:
  openai: { api_key: sk-test, base_url: ${upstream.url} }
aliases:
  ${alias}: openai/gpt-4o-mini
`;
/** The model that reached the provider: an alias is translated, another bare name goes there as it is. */
async function sentFor(model: string): Promise<unknown> {
  const answer = await gateway.post('/v1/chat/completions', { model, messages });
  expect(answer.status).toBe(200);
  return upstream.calls.at(-1)?.body['model'];
}

beforeAll(async () => {
  upstream = await startUpstream(answering(200, chatAnswer('hello')));
  gateway = await startGateway({ yaml: yaml('fast') });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

test('a changed alias takes effect; a file that does not read leaves the former in force', async () => {
  const file = join(gateway.dataDir, 'indoxhub.yaml');
  expect(await sentFor('fast')).toBe('gpt-4o-mini');
  expect(await sentFor('quick')).toBe('quick');
  writeFileSync(file, yaml('quick'));
  await expect.poll(() => sentFor('quick'), { timeout: 5_000 }).toBe('gpt-4o-mini');
  expect(await sentFor('fast')).toBe('fast');
  writeFileSync(file, 'providers: [this is not a map');
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(await sentFor('quick')).toBe('gpt-4o-mini');
});
