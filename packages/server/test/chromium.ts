/** A page in a headless Chromium of this machine, where there is one: `.ci/run` installs it from Debian. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Undefined: this machine has none. */
export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);

const quiet = [
  'headless=new',
  'no-sandbox',
  'disable-gpu',
  'disable-quic',
  'no-first-run',
  'disable-background-networking',
  'disable-component-update',
  'disable-sync',
  'disable-dev-shm-usage',
  'mute-audio',
  'autoplay-policy=no-user-gesture-required',
];

/** Runs the body of an async function in a page and resolves to what it returns, by way of JSON. Ends the browser. */
export async function inChromium(script: string, limitMs = 60_000): Promise<unknown> {
  if (chromium === undefined) throw new Error('this machine has no Chromium');
  const told = Promise.withResolvers<string>();
  const page = `<!doctype html><title>test</title><body><script type="module">
const run = async () => { ${script} };
const told = await run().then((value) => ({ value }), (error) => ({ error: String(error?.stack ?? error) }));
await fetch('/told', { method: 'POST', body: JSON.stringify(told) });
</script>`;
  const server = createServer((request, response) => {
    if (request.url === '/told') void text(request).then(told.resolve);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(request.url === '/' ? page : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = mkdtempSync(join(tmpdir(), 'indoxhub-chromium-'));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const words = [...quiet.map((flag) => `--${flag}`), `--user-data-dir=${profile}`, url];
  // A group of its own: the browser's helpers go with it.
  const child = spawn(chromium, words, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + String(chunk)).slice(-2_000)));
  const gone = new Promise<void>((resolve) => {
    child.on('error', told.reject);
    child.on('close', (code) => {
      told.reject(new Error(`Chromium ended with ${code}: ${said}`));
      resolve();
    });
  });
  const late = setTimeout(() => told.reject(new Error(`the page told nothing: ${said}`)), limitMs);
  try {
    const answer = JSON.parse(await told.promise) as { value?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  } finally {
    clearTimeout(late);
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await gone;
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
