/** Speech to text: by the second of sound, or by the token where a model counts so. */
import type { SettledFacts } from '../contract/answer.ts';
import type { TranscriptionAnswer, TranscriptionRequest } from '../contract/media.ts';
import { badField, GatewayError } from '../contract/errors.ts';
import { noUsage } from '../contract/usage.ts';
import { billedAudio, longestAudio, usualAudio } from './audio-length.ts';
import type { WrittenTranscript } from '../dialects/dialect.ts';
import type { TranscriptionCodec } from '../providers/provider.ts';
import type { Incoming, Reply } from './call-types.ts';
import { countedTokens } from './count.ts';
import type { Gateway } from './gateway.ts';
import { serveModality, type Used } from './modality.ts';
import type { Resolved } from './models.ts';
import { resolve } from './resolve.ts';
import { requireTranslator, translateToEnglish } from './translate.ts';

/** Tokens of sound a second becomes at most, where a model bills sound by the token. */
const audioTokensPerSecond = 25;
const likelyAudioTokensPerSecond = 16.7;
/** Nobody speaks more tokens a second. */
const textTokensPerSecond = 8;

function used(request: TranscriptionRequest, answer: TranscriptionAnswer, resolved: Resolved): Used {
  const known = lengthOf(request, answer);
  const quantity = known ?? usualAudio(request.file.bytes);
  const units = { unit: 'audio_ms', quantity } as const;
  if (answer.usage !== null) return { usage: answer.usage, source: 'provider', units, traits: {} };
  if (resolved.prices === null || resolved.prices.units !== null)
    return { usage: noUsage, source: known === null ? 'counted' : 'provider', units, traits: {} };
  const audioInput = Math.ceil((quantity / 1000) * likelyAudioTokensPerSecond);
  const usage = { ...noUsage, audioInput, output: countedTokens(answer.text.length) };
  return { usage, source: 'counted', units, traits: {} };
}

/** Milliseconds; null where neither the file nor the provider tells. */
function lengthOf({ durationMs }: TranscriptionRequest, { duration }: TranscriptionAnswer): number | null {
  return billedAudio(durationMs, duration === null ? null : Math.ceil(duration * 1000));
}

/** Models known to tell no times are refused before the call; one that was to tell them and did not, has failed. */
function withTimes(codec: TranscriptionCodec | undefined): TranscriptionCodec | undefined {
  if (codec === undefined) return undefined;
  return {
    ...codec,
    async run(request, target, exchange) {
      const answer = await codec.run(request, target, exchange);
      const { format } = request;
      if ((format === 'srt' || format === 'vtt') && answer.segments === null)
        throw new GatewayError(
          'upstream_malformed',
          `The provider told no times, so there are no ${format} subtitles. Ask for json or text.`,
        );
      return answer;
    },
  };
}

/** Throws GatewayError. */
export function serveTranscription(
  gateway: Gateway,
  call: Incoming,
  request: TranscriptionRequest,
  fingerprint: () => string,
  encode: (transcript: WrittenTranscript, facts: SettledFacts) => { body: string; contentType: string },
): Promise<Reply | null> {
  const isTranslation = request.kind === 'translation';
  // Known before the call: whether a chat model must translate.
  const resolved = resolve(gateway, call, request, 'stt');
  const native =
    isTranslation &&
    resolved.targets.every(
      ({ vendor: { translation }, model }) =>
        translation !== undefined && translation.serves?.(model) !== false,
    );
  // The chat model would be called with the gateway's own key.
  if (isTranslation && !native && request.byokKey !== null)
    throw badField(
      'byok_api_key',
      `'${resolved.id}' does not translate itself, and no other model is called with or without your key`,
    );
  if (isTranslation && !native) requireTranslator(gateway, call, request);
  const longest = request.durationMs ?? longestAudio(request.file.bytes);
  return serveModality(gateway, call, {
    request,
    capability: 'stt',
    codecOf: (vendor) => withTimes(native ? vendor.translation : vendor.transcription),
    fingerprint,
    demand: ({ prices }) => ({
      inputTokens: prices?.units === null ? Math.ceil((longest / 1000) * audioTokensPerSecond) + 1_024 : 0,
      outputTokens: prices?.units === null ? Math.ceil((longest / 1000) * textTokensPerSecond) + 64 : 0,
      units: { unit: 'audio_ms', quantity: longest },
      traits: {},
    }),
    used: (answer, at) => used(request, answer, at),
    isOwed: true,
    async write(answer, facts) {
      const translated =
        isTranslation && !native && answer.text.trim() !== ''
          ? await translateToEnglish(gateway, call, answer)
          : null;
      const length = lengthOf(request, answer);
      const duration = request.durationMs === null ? answer.duration : length === null ? null : length / 1000;
      const shown = translated === null ? answer : translated.answer;
      const { body, contentType } = encode({ answer: shown, duration, translated }, facts);
      return { status: 200, headers: { 'content-type': contentType }, body };
    },
  });
}
