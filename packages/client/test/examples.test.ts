/** Every example is run against the running gateway and prints what it says; every method has one. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fakeVideos } from '../../server/test/fakes/videos.ts';
import { startUpstream, type Upstream } from '../../server/test/upstream.ts';
import { IndoxHub } from '../src/index.ts';
import { useGateway } from './server.ts';

const folder = join(import.meta.dirname, '../examples');
const names = readdirSync(folder).filter((name) => name.endsWith('.ts'));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

let upstream: Upstream;
const its = useGateway(async () => {
  upstream = await startUpstream(fakeVideos().script);
  return {
    // A provider that makes videos; everything else is the gateway's own.
    yaml: 'defaults:\n  chat: local/sandbox\n  completion: local/sandbox\n  embedding: local/use-lite\n  image: local/canvas\n  tts: local/flite\n  stt: local/pocketsphinx\n',
    env: {
      OPENAI_API_KEY: 'sk-openai',
      OPENAI_BASE_URL: upstream.url,
      INDOXHUB_VIDEO_POLL: '20ms',
      INDOXHUB_ALLOW_PRIVATE_URLS: 'on',
    },
  };
});
afterAll(() => upstream.close());

const run = (name: string): Promise<{ code: number | null; said: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=indoxhub:source', join(folder, name)], {
      env: {
        PATH: process.env['PATH'],
        INDOXHUB_API_KEY: its.gateway.apiKey,
        INDOXHUB_BASE_URL: its.gateway.url,
      },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += String(chunk)));
    child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
    child.on('close', (code) => resolve({ code, said }));
  });

test.each(names)('%s', async (name) => {
  const { code, said } = await run(name);
  expect(code, said).toBe(0);
  const wanted = [...read(name).matchAll(/^\/\/ prints: (.+)$/gm)].map(([, text = '']) => text);
  expect(wanted).not.toEqual([]);
  for (const text of wanted) expect(said).toContain(text);
});

/** `client.audio.speech.create(` and so on: every method that can be called. */
function methodsOf(value: object, path: string): string[] {
  const isFunction = typeof value === 'function';
  // What can be called itself carries its methods; anything else has them from its class.
  const names = [
    ...Object.keys(value),
    ...(isFunction ? [] : Object.getOwnPropertyNames(Object.getPrototypeOf(value))),
  ].filter((name) => name !== 'constructor' && name !== 'baseURL');
  return names.flatMap((name) => {
    const member = (value as Record<string, unknown>)[name];
    const own = typeof member === 'function' ? [`${path}.${name}(`] : [];
    const isResource = typeof member === 'object' || Object.keys(Object(member)).length > 0;
    return isResource ? [...own, ...methodsOf(Object(member) as object, `${path}.${name}`)] : own;
  });
}

test('every method of the client is called in an example, and described with one', () => {
  const methods = methodsOf(new IndoxHub({ apiKey: 'x' }), 'client');
  expect(methods.length).toBeGreaterThan(40);
  const all = names
    .map(read)
    .join('\n')
    .replaceAll(/\.request<[^(]*>\(/g, '.request(')
    .replaceAll('patient.chat(', '');
  expect(methods.filter((method) => !all.includes(method))).toEqual([]);
  const sources = readdirSync(join(folder, '../src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(resources\/|client|chat-stream|python-names|uploads)/.test(name))
    .map((name) => readFileSync(join(folder, '../src', name), 'utf8'))
    .join('\n');
  const examples = [...sources.matchAll(/@example\n((?: +\* .*\n)+)/g)]
    .map(([, text = '']) => text)
    .join('\n');
  const undescribed = methods.filter((method) => {
    const last = method.split('.').pop() ?? '';
    return (
      !examples.includes(`${method.split('.').length > 2 ? '.' : 'client.'}${last}`) &&
      !examples.includes(`client.${last.slice(0, -1)}<`)
    );
  });
  expect(undescribed).toEqual([]);
});
