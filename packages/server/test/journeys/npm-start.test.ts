/** `npm start` in a clone, with nothing configured and the machine's own node before npm's. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startCommand } from './started.ts';

const root = join(import.meta.dirname, '../../../..');

test('npm start serves a first chat with the key it prints', async () => {
  const gateway = await startCommand('npm', ['start'], { cwd: root });
  try {
    expect(gateway.output).toMatch(/Admin key +\S+/);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'local/sandbox', messages: [{ role: 'user', content: 'Hello' }] }),
    });
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { choices: { message: { content: string } }[] };
    expect(body.choices[0]?.message.content).not.toBe('');
  } finally {
    expect(await gateway.stop()).toBe(0);
  }
});
