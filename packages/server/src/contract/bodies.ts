/**
 * Schemas of what callers send to data routes. They validate (dialects/) and document (OpenAPI) at once. Unknown members
 * pass: what one vendor does not know another may. null means absent everywhere.
 */
import { z } from 'zod';
import { rememberList } from './accepts.ts';
import { audioFormats, transcriptFormats } from './media.ts';

/**
 * A list checked member by member, up to the first that is wrong: z.array would collect a complaint about each of a
 * hundred thousand members of a hostile body before it told the first.
 */
function list(item: z.ZodType) {
  const { $schema: _, ...items } = z.toJSONSchema(item, { io: 'input', unrepresentable: 'any' });
  const check: z.core.CheckFn<unknown[]> = ({ value, issues }) => {
    for (const [at, member] of value.entries()) {
      const issue = item.safeParse(member).error?.issues[0];
      if (issue === undefined) continue;
      issues.push({ ...issue, input: issue.input, path: [at, ...issue.path] } as (typeof issues)[number]);
      return;
    }
  };
  rememberList(check, item);
  return z.array(z.unknown()).check(check).meta({ items });
}

const maxTokens = z.int().min(1).nullish();

/** Unknown part types and members travel on. */
const contentPart = z.looseObject({ type: z.string() });

export const message = z.looseObject({
  role: z.string().min(1),
  content: z.union([z.string(), list(contentPart), z.null(), z.record(z.string(), z.unknown())]).optional(),
});

const sampling = {
  model: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe('`provider/model`; without it the default model serves'),
  temperature: z.number().min(0).max(2).nullish(),
  max_tokens: maxTokens.describe('Bound on output tokens'),
  max_completion_tokens: maxTokens.describe('OpenAI’s newer name of max_tokens'),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  stream: z.boolean().nullish(),
  n: z.int().min(1).max(128).nullish(),
  stop: z.union([z.string(), list(z.string())]).nullish(),
  seed: z.int().nullish(),
  user: z.string().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};

const ours = {
  provider: z.string().min(1).max(64).nullish().describe('Used when `model` has no slash'),
  additional_params: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe('Anything else, merged into the parameters'),
  byok_api_key: z
    .string()
    .min(1)
    .nullish()
    .describe('Your own key at the provider: used for this call, never stored'),
};

const chatMembers = {
  messages: list(message).min(1),
  tools: list(z.looseObject({ type: z.string() })).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
};

const promptMember = { prompt: z.union([z.string(), z.array(z.unknown()).min(1)]) };

export const chatBody = z.looseObject({ ...sampling, ...ours, ...chatMembers });
export const completionBody = z.looseObject({ ...sampling, ...ours, prompt: z.string() });
export const openaiChatBody = z.looseObject({ ...sampling, ...ours, ...chatMembers });
export const openaiCompletionBody = z.looseObject({ ...sampling, ...ours, ...promptMember });

const texts = z.union([z.string().min(1), list(z.string().min(1)).min(1)]);
const tokenIds = list(z.int().min(0)).min(1);

const embedding = {
  model: sampling.model,
  dimensions: z
    .int()
    .min(1)
    .max(65_536)
    .nullish()
    .describe('Length of the vectors, where the model lets you choose'),
  user: z.string().nullish(),
  ...ours,
};

export const embeddingBody = z.looseObject({
  text: texts.describe('One text, or a list of them'),
  ...embedding,
});
export const openaiEmbeddingBody = z.looseObject({
  input: z.union([texts, tokenIds, list(tokenIds).min(1)]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  ...embedding,
});

const speech = {
  input: z.string().min(1).max(100_000).describe('The text to speak'),
  model: sampling.model,
  voice: z.union([z.string().min(1).max(256), z.looseObject({ id: z.string().min(1).max(256) })]).nullish(),
  instructions: z.string().max(10_000).nullish().describe('How to speak, where the model follows such words'),
  response_format: z.enum(audioFormats).nullish().describe('Default mp3'),
  speed: z.number().min(0.25).max(4).nullish().describe('Default 1'),
  ...ours,
};

export const speechBody = z.looseObject(speech);
export const openaiSpeechBody = z.looseObject({
  ...speech,
  stream_format: z.enum(['audio']).nullish().describe('Only `audio`: the bytes as they come'),
});

const imageSize = z.string().regex(/^(auto|\d{2,5}x\d{2,5})$/, 'must be like 1024x1024, or auto');

export const imageBody = z.looseObject({
  prompt: z.string().min(1).max(32_000),
  model: sampling.model,
  n: z.int().min(1).max(10).nullish(),
  size: imageSize.nullish(),
  aspect_ratio: z
    .string()
    .regex(/^[1-9]\d{0,2}:[1-9]\d{0,2}$/, 'must be like 16:9')
    .nullish(),
  quality: z.string().max(32).nullish(),
  style: z.string().max(64).nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish().describe('Honoured whatever the provider gives'),
  user: z.string().nullish(),
  background: z.enum(['transparent', 'opaque', 'auto']).nullish(),
  moderation: z.enum(['low', 'auto']).nullish(),
  output_compression: z.int().min(0).max(100).nullish(),
  output_format: z.enum(['png', 'jpeg', 'webp']).nullish(),
  negative_prompt: z.string().max(32_000).nullish(),
  guidance_scale: z.number().min(0).max(100).nullish(),
  seed: z.int().min(0).nullish(),
  safety_filter_level: z.string().max(64).nullish(),
  person_generation: z.enum(['dont_allow', 'allow_adult', 'allow_all']).nullish(),
  include_safety_attributes: z.boolean().nullish(),
  include_rai_reason: z.boolean().nullish(),
  language: z.string().max(16).nullish(),
  output_mime_type: z.enum(['image/png', 'image/jpeg', 'image/webp']).nullish(),
  add_watermark: z.boolean().nullish(),
  enhance_prompt: z.boolean().nullish(),
  ...ours,
});
/** The same, beside the pictures. */
export const imageEditForm = z.looseObject({
  image: z
    .string()
    .describe('The picture to work on; `image[]`, repeated, for several')
    .meta({ format: 'binary' }),
  mask: z.string().optional().meta({ format: 'binary' }),
  prompt: z.string(),
  model: sampling.model,
});

const picture = z.string().min(1).describe('A data: URL or a link');

const video = {
  prompt: z.string().min(1).max(32_000),
  model: sampling.model,
  duration: z.number().min(1).max(600).nullish().describe('Seconds'),
  size: z
    .string()
    .regex(/^\d{2,5}x\d{2,5}$/, 'must be like 1280x720')
    .nullish(),
  resolution: z
    .string()
    .regex(/^(\d{3,4}p|[248]k)$/i, 'must be like 720p')
    .nullish(),
  aspect_ratio: z
    .string()
    .regex(/^[1-9]\d{0,2}:[1-9]\d{0,2}$/, 'must be like 16:9')
    .nullish(),
  n: z.int().min(1).max(4).nullish(),
  generate_audio: z.boolean().nullish(),
  negative_prompt: z.string().max(32_000).nullish(),
  person_generation: z.string().max(64).nullish(),
  input_image: picture.nullish(),
  reference_image: picture.nullish(),
  reference_images: list(picture).nullish().describe('At most 3'),
  last_frame: picture.nullish(),
  webhook_url: z.url().max(2000).nullish().describe('Told when the job is over'),
  ...ours,
};

export const videoBody = z.looseObject(video);
export const openaiVideoBody = z.looseObject({
  ...video,
  seconds: z.union([z.string(), z.number()]).nullish(),
  input_reference: z
    .unknown()
    .optional()
    .describe('A picture: a file of the form, or an object with image_url'),
});

const transcription = {
  file: z
    .string()
    .describe('The sound: mp3, wav, m4a, ogg, flac, webm and what else the provider takes')
    .meta({ format: 'binary' }),
  model: sampling.model,
  prompt: z.string().optional(),
  response_format: z.enum(transcriptFormats).optional().describe('Default json'),
  temperature: z.number().min(0).max(1).optional(),
  provider: z.string().optional(),
  byok_api_key: z.string().optional(),
};

export const translationForm = z.looseObject(transcription);
export const transcriptionForm = z.looseObject({
  ...transcription,
  language: z.string().optional(),
  timestamp_granularities: z
    .string()
    .optional()
    .describe('A JSON list of `word` and `segment`; on /v1 the field `timestamp_granularities[]`, repeated'),
});

const whole = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback);

export const videoJobsQuery = z.object({ limit: whole(20, 1, 100), skip: whole(0, 0, 1_000_000) });
export const openaiVideosQuery = z.object({
  limit: whole(20, 1, 100),
  after: z.string().max(100).optional(),
  order: z.enum(['asc', 'desc']).optional(),
});

export const trendingQuery = z.object({ days: whole(7, 1, 90), limit: whole(10, 1, 100) });

const day = z.iso.date('is not a date of the form YYYY-MM-DD');
export const usageQuery = z.object({ start_date: day.optional(), end_date: day.optional() });
