/** The pages on other people's clients: every program is run, every configuration is read and used as its client uses it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { wavOf } from './fakes/transcriptions.ts';
import { startGateway, type TestGateway } from './gateway.ts';

const root = join(import.meta.dirname, '../../..');
const pages = readdirSync(join(root, 'docs/clients')).sort();
const read = (page: string): string => readFileSync(join(root, 'docs/clients', page), 'utf8');
const run = promisify(execFile);

interface Block {
  readonly language: string;
  readonly code: string;
  /** What the comments before it say that it prints. */
  readonly prints: readonly string[];
}
function blocksOf(page: string): Block[] {
  return [...read(page).matchAll(/((?:<!-- prints: .+ -->\n+)*)```(\w+)\n([\s\S]*?)```/g)].map(
    ([, before = '', language = '', code = '']) => ({
      language,
      code,
      prints: [...before.matchAll(/<!-- prints: (.+) -->/g)].map(([, line = '']) => line),
    }),
  );
}

let gateway: TestGateway;
let folder: string;
beforeAll(async () => {
  gateway = await startGateway();
  folder = mkdtempSync(join(tmpdir(), 'indoxhub-cookbook-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
});
afterAll(async () => {
  await gateway.verify();
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

/** With the address and the key of the running gateway. */
const filled = (text: string): string =>
  text.replaceAll('http://127.0.0.1:8100', gateway.url).replaceAll('indox-…', gateway.apiKey);

test('there is a page for each client, and no block that nobody runs', () => {
  expect(pages).toEqual([
    'ai-sdk.md',
    'continue.md',
    'librechat.md',
    'open-webui.md',
    'openai.md',
    'python-indoxhub.md',
  ]);
  const languages = new Set(pages.flatMap(blocksOf).map(({ language }) => language));
  // Python is run where there is one with the clients: by `npm run interop`.
  expect([...languages].sort()).toEqual(['ini', 'js', 'python', 'ts', 'yaml']);
  const silent = pages
    .flatMap(blocksOf)
    .filter(({ language, prints }) => /^(js|ts|python)$/.test(language) && prints.length === 0);
  expect(silent).toEqual([]);
});

const programs = pages.flatMap((page) =>
  blocksOf(page)
    .filter(({ language }) => language === 'js' || language === 'ts')
    .map((block, at) => ({ name: `${page} ${at + 1}`, ...block })),
);

test.each(programs)('$name', async ({ name, language, code, prints }) => {
  const file = join(folder, `${name.replaceAll(/\W/g, '-')}.${language}`);
  writeFileSync(file, filled(code));
  const env = {
    PATH: process.env['PATH'],
    OPENAI_BASE_URL: `${gateway.url}/v1`,
    OPENAI_API_KEY: gateway.apiKey,
    INDOXHUB_BASE_URL: gateway.url,
    INDOXHUB_API_KEY: gateway.apiKey,
  };
  const { stdout } = await run(process.execPath, ['--conditions=indoxhub:source', file], {
    env,
    timeout: 25_000,
  });
  for (const line of prints) expect(stdout).toContain(line);
});

type Json = Record<string, unknown>;
async function ask(base: string, key: string, path: string, body?: object | FormData): Promise<Response> {
  const isForm = body instanceof FormData;
  const answer = await fetch(`${base.replace(/\/+$/, '')}${path}`, {
    headers: { authorization: `Bearer ${key}`, ...(isForm ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body: isForm ? body : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}
const messages = [{ role: 'user', content: 'echo hello' }];
const idsOf = async (answer: Response): Promise<unknown[]> =>
  ((await answer.json()) as { data: Json[] }).data.map(({ id }) => id);

/** The one block of a language, filled in. */
function configuration(page: string, language: string): string {
  const [block, ...others] = blocksOf(page).filter((each) => each.language === language);
  if (block === undefined || others.length > 0) throw new Error(`${page} has not one ${language} block`);
  return filled(block.code);
}

test('open-webui.md: its environment', async () => {
  const lines = configuration('open-webui.md', 'ini')
    .split('\n')
    .filter((line) => line.includes('='));
  const env = new Map(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const of = (name: string): string => env.get(name) ?? `${name} is not set`;
  const connection = (prefix: string): [string, string] => [
    of(`${prefix}OPENAI_API_BASE_URL`),
    of(`${prefix}OPENAI_API_KEY`),
  ];
  const [base, key] = connection('');
  const [model] = await idsOf(await ask(base, key, '/models')).then((ids) =>
    ids.filter((id) => id === 'local/sandbox'),
  );
  const chat = await (await ask(base, key, '/chat/completions', { stream: true, model, messages })).text();
  expect(chat).toContain('hello');
  const embedded = (await (
    await ask(...connection('RAG_'), '/embeddings', { input: ['a'], model: of('RAG_EMBEDDING_MODEL') })
  ).json()) as { data: { embedding: number[] }[] };
  expect(embedded.data[0]?.embedding.length).toBe(512);
  const speech = { input: 'Hello there.', model: of('AUDIO_TTS_MODEL'), voice: of('AUDIO_TTS_VOICE') };
  const sound = await ask(...connection('AUDIO_TTS_'), '/audio/speech', speech);
  expect(sound.headers.get('content-type')).toMatch(/^audio\//);
  const form = new FormData();
  form.append('model', of('AUDIO_STT_MODEL'));
  form.append('file', new Blob([new Uint8Array(wavOf(1))]), 'a.wav');
  expect(await (await ask(...connection('AUDIO_STT_'), '/audio/transcriptions', form)).json()).toHaveProperty(
    'text',
  );
  const drawing = {
    prompt: 'A fox',
    model: of('IMAGE_GENERATION_MODEL'),
    size: of('IMAGE_SIZE'),
    n: 1,
    response_format: 'b64_json',
  };
  const drawn = (await (await ask(...connection('IMAGES_'), '/images/generations', drawing)).json()) as {
    data: { b64_json: string }[];
  };
  expect(
    Buffer.from(drawn.data[0]?.b64_json ?? '', 'base64')
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
}, 60_000);

test('librechat.md: its endpoint', async () => {
  interface Endpoint {
    readonly apiKey: string;
    readonly baseURL: string;
    readonly titleModel: string;
    readonly models: { readonly default: string[]; readonly fetch: boolean };
  }
  const file = parse(configuration('librechat.md', 'yaml')) as { endpoints: { custom: Endpoint[] } };
  const [endpoint] = file.endpoints.custom;
  if (endpoint === undefined) throw new Error('no endpoint');
  expect(endpoint.apiKey).toBe('${INDOXHUB_API_KEY}');
  expect(endpoint.models.fetch).toBe(true);
  const ids = await idsOf(await ask(endpoint.baseURL, gateway.apiKey, '/models'));
  expect(ids).toEqual(expect.arrayContaining([...endpoint.models.default, endpoint.titleModel]));
  const sliders = { temperature: 1, top_p: 1, presence_penalty: 0, frequency_penalty: 0, user: '66f0' };
  for (const model of [...endpoint.models.default, endpoint.titleModel]) {
    const body = { model, messages, ...sliders, stream: true, stream_options: { include_usage: true } };
    expect(await (await ask(endpoint.baseURL, gateway.apiKey, '/chat/completions', body)).text()).toContain(
      'hello',
    );
  }
});

test('continue.md: its models', async () => {
  interface Model {
    readonly provider: string;
    readonly model: string;
    readonly apiBase: string;
    readonly apiKey: string;
    readonly roles: string[];
    readonly useLegacyCompletionsEndpoint?: boolean;
  }
  const { models } = parse(configuration('continue.md', 'yaml')) as { models: Model[] };
  expect(models.map(({ provider }) => provider)).toEqual(['openai', 'openai', 'openai']);
  for (const { model, apiBase, apiKey, roles, useLegacyCompletionsEndpoint } of models) {
    if (roles.includes('embed')) {
      const answer = await ask(apiBase, apiKey, '/embeddings', { input: ['a', 'b'], model });
      expect(((await answer.json()) as { data: unknown[] }).data.length).toBe(2);
    } else if (useLegacyCompletionsEndpoint === true) {
      const body = { model, prompt: 'echo hello', max_tokens: 50, stop: ['\n\n'], stream: true };
      expect(await (await ask(apiBase, apiKey, '/completions', body)).text()).toContain('hello');
    } else {
      const body = { model, messages, max_tokens: 50, stop: ['\n\n'], stream: true };
      expect(await (await ask(apiBase, apiKey, '/chat/completions', body)).text()).toContain('hello');
    }
  }
});
