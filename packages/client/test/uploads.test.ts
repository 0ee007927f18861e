/** Every kind of upload, as the gateway receives it and as it travels. */
import { createReadStream, mkdtempSync, openAsBlob, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IndoxHubError, toDataURL, toFile, type Uploadable } from '../src/index.ts';
import { answering, failure, useGateway, withServer } from './server.ts';

const its = useGateway();
let folder: string;
let path: string;
let sound: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'indoxhub-uploads-'));
  path = join(folder, 'speech.wav');
  const spoken = await its.client.audio.speech.bytes({ input: 'hello world', response_format: 'wav' });
  sound = new Uint8Array(await spoken.arrayBuffer());
  writeFileSync(path, sound);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sound.length; at += 10_000) yield sound.subarray(at, at + 10_000);
}

const kinds: readonly (readonly [string, () => Uploadable])[] = [
  ['a path', () => path],
  ['a Blob', () => new Blob([sound], { type: 'audio/wav' })],
  ['a File', () => new File([sound], 'other.wav')],
  ['openAsBlob', () => openAsBlob(path)],
  ['an ArrayBuffer', () => sound.buffer],
  ['a Uint8Array', () => sound],
  ['a Buffer', () => Buffer.from(sound)],
  ['a DataView', () => new DataView(sound.buffer)],
  ['a read stream', () => createReadStream(path)],
  ['a web stream', () => new Blob([sound]).stream()],
  ['a generator', () => pieces()],
  ['a Response', () => new Response(sound, { headers: { 'content-type': 'audio/wav' } })],
  ['a promise of a Response', () => fetch(`data:audio/wav;base64,${Buffer.from(sound).toString('base64')}`)],
  ['toFile', () => toFile(sound, 'speech.wav', { type: 'audio/wav' })],
];

test.each(kinds)('%s is heard by the gateway', async (_, make) => {
  expect((await its.client.audio.transcriptions.create({ file: make() })).text).toMatch(/hello world/i);
});

test('names and types: given, or the source’s own', async () => {
  const named = async (source: Uploadable, ...more: [string?, { type?: string }?]): Promise<string> => {
    const file = await toFile(source, ...more);
    return `${file.name} ${file.type} ${file.size === sound.length}`;
  };
  expect(await named(path)).toBe('speech.wav  true');
  expect(await named(Promise.resolve(path), 'x.mp3')).toBe('x.mp3  true');
  expect(await named(createReadStream(path))).toBe('speech.wav  true');
  expect(await named(new File([sound], 'a.mp3', { type: 'audio/mpeg' }))).toBe('a.mp3 audio/mpeg true');
  expect(await named(new File([sound], 'a.mp3'), 'b.mp3', { type: 'audio/x' })).toBe('b.mp3 audio/x true');
  expect(await named(sound)).toBe('upload  true');
  expect(await named(new Response(sound, { headers: { 'content-type': 'audio/wav' } }), 'x.wav')).toBe(
    'x.wav audio/wav true',
  );
});

test('the form on the wire: fields as text, lists as JSON, a null left out, sent again whole', async () => {
  let calls = 0;
  await withServer(
    (call, response) => answering(++calls === 1 ? 503 : 200, '{}', { 'retry-after-ms': '1' })(call, response),
    async (server, client) => {
      await client().speechToText(createReadStream(path), {
        model: 'openai/whisper-1',
        temperature: 0.5,
        timestamp_granularities: ['word', 'segment'],
        provider: null,
      });
      expect(server.calls).toHaveLength(2);
      for (const { bytes, headers } of server.calls) {
        const form = await new Response(new Uint8Array(bytes), {
          headers: { 'content-type': headers['content-type'] ?? '' },
        }).formData();
        expect([...form.keys()]).toEqual(['model', 'temperature', 'timestamp_granularities', 'file']);
        expect(form.get('timestamp_granularities')).toBe('["word","segment"]');
        expect(form.get('temperature')).toBe('0.5');
        expect((form.get('file') as File).size).toBe(sound.length);
      }
    },
  );
});

test('a file that is not there, a URL, or nothing, is refused in words', async () => {
  const message = async (file: Uploadable): Promise<string> =>
    (await failure(IndoxHubError, its.client.audio.transcriptions.create({ file }))).message;
  expect(await message(join(folder, 'no-such.wav'))).toContain('no-such.wav could not be read');
  expect(await message('https://example.com/speech.wav')).toContain('fetch(url)');
  expect(await message(undefined as unknown as Uploadable)).toContain('a path, a Blob');
});

test('a path where there are no files is refused in words', async () => {
  const own = Object.getOwnPropertyDescriptor(process, 'getBuiltinModule');
  try {
    Object.defineProperty(process, 'getBuiltinModule', { ...own, value: undefined });
    expect((await failure(IndoxHubError, toFile(path))).message).toContain('no files on this platform');
  } finally {
    Object.defineProperty(process, 'getBuiltinModule', own ?? {});
  }
});

test('toDataURL', async () => {
  const url = await toDataURL(createReadStream(path), 'audio/wav');
  expect(url).toBe(`data:audio/wav;base64,${Buffer.from(sound).toString('base64')}`);
});
