/** The published package: built, packed, linted, installed with the AI SDK in an empty folder, imported and required. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pack, runTool } from '../../client/test/packed.ts';
import { startGateway, type TestGateway } from '../../server/test/gateway.ts';

const home = join(import.meta.dirname, '..');
interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly scripts: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
let gateway: TestGateway;
let folder: string;
let tarball: string;
let empty: string;

beforeAll(async () => {
  gateway = await startGateway();
  folder = mkdtempSync(join(tmpdir(), 'indoxhub-provider-'));
  tarball = pack('ai-sdk-provider', folder);
  empty = join(folder, 'empty');
  mkdirSync(empty);
  writeFileSync(join(empty, 'package.json'), '{ "type": "module" }');
  const { ai = '', zod = '' } = manifest.devDependencies;
  const wanted = [tarball, `ai@${ai}`, `zod@${zod}`];
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent', '--prefer-offline'];
  execFileSync('npm', ['install', ...wanted, ...quiet], { cwd: empty, encoding: 'utf8' });
}, 180_000);
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

test('it needs the AI SDK’s own packages, pinned, and nothing else', () => {
  expect(Object.keys(manifest.dependencies).every((name) => name.startsWith('@ai-sdk/'))).toBe(true);
  expect(Object.values(manifest.dependencies).every((version) => /^\d+\.\d+\.\d+$/.test(version))).toBe(true);
  expect(Object.keys(manifest.scripts).filter((name) => name.includes('install'))).toEqual([]);
});

test('publint has nothing to say', () => {
  const installed = join(empty, 'node_modules/@indoxhub/ai-sdk-provider');
  const said = runTool('publint', 'src/cli.js', ['--strict', '--pack', 'false'], installed);
  expect(said).toContain('All good');
});

test('are the types wrong? They are not', () => {
  const said = runTool('@arethetypeswrong/cli', 'dist/index.js', [tarball, '--no-color'], folder);
  expect(said).toContain('No problems found');
});

const program = (load: string): string => `${load}
const indoxhub = createIndoxHub({ apiKey: process.env.KEY, baseURL: process.env.URL });
generateText({ model: indoxhub('local/sandbox'), prompt: 'What is 2 + 3?' }).then(({ text }) => console.log(text));
`;

test('imported and required, it answers through the AI SDK', async () => {
  const load = ['{ generateText }', '{ createIndoxHub }'] as const;
  writeFileSync(
    join(empty, 'a.mjs'),
    program(`import ${load[0]} from 'ai';\nimport ${load[1]} from '@indoxhub/ai-sdk-provider';`),
  );
  writeFileSync(
    join(empty, 'a.cjs'),
    program(`const ${load[0]} = require('ai');\nconst ${load[1]} = require('@indoxhub/ai-sdk-provider');`),
  );
  const env = { ...process.env, KEY: gateway.apiKey, URL: gateway.url };
  const said = (name: string): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [name], { cwd: empty, env });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
      child.stderr.on('data', (chunk: Buffer) => (text += String(chunk)));
      child.on('close', () => resolve(text));
    });
  expect(await Promise.all(['a.mjs', 'a.cjs'].map(said))).toEqual(['2 + 3 = 5\n', '2 + 3 = 5\n']);
});

test('its types serve a strict consumer, as a module and as CommonJS; so do the README’s examples', () => {
  const lines = [
    "import { generateText, type LanguageModel } from 'ai';",
    "import { createIndoxHub, type IndoxHubOptions } from '@indoxhub/ai-sdk-provider';",
    "const indoxhub = createIndoxHub({ apiKey: async () => 'key' });",
    "export const model: LanguageModel = indoxhub('openai/gpt-4o-mini');",
    "const options: IndoxHubOptions = { max_cost: '0.01' };",
    "export const answer = generateText({ model, prompt: 'x', providerOptions: { indoxhub: options } });",
    '// @ts-expect-error no such setting',
    "createIndoxHub({ key: 'x' });",
  ].join('\n');
  writeFileSync(join(empty, 'use.mts'), lines);
  writeFileSync(join(empty, 'use.cts'), lines);
  const readme = readFileSync(join(home, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  expect(blocks.length).toBeGreaterThan(1);
  const pages = blocks.map((code, at) => {
    writeFileSync(join(empty, `readme-${at}.mts`), code);
    return `readme-${at}.mts`;
  });
  const types = join(import.meta.dirname, '../../../node_modules/@types');
  const words = ['--noEmit', '--strict', '--module', 'nodenext', '--lib', 'es2024,dom,dom.iterable'];
  // `ai` itself asks for Node.js' types.
  const more = ['--skipLibCheck', '--typeRoots', types, '--types', 'node'];
  runTool('typescript', 'bin/tsc', [...words, ...more, 'use.mts', 'use.cts', ...pages], empty);
});
