import type { TranscriptionModelV4 } from '@ai-sdk/provider';
import { convertBase64ToUint8Array, mediaTypeToExtension } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import { post } from './request.ts';
import type { Config } from './settings.ts';

const answer = z.object({
  text: z.string(),
  data: z.object({
    language: z.string().nullish(),
    duration: z.number().nullish(),
    words: z.array(z.object({ word: z.string(), start: z.number(), end: z.number() })).nullish(),
    segments: z.array(z.object({ text: z.string(), start: z.number(), end: z.number() })).nullish(),
  }),
});

/** `english` or `en` as the AI SDK wants it: `en`. */
export function languageCode(told: string): string | undefined {
  if (told.length === 2) return told.toLowerCase();
  const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });
  const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  // Codes that were renamed have the same name (`iw`, now `he`).
  return codes.find(
    (code) =>
      names.of(code)?.toLowerCase() === told.toLowerCase() && Intl.getCanonicalLocales(code)[0] === code,
  );
}

export function transcriptionModel(modelId: string, config: Config): TranscriptionModelV4 {
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    async doGenerate({ audio, mediaType, timestampGranularities, ...options }) {
      const bytes = typeof audio === 'string' ? convertBase64ToUint8Array(audio) : audio;
      const file = new Blob([new Uint8Array(bytes)], { type: mediaType });
      const fields = {
        file: [file, `audio.${mediaTypeToExtension(mediaType)}`],
        // Not every model tells times: they are asked for when the caller wants them.
        ...(timestampGranularities === undefined
          ? {}
          : { response_format: 'verbose_json', timestamp_granularities: timestampGranularities }),
      };
      const path = '/api/v1/audio/stt/transcriptions';
      const { value, providerMetadata, response } = await post(
        config,
        { path, modelId, fields, isForm: true, schema: answer },
        options,
      );
      const { language, duration, words, segments } = value.data;
      const timed = (text: string, start: number, end: number) => ({
        text,
        startSecond: start,
        endSecond: end,
      });
      return {
        text: value.text,
        segments: (segments ?? []).map(({ text, start, end }) => timed(text, start, end)),
        ...(words == null ? {} : { words: words.map(({ word, start, end }) => timed(word, start, end)) }),
        language: language == null ? undefined : languageCode(language),
        durationInSeconds: duration ?? undefined,
        warnings: [],
        providerMetadata,
        response,
      };
    },
  };
}
