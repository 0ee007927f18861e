/** Every example is run against a running gateway and prints what it says. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openScene, type Scene } from '../../server/test/journeys/client.ts';

const folder = join(import.meta.dirname, '../examples');
const names = readdirSync(folder).filter((name) => name.endsWith('.ts'));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ env: { INDOXHUB_VIDEO_POLL: '20ms' } });
});
afterAll(async () => {
  await scene.gateway.verify();
  await scene.close();
});

test.each(names)('%s', async (name) => {
  const env = {
    PATH: process.env['PATH'],
    INDOXHUB_API_KEY: scene.gateway.apiKey,
    INDOXHUB_BASE_URL: scene.gateway.url,
  };
  const { code, said } = await new Promise<{ code: number | null; said: string }>((resolve) => {
    const child = spawn(process.execPath, ['--conditions=indoxhub:source', join(folder, name)], { env });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += String(chunk)));
    child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
    child.on('close', (code) => resolve({ code, said }));
  });
  expect(code, said).toBe(0);
  const wanted = [...read(name).matchAll(/^\/\/ prints: (.+)$/gm)].map(([, text = '']) => text);
  expect(wanted).not.toEqual([]);
  for (const text of wanted) expect(said).toContain(text);
});

test('every kind of model has an example', () => {
  const all = names.map(read).join('\n');
  const kinds = [
    'indoxhub(',
    'completion(',
    'embeddingModel(',
    'imageModel(',
    'speechModel(',
    'transcriptionModel(',
    'videoModel(',
  ];
  expect(kinds.filter((kind) => !all.includes(kind))).toEqual([]);
});
