import type {
  Experimental_VideoModelV4 as VideoModelV4,
  Experimental_VideoModelV4CallOptions as CallOptions,
  Experimental_VideoModelV4File as VideoFile,
  SharedV4Warning,
} from '@ai-sdk/provider';
import { convertUint8ArrayToBase64 } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import { get, open, post } from './request.ts';
import type { Config } from './settings.ts';

const taken = z.object({ data: z.object({ job_id: z.string() }) });
const job = z.object({
  status: z.enum(['queued', 'processing', 'completed', 'failed', 'cancelled']),
  cost: z.number().nullish(),
  error: z.string().nullish(),
  result: z.object({ data: z.array(z.object({ url: z.string(), content_type: z.string() })) }).nullish(),
});

function addressOf(file: VideoFile): string {
  if (file.type === 'url') return file.url;
  const { data, mediaType } = file;
  return `data:${mediaType};base64,${typeof data === 'string' ? data : convertUint8ArrayToBase64(data)}`;
}

function fieldsOf(options: CallOptions): Record<string, unknown> {
  const { frameImages = [], inputReferences = [], image } = options;
  const frame = (kind: string): VideoFile | undefined =>
    frameImages.find(({ frameType }) => frameType === kind)?.image;
  const first = image ?? frame('first_frame');
  const last = frame('last_frame');
  return {
    prompt: options.prompt,
    n: options.n,
    aspect_ratio: options.aspectRatio,
    size: options.resolution,
    duration: options.duration,
    generate_audio: options.generateAudio,
    ...(first === undefined ? {} : { input_image: addressOf(first) }),
    ...(last === undefined ? {} : { last_frame: addressOf(last) }),
    ...(inputReferences.length === 0 ? {} : { reference_images: inputReferences.map(addressOf) }),
  };
}

/** A durable job of the gateway. The AI SDK asks for its state until it is over; it is charged once. */
export function videoModel(modelId: string, config: Config): VideoModelV4 {
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    maxVideosPerCall: 1,
    async doStart(options) {
      const features = (['fps', 'seed'] as const).filter((name) => options[name] !== undefined);
      const warnings = features.map((feature): SharedV4Warning => ({ type: 'unsupported', feature }));
      const webhook = options.webhookUrl === undefined ? {} : { webhook_url: options.webhookUrl };
      const { value, response } = await post(
        config,
        {
          path: '/api/v1/videos/generations',
          modelId,
          fields: { ...fieldsOf(options), ...webhook },
          schema: taken,
        },
        options,
      );
      return { operation: { jobId: value.data.job_id }, warnings, response };
    },
    async doStatus({ operation, ...options }) {
      const { jobId } = operation as { jobId: string };
      const path = `/api/v1/videos/jobs/${encodeURIComponent(jobId)}`;
      const { value, headers } = await get(config, path, job, options);
      const providerMetadata = { indoxhub: { jobId, cost: value.cost ?? null } };
      const response = { timestamp: new Date(), modelId, headers };
      if (value.status === 'failed' || value.status === 'cancelled')
        return {
          status: 'error',
          error: value.error ?? `The job was ${value.status}.`,
          providerMetadata,
          response,
        };
      if (value.status !== 'completed') return { status: 'pending', providerMetadata, response };
      const videos = await Promise.all(
        (value.result?.data ?? []).map(async ({ url, content_type: mediaType }) => ({
          type: 'binary' as const,
          data: await open(config, url, options),
          mediaType,
        })),
      );
      return { status: 'completed', videos, warnings: [], providerMetadata, response };
    },
  };
}
