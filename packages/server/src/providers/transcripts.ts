/** Subtitles and segments, where a vendor gives words only. */
import type { TranscriptSegment, TranscriptWord } from '../contract/media.ts';

/** A pause this long, or a segment this long, begins a new one. */
const pauseSeconds = 0.8;
const maxSeconds = 7;

/** Words put together into segments as subtitles show them. */
export function segmentsOf(words: readonly TranscriptWord[]): TranscriptSegment[] {
  const segments: TranscriptSegment[] = [];
  let current: TranscriptWord[] = [];
  const close = (): void => {
    const [first] = current;
    const last = current.at(-1);
    if (first === undefined || last === undefined) return;
    const text = current.map(({ word }) => word.trim()).join(' ');
    segments.push({ id: segments.length, start: first.start, end: last.end, text });
    current = [];
  };
  for (const word of words) {
    const last = current.at(-1);
    const [first] = current;
    const isNew =
      last !== undefined &&
      first !== undefined &&
      (word.start - last.end > pauseSeconds ||
        word.end - first.start > maxSeconds ||
        /[.?!]$/.test(last.word));
    if (isNew) close();
    current.push(word);
  }
  close();
  return segments;
}
