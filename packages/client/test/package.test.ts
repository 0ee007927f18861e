/** The published package: built, packed, linted, installed in an empty folder, imported and required, weighed. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { weigh } from '../scripts/measure.ts';
import { pack, runTool } from './packed.ts';
import { useGateway } from './server.ts';

const home = join(import.meta.dirname, '..');
const maxGzip = 12 * 1024;
const its = useGateway();
let folder: string;
let tarball: string;
let installed: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'indoxhub-client-'));
  tarball = pack('client', folder);
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  writeFileSync(join(empty, 'package.json'), '{ "type": "module" }');
  const install = [
    'install',
    tarball,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--silent',
    '--offline',
  ];
  execFileSync('npm', install, { cwd: empty, encoding: 'utf8' });
  installed = join(empty, 'node_modules/@indoxhub/client');
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it has no dependencies and no install scripts', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  expect(manifest['dependencies']).toBeUndefined();
  expect(manifest['peerDependencies']).toBeUndefined();
  expect(Object.keys(manifest['scripts'] as object).filter((name) => name.includes('install'))).toEqual([]);
  expect(readdirSync(join(installed, '../..')).filter((name) => !name.startsWith('.'))).toEqual([
    '@indoxhub',
  ]);
});

test('publint has nothing to say', () => {
  expect(runTool('publint', 'src/cli.js', ['--strict', '--pack', 'false'], installed)).toContain('All good');
});

test('are the types wrong? They are not', () => {
  const said = runTool('@arethetypeswrong/cli', 'dist/index.js', [tarball, '--no-color'], folder);
  expect(said).toContain('No problems found');
});

const program = (load: string): string => `${load}
const client = new IndoxHub({ apiKey: process.env.KEY, baseURL: process.env.URL });
client.chat([{ role: 'user', content: 'What is 2 + 3?' }]).then(({ data }) => {
  console.log(data, new Client('x') instanceof IndoxHub, typeof toFile);
});
`;

test('imported and required, it answers', () => {
  const empty = join(installed, '../../..');
  writeFileSync(
    join(empty, 'a.mjs'),
    program("import Default, { Client, IndoxHub, toFile } from '@indoxhub/client';"),
  );
  writeFileSync(
    join(empty, 'a.cjs'),
    program("const { Client, IndoxHub, toFile } = require('@indoxhub/client');"),
  );
  const env = { KEY: its.gateway.apiKey, URL: its.gateway.url };
  // The gateway lives in this process: the programs must not block it.
  return Promise.all(
    ['a.mjs', 'a.cjs'].map(
      (name) =>
        new Promise<void>((resolve, reject) => {
          const child = spawn(process.execPath, [name], { cwd: empty, env: { ...process.env, ...env } });
          let said = '';
          child.stdout.on('data', (chunk: Buffer) => (said += String(chunk)));
          child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
          child.on('close', () => {
            if (said === '2 + 3 = 5 true function\n') resolve();
            else reject(new Error(`${name}: ${said}`));
          });
        }),
    ),
  );
});

test('its types serve a strict consumer, as a module and as CommonJS, with every library checked', () => {
  const empty = join(installed, '../../..');
  const lines = [
    "import { IndoxHub, type ChatCompletion } from '@indoxhub/client';",
    "const client = new IndoxHub('key');",
    'export const answer = async (): Promise<ChatCompletion> =>',
    "  client.chat.completions.create({ model: 'openai/gpt-4o-mini', messages: [] });",
    '// @ts-expect-error an image model',
    "void client.chat([], { model: 'openai/dall-e-3' });",
  ].join('\n');
  writeFileSync(join(empty, 'use.mts'), lines);
  writeFileSync(join(empty, 'use.cts'), lines);
  // The README's, too.
  const readme = readFileSync(join(home, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  expect(blocks.length).toBeGreaterThan(2);
  const pages = blocks.map((code, at) => {
    writeFileSync(join(empty, `readme-${at}.mts`), code);
    return `readme-${at}.mts`;
  });
  for (const lib of ['dom', 'webworker']) {
    const words = ['--noEmit', '--strict', '--module', 'nodenext', '--lib', `es2024,${lib}`, '--types', ''];
    runTool('typescript', 'bin/tsc', [...words, 'use.mts', 'use.cts', ...pages], empty);
  }
});

test(`a bundle of all of it is at most ${maxGzip} bytes after gzip`, async () => {
  const entry = join(dirname(installed), 'entry.mjs');
  writeFileSync(entry, "import * as client from '@indoxhub/client';\nglobalThis.client = client;\n");
  const { minified, gzip } = await weigh(entry);
  console.log(`@indoxhub/client: ${minified} bytes minified, ${gzip} after gzip`);
  expect(gzip).toBeGreaterThan(3_000);
  expect(gzip).toBeLessThanOrEqual(maxGzip);
});
