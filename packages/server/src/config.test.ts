import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { names } from './config/names.ts';
import { formatDuration, formatSize } from './config/values.ts';
import { loadSettings, SettingsError, watchSettings, type Loaded, type Vendor } from './config.ts';

const vendors: Vendor[] = [
  {
    id: 'openai',
    keyNames: ['OPENAI_API_KEY'],
    baseUrlNames: ['OPENAI_BASE_URL'],
    baseUrl: 'https://api.openai.com/v1',
  },
  {
    id: 'gemini',
    keyNames: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
    baseUrlNames: ['GEMINI_BASE_URL'],
    baseUrl: 'https://g',
  },
  { id: 'azure', keyNames: ['AZURE_API_KEY'], baseUrlNames: ['AZURE_BASE_URL'], baseUrl: null },
  { id: 'local', keyNames: [], baseUrlNames: [], baseUrl: 'local:', keyless: true },
  {
    id: 'ollama',
    keyNames: [],
    baseUrlNames: ['OLLAMA_BASE_URL'],
    baseUrl: 'http://x',
    keyless: true,
    loopback: true,
  },
  { id: 'ai-sdk', keyNames: [], baseUrlNames: [], baseUrl: null, adapter: { package: null } },
];

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
const load = (env: Record<string, string> = {}, flags: Record<string, string> = {}): Loaded =>
  loadSettings({ vendors, env, flags, cwd: directory });
const loadFile = (text: string, env: Record<string, string> = {}): Loaded => {
  write('indoxhub.yaml', text);
  return load(env);
};
const refusal = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
};

describe('defaults and precedence', () => {
  it('needs nothing', () => {
    const { settings, warnings } = load();
    expect(warnings).toEqual([]);
    expect(settings).toEqual({
      host: '127.0.0.1',
      port: 8100,
      adminPort: null,
      dataDir: join(directory, '.indoxhub'),
      databaseUrl: null,
      adminKey: null,
      encryptionKey: null,
      logLevel: 'info',
      publicUrl: null,
      configPath: null,
      localDiscovery: true,
      providers: [{ id: 'local', vendor: 'local', apiKey: null, baseUrl: null, options: {}, headers: {} }],
      models: [],
      aliases: {},
      defaults: {},
      timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 120_000, totalMs: 900_000 },
      maxRetries: 2,
      drainMs: 120_000,
      budgetWaitMs: 5_000,
      heartbeatMs: 15_000,
      allowPrivateUrls: false,
      maxBodyBytes: 33_554_432,
      maxUploadBytes: 104_857_600,
      videoPollMs: 2_000,
      videoDeadlineMs: 7_200_000,
      mediaRetentionMs: 604_800_000,
      maxMediaBytes: 1_073_741_824,
      mediaDir: null,
      mediaShared: false,
      translationModel: null,
      s3Bucket: null,
      s3Endpoint: null,
      s3Region: 'us-east-1',
      s3AccessKeyId: null,
      s3SecretAccessKey: null,
      s3Prefix: 'indoxhub/',
      s3PathStyle: true,
    });
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.timeouts)).toBe(true);
  });

  it('prefers flag, environment, .env, file, default, in this order', () => {
    write('indoxhub.yaml', 'port: 1\nlog_level: debug\nmax_retries: 5\nhost: "::1"\n');
    write('.env', 'INDOXHUB_PORT=2\nINDOXHUB_LOG_LEVEL=warn\nINDOXHUB_MAX_RETRIES=4\n');
    const { settings, sources } = load({ INDOXHUB_PORT: '3', INDOXHUB_LOG_LEVEL: 'error' }, { port: '4' });
    expect(settings).toMatchObject({
      port: 4,
      logLevel: 'error',
      maxRetries: 4,
      host: '::1',
      drainMs: 120_000,
    });
    expect(sources).toMatchObject({
      port: '--port',
      logLevel: 'INDOXHUB_LOG_LEVEL',
      maxRetries: 'INDOXHUB_MAX_RETRIES',
      host: 'indoxhub.yaml:4:1 (host)',
      drainMs: 'default',
    });
  });

  it('listens on every address when a platform sets PORT, and on none more otherwise', () => {
    expect(load({ PORT: '3000' }).settings).toMatchObject({ host: '0.0.0.0', port: 3000 });
    expect(load({ PORT: '3000', INDOXHUB_HOST: '127.0.0.1' }).settings.host).toBe('127.0.0.1');
    expect(load({ PORT: '3000', INDOXHUB_PORT: '8' }).settings).toMatchObject({ host: '127.0.0.1', port: 8 });
    expect(load({ PORT: '3000' }, { port: '9' }).settings).toMatchObject({ host: '127.0.0.1', port: 9 });
  });

  it('leaves what another application keeps in the same .env alone', () => {
    write('.env', 'PORT=3000\nDATABASE_URL=postgres://a/b\nOPENAI_API_KEY=sk-1\n');
    const { settings } = load();
    expect(settings).toMatchObject({ host: '127.0.0.1', port: 8100, databaseUrl: null });
    expect(settings.providers[0]?.id).toBe('openai');
  });

  it('takes a path from where it was written', () => {
    write('elsewhere.yaml', 'data_dir: data\n');
    const from = (cwd: string, env: Record<string, string>): string =>
      loadSettings({ vendors, env, cwd }).settings.dataDir;
    expect(from('/', { INDOXHUB_CONFIG: join(directory, 'elsewhere.yaml') })).toBe(join(directory, 'data'));
    expect(from(directory, { INDOXHUB_DATA_DIR: 'other' })).toBe(join(directory, 'other'));
  });

  it('reads every kind of value of the environment', () => {
    const { settings } = load({
      INDOXHUB_CONNECT_TIMEOUT: '250ms',
      INDOXHUB_TOTAL_TIMEOUT: '1h',
      INDOXHUB_LOCAL_DISCOVERY: 'off',
      INDOXHUB_ALLOW_PRIVATE_URLS: 'true',
      INDOXHUB_MAX_BODY: '1MiB',
      INDOXHUB_PUBLIC_URL: 'https://ai.example.com/',
      DATABASE_URL: 'postgres://a:b@c/d',
      INDOXHUB_S3_BUCKET: 'x',
    });
    expect(settings).toMatchObject({
      timeouts: { connectMs: 250, totalMs: 3_600_000 },
      localDiscovery: false,
      allowPrivateUrls: true,
      maxBodyBytes: 1_048_576,
      publicUrl: 'https://ai.example.com',
    });
    expect(settings.databaseUrl?.reveal()).toBe('postgres://a:b@c/d');
  });

  it.each([
    ['INDOXHUB_PORT', '70000', 'whole number from 0 to 65535'],
    ['INDOXHUB_IDLE_TIMEOUT', '5', 'duration with its unit'],
    ['INDOXHUB_ADMIN_KEY', 'short', 'at least 16 characters'],
    ['INDOXHUB_ADMIN_KEY', '                    ', 'at least 16 characters'],
    ['INDOXHUB_DATABASE_URL', 'mysql://a:hunter2@c/d', 'must be a PostgreSQL URL'],
    ['INDOXHUB_PUBLIC_URL', 'https://a/b', 'without a path'],
    ['INDOXHUB_LOG_LEVEL', 'loud', 'one of fatal'],
    ['OPENAI_BASE_URL', 'https://u:hunter2@c/d', 'must not hold a user name'],
  ])('refuses %s=%s', (name, value, sentence) => {
    const message = refusal(() => load({ [name]: value }));
    expect(message).toContain(`${name}: `);
    expect(message).toContain(sentence);
    expect(message).not.toContain('hunter2');
  });

  it('refuses an empty admin key in the file and takes an empty variable as absent', () => {
    expect(refusal(() => loadFile('admin_key: ""\n'))).toContain(
      'indoxhub.yaml:1:1 (admin_key): must have at least 16',
    );
    rmSync(join(directory, 'indoxhub.yaml'));
    expect(load({ INDOXHUB_ADMIN_KEY: '' }).settings.adminKey).toBeNull();
  });

  it('warns about names that nothing reads', () => {
    expect(load({ INDOXHUB_PROT: '1', DATABASE_URL: 'mysql://x' }).warnings).toEqual([
      'INDOXHUB_PROT is not a known name; did you mean "INDOXHUB_PORT"?',
      expect.stringContaining('DATABASE_URL is not a PostgreSQL URL'),
    ]);
  });
});

describe('providers', () => {
  it('configures vendors by their keys, the first name wins', () => {
    const { providers } = load({
      GOOGLE_API_KEY: 'g2',
      GEMINI_API_KEY: 'g1',
      OPENAI_BASE_URL: 'https://proxy/v1/',
    }).settings;
    // An address without a key serves those who bring their own.
    expect(providers.map((each) => each.id)).toEqual(['openai', 'gemini', 'local']);
    expect(providers[0]).toMatchObject({ apiKey: null, baseUrl: 'https://proxy/v1' });
    expect(providers[1]?.apiKey?.reveal()).toBe('g1');
    const openai = load({ OPENAI_API_KEY: ' k\n', OPENAI_BASE_URL: 'https://proxy/v1/' }).settings
      .providers[0];
    expect(openai).toMatchObject({ id: 'openai', baseUrl: 'https://proxy/v1' });
    expect(openai?.apiKey?.reveal()).toBe('k');
  });

  it('takes keyless servers by their address only', () => {
    const ids = load({ OLLAMA_BASE_URL: 'http://10.0.0.1:11434/v1' }).settings.providers.map(
      (each) => each.id,
    );
    expect(ids).toEqual(['local', 'ollama']);
  });

  it('does not call itself', () => {
    const looped = load({ OPENAI_API_KEY: 'sk-1', OPENAI_BASE_URL: 'http://localhost:8100/v1' });
    expect(looped.settings.providers[0]?.baseUrl).toBeNull();
    expect(looped.warnings).toEqual(['OPENAI_BASE_URL points at this gateway itself: ignored']);
    const ours = load({ OPENAI_API_KEY: 'indox-abc' });
    expect(ours.settings.providers.map((each) => each.id)).toEqual(['local']);
    expect(ours.warnings[0]).toContain('OPENAI_API_KEY holds a key of this gateway');
  });

  it('says what a vendor without an address of its own needs', () => {
    const { settings, warnings } = load({ AZURE_API_KEY: 'a' });
    expect(settings.providers.map((each) => each.id)).toEqual(['local']);
    expect(warnings).toEqual(['AZURE_API_KEY is set but AZURE_BASE_URL is not: azure is not configured']);
  });

  it('reads deployments, targets, prices, aliases and defaults from the file', () => {
    const { settings, warnings } = loadFile(
      `providers:
  azure-eu: &azure
    type: azure
    api_key: \${EU_KEY}
    base_url: https://eu.example.com/openai/
    options: { api_version: 2024-10-21 }
    headers: { x-team: "a \${TEAM:-b} $\${c}" }
  azure-us:
    <<: *azure
    base_url: https://us.example.com/openai
models:
  gpt-4o:
    targets:
      - { provider: azure-eu, model: eu-4o, weight: 2.5 }
      - { provider: azure-us, model: us-4o, order: 1 }
    prices: { input: 2.50, output: "10", cache_read: 1 }
    context_window: 128000
aliases: { fast: gpt-4o }
defaults: { chat: fast }
`,
      { EU_KEY: 'eu-secret', AZURE_US_API_KEY: 'us-secret' },
    );
    expect(settings.providers.map((each) => [each.id, each.apiKey?.reveal(), each.baseUrl])).toEqual([
      ['local', undefined, null],
      ['azure-eu', 'eu-secret', 'https://eu.example.com/openai'],
      ['azure-us', 'us-secret', 'https://us.example.com/openai'],
    ]);
    expect(settings.providers[1]).toMatchObject({
      vendor: 'azure',
      options: { api_version: '2024-10-21' },
      headers: { 'x-team': 'a b ${c}' },
    });
    expect(settings.models).toEqual([
      {
        id: 'gpt-4o',
        targets: [
          { provider: 'azure-eu', model: 'eu-4o', order: 0, weight: 2.5 },
          { provider: 'azure-us', model: 'us-4o', order: 1, weight: 1 },
        ],
        prices: { input: '2.50', output: '10', cache_read: '1' },
        unitPrices: null,
        contextWindow: 128_000,
        maxOutputTokens: null,
      },
    ]);
    expect(settings.aliases).toEqual({ fast: 'gpt-4o' });
    expect(settings.defaults).toEqual({ chat: 'fast' });
    expect(warnings).toEqual([
      'AZURE_US_API_KEY is used instead of indoxhub.yaml:8:3 (providers.azure-us.api_key)',
    ]);
    expect(inspect(settings, { depth: 9 })).not.toContain('secret');
    expect(JSON.stringify(settings)).not.toContain('secret');
  });

  it('reads prices of units to the last digit', () => {
    const { settings } = loadFile(`models:
  speech: { unit_prices: { unit: character, price: 0.000015 } }
  pictures:
    unit_prices:
      unit: image
      rows: [{ size: 1024x1024, quality: high, price: 0.10 }, { audio: true, resolution: 720p, price: "3" }]
  sound: { unit_prices: { unit: audio_second, price: 0.000100000001, minimum: 10, step: 1 }, prices: { input: 1, output: 2 } }
`);
    expect(settings.models.map(({ unitPrices }) => unitPrices)).toEqual([
      { unit: 'character', price: '0.000015' },
      {
        unit: 'image',
        rows: [
          { size: '1024x1024', quality: 'high', price: '0.10' },
          { audio: true, resolution: '720p', price: '3' },
        ],
      },
      { unit: 'audio_second', price: '0.000100000001', minimum: 10, step: 1 },
    ]);
  });

  it('counts a keyless vendor that a target names as configured', () => {
    const { settings } = loadFile('models: { m: { targets: [{ provider: ollama, model: x }] } }\n');
    expect(settings.providers.map((each) => each.id)).toEqual(['local', 'ollama']);
  });
});

describe('complaints about the file', () => {
  it.each([
    ['prot: 1\n', 'indoxhub.yaml:1:1 (prot): is not a known name; did you mean "port"?'],
    [
      'port: 1\n\nmodels:\n  a:\n    context_windw: 1\n',
      'indoxhub.yaml:5:5 (models.a.context_windw): is not a known name; did you mean "context_window"?',
    ],
    ['timeouts:\n  idle: 5\n', 'indoxhub.yaml:2:3 (timeouts.idle): '],
    ['port: eighty\n', 'indoxhub.yaml:1:1 (port): must be a whole number from 0 to 65535'],
    ['port: 1\nport: 2\n', 'indoxhub.yaml:2:1: this name is given twice'],
    ['models:\n\ta: 1\n', 'indoxhub.yaml:2:1: a tab is used to indent'],
    [
      'models: { a: { targets: [{ provider: openai, model: x }] } }\n',
      '(models.a.targets[0].provider): is not a configured provider: set OPENAI_API_KEY',
    ],
    ['models: { a: { targets: [{ provider: local }] } }\n', '(models.a.targets[0].model): is required'],
    [
      'models: { a: { prices: { input: 1e-3, output: "1" } } }\n',
      '(models.a.prices.input): must be US dollars like "2.50"',
    ],
    [
      'models: { a: { prices: { input: 12345678901, output: "1" } } }\n',
      '(models.a.prices.input): must be US dollars like "2.50"',
    ],
    ['models: { a: { unit_prices: { unit: image } } }\n', '(models.a.unit_prices.price): is required where'],
    ['models: { a: { unit_prices: { price: 1 } } }\n', '(models.a.unit_prices.unit): '],
    ['models: { a: { unit_prices: { unit: word, price: 1 } } }\n', '(models.a.unit_prices.unit): '],
    [
      'models: { a: { unit_prices: { unit: image, price: -1 } } }\n',
      '(models.a.unit_prices.price): must be US dollars like "2.50"',
    ],
    [
      'models: { a: { unit_prices: { unit: image, rows: [{ size: big }] } } }\n',
      '(models.a.unit_prices.rows[0].price): ',
    ],
    [
      'models: { a: { unit_prices: { unit: image, price: 1, colour: red } } }\n',
      '(models.a.unit_prices.colour): is not a known name',
    ],
    [
      'models: { a: { unit_prices: { unit: audio_second, price: 1, minimum: 0.5 } } }\n',
      '(models.a.unit_prices.minimum): ',
    ],
    ['providers: { opnai: {} }\n', '(providers.opnai): is not a known vendor; did you mean "openai"?'],
    [
      'providers: { mine: {} }\n',
      '(providers.mine): is not a known vendor; a name of your own needs a `type`',
    ],
    ['providers: { Mine: {} }\n', '(providers): a name in it must be lower case'],
    [
      'providers: { azure: {} }\n',
      '(providers.azure): needs a base_url (or AZURE_BASE_URL in the environment)',
    ],
    [
      'providers: { openai: { api_key: "${NOT_SET}" } }\n',
      'indoxhub.yaml:1:33: ${NOT_SET} is not set in the environment',
    ],
    ['aliases: { a: b, b: a }\n', 'indoxhub.yaml:1:12 (aliases.a): goes round in a circle'],
    ['defaults: { chatt: x }\n', 'indoxhub.yaml:1:'],
    ['- a\n', 'indoxhub.yaml:1:1: '],
  ])('%j', (text, expected) => {
    expect(refusal(() => loadFile(text))).toContain(expected);
  });

  it('names all that is wrong at once', () => {
    expect(refusal(() => loadFile('prot: 1\ntimeouts: { idel: 5s }\n')).split('\n')).toHaveLength(2);
  });

  it.each([
    'providers:\n  openai:\n    api_key:sk-canary-12345\n    base_url: https://x\n',
    'providers: { openai: { api_key:sk-canary-12345 } }\n',
    'providers: { openai: { sk-canary-12345: x } }\n',
    'providers: { openai: { api_key: "sk-canary-12345\n',
    'providers: { openai: { api_key: [sk-canary-12345] } }\n',
    'providers: { openai: { api_key: "sk-canary-12345 with spaces" } }\n',
    'providers: { openai: { api_key: *sk-canary-12345 } }\n',
    'providers: { openai: { api_key: !sk-canary-12345 x, base_url: 5 } }\n',
    'admin_key: sk-canary\n',
    'database_url: mysql://sk-canary-12345\n',
  ])('shows no secret: %j', (text) => {
    expect(refusal(() => loadFile(text))).not.toContain('canary');
  });

  it('says when a named file is not there', () => {
    expect(refusal(() => load({}, { config: 'none.yaml' }))).toBe(
      `--config: there is no file ${join(directory, 'none.yaml')}`,
    );
  });

  it('takes an empty file as no settings', () => {
    expect(loadFile('# nothing yet\n').settings.port).toBe(8100);
  });
});

describe('watching', () => {
  it('hands over what reads well, keeps the old on error, and survives a replaced file', async () => {
    write('indoxhub.yaml', 'max_retries: 1\nport: 5000\n');
    const { settings } = load({}, { 'log-level': 'debug' });
    const events: string[] = [];
    let wake = (): void => {};
    const next = (): Promise<void> => new Promise((resolve) => (wake = resolve));
    const watching = watchSettings(
      { vendors },
      settings,
      (changed, warnings) => {
        events.push([changed.maxRetries, changed.port, changed.logLevel, ...warnings].join(' '));
        wake();
      },
      (error) => {
        events.push(error.message);
        wake();
      },
    );
    try {
      let change = next();
      write('indoxhub.yaml', 'max_retries: 2\nport: 6000\n');
      await change;
      change = next();
      write('indoxhub.yaml', 'max_retries: many\n');
      await change;
      change = next();
      write('new.yaml', 'max_retries: 3\nport: 5000\n');
      renameSync(join(directory, 'new.yaml'), join(directory, 'indoxhub.yaml'));
      await change;
      change = next();
      write('indoxhub.yaml', 'max_retries: 4\nport: 5000\n');
      await change;
    } finally {
      watching.close();
    }
    expect(events).toEqual([
      '2 5000 debug indoxhub.yaml:2:1 (port): takes effect at the next start',
      'indoxhub.yaml:1:1 (max_retries): must be a whole number from 0 to 10',
      '3 5000 debug',
      '4 5000 debug',
    ]);
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

  it.each(Object.values(names))('lists $file with its names and default', ({ env, flag, file, fallback }) => {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${file.join('.')}\` |`));
    expect(row).toBeDefined();
    for (const name of env) expect(row).toContain(`\`${name}\``);
    expect(row).toContain(flag === null ? '| – |' : `\`--${flag}\``);
    if (fallback === null) return;
    const written =
      typeof fallback === 'boolean'
        ? [fallback ? 'on' : 'off']
        : [
            String(fallback),
            ...(typeof fallback === 'number' ? [formatDuration(fallback), formatSize(fallback)] : []),
          ];
    expect(written.some((text) => row?.includes(`| \`${text}\` |`))).toBe(true);
  });

  it('shows files that are valid', () => {
    const [acme = '', example = ''] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text);
    const [packaged] = loadFile(acme, { ACME_API_KEY: 'a' }).settings.providers.slice(-1);
    expect(packaged).toMatchObject({
      id: 'acme',
      vendor: 'ai-sdk',
      options: { package: '@ai-sdk/fireworks' },
    });
    const env = {
      ADMIN_KEY: 'x'.repeat(16),
      OPENAI_KEY_OF_THE_TEAM: 'a',
      AZURE_EU_KEY: 'b',
      AZURE_US_KEY: 'c',
    };
    const { settings, warnings } = loadFile(example, env);
    expect(warnings).toEqual([]);
    expect(settings.providers.map((each) => each.id)).toEqual(['local', 'openai', 'azure-eu', 'azure-us']);
    expect(settings.models[0]?.targets).toHaveLength(3);
  });
});
