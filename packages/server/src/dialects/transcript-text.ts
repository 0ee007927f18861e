/** A transcript in the format asked for. */
import { badField } from '../contract/errors.ts';
import type { TranscriptFormat, TranscriptionAnswer } from '../contract/media.ts';
import { srt, vtt } from './subtitles.ts';

/** Throws a 400 for subtitles of a model that told no times. */
export function transcriptText(answer: TranscriptionAnswer, format: TranscriptFormat): string {
  if (format !== 'srt' && format !== 'vtt') return answer.text;
  const { segments } = answer;
  if (segments === null)
    throw badField(
      'response_format',
      `Invalid value for 'response_format': this model tells no times, so there are no ${format} subtitles`,
    );
  return format === 'srt' ? srt(segments) : vtt(segments);
}
