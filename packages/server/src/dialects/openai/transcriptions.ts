/** `/v1/audio/transcriptions` and `/v1/audio/translations`: OpenAI's exact shapes, each format as its own type. */
import { usdNumber, type SettledFacts } from '../../contract/answer.ts';
import type { JsonObject } from '../../contract/chat.ts';
import type { TranscriptionRequest } from '../../contract/media.ts';
import type { WrittenTranscript } from '../dialect.ts';
import { done, frame } from '../sse.ts';
import { transcriptText } from '../transcript-text.ts';

const textTypes = {
  text: 'text/plain; charset=utf-8',
  srt: 'text/plain; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
};

export function encodeOpenaiTranscript(
  { answer, duration, translated }: WrittenTranscript,
  request: TranscriptionRequest,
  facts: SettledFacts,
): { readonly body: string; readonly contentType: string } {
  const { format } = request;
  const usage = usageJson(duration, facts);
  if (request.stream) {
    const delta = frame({ type: 'transcript.text.delta', delta: answer.text, ...answer.extra });
    const end = frame({ type: 'transcript.text.done', text: answer.text, usage, ...answer.extra });
    return { body: delta + end + done, contentType: 'text/event-stream; charset=utf-8' };
  }
  if (format === 'text' || format === 'srt' || format === 'vtt') {
    const written = transcriptText(answer, format);
    const isEmptySrt = format === 'srt' && written === '';
    return { body: isEmptySrt ? '' : `${written}\n`, contentType: textTypes[format] };
  }
  const more =
    translated === null ? {} : { translation: { model: translated.model, request_id: translated.requestId } };
  if (format === 'json')
    return {
      body: JSON.stringify({ text: answer.text, ...answer.extra, usage, ...more }),
      contentType: 'application/json',
    };
  const body = JSON.stringify({
    task: request.kind === 'stt' ? 'transcribe' : 'translate',
    language: answer.language,
    duration,
    text: answer.text,
    ...(request.granularities.includes('word') ? { words: answer.words ?? [] } : {}),
    segments: answer.segments ?? [],
    usage,
    ...more,
  });
  return { body, contentType: 'application/json' };
}

function usageJson(duration: number | null, facts: SettledFacts): JsonObject {
  const { usage } = facts;
  const input = usage.input + usage.audioInput;
  const cost = usdNumber(facts.costNano);
  if (input + usage.output === 0) return { type: 'duration', seconds: duration, cost };
  return {
    type: 'tokens',
    input_tokens: input,
    input_token_details: { text_tokens: usage.input, audio_tokens: usage.audioInput },
    output_tokens: usage.output,
    total_tokens: input + usage.output,
    cost,
  };
}
