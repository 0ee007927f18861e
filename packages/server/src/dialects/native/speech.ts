/** `/api/v1/audio/tts/generations`: JSON in, JSON out with a link to the sound. */
import type { SettledFacts } from '../../contract/answer.ts';
import { speechBody } from '../../contract/bodies.ts';
import type { SpeechRequest } from '../../contract/media.ts';
import { characters } from '../../contract/usage.ts';
import { decodeSpeech } from '../decode-speech.ts';
import type { SpokenFile } from '../dialect.ts';
import { envelope } from './envelope.ts';

export const decodeNativeSpeech = (body: Buffer): SpeechRequest => decodeSpeech(body, speechBody);

export function encodeNativeSpeech(file: SpokenFile, request: SpeechRequest, facts: SettledFacts): string {
  const { usage, ...rest } = envelope(facts, {
    audio_url: file.url,
    url: file.url,
    format: request.format,
    content_type: file.contentType,
    voice: request.voice,
    file_size: file.bytes,
    ...(file.expiresAtMs === null ? {} : { expires_at: new Date(file.expiresAtMs).toISOString() }),
    ...(file.content === null ? {} : { audio_content: file.content }),
  });
  return JSON.stringify({
    ...rest,
    usage: { ...(usage as object), characters: characters(request.input) },
  });
}
