/** The length of MPEG audio by its frames. Headers that tell a length (Xing, VBRI) are the caller's word, and the caller pays by it. */
import type { FileWindow } from './file-window.ts';

const rates = [44_100, 48_000, 32_000] as const;
/** kbit/s by index, for layers I, II, III of version 1, then layer I and layers II and III of versions 2 and 2.5. */
const bitRates = {
  '1.1': [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  '1.2': [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  '1.3': [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  '2.1': [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  '2.2': [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;

interface Frame {
  readonly bytes: number;
  readonly samples: number;
  /** Samples a second. */
  readonly rate: number;
}

/** Null for what begins no frame. */
function frameOf(header: number): Frame | null {
  const version = (header >>> 19) & 3;
  const layer = 4 - ((header >>> 17) & 3);
  const rateIndex = (header >>> 10) & 3;
  if (header >>> 21 !== 0x7ff || version === 1 || layer === 4 || rateIndex === 3) return null;
  const isFirst = version === 3;
  const table = isFirst ? (`1.${layer}` as '1.1' | '1.2' | '1.3') : layer === 1 ? '2.1' : '2.2';
  const kbits = bitRates[table][((header >>> 12) & 15) - 1];
  const full = rates[rateIndex];
  if (kbits === undefined || full === undefined) return null;
  const rate = isFirst ? full : version === 2 ? full / 2 : full / 4;
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1152;
  const padding = (header >>> 9) & 1;
  const slots = Math.floor((samples * kbits * 125) / rate / (layer === 1 ? 4 : 1));
  return { bytes: layer === 1 ? (slots + padding) * 4 : slots + padding, samples, rate };
}

/** More than the longest frame and the header after it. */
const reach = 4_096;
/** Tags and damage hold bytes that could begin a frame. A file of more than these is not measured. */
const mostFalseStarts = 100_000;

/** Where the sound begins: behind an ID3v2 tag. */
function beginning(file: FileWindow): number {
  const head = file.bytes(0, 10);
  if (head.length < 10 || head.toString('latin1', 0, 3) !== 'ID3') return 0;
  const [, , , , , flags = 0, a = 0, b = 0, c = 0, d = 0] = head;
  return 10 + ((a << 21) | (b << 14) | (c << 7) | d) + ((flags & 0x10) === 0 ? 0 : 10);
}

function frameAt(file: FileWindow, at: number): Frame | null {
  const header = file.bytes(at, 4);
  return header.length < 4 ? null : frameOf(header.readUInt32BE());
}

/** Seconds of the whole frames in the file; 0 where there are none, or more that looks like some than sound is known to have. */
export async function mpegSeconds(file: FileWindow): Promise<number> {
  const { size } = file;
  await file.load(0, reach);
  let at = beginning(file);
  let falseStarts = 0;
  let inSync = false;
  const samples = new Map<number, number>();
  while (at + 4 <= size) {
    if (!file.holds(at, reach)) await file.load(at, reach);
    const frame = frameAt(file, at);
    // Noise looks like a header now and then; two in their places do not happen.
    if (frame !== null && !inSync) inSync = frameAt(file, at + frame.bytes) !== null;
    if (frame === null || !inSync) {
      falseStarts++;
      if (falseStarts > mostFalseStarts) return 0;
      inSync = false;
      at = file.find(0xff, at + 1);
      continue;
    }
    if (at + frame.bytes > size) break;
    const isInfo = samples.size === 0 && /Xing|Info|VBRI/.test(file.bytes(at, 64).toString('latin1'));
    if (!isInfo) samples.set(frame.rate, (samples.get(frame.rate) ?? 0) + frame.samples);
    at += frame.bytes;
  }
  return [...samples].reduce((sum, [rate, count]) => sum + count / rate, 0);
}
