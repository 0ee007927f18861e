import type { SharedV4Warning, SpeechModelV4 } from '@ai-sdk/provider';
import { z } from 'zod/v4';
import { open, post } from './request.ts';
import type { Config } from './settings.ts';

const answer = z.object({
  data: z.object({ audio_url: z.string(), audio_content: z.string().nullish() }),
  usage: z.looseObject({ characters: z.number().nullish() }).nullish(),
});

/** The native endpoint: the one for bytes cannot tell what they cost. */
export function speechModel(modelId: string, config: Config): SpeechModelV4 {
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    async doGenerate({ text, voice, outputFormat, instructions, speed, language, ...options }) {
      const warnings: SharedV4Warning[] =
        language === undefined || language === 'auto'
          ? []
          : [{ type: 'unsupported', feature: 'language', details: 'Choose a voice of that language.' }];
      const fields = { input: text, voice, response_format: outputFormat, instructions, speed };
      const path = '/api/v1/audio/tts/generations';
      const { value, providerMetadata, response } = await post(
        config,
        { path, modelId, fields, schema: answer },
        options,
      );
      const { audio_content: content, audio_url: link } = value.data;
      return {
        audio: content ?? (await open(config, link, options)),
        warnings,
        ...(value.usage?.characters == null ? {} : { usage: { characters: value.usage.characters } }),
        providerMetadata,
        response,
      };
    },
  };
}
