import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { isApiKey } from '../../src/core/api-key.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { createHome, type Home } from './indoxhub.ts';

describe('what was typed', () => {
  let home: Home;
  beforeAll(() => {
    home = createHome();
  });
  afterAll(() => home.remove());

  it('prints its version and its help', async () => {
    const packageFile = new URL('../../package.json', import.meta.url);
    const { version } = JSON.parse(readFileSync(packageFile, 'utf8'));
    expect(await home.run(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
    const help = await home.run(['--help']);
    expect(help.exitCode).toBe(0);
    for (const command of [
      'keys create',
      'accounts credit <id> <amount>',
      'ledger verify',
      'doctor',
      'config print',
    ]) {
      expect(help.stdout).toContain(`indoxhub ${command}`);
    }
    const page = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8');
    const listed = [...help.stdout.matchAll(/^ {2}(indoxhub .*?) {2,}/gm)].map((match) => match[1] ?? '');
    expect(listed).toHaveLength(14);
    for (const command of listed) expect(page).toContain(`\`${command}\``);
    const one = await home.run(['keys', 'create', '--help']);
    expect(one).toMatchObject({ exitCode: 0, stderr: '' });
    expect(one.stdout).toContain('--budget <usd>');
    expect((await home.run(['start', '--help'])).stdout).toContain('--port <value>');
  });

  it('takes options before the verb', async () => {
    const { exitCode, stdout } = await home.run(['--json', '--port', '9', 'config', 'print']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).settings.port).toBe(9);
  });

  it.each([
    [['kyes'], `indoxhub: there is no command 'kyes'; did you mean "keys"? (indoxhub --help lists them)`],
    [['keys', 'make'], 'indoxhub: indoxhub keys takes one of: create, list, revoke, rotate'],
    [['keys', 'list', '--acount', 'x'], 'indoxhub: there is no option --acount; did you mean "account"?'],
    [['keys', 'list', '--account'], 'indoxhub: --account needs a value'],
    [['keys', 'list', '--json=yes'], 'indoxhub: --json takes no value'],
    [['keys', 'revoke'], 'indoxhub: usage: indoxhub keys revoke <id>'],
    [['accounts', 'credit', 'x', '-5'], 'indoxhub: there is no option --5; a negative number comes after --'],
    [['keys', 'create', '--rpm', 'many'], 'indoxhub: --rpm must be a whole number'],
    [['keys', 'create', '--period', 'day'], 'indoxhub: --period needs a --budget'],
    [['keys', 'create', '--budget', '0'], "indoxhub: Invalid value for 'budget"],
    [['keys', 'create', '--expires', 'soon'], "indoxhub: Invalid value for 'expires_at': "],
    [
      ['keys', 'create', '--expires', '2020-01-01T00:00:00Z'],
      "indoxhub: Invalid value for 'expires_at': must be in the future",
    ],
    [['accounts', 'create', 'x', '--credits', '5,00'], "indoxhub: Invalid value for 'credits': "],
  ])('%j is a usage error', async (words, sentence) => {
    const { exitCode, stdout, stderr } = await home.run(words);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });
});

describe('accounts and keys, without a gateway', () => {
  let home: Home;
  beforeEach(() => {
    home = createHome();
  });
  afterEach(() => home.remove());

  it('prints a new key and nothing else on stdout', async () => {
    const { exitCode, stdout, stderr } = await home.run(['keys', 'create']);
    expect(exitCode).toBe(0);
    expect(isApiKey(stdout.trim())).toBe(true);
    expect(stderr).toContain('account default');
  });

  it('makes, limits, rotates and revokes keys', async () => {
    const words = [
      '--budget',
      '2.50',
      '--period',
      'day',
      '--rpm',
      '5',
      '--tpm',
      '600',
      '--model',
      'openai/*',
    ];
    const made = await home.json([
      'keys',
      'create',
      '--name',
      'ci',
      '--expires',
      '30d',
      ...words,
      '--model',
      'a/b',
    ]);
    expect(made).toMatchObject({
      account_id: 'default',
      name: 'ci',
      status: 'active',
      budget: { amount: '2.50', period: 'day', spent: '0.00', held: '0.00' },
      rpm: 5,
      tpm: 600,
      allowed_models: ['openai/*', 'a/b'],
    });
    expect(Math.abs(Date.parse(String(made['expires_at'])) - Date.now() - 30 * 86_400_000)).toBeLessThan(
      60_000,
    );
    const id = String(made['id']);

    const rotated = await home.json(['keys', 'rotate', id]);
    expect(rotated['id']).toBe(id);
    expect(rotated['api_key']).not.toBe(made['api_key']);
    expect(rotated['budget']).toEqual(made['budget']);

    expect(await home.json(['keys', 'revoke', id])).toMatchObject({ id, status: 'revoked' });
    expect((await home.json(['keys', 'revoke', id]))['status']).toBe('revoked');
    const again = await home.run(['keys', 'rotate', id]);
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('has been revoked') });

    const listed = await home.json(['keys', 'list']);
    expect(listed['keys']).toEqual([
      expect.objectContaining({ id, prefix: String(rotated['api_key']).slice(0, 12) }),
    ]);
    expect(JSON.stringify(listed)).not.toContain(String(rotated['api_key']));
    expect((await home.run(['keys', 'list'])).stdout).toMatch(
      /^ID .*\nkey_\w+ +ci +default +indox-\w{6} +revoked/,
    );
  });

  it('books credit exactly and once', async () => {
    const account = await home.json(['accounts', 'create', 'team', '--credits', '10']);
    expect(account).toMatchObject({
      name: 'team',
      credits: '10.00',
      balance: '10.00',
      available: '10.00',
      soft: false,
    });
    const id = String(account['id']);
    const credit = ['accounts', 'credit', id, '0.000000001', '--note', 'gift', '--id', 'order-1'];
    expect(await home.json(credit)).toMatchObject({
      id: 'order-1',
      status: 'booked',
      balance: '10.000000001',
    });
    expect(await home.json(credit)).toMatchObject({
      id: 'order-1',
      status: 'already',
      balance: '10.000000001',
    });
    expect(await home.json(['accounts', 'credit', '--json', '--', id, '-3.5']).catch(String)).toContain(
      'usage',
    );
    const back = await home.run(['accounts', 'credit', '--', id, '-3.5']);
    expect(back).toEqual({
      exitCode: 0,
      stdout: `Booked -3.5: account ${id}, balance 6.500000001.\n`,
      stderr: '',
    });
    const tooMuch = await home.run(['accounts', 'credit', '--', id, '-6.6']);
    expect(tooMuch).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('spent or holds more') });
    const listed = await home.json(['accounts', 'list']);
    expect(listed['accounts']).toEqual([expect.objectContaining({ id, credits: '6.500000001' })]);
    expect(await home.json(['ledger', 'verify'])).toEqual({
      ok: true,
      problems: [],
      accounts: 1,
      entries: 6,
      open_holds: 0,
    });
  });

  it.each([
    [['keys', 'create', '--account', 'none'], "There is no account 'none'."],
    [['keys', 'list', '--account', 'none'], "There is no account 'none'."],
    [['keys', 'rotate', 'none'], "There is no API key with the id 'none'."],
    [['keys', 'revoke', 'none'], "There is no API key with the id 'none'."],
    [['accounts', 'credit', 'none', '5'], "There is no account 'none'."],
  ])('%j fails', async (words, sentence) => {
    expect(await home.run(words)).toEqual({ exitCode: 1, stdout: '', stderr: `indoxhub: ${sentence}\n` });
  });

  it('verifies the ledger, and fails when the books do not balance', async () => {
    const { id } = await home.json(['accounts', 'create', 'team', '--credits', '10']);
    const database = new (await import('node:sqlite')).DatabaseSync(join(home.dataDir, 'indoxhub.db'));
    database.exec(`update budget set granted_nano = granted_nano + 1 where id = '${String(id)}'`);
    database.close();
    const { exitCode, stdout } = await home.run(['ledger', 'verify']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('do not balance');
    expect(stdout).toContain(String(id));
  });

  it('says who has the store when somebody has', async () => {
    const storage = await openSqlite(join(home.dataDir, 'indoxhub.db'));
    try {
      const { exitCode, stderr } = await home.run(['keys', 'list']);
      expect(stderr).toMatch(/^indoxhub: .*in use by another process.*\n$/);
      expect(exitCode).toBe(3);
    } finally {
      await storage.close();
    }
  });

  it('migrates, also when there is nothing to do', async () => {
    expect((await home.run(['migrate'])).exitCode).toBe(0);
    expect(existsSync(join(home.dataDir, 'indoxhub.db'))).toBe(true);
    expect(await home.json(['migrate'])).toEqual({ migrated: true, via: 'store', engine: 'sqlite' });
  });
});

describe('configuration', () => {
  let home: Home;
  beforeEach(() => {
    home = createHome();
  });
  afterEach(() => home.remove());
  const file = (text: string): void => writeFileSync(join(home.directory, 'indoxhub.yaml'), text);

  it('names what is wrong and where, one line each', async () => {
    file('prot: 1\nadmin_key: canary\n');
    for (const words of [['config', 'validate'], ['keys', 'list'], ['start']]) {
      const { exitCode, stdout, stderr } = await home.run(words);
      expect(stderr.trimEnd().split('\n')).toEqual([
        'indoxhub: indoxhub.yaml:2:1 (admin_key): must have at least 16 characters (`openssl rand -hex 32` makes a good one)',
        'indoxhub: indoxhub.yaml:1:1 (prot): is not a known name; did you mean "port"?',
      ]);
      expect(stdout).toBe('');
      expect(exitCode).toBe(1);
    }
  });

  it('prints the merged settings and no secret', async () => {
    file('admin_key: ${KEY}\nproviders: { openai: { api_key: sk-canary, headers: { x-key: canary } } }\n');
    const env = { KEY: 'canary-canary-canary', INDOXHUB_DATABASE_URL: 'postgres://u:canary@h/d' };
    for (const json of [[], ['--json']]) {
      const { exitCode, stdout, stderr } = await home.run(['config', 'print', '--port', '9', ...json], env);
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      expect(stdout).not.toContain('canary');
      expect(stdout).toContain('--port');
      expect(stdout).toContain('indoxhub.yaml:1:1 (admin_key)');
    }
  });

  it('publishes the JSON Schema that the package ships', async () => {
    const { stdout } = await home.run(['config', 'schema']);
    const shipped = readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8');
    expect(JSON.parse(shipped), 'run `npm run schema -w packages/server`').toEqual(JSON.parse(stdout));
  });
});

describe('doctor', () => {
  let home: Home;
  beforeEach(() => {
    home = createHome();
  });
  afterEach(() => home.remove());
  const states = (report: Record<string, unknown>): Record<string, string> =>
    Object.fromEntries(
      (report['checks'] as { name: string; state: string }[]).map(({ name, state }) => [name, state]),
    );

  it('finds a fresh machine well, but without providers', async () => {
    const { exitCode, stdout } = await home.run(['doctor', '--json', '--port', '0']);
    const report = JSON.parse(stdout);
    expect(states(report)).toEqual({
      node: 'ok',
      configuration: 'ok',
      'data directory': 'ok',
      providers: 'warning',
      port: 'ok',
      store: 'ok',
      'media store': 'ok',
    });
    const left = readdirSync(home.directory, { recursive: true }).filter((name) =>
      String(name).includes('.check'),
    );
    expect(left).toEqual([]);
    expect([exitCode, report.ok]).toEqual([0, true]);
  });

  it('finds what is wrong', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    writeFileSync(join(home.directory, 'plain-file'), '');
    try {
      const { port } = server.address() as AddressInfo;
      const words = ['doctor', '--json', '--port', String(port), '--data-dir', 'plain-file/data'];
      const { exitCode, stdout } = await home.run(words, { OPENAI_API_KEY: 'sk-1' });
      expect(states(JSON.parse(stdout))).toMatchObject({
        'data directory': 'failed',
        providers: 'ok',
        port: 'failed',
        store: 'failed',
      });
      expect(exitCode).toBe(1);
    } finally {
      server.close();
    }
  });

  it('tries the media store: a bucket that is away, a directory that is none', async () => {
    const media = async (env: Record<string, string>): Promise<object> => {
      const { exitCode, stdout } = await home.run(['doctor', '--json', '--port', '0'], env);
      const checks = JSON.parse(stdout).checks as { name: string; state: string; text: string }[];
      return { exitCode, ...checks.find(({ name }) => name === 'media store') };
    };
    const bucket = {
      INDOXHUB_S3_BUCKET: 'films',
      INDOXHUB_S3_ACCESS_KEY_ID: 'id',
      INDOXHUB_S3_SECRET_ACCESS_KEY: 'x',
    };
    expect(await media({ ...bucket, INDOXHUB_S3_ENDPOINT: 'http://127.0.0.1:1' })).toMatchObject({
      exitCode: 1,
      state: 'failed',
      text: 'the bucket films cannot be reached',
    });
    writeFileSync(join(home.directory, 'file'), '');
    expect(await media({ INDOXHUB_MEDIA_DIR: join(home.directory, 'file') })).toMatchObject({
      exitCode: 1,
      state: 'failed',
      text: expect.stringContaining('ENOTDIR'),
    });
    const directory = join(home.directory, 'films');
    expect(await media({ INDOXHUB_MEDIA_DIR: directory })).toMatchObject({
      exitCode: 0,
      text: expect.stringMatching(/^directory .*films.* can be written and read$/),
    });
  });

  it('looks for the packages that providers need', async () => {
    const env = { LMNT_API_KEY: 'k-0123456789', HUME_API_KEY: 'k-0123456789' };
    const { exitCode, stdout } = await home.run(['doctor', '--port', '0'], env);
    expect(stdout).toContain('ok       provider lmnt: its package is installed');
    expect(stdout).toMatch(/FAILED {3}provider hume: .*npm install @ai-sdk\/hume/);
    expect(exitCode).toBe(1);
  });

  it('says what is wrong with the configuration', async () => {
    writeFileSync(join(home.directory, 'indoxhub.yaml'), 'port: x\n');
    const { exitCode, stdout } = await home.run(['doctor']);
    expect(stdout).toContain('FAILED   configuration: indoxhub.yaml:1:1 (port)');
    expect(exitCode).toBe(1);
  });
});
