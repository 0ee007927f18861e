/** The documentation is held against the code: tables, links, generated pages, and every example marked `# runs`. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endpoints, type Endpoint } from '../src/contract/endpoints.ts';
import { errorTable, type ErrorRow } from '../src/contract/errors.ts';
import { openapiDocument } from '../src/http/openapi.ts';
import { adminKey, startGateway, type TestGateway } from './gateway.ts';
import { nodeFlags } from './node-flags.ts';

const root = join(import.meta.dirname, '../../..');
const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true })
    .map((name) => join('docs', String(name)))
    .filter((name) => name.endsWith('.md')),
];

const apiPages = [
  'chat',
  'completions',
  'embeddings',
  'images',
  'videos',
  'speech',
  'transcriptions',
  'stop-stream',
  'models',
  'trending',
  'usage',
  'auth',
  'admin',
  'operations',
].map((name) => `docs/api/${name}.md`);

/** Cells of every table row, code ticks taken off. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('errors', () => {
  test('the table of docs/errors.md and the error table are the same, both ways', () => {
    const documented = rowsOf(read('docs/errors.md'))
      .filter(([, status]) => /^\d{3}$/.test(status ?? ''))
      .map(([code, status, type, retry, sentence]) => ({ code, status, type, retry, sentence }));
    const known = Object.entries<ErrorRow>(errorTable).map(([code, row]) => ({
      code,
      status: String(row.status),
      type: row.type,
      retry: row.retryable ? 'yes' : 'no',
      sentence: row.sentence.replaceAll('<', '&lt;'),
    }));
    const byCode = (a: { code?: string | undefined }, b: { code?: string | undefined }): number =>
      String(a.code) < String(b.code) ? -1 : 1;
    expect(documented.sort(byCode)).toEqual(known.sort(byCode));
  });

  test.each(['docs-errors', 'docs-openapi'])('what scripts/%s.ts writes is current', async (script) => {
    const { stdout } = await run(process.execPath, [join(root, 'scripts', `${script}.ts`), '--check']);
    expect(stdout).toContain('is current');
  });
});

test('docs/openapi.json is what the gateway serves', () => {
  const { version } = JSON.parse(read('packages/server/package.json')) as { version: string };
  const served: unknown = JSON.parse(JSON.stringify(openapiDocument(version)));
  expect(JSON.parse(read('docs/openapi.json'))).toEqual(served);
});

describe('endpoints', () => {
  const text = [...apiPages, 'docs/media.md'].map(read).join('\n');
  const written = new Set(
    [...text.matchAll(/`(GET|POST|PUT|DELETE) (\/[^`?\s]*)`/g)].map(
      ([, method, path]) => `${method} ${path}`,
    ),
  );
  const served = Object.values<Endpoint>(endpoints).map(
    ({ method, path }) => `${method} ${path.replaceAll(/\{[^}]*\}/g, '')}`,
  );

  test('every route is documented', () => {
    expect(served.filter((route) => !written.has(route))).toEqual([]);
  });

  test('every documented route exists', () => {
    expect([...written].filter((route) => !served.includes(route))).toEqual([]);
  });
});

test('every ending has a row in docs/streams.md, and no other', () => {
  const source = read('packages/server/src/storage/storage.ts');
  const declared = /export type Ending =([^;]*);/.exec(source)?.[1] ?? '';
  const endings = [...declared.matchAll(/'(\w+)'/g)].map(([, name]) => name);
  const table = read('docs/streams.md').split('## The endings table')[1] ?? '';
  const rows = rowsOf(table)
    .map(([name]) => name)
    .filter((name) => /^[a-z_]+$/.test(name ?? '') && name !== 'ending');
  expect(endings.length).toBeGreaterThan(5);
  expect(new Set(rows)).toEqual(new Set(endings));
});

/** How GitHub makes an anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? ''));

test.each(pages)('%s: every link leads somewhere', (page) => {
  const text = read(page).replaceAll(/```[\s\S]*?```/g, '');
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link ?? '');
  const broken = links.filter((link) => {
    const [path = '', anchor] = link.split('#', 2);
    const file = path === '' ? join(root, page) : join(root, dirname(page), path);
    if (!existsSync(file) || relative(root, file).startsWith('..')) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor);
  });
  expect(broken).toEqual([]);
});

describe('source files', () => {
  const folders = [
    'packages/server/src',
    'packages/server/test',
    'packages/server/bench',
    'packages/client',
    'packages/ai-sdk-provider',
    'interop',
    'scripts',
  ];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => `/${folder}/${String(name)}`),
  );

  test.each(pages)('%s names files that exist', (page) => {
    const named = [...read(page).matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => `/${name}`);
    expect(named.filter((name) => !files.some((file) => file.endsWith(name)))).toEqual([]);
  });
});

test('the image starts node with the flags of npm start', () => {
  const words = JSON.parse(/^CMD (\[.*\])$/m.exec(read('Dockerfile'))?.[1] ?? '[]') as string[];
  expect(words.filter((word) => word.startsWith('--'))).toEqual(nodeFlags);
  expect(nodeFlags.length).toBeGreaterThan(0);
});

test('docs/README.md lists every page', () => {
  const index = read('docs/README.md');
  const listed = pages
    .filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
    .map((page) => page.slice('docs/'.length));
  expect(listed.filter((page) => !index.includes(`(${page})`))).toEqual([]);
});

/** What an example runs, and what it says it prints. */
interface Example {
  readonly script: string;
  readonly prints: readonly string[];
}

/** Blocks that begin with `# runs`; in the README, where that would be noise, blocks after `<!-- prints: … -->`. */
function examplesOf(page: string): Example[] {
  const text = read(page);
  const marked = [...text.matchAll(/```bash\n# runs\n([\s\S]*?)```/g)].map(([, script = '']) => ({
    script,
    prints: [...script.matchAll(/^# prints: (.+)$/gm)].map(([, line]) => line ?? ''),
  }));
  const commented = [...text.matchAll(/<!-- prints: (.+) -->\n+```sh\n([\s\S]*?)```/g)].map(
    ([, line = '', script = '']) => ({ script, prints: [line] }),
  );
  return [...marked, ...commented];
}

const canRun = ['bash', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0);

describe.skipIf(!canRun)('examples', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway();
    // Reports and metrics have something to say, whichever page is run alone.
    const body = { model: 'local/sandbox', messages: [{ role: 'user', content: 'Hello' }] };
    await (await gateway.post('/api/v1/chat/completions', body)).text();
  });
  afterAll(() => gateway.close());

  const runExample = async ({ script }: Example): Promise<string> => {
    const words = `set -euo pipefail\n${script.replaceAll('http://127.0.0.1:8100', gateway.url)}`;
    const env = {
      PATH: process.env['PATH'],
      INDOX_API_KEY: gateway.apiKey,
      INDOXHUB_ADMIN_KEY: adminKey,
    };
    const { stdout } = await run('bash', ['-c', words], {
      env,
      timeout: 20_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout;
  };

  test.each([...apiPages, 'README.md'])('%s', async (page) => {
    const examples = examplesOf(page);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const output = await runExample(example);
      expect(example.prints.length, example.script).toBeGreaterThan(0);
      for (const line of example.prints) expect(output).toContain(line);
    }
    await gateway.verify();
  });

  test('the JavaScript of the README', async () => {
    const script = /```js\n([\s\S]*?)```/.exec(read('README.md'))?.[1] ?? '';
    const words = script
      .replace('http://127.0.0.1:8100', gateway.url)
      .replace(/'indox-[^']*'/, JSON.stringify(gateway.apiKey));
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', words], { cwd: root });
    expect(stdout).toBe('2 + 3 * 4 = 14\n');
  });

  test('docs/api/operations.md names every metric of the gateway, and no other', async () => {
    const served = await (await fetch(`${gateway.url}/metrics`)).text();
    const names = [...served.matchAll(/^# TYPE (indoxhub_\w+) (\w+)$/gm)].map(([, name, type]) => ({
      name,
      type,
    }));
    const documented = rowsOf(read('docs/api/operations.md'))
      .filter(([name]) => name?.startsWith('indoxhub_') === true)
      .map(([name, type]) => ({ name, type }));
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number =>
      String(a.name) < String(b.name) ? -1 : 1;
    expect(documented.sort(byName)).toEqual(names.sort(byName));
  });
});
