/** The real engines, in their threads. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import decodeMp3 from '@audio/decode-mp3';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, test } from 'vitest';
import { createLocalEngines, LocalEngineError, type LocalEngines } from '../src/index.ts';
import { sentences } from './sentences.ts';

const engines = createLocalEngines();
afterAll(() => engines.close());

const failure = async (call: Promise<unknown>): Promise<Pick<LocalEngineError, 'code' | 'field'>> => {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LocalEngineError);
  const { code, field } = error as LocalEngineError;
  return { code, field };
};

test('every engine is installed and says what it is', () => {
  expect(engines.models.map(({ id, installed }) => [id, installed])).toEqual([
    ['local/use-lite', true],
    ['local/flite', true],
    ['local/pocketsphinx', true],
    ['local/canvas', true],
    ['local/motion', true],
  ]);
});

describe('embeddings', () => {
  const cosine = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

  test('related sentences lie closer than unrelated ones', async () => {
    const pairs = [
      ['How do I pay my bill?', 'Where can I settle my invoice?'],
      ['The cat sleeps on the sofa.', 'A kitten is napping on the couch.'],
      ['The train to London is late.', 'The railway service is delayed.'],
    ];
    const { vectors, tokens } = await engines.embed(pairs.flat());
    expect(tokens).toBeGreaterThan(30);
    for (const [index, vector] of vectors.entries()) {
      expect(vector).toHaveLength(512);
      expect(cosine(vector, vector)).toBeCloseTo(1, 5);
      const related = cosine(vector, vectors[index ^ 1] ?? vector);
      for (const [other, unrelated] of vectors.entries())
        if (other >> 1 !== index >> 1) expect(related).toBeGreaterThan(cosine(vector, unrelated));
    }
  });

  test('a text has the same vector alone and among many', async () => {
    const many = Array.from({ length: 300 }, (_, index) => `sentence number ${index} of a long list of them`);
    const together = await engines.embed(many);
    const alone = await engines.embed([many[299] ?? '']);
    expect(together.vectors).toHaveLength(300);
    expect(
      cosine(together.vectors[299] ?? new Float32Array(), alone.vectors[0] ?? new Float32Array()),
    ).toBeCloseTo(1, 4);
  });
});

describe('speech', () => {
  const text = 'The library opens at nine in the morning.';

  test('speed changes the duration in its measure', async () => {
    const at = async (speed: number) => (await engines.speak({ text, format: 'wav', speed })).durationSeconds;
    const plain = await at(1);
    for (const speed of [0.25, 0.5, 2, 4]) {
      const stretched = (await at(speed)) * speed;
      expect(stretched / plain).toBeGreaterThan(0.8);
      expect(stretched / plain).toBeLessThan(1.25);
    }
  });

  test('the voices differ; mp3, wav and pcm hold as much sound as they say', async () => {
    const files = await Promise.all(
      ['slt', 'rms', 'awb', 'kal16', 'kal'].map((voice) => engines.speak({ text, voice, format: 'wav' })),
    );
    expect(new Set(files.map(({ audio }) => Buffer.from(audio).toString('base64'))).size).toBe(5);
    const mp3 = await engines.speak({ text, voice: 'alloy' });
    expect([mp3.contentType, mp3.voice]).toEqual(['audio/mpeg', 'slt']);
    const decoded = await decodeMp3(mp3.audio);
    expect((decoded.channelData[0]?.length ?? 0) / decoded.sampleRate).toBeCloseTo(mp3.durationSeconds, 0);
    const pcm = await engines.speak({ text, format: 'pcm' });
    expect(pcm.audio.length / 2 / 24_000).toBeCloseTo(pcm.durationSeconds, 2);
  });

  test('what it cannot do is a typed error that names the field', async () => {
    expect(await failure(engines.speak({ text, voice: 'nobody' }))).toEqual({
      code: 'unknown_voice',
      field: 'voice',
    });
    expect(await failure(engines.speak({ text, format: 'opus' }))).toEqual({
      code: 'unsupported_format',
      field: 'format',
    });
    expect(await failure(engines.speak({ text, speed: 5 }))).toEqual({
      code: 'invalid_request',
      field: 'speed',
    });
    expect(await failure(engines.speak({ text: '你好' }))).toEqual({
      code: 'invalid_request',
      field: 'text',
    });
  });
});

describe('transcription', () => {
  const plain = (text: string): string[] => text.toLowerCase().match(/[a-z']+/g) ?? [];

  /** Insertions, deletions and substitutions between two lists of words. */
  const distance = (a: readonly string[], b: readonly string[]): number => {
    let row = b.map((_, index) => index + 1);
    for (const [i, word] of a.entries()) {
      const next: number[] = [];
      for (const [j, other] of b.entries()) {
        const corner = j === 0 ? i : (row[j - 1] ?? 0);
        const left = j === 0 ? i + 1 : (next[j - 1] ?? 0);
        next.push(Math.min(corner + (word === other ? 0 : 1), left + 1, (row[j] ?? 0) + 1));
      }
      row = next;
    }
    return row.at(-1) ?? a.length;
  };

  test(
    'hears what was spoken: median word error rate of 30 sentences at most 10 %',
    { timeout: 120_000 },
    async () => {
      const rates: number[] = [];
      let errors = 0;
      let total = 0;
      for (const sentence of sentences) {
        const { audio } = await engines.speak({ text: sentence, voice: 'slt', format: 'wav' });
        const { text } = await engines.transcribe({ audio });
        const wrong = distance(plain(sentence), plain(text));
        errors += wrong;
        total += plain(sentence).length;
        rates.push(wrong / plain(sentence).length);
      }
      const median = rates.toSorted((a, b) => a - b)[15] ?? 1;
      console.log(
        `word error rate: median ${median.toFixed(3)}, of all words ${(errors / total).toFixed(3)}`,
      );
      expect(sentences).toHaveLength(30);
      expect(median).toBeLessThanOrEqual(0.1);
      expect(errors / total).toBeLessThanOrEqual(0.15);
    },
  );

  test('words have rising times within the audio', async () => {
    const { audio } = await engines.speak({ text: 'Turn left at the next traffic light.', format: 'mp3' });
    const { words, durationSeconds } = await engines.transcribe({ audio, words: true });
    expect(words.map(({ word }) => word)).toEqual(['turn', 'left', 'at', 'the', 'next', 'traffic', 'light']);
    for (const [index, { start, end }] of words.entries()) {
      expect(end).toBeGreaterThan(start);
      expect(start).toBeGreaterThanOrEqual(words[index - 1]?.end ?? 0);
      expect(end).toBeLessThanOrEqual(durationSeconds);
    }
  });

  test('bad audio is a typed error each time, and the engine goes on', async () => {
    const { audio: good } = await engines.speak({ text: 'Good morning.', format: 'wav' });
    const magic = [
      '',
      'RIFF\x24\0\0\0WAVEfmt ',
      'fLaC',
      'OggS\0\x02OpusHead',
      'OggS\x01vorbis',
      'ID3',
      '\xff\xfb\x90\0',
    ];
    let state = 1;
    const byte = (): number => (state = (state * 48_271) % 2_147_483_647) & 255;
    for (let round = 0; round < 100; round++) {
      const head = Buffer.from(magic[round % magic.length] ?? '', 'latin1');
      const audio = Buffer.concat([head, Buffer.from(Array.from({ length: round * 40 }, byte))]);
      const answer: unknown = await engines.transcribe({ audio }).catch((error: unknown) => error);
      // A decoder may find a frame in noise; then there is a transcript, of whatever it heard.
      if (answer instanceof LocalEngineError)
        expect(['audio_unreadable', 'unsupported_format']).toContain(answer.code);
      else expect(answer).toHaveProperty('text');
    }
    expect(await failure(engines.transcribe({ audio: new Uint8Array() }))).toEqual({
      code: 'audio_unreadable',
      field: 'audio',
    });
    expect((await engines.transcribe({ audio: good })).text).toMatch(/morning/i);
  });
});

describe('pictures', () => {
  test('a PNG of the size asked for, the same for the same seed', async () => {
    const request = { prompt: 'a quiet lake <at> dawn & a boat', width: 320, height: 200, seed: 7 };
    const { png, procedural } = await engines.draw(request);
    const { width, height } = PNG.sync.read(Buffer.from(png));
    expect([width, height, procedural]).toEqual([320, 200, true]);
    expect(Buffer.from(png).toString('latin1')).toContain('Procedural picture');
    expect((await engines.draw(request)).png).toEqual(png);
    for (const other of [{ seed: 8 }, { index: 1 }, { prompt: 'a quiet lake' }])
      expect((await engines.draw({ ...request, ...other })).png).not.toEqual(png);
    expect(await failure(engines.draw({ ...request, width: 63 }))).toEqual({
      code: 'invalid_request',
      field: 'width',
    });
  });
});

describe('films', () => {
  const film = { prompt: 'a quiet lake at dawn', width: 128, height: 72, seconds: 2 };
  const boxes = (mp4: Uint8Array): string[] => {
    const bytes = Buffer.from(mp4);
    const types: string[] = [];
    for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
      types.push(bytes.toString('latin1', at + 4, at + 8));
    return types;
  };

  test('an MP4 that begins with its index, the same for the same request, with progress by the frame', async () => {
    const told: number[] = [];
    const made = await engines.animate(film, undefined, (done) => told.push(done));
    expect(made).toMatchObject({ width: 128, height: 72, seconds: 2, frames: 48, procedural: true });
    expect(boxes(made.mp4)).toEqual(['ftyp', 'moov', 'mdat']);
    expect(told).toEqual(Array.from({ length: 48 }, (_, frame) => (frame + 1) / 48));
    expect(Buffer.from(made.mp4).toString('latin1')).toContain('not by an AI model');
    expect((await engines.animate(film)).mp4).toEqual(made.mp4);
    for (const other of [{ seed: 8 }, { index: 1 }, { prompt: 'red hills' }, { seconds: 1 }])
      expect((await engines.animate({ ...film, ...other })).mp4).not.toEqual(made.mp4);
  });

  test.each([
    [{ width: 63 }, 'width'],
    [{ height: 101 }, 'height'],
    [{ height: 1282 }, 'height'],
    [{ seconds: 0 }, 'seconds'],
    [{ seconds: 1.5 }, 'seconds'],
    [{ seed: 0.5 }, 'seed'],
    [{ prompt: ' ' }, 'prompt'],
  ])('%j is refused by the name of %s', async (other, field) => {
    expect(await failure(engines.animate({ ...film, ...other }))).toEqual({ code: 'invalid_request', field });
  });

  test('a signal ends its thread in the middle of a frame', async () => {
    const own = createLocalEngines();
    const started = Promise.withResolvers<Worker>();
    const take = (message: unknown): void => started.resolve((message as { worker: Worker }).worker);
    subscribe('worker_threads', take);
    try {
      const abort = new AbortController();
      let told = 0;
      const running = failure(
        own.animate({ ...film, width: 1280, height: 720, seconds: 20 }, abort.signal, () => {
          told++;
          abort.abort();
        }),
      );
      const worker = await started.promise;
      const ended = once(worker, 'exit');
      expect((await running).code).toBe('cancelled');
      await ended;
      expect(told).toBeLessThan(480);
      expect((await own.animate(film)).frames).toBe(48);
    } finally {
      unsubscribe('worker_threads', take);
      await own.close();
    }
  });
});

describe('threads', () => {
  const using = async (
    engines: LocalEngines,
    use: (engines: LocalEngines) => Promise<void>,
  ): Promise<void> => {
    try {
      await use(engines);
    } finally {
      await engines.close();
    }
  };
  const long = { text: 'hello world and good morning '.repeat(300) };

  test('a signal cancels what runs and what waits; the next call works', async () => {
    await using(createLocalEngines(), async (engines) => {
      const abort = new AbortController();
      const running = failure(engines.speak(long, abort.signal));
      const waiting = failure(engines.speak({ text: 'hello' }, abort.signal));
      setTimeout(() => abort.abort(), 300);
      expect((await running).code).toBe('cancelled');
      expect((await waiting).code).toBe('cancelled');
      expect((await engines.speak({ text: 'hello' })).durationSeconds).toBeGreaterThan(0.3);
    });
  });

  test('an engine that overruns is stopped; the next call starts a new one', async () => {
    await using(createLocalEngines({ limitMs: 2000 }), async (engines) => {
      expect((await failure(engines.speak(long))).code).toBe('timed_out');
      expect((await engines.speak({ text: 'hello', format: 'wav' })).durationSeconds).toBeGreaterThan(0.3);
    });
  });

  test('a full queue refuses; closing rejects what is left', async () => {
    const engines = createLocalEngines({ queueLimit: 1 });
    const running = failure(engines.speak(long));
    const waiting = failure(engines.speak(long));
    expect((await failure(engines.speak(long))).code).toBe('busy');
    await engines.close();
    expect((await running).code).toBe('closed');
    expect((await waiting).code).toBe('closed');
    expect((await failure(engines.embed(['hello']))).code).toBe('closed');
  });
});
