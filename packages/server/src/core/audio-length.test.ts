/** Lengths of real files, of files that lie about theirs, of files that are cut off, and of what is no sound. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wavOf } from '../../test/fakes/transcriptions.ts';
import { billedAudio, measureAudio } from './audio-length.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../test/fixtures/audio/${name}`, import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'indoxhub-audio-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
/** As an upload is: under a name that tells nothing. */
const measured = (bytes: Uint8Array): Promise<number | null> => {
  const path = join(directory, 'upload');
  writeFileSync(path, bytes);
  return measureAudio(path);
};
/** With other bytes behind the first `mark`. */
function changed(bytes: Buffer, mark: string, offset: number, write: (at: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  const found = copy.indexOf(mark);
  if (found < 0) throw new Error(`no ${mark}`);
  write(copy.subarray(found + offset));
  return copy;
}

test.each([
  ['cbr.mp3', 2_592],
  ['vbr.mp3', 2_592],
  ['tone.m4a', 2_564],
  ['tone.ogg', 2_500],
  ['tone.webm', 2_508],
  ['tone.flac', 2_000],
  ['live.webm', null],
])('%s lasts %s ms', async (name, ms) => {
  expect(await measured(fixture(name))).toBe(ms);
});

test('WAV, and MP3 with a tag before it, however large', async () => {
  expect(await measured(wavOf(3))).toBe(3_000);
  const tag = Buffer.alloc(10 + 300_000);
  tag.write('ID3\x04', 'latin1');
  for (const [at, shift] of [21, 14, 7, 0].entries()) tag[6 + at] = (300_000 >> shift) & 127;
  expect(await measured(Buffer.concat([tag, fixture('cbr.mp3')]))).toBe(2_592);
});

describe('a header that lies', () => {
  test('Xing: the frames count, not what it says of them', async () => {
    for (const frames of [1, 5, 2_000_000]) {
      const forged = changed(fixture('vbr.mp3'), 'Xing', 8, (at) => at.writeUInt32BE(frames));
      expect(await measured(forged)).toBe(2_592);
    }
  });

  test.each<[string, Buffer]>([
    ['M4A', changed(fixture('tone.m4a'), 'mdhd', 20, (at) => at.writeUInt32BE(100))],
    ['Ogg', lastPage(fixture('tone.ogg'), 480n)],
    ['FLAC', changed(fixture('tone.flac'), 'fLaC', 22, (at) => at.writeUInt32BE(160))],
    ['WAV', changed(wavOf(60), 'data', 4, (at) => at.writeUInt32LE(320))],
  ])('%s: fewer seconds than so many bytes can be are no length', async (_, forged) => {
    expect(await measured(forged)).toBeNull();
  });
});

function lastPage(bytes: Buffer, granule: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(granule, copy.lastIndexOf('OggS') + 6);
  return copy;
}

describe('a file that is cut off', () => {
  test.each([
    ['cbr.mp3', 1_296],
    ['vbr.mp3', 1_548],
    ['tone.ogg', 994],
    // Their headers still tell the whole length; what the provider hears wins over it.
    ['tone.flac', 2_000],
    ['tone.webm', 2_508],
    ['tone.m4a', null],
  ])('%s: half of it is %s ms', async (name, ms) => {
    const whole = fixture(name);
    expect(await measured(whole.subarray(0, whole.length / 2 + (name === 'tone.ogg' ? 469 : 0)))).toBe(ms);
  });

  test('WAV: as far as it goes', async () => {
    expect(await measured(wavOf(3).subarray(0, 44 + 16_000))).toBe(1_000);
  });

  test('after its first bytes: none', async () => {
    for (const name of ['cbr.mp3', 'tone.m4a', 'tone.ogg', 'tone.flac', 'tone.webm'])
      expect(await measured(fixture(name).subarray(0, 20)), name).toBeNull();
  });
});

test('what is no sound has no length', async () => {
  let state = 1;
  const noise = Buffer.from(
    Array.from({ length: 100_000 }, () => (state = (state * 48_271) % 2_147_483_647) & 255),
  );
  const none = [
    noise,
    Buffer.alloc(0),
    Buffer.alloc(50_000),
    Buffer.alloc(50_000, 255),
    Buffer.from('This is no sound. '.repeat(500)),
    Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f'),
    Buffer.from('RIFF\xff\xff\xff\xffWAVEfmt ', 'latin1'),
    Buffer.from('OggS'.repeat(100)),
    Buffer.from('fLaC'.repeat(100)),
  ];
  for (const [at, bytes] of none.entries()) expect(await measured(bytes), String(at)).toBeNull();
  expect(await measureAudio(join(directory, 'missing'))).toBeNull();
});

test('a file made to be slow is given up', async () => {
  // Minutes of work, each of them, for who follows it to its end.
  const chunks = Buffer.concat([wavOf(0), Buffer.alloc(20_000_000)]);
  expect(await measured(chunks)).toBeNull();
  const atoms = Buffer.alloc(20_000_000);
  fixture('tone.m4a').copy(atoms, 0, 0, 32);
  for (let at = 32; at + 8 <= atoms.length; at += 8) atoms.write('\0\0\0\x08free', at, 'latin1');
  expect(await measured(atoms)).toBeNull();
  const junk = Buffer.concat([fixture('cbr.mp3'), Buffer.alloc(20_000_000, 255)]);
  expect(await measured(junk)).toBeNull();
});

test('the length measured is billed, unless the provider heard quite another one', () => {
  expect(billedAudio(60_000, null)).toBe(60_000);
  expect(billedAudio(null, 60_000)).toBe(60_000);
  expect(billedAudio(null, null)).toBeNull();
  // Rounding, and the encoder's delay.
  expect(billedAudio(3_000, 3_050)).toBe(3_000);
  expect(billedAudio(60_000, 65_900)).toBe(60_000);
  // A header that lies, a file cut off.
  expect(billedAudio(10, 60_000)).toBe(60_000);
  expect(billedAudio(60_000, 20_000)).toBe(20_000);
});
