/** `/api/v1/audio/stt/*`: always JSON, also for subtitles; text, words and segments inside `data` and beside it. */
import type { SettledFacts } from '../../contract/answer.ts';
import type { TranscriptionRequest } from '../../contract/media.ts';
import type { WrittenTranscript } from '../dialect.ts';
import { transcriptText } from '../transcript-text.ts';
import { envelope } from './envelope.ts';

export function encodeNativeTranscript(
  { answer, duration, translated }: WrittenTranscript,
  request: TranscriptionRequest,
  facts: SettledFacts,
): { readonly body: string; readonly contentType: string } {
  const { language, words, segments } = answer;
  const data = {
    text: transcriptText(answer, request.format),
    language,
    duration,
    words: request.granularities.includes('word') ? words : null,
    segments,
  };
  const { usage, ...rest } = envelope(facts, data, { ...data });
  const body = JSON.stringify({
    ...rest,
    usage: { ...(usage as object), type: 'audio', seconds: duration },
    ...(translated === null
      ? {}
      : {
          translation: { model: translated.model, request_id: translated.requestId, cost: translated.cost },
        }),
  });
  return { body, contentType: 'application/json' };
}
