import type { ImageModelV4, ImageModelV4File } from '@ai-sdk/provider';
import { convertBase64ToUint8Array, downloadBlob, mediaTypeToExtension } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import { post, type FormFile } from './request.ts';
import type { Config } from './settings.ts';

const answer = z.object({
  data: z.array(z.object({ b64_json: z.string(), revised_prompt: z.string().nullish() })),
  usage: z
    .object({
      input_tokens: z.number().nullish(),
      output_tokens: z.number().nullish(),
      total_tokens: z.number().nullish(),
    })
    .nullish(),
});

async function fileOf(file: ImageModelV4File, name: string, { fetch }: Config): Promise<FormFile> {
  if (file.type === 'url') return [await downloadBlob(file.url, fetch === undefined ? {} : { fetch }), name];
  const bytes = typeof file.data === 'string' ? convertBase64ToUint8Array(file.data) : file.data;
  const type = file.mediaType;
  return [new Blob([new Uint8Array(bytes)], { type }), `${name}.${mediaTypeToExtension(type)}`];
}

export function imageModel(modelId: string, config: Config): ImageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    maxImagesPerCall: 10,
    async doGenerate({ prompt, n, size, aspectRatio, seed, files = [], mask, ...options }) {
      const isEdit = files.length > 0;
      const pictures = await Promise.all(files.map((file, at) => fileOf(file, `image-${at}`, config)));
      const fields = {
        prompt,
        n,
        size,
        aspect_ratio: aspectRatio,
        seed,
        response_format: 'b64_json',
        ...(isEdit ? { 'image[]': pictures } : {}),
        ...(mask === undefined ? {} : { mask: await fileOf(mask, 'mask', config) }),
      };
      const path = isEdit ? '/images/edits' : '/images/generations';
      const { value, metadata, response } = await post(
        config,
        { path, modelId, fields, isForm: isEdit, schema: answer },
        options,
      );
      const { data, usage } = value;
      // The AI SDK keeps only what is told of each image: an equal part of the cost.
      const { usage: _, ...each } = metadata;
      const images = data.map(({ revised_prompt: revisedPrompt }) => ({
        ...each,
        cost: metadata.cost === null ? null : metadata.cost / data.length,
        ...(revisedPrompt == null ? {} : { revisedPrompt }),
      }));
      return {
        images: data.map((image) => image.b64_json),
        warnings: [],
        providerMetadata: { indoxhub: { ...metadata, images } },
        response,
        ...(usage == null
          ? {}
          : {
              usage: {
                inputTokens: usage.input_tokens ?? undefined,
                outputTokens: usage.output_tokens ?? undefined,
                totalTokens: usage.total_tokens ?? undefined,
              },
            }),
      };
    },
  };
}
