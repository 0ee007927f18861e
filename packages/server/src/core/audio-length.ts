/** How long a sound is, read from the sound itself: what is billed by the second is billed by this. */
import type { IFormat } from 'music-metadata';
import { FileWindow } from './file-window.ts';
import { mpegSeconds } from './mpeg-audio.ts';

/** Speech codecs go down to about this; a sound whose length is hidden is at most so long. */
const leastBytesPerSecond = 750;

/** Hours of sound have this many pages. */
const mostReads = 200_000;
/** Tags and container, beside the sound. */
const overheadBytes = 4 * 1024;
/** No lossy codec for speech or music goes beyond 512 kbit/s for two channels. */
const mostLossyBytesPerSecond = 64_000;

/**
 * Milliseconds; null where the format hides it, is none, or tells a length that cannot be: the caller wrote the file, and
 * pays by it.
 */
export async function measureAudio(path: string): Promise<number | null> {
  try {
    return await FileWindow.read(path, measured);
  } catch {
    return null;
  }
}

async function measured(file: FileWindow): Promise<number | null> {
  // Loaded when the first sound arrives: most gateways never see one.
  const { parseBlob } = await import('music-metadata');
  const { format } = await parseBlob(limitedBlob(file), { duration: true, skipCovers: true });
  const isMpeg = format.container === 'MPEG';
  const seconds = isMpeg ? await mpegSeconds(file) : (format.duration ?? 0);
  if (!Number.isFinite(seconds) || seconds <= 0) return null;
  const isPossible = isMpeg || file.size - overheadBytes <= mostBytesPerSecond(format) * seconds;
  // 72 frames of 0.036 s are 2592 ms, whatever binary fractions make of them.
  return isPossible ? Math.ceil(seconds * 1000 - 1e-6) : null;
}

/** What the parser uses of a Blob. It gives up on a file of a million empty chunks, whose length nobody needs to know. */
function limitedBlob(file: FileWindow): Blob {
  let left = mostReads;
  const slice = (from: number, to: number): Pick<Blob, 'arrayBuffer'> => ({
    async arrayBuffer() {
      if (left-- <= 0) throw new RangeError('the file has too many parts');
      return (await file.slice(from, to)).buffer as ArrayBuffer;
    },
  });
  return { size: file.size, type: '', slice } as unknown as Blob;
}

function mostBytesPerSecond({ lossless, sampleRate, numberOfChannels, bitsPerSample }: IFormat): number {
  const channels = numberOfChannels ?? 2;
  if (lossless !== true) return mostLossyBytesPerSecond * Math.max(1, channels / 2);
  return (1.1 * (sampleRate ?? 48_000) * channels * (bitsPerSample ?? 16)) / 8;
}

/**
 * What is billed: the length measured. Where the provider tells quite another one it is taken at its word, because it
 * heard the sound: the file's own header was wrong, or the file is cut off.
 */
export function billedAudio(measuredMs: number | null, toldMs: number | null): number | null {
  if (measuredMs === null || toldMs === null) return measuredMs ?? toldMs;
  const isFar = Math.abs(toldMs - measuredMs) > Math.max(2_000, measuredMs / 10);
  return isFar ? toldMs : measuredMs;
}

/** 32 kbit/s, as low as speech is usually stored: what is charged where nobody tells the length. */
const usualBytesPerSecond = 4_000;

export function usualAudio(bytes: number): number {
  return Math.ceil((bytes / usualBytesPerSecond) * 1000);
}

/** The most milliseconds a sound of this size can last. */
export function longestAudio(bytes: number): number {
  return Math.ceil((bytes / leastBytesPerSecond) * 1000);
}
