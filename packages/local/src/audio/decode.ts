/** Any readable file as 16 kHz mono, in small steps and up to a limit: a file may say, or hold, hours of silence. */
import { LocalEngineError } from '../errors.ts';
import { resample } from './resample.ts';
import { sniff, type AudioFormat } from './sniff.ts';

interface Block {
  channelData: Float32Array[];
  sampleRate: number;
}
interface Decoder {
  decode(chunk: Uint8Array): Block;
  flush?(): Block;
  free(): void;
}

const decoders: { [F in AudioFormat]: () => Promise<{ decoder: () => Decoder | Promise<Decoder> }> } = {
  wav: () => import('@audio/decode-wav'),
  mp3: () => import('@audio/decode-mp3'),
  flac: () => import('@audio/decode-flac'),
  vorbis: () => import('@audio/decode-vorbis'),
  opus: () => import('@audio/decode-opus'),
};

export const speechRate = 16_000;

/** Bytes fed at once: what they can unfold to is bounded by it. */
const step = 16 * 1024;

export async function decodeSpeech(audio: Uint8Array, limitSeconds: number): Promise<Int16Array> {
  const format = sniff(audio);
  if (format === null) throw unreadable();
  const { decoder } = await decoders[format]();
  let open: Decoder | null = null;
  const sound = new Sound(limitSeconds);
  try {
    open = await decoder();
    for (let at = 0; at < audio.length; at += step) sound.add(open.decode(audio.subarray(at, at + step)));
    if (open.flush !== undefined) sound.add(open.flush());
  } catch (error) {
    if (error instanceof LocalEngineError) throw error;
    // A file that was cut off is still worth hearing up to there.
    if (sound.isEmpty) throw unreadable();
  } finally {
    open?.free();
  }
  return sound.samples();
}

/** Blocks put together as one channel. */
class Sound {
  private readonly parts: Int16Array[] = [];
  private length = 0;
  private sampleRate = 0;
  private readonly limitSeconds: number;

  constructor(limitSeconds: number) {
    this.limitSeconds = limitSeconds;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  add({ channelData, sampleRate }: Block): void {
    const [first] = channelData;
    if (first === undefined || first.length === 0) return;
    if (this.sampleRate === 0) this.sampleRate = checkedRate(sampleRate);
    if (sampleRate !== this.sampleRate) throw unreadable();
    this.length += first.length;
    if (this.length > this.limitSeconds * sampleRate)
      throw new LocalEngineError(
        'invalid_request',
        `audio must be at most ${this.limitSeconds} seconds long`,
        'audio',
      );
    this.parts.push(mixed(channelData, first.length));
  }

  samples(): Int16Array {
    if (this.isEmpty) throw unreadable();
    const whole = new Int16Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    return resample(whole, this.sampleRate, speechRate);
  }
}

/** What cannot be a rate, or is too low to hold words, is a header that lies. */
function checkedRate(sampleRate: number): number {
  if (Number.isInteger(sampleRate) && sampleRate >= 4000 && sampleRate <= 384_000) return sampleRate;
  throw unreadable();
}

function mixed(channels: readonly Float32Array[], length: number): Int16Array {
  const result = new Int16Array(length);
  for (let index = 0; index < length; index++) {
    let sum = 0;
    for (const channel of channels) sum += channel[index] ?? 0;
    // NaN, which a float WAV may hold, becomes 0 in an Int16Array.
    result[index] = Math.max(-32_768, Math.min(32_767, Math.round((sum / channels.length) * 32_768)));
  }
  return result;
}

function unreadable(): LocalEngineError {
  return new LocalEngineError(
    'audio_unreadable',
    'the audio is damaged, or is not what its header says',
    'audio',
  );
}
