/** Which container these bytes are, by their own first bytes: names and content types lie. */

export type AudioFormat = 'wav' | 'mp3' | 'flac' | 'vorbis' | 'opus';

export const readableFormats = ['wav', 'mp3', 'flac', 'ogg (Vorbis or Opus)'] as const;

/** Null for what is none of ours. Says nothing of what follows: the decoder finds out. */
export function sniff(bytes: Uint8Array): AudioFormat | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 128)).toString('latin1');
  if (/^(RIFF|RF64)....WAVE/s.test(head)) return 'wav';
  if (head.startsWith('fLaC')) return 'flac';
  if (head.startsWith('OggS')) {
    if (head.includes('OpusHead')) return 'opus';
    return head.includes('\x01vorbis') ? 'vorbis' : null;
  }
  if (head.startsWith('ID3')) return 'mp3';
  return isFrameHeader(bytes) ? 'mp3' : null;
}

/** An MPEG audio frame: 11 bits of sync, then a version, layer III, a bit rate and a sample rate that exist. */
function isFrameHeader([first = 0, second = 0, third = 0]: Uint8Array): boolean {
  const version = (second >> 3) & 3;
  const layer = (second >> 1) & 3;
  const rate = third >> 4;
  return (
    first === 0xff &&
    second >> 5 === 7 &&
    version !== 1 &&
    layer === 1 &&
    rate !== 0 &&
    rate !== 15 &&
    ((third >> 2) & 3) !== 3
  );
}
