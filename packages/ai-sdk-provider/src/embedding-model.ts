import type { EmbeddingModelV4 } from '@ai-sdk/provider';
import { z } from 'zod/v4';
import { post } from './request.ts';
import type { Config } from './settings.ts';

const answer = z.object({
  data: z.array(z.object({ embedding: z.array(z.number()) })),
  usage: z.object({ prompt_tokens: z.number() }).nullish(),
});

export function embeddingModel(modelId: string, config: Config): EmbeddingModelV4 {
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    // The gateway sends a long list in pieces itself, and the cost of one call is the whole.
    maxEmbeddingsPerCall: undefined,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, ...options }) {
      const fields = { input: values, dimensions, encoding_format: 'float' };
      const { value, providerMetadata, response } = await post(
        config,
        { path: '/embeddings', modelId, fields, schema: answer },
        options,
      );
      return {
        embeddings: value.data.map(({ embedding }) => embedding),
        ...(value.usage == null ? {} : { usage: { tokens: value.usage.prompt_tokens } }),
        providerMetadata,
        response,
        warnings: [],
      };
    },
  };
}
