/** What the recognizer heard, as text for people. */
import type { Results } from '../messages.ts';

/** An item of the recognizer's segmentation: a word, or a mark such as `<sil>`, in frames of 10 ms. */
export interface Heard {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** A silence of so many frames ends a segment. */
const pauseFrames = 40;

export type Transcript = Pick<Results['transcription'], 'text' | 'words' | 'segments'>;

export function transcriptOf(heard: readonly Heard[]): Transcript {
  const spoken: Heard[][] = [];
  let silence = pauseFrames;
  for (const item of heard) {
    if (/^[<[+]/.test(item.word)) {
      silence += item.end - item.start + 1;
      continue;
    }
    if (silence >= pauseFrames || spoken.length === 0) spoken.push([]);
    spoken.at(-1)?.push(item);
    silence = 0;
  }
  const segments = spoken.map((items) => segmentOf(items));
  return {
    text: segments.map(({ text }) => text).join(' '),
    words: spoken.flat().map(timed),
    segments,
  };
}

function segmentOf(items: readonly Heard[]): Transcript['segments'][number] {
  const words = items.map(timed);
  const text = words.map(({ word }) => word).join(' ');
  return {
    text: text.charAt(0).toUpperCase() + text.slice(1),
    start: words[0]?.start ?? 0,
    end: words.at(-1)?.end ?? 0,
  };
}

/** The dictionary numbers its other pronunciations: `read(2)`. */
function timed({ word, start, end }: Heard): Transcript['words'][number] {
  const plain = word.replace(/\(\d+\)$/, '').replace(/^i(?=$|')/, 'I');
  return { word: plain, start: start / 100, end: (end + 1) / 100 };
}
