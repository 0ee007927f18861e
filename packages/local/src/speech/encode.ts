/** Samples of 16 bit, mono, as files. */
import { Mp3Encoder } from '@breezystack/lamejs';

const mp3Kbps = 64;

/** LAME encodes in frames of 1152 samples; whole frames at a time are fastest. */
const mp3Step = 1152 * 64;

export function encodeWav(samples: Int16Array, sampleRate: number): Uint8Array {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.byteLength, 40);
  return joined([header, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)]);
}

export function encodeMp3(samples: Int16Array, sampleRate: number): Uint8Array {
  const encoder = new Mp3Encoder(1, sampleRate, mp3Kbps);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < samples.length; at += mp3Step)
    parts.push(new Uint8Array(encoder.encodeBuffer(samples.subarray(at, at + mp3Step))));
  parts.push(new Uint8Array(encoder.flush()));
  return joined(parts);
}

/** In memory of its own: a small Buffer shares a pool, and a clone to another thread would carry all of that. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
