/** What vendors call the sound they send, against what was asked of them. */
import { GatewayError } from '../contract/errors.ts';
import { badField } from '../contract/errors.ts';
import type { AudioFormat } from '../contract/media.ts';
import type { StreamedResponse } from './provider.ts';

export const audioTypes: Readonly<Record<AudioFormat, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
};

/** Throws a 400 that names `response_format` unless the vendor speaks it. */
export function requireFormat(format: AudioFormat, known: readonly AudioFormat[]): void {
  if (!known.includes(format))
    throw badField(
      'response_format',
      `Invalid value for 'response_format': this model speaks ${known.join(', ')}, not ${format}`,
    );
}

/** Throws a 400 that names `speed` where the vendor cannot change its pace, or not that far. */
export function requireSpeed(speed: number, least: number, most: number): void {
  if (speed >= least && speed <= most) return;
  const range = least === most ? 'speaks at its own pace only' : `speaks at ${least} to ${most}`;
  throw badField('speed', `Invalid value for 'speed': this model ${range}`);
}

/** Throws `upstream_malformed` for a 200 that is words instead of sound. */
export function requireSound({ headers }: Pick<StreamedResponse, 'headers'>): void {
  const type = headers['content-type'];
  if (typeof type === 'string' && /^(application\/(problem\+)?json|text\/)/i.test(type))
    throw new GatewayError('upstream_malformed', 'The provider answered words instead of sound.');
}

/** A header for 16-bit mono sound that has none. */
export function wavHeader(pcmBytes: number, sampleRate: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + pcmBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(pcmBytes, 40);
  return header;
}

export async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
