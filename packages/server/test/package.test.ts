/**
 * The published packages: packed, installed in an empty folder with npm, started through the bin; first the gateway alone, then
 * with `@indoxhub/local` beside it.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plainPath, startCommand, type Started } from './journeys/started.ts';

const root = join(import.meta.dirname, '../../..');
const maxBytes = 25 * 1024 * 1024;
const isWanted = process.env['CI'] === 'true' || process.env['INDOXHUB_TEST_PACKAGE'] !== undefined;

/** Every file below a folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** `npm pack` in a copy: a build in the clone itself would be what its bin runs from then on. */
function pack(folder: string, name: 'server' | 'local'): string {
  const copy = join(folder, `clone-${name}`);
  mkdirSync(join(copy, 'packages'), { recursive: true });
  for (const file of ['tsconfig.base.json', 'README.md', 'LICENSE'])
    cpSync(join(root, file), join(copy, file));
  const skip = /\/(dist|test|bench|node_modules)$/;
  cpSync(join(root, 'packages', name), join(copy, 'packages', name), {
    recursive: true,
    filter: (path) => !skip.test(path),
  });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const words = ['pack', '--silent', '--pack-destination', copy];
  execFileSync('npm', words, { cwd: join(copy, 'packages', name), encoding: 'utf8' });
  return join(copy, readdirSync(copy).find((file) => file.endsWith('.tgz')) ?? '');
}

function install(home: string, tarball: string): void {
  const words = [
    'install',
    tarball,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--silent',
    '--prefer-offline',
  ];
  execFileSync('npm', words, { cwd: home, encoding: 'utf8' });
}

describe.skipIf(!isWanted)('the packed package (CI=true or INDOXHUB_TEST_PACKAGE=1 runs it)', () => {
  let folder: string;
  let home: string;
  let modules: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'indoxhub-package-'));
    home = join(folder, 'empty');
    mkdirSync(home);
    install(home, pack(folder, 'server'));
    modules = join(home, 'node_modules');
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const manifests = (): { path: string; json: { name?: string; scripts?: Record<string, string> } }[] =>
    filesBelow(modules)
      .filter((path) => /\/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
      .map((path) => ({ path, json: JSON.parse(readFileSync(path, 'utf8')) as object }));

  test('holds the build and no sources, tests or build information', () => {
    const own = filesBelow(join(modules, 'indoxhub')).map((path) => path.slice(modules.length + 10));
    for (const name of [
      'bin/indoxhub.js',
      'dist/main.js',
      'dist/cli/main.js',
      'catalogue/openai.json',
      'config.schema.json',
    ])
      expect(own).toContain(name);
    expect(own.filter((path) => /^src\/|^test\/|\.test\.|tsbuildinfo|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  test('installs nothing that runs at install', () => {
    const hooks = ['preinstall', 'install', 'postinstall'];
    const running = manifests().filter(({ json }) =>
      hooks.some((hook) => json.scripts?.[hook] !== undefined),
    );
    expect(running.map(({ json }) => json.name)).toEqual([]);
    expect(manifests().filter(({ path }) => readdirSync(dirname(path)).includes('binding.gyp'))).toEqual([]);
  });

  test('installs at most 25 MB', () => {
    const bytes = filesBelow(modules).reduce((sum, path) => sum + statSync(path).size, 0);
    console.log(`installed: ${(bytes / 1024 / 1024).toFixed(1)} MiB in ${manifests().length} packages`);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
  });

  test('starts through its bin and chats', async () => {
    const env = { PATH: `${dirname(process.execPath)}:${plainPath}` };
    const gateway = await startCommand(join(modules, '.bin/indoxhub'), [], { cwd: home, env });
    try {
      for (const path of ['/v1/chat/completions', '/api/v1/chat/completions']) {
        const answer = await fetch(gateway.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'local/sandbox', messages: [{ role: 'user', content: 'Hello' }] }),
        });
        expect(answer.status).toBe(200);
        expect(await answer.text()).toContain('"choices"');
      }
      const models = (await (await fetch(`${gateway.url}/v1/models`)).json()) as { data: unknown[] };
      expect(models.data.length).toBeGreaterThan(10);
      const spoken = await speak(gateway);
      expect([spoken.status, await spoken.text()]).toEqual([
        503,
        expect.stringContaining('npm install @indoxhub/local'),
      ]);
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  });

  const speak = ({ url, apiKey }: Started): Promise<Response> =>
    fetch(`${url}/v1/audio/speech`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'local/flite',
        input: 'Turn left at the next traffic light.',
        response_format: 'wav',
      }),
    });

  test('with @indoxhub/local it speaks, hears, embeds, draws and films', { timeout: 300_000 }, async () => {
    install(home, pack(folder, 'local'));
    expect(
      filesBelow(join(modules, '@indoxhub/local')).filter((path) => /\/(src|test)\//.test(path)),
    ).toEqual([]);
    const env = { PATH: `${dirname(process.execPath)}:${plainPath}` };
    const gateway = await startCommand(join(modules, '.bin/indoxhub'), [], { cwd: home, env });
    try {
      const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
        const answer = await fetch(gateway.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        expect(answer.status, path).toBe(200);
        return (await answer.json()) as Record<string, unknown>;
      };
      const sound = await (await speak(gateway)).arrayBuffer();
      expect(Buffer.from(sound).toString('latin1', 0, 4)).toBe('RIFF');
      const form = new FormData();
      form.append('model', 'local/pocketsphinx');
      form.append('file', new File([sound], 'a.wav'));
      const headers = { authorization: `Bearer ${gateway.apiKey}` };
      const heard = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
        method: 'POST',
        body: form,
        headers,
      });
      expect(await heard.json()).toMatchObject({ text: expect.stringContaining('traffic light') });
      const embedded = await post('/v1/embeddings', { model: 'local/use-lite', input: 'hi' });
      expect((embedded['data'] as { embedding: number[] }[])[0]?.embedding).toHaveLength(512);
      const drawn = await post('/v1/images/generations', {
        model: 'local/canvas',
        prompt: 'a hill',
        size: '256x256',
        response_format: 'url',
      });
      expect(JSON.stringify(drawn)).toContain('/media/');
      const film = await post('/v1/videos', { model: 'local/motion', prompt: 'a hill', seconds: '1' });
      await expect
        .poll(
          async () => (await fetch(`${gateway.url}/v1/videos/${String(film['id'])}`, { headers })).json(),
          { timeout: 60_000 },
        )
        .toMatchObject({ status: 'completed' });
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  });
});
