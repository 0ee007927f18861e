/** Speech to text and translation on both surfaces: a form with the sound in it. */
import { createHash } from 'node:crypto';
import type { SettledFacts } from '../../contract/answer.ts';
import { endpoints } from '../../contract/endpoints.ts';
import type { TranscriptionRequest } from '../../contract/media.ts';
import { measureAudio } from '../../core/audio-length.ts';
import type { Gateway } from '../../core/gateway.ts';
import { serveTranscription } from '../../core/transcriptions.ts';
import { decodeTranscription } from '../../dialects/decode-transcription.ts';
import type { WrittenTranscript } from '../../dialects/dialect.ts';
import { encodeNativeTranscript } from '../../dialects/native/transcriptions.ts';
import { encodeOpenaiTranscript } from '../../dialects/openai/transcriptions.ts';
import type { Door } from '../door.ts';
import { readForm, type Spool, type SpooledFile } from '../multipart.ts';

type Encode = (
  transcript: WrittenTranscript,
  request: TranscriptionRequest,
  facts: SettledFacts,
) => { body: string; contentType: string };

const fileFields = new Set(['file']);

async function digest(file: SpooledFile): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of file.read()) hash.update(chunk);
  return hash.digest('hex');
}

export function transcriptionDoors(gateway: Gateway, spool: Spool): Door[] {
  const door = (endpoint: Door['endpoint'], kind: 'stt' | 'translation', encode: Encode): Door => ({
    endpoint,
    kind,
    async serve(call, incoming) {
      const { maxUploadBytes: maxFileBytes } = gateway.settings;
      const form = await readForm(incoming, spool, { maxFileBytes, maxFiles: 1, fileFields });
      try {
        const [file] = form.files;
        const durationMs = file === undefined ? null : await measureAudio(file.path);
        const { request, fields } = decodeTranscription(kind, form.fields, file, durationMs);
        const content = call.idempotencyKey === null || file === undefined ? '' : await digest(file);
        return await serveTranscription(
          gateway,
          call,
          request,
          () => createHash('sha256').update(`${call.route}\n${fields}\n${content}`).digest('hex'),
          (transcript, facts) => encode(transcript, request, facts),
        );
      } finally {
        await form.dispose();
      }
    },
  });
  return [
    door(endpoints.transcription, 'stt', encodeNativeTranscript),
    door(endpoints.translation, 'translation', encodeNativeTranscript),
    door(endpoints.openaiTranscription, 'stt', encodeOpenaiTranscript),
    door(endpoints.openaiTranslation, 'translation', encodeOpenaiTranscript),
    door(endpoints.rootTranscription, 'stt', encodeOpenaiTranscript),
    door(endpoints.rootTranslation, 'translation', encodeOpenaiTranscript),
  ];
}
