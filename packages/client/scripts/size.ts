/**
 * What this client costs beside others, measured in one run: `npm run size -w packages/client`. Every client is installed
 * from npm (ours packed from here) into an empty folder of its own. Prints a Markdown table.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { weigh } from './measure.ts';

const home = join(import.meta.dirname, '..');
const runs = 15;

/** The package, and how an application constructs its client. */
const clients = [
  {
    name: '@indoxhub/client',
    version: '',
    use: "import { IndoxHub } from '@indoxhub/client';\nexport default new IndoxHub({ apiKey: 'x' });\n",
  },
  {
    name: 'openai',
    version: '7.57.0',
    use: "import OpenAI from 'openai';\nexport default new OpenAI({ apiKey: 'x' });\n",
  },
  {
    name: '@anthropic-ai/sdk',
    version: '1.12.0',
    use: "import Anthropic from '@anthropic-ai/sdk';\nexport default new Anthropic({ apiKey: 'x' });\n",
  },
  {
    name: '@openrouter/sdk',
    version: '1.3.19',
    use: "import { OpenRouter } from '@openrouter/sdk';\nexport default new OpenRouter({ apiKey: 'x' });\n",
  },
] as const;

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(folder, name)))
    .reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0);
}

/** How long a process takes that only imports and constructs, less one that does nothing: the median of some, in milliseconds. */
function coldImport(folder: string): number {
  const once = (file: string): number => {
    const start = process.hrtime.bigint();
    execFileSync(process.execPath, [file], { cwd: folder });
    return Number(process.hrtime.bigint() - start) / 1e6;
  };
  writeFileSync(join(folder, 'nothing.mjs'), '');
  const median = (values: number[]): number =>
    values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  once('use.mjs');
  const pairs = Array.from({ length: runs }, () => [once('nothing.mjs'), once('use.mjs')] as const);
  return median(pairs.map(([, used]) => used)) - median(pairs.map(([nothing]) => nothing));
}

const kB = (bytes: number): string => `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`;
const temporary = mkdtempSync(join(tmpdir(), 'indoxhub-size-'));
try {
  const packed = join(temporary, 'packed');
  cpSync(home, packed, {
    recursive: true,
    filter: (path) => !/\/(node_modules|test|dist|scripts|tsconfig[^/]*)$/.test(path),
  });
  execFileSync(process.execPath, [join(home, '../../scripts/build-library.ts'), home, join(packed, 'dist')]);
  execFileSync('npm', ['pack', packed, '--silent', '--ignore-scripts', '--pack-destination', temporary], {
    cwd: temporary,
  });
  const tarball = join(temporary, readdirSync(temporary).find((name) => name.endsWith('.tgz')) ?? '');
  console.log(
    `Measured ${new Date().toISOString().slice(0, 10)} on Node.js ${process.versions.node}, ${cpus()[0]?.model ?? ''} (${cpus().length} cores), rolldown, gzip -9, median of ${runs} starts.\n`,
  );
  console.log('| client | bundle, minified | gzip | installed | packages | cold import |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [at, { name, version, use }] of clients.entries()) {
    const folder = join(temporary, String(at));
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'use.mjs'), use);
    const wanted = version === '' ? tarball : `${name}@${version}`;
    execFileSync('npm', ['install', wanted, '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], {
      cwd: folder,
    });
    const { minified, gzip } = await weigh(join(folder, 'use.mjs'));
    const modules = join(folder, 'node_modules');
    const packages = readdirSync(modules).flatMap((each) =>
      each.startsWith('@') ? readdirSync(join(modules, each)) : each.startsWith('.') ? [] : [each],
    );
    const cells = [
      `${name}${version === '' ? '' : ` ${version}`}`,
      kB(minified),
      kB(gzip),
      kB(bytesBelow(modules)),
      packages.length,
      `${coldImport(folder).toFixed(0)} ms`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
