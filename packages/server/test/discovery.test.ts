/** A model server on this machine is found, listed and served, with no key and no configuration. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';
import { chatAnswer } from './upstream.ts';

/** Where Ollama listens; no other port would be looked at. */
const port = 11_434;
let server: Server;
let gateway: TestGateway;

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/v1/models')
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'tiny:latest' }] }));
    else response.end(chatAnswer('from this machine'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  gateway = await startGateway({ env: { INDOXHUB_LOCAL_DISCOVERY: 'on' } });
});
afterAll(async () => {
  await gateway?.close();
  server.closeAllConnections();
  server.close();
});

test('is listed as a provider with its own model names', async () => {
  await expect
    .poll(async () => (await (await gateway.get('/api/v1/models/ollama')).json()) as object)
    .toMatchObject({ id: 'ollama', available: true, models: [{ id: 'tiny:latest', provider: 'ollama' }] });
});

test('serves by name, and by default before the sandbox', async () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const named = await gateway.post('/api/v1/chat/completions', { model: 'ollama/tiny', messages });
  expect(await named.json()).toMatchObject({
    provider: 'ollama',
    data: 'from this machine',
    usage: { cost: null },
  });
  const unnamed = await gateway.post('/api/v1/chat/completions', { messages });
  expect(await unnamed.json()).toMatchObject({ provider: 'ollama', model: expect.stringMatching(/^tiny/) });
});
