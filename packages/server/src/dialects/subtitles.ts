/** Segments as SubRip and WebVTT. */
import type { TranscriptSegment } from '../contract/media.ts';

function time(seconds: number, mark: ',' | '.'): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const pad = (value: number, length: number): string => String(Math.floor(value)).padStart(length, '0');
  return `${pad(ms / 3_600_000, 2)}:${pad((ms / 60_000) % 60, 2)}:${pad((ms / 1000) % 60, 2)}${mark}${pad(ms % 1000, 3)}`;
}

/** A blank line would end the cue, an arrow would begin another. */
const cue = (text: string): string =>
  text
    .trim()
    .replaceAll(/\s*\n\s*/g, '\n')
    .replaceAll('-->', '->');

export function srt(segments: readonly TranscriptSegment[]): string {
  return segments
    .map(({ start, end, text }, at) => `${at + 1}\n${time(start, ',')} --> ${time(end, ',')}\n${cue(text)}\n`)
    .join('\n');
}

export function vtt(segments: readonly TranscriptSegment[]): string {
  const cues = segments.map(
    ({ start, end, text }) => `${time(start, '.')} --> ${time(end, '.')}\n${cue(text)}\n`,
  );
  return cues.length === 0 ? 'WEBVTT' : `WEBVTT\n\n${cues.join('\n')}`;
}
