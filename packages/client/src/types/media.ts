/** Embeddings, images, videos and audio, as they travel. */
import type {
  EmbeddingModel,
  Fits,
  ImageModel,
  OpenModel,
  SpeechModel,
  TranscriptionModel,
  VideoModel,
} from '../model-types.ts';
import type { Uploadable } from '../uploads.ts';
import type { Envelope, GatewayFields, MoreFields, Usage } from './common.ts';

export interface EmbeddingParams<M extends string = string> extends EmbeddingOptions<M> {
  /** One text, or a list of them. */
  text: string | string[];
}

export interface EmbeddingOptions<M extends string = string> extends GatewayFields {
  /** `provider/model`; without it the gateway's default embedding model. */
  model?: OpenModel<EmbeddingModel, M, Fits<'embedding', M>>;
  /** Length of the vectors, where the model lets you choose. */
  dimensions?: number | null;
  user?: string | null;
}

/** `data`: a vector for each text, in their order. */
export interface EmbeddingResponse extends Envelope<number[][]> {
  /** Length of the vectors. */
  dimensions: number;
}

export interface ImageParams<M extends string = string> extends ImageOptions<M> {
  /** What to draw. */
  prompt: string;
}

export interface ImageOptions<M extends string = string> extends GatewayFields {
  /** `provider/model`; without it the gateway's default image model. */
  model?: OpenModel<ImageModel, M, Fits<'image', M>>;
  /** 1 to 10. */
  n?: number | null;
  /** Like `1024x1024`, or `auto`. */
  size?: 'auto' | `${number}x${number}` | (string & {}) | null;
  /** Like `16:9`. */
  aspect_ratio?: `${number}:${number}` | (string & {}) | null;
  quality?: string | null;
  style?: string | null;
  /** Without it, what the provider gives. */
  response_format?: 'url' | 'b64_json' | null;
  user?: string | null;
  background?: 'transparent' | 'opaque' | 'auto' | null;
  moderation?: 'low' | 'auto' | null;
  /** 0 to 100. */
  output_compression?: number | null;
  output_format?: 'png' | 'jpeg' | 'webp' | null;
  negative_prompt?: string | null;
  guidance_scale?: number | null;
  seed?: number | null;
  safety_filter_level?: string | null;
  person_generation?: 'dont_allow' | 'allow_adult' | 'allow_all' | null;
  include_safety_attributes?: boolean | null;
  include_rai_reason?: boolean | null;
  language?: string | null;
  output_mime_type?: 'image/png' | 'image/jpeg' | 'image/webp' | null;
  add_watermark?: boolean | null;
  enhance_prompt?: boolean | null;
}

export interface GeneratedImage {
  /** A link of the gateway's that expires. */
  url?: string;
  b64_json?: string;
  /** Where the provider changed the prompt. */
  revised_prompt?: string;
  index: number;
}
export type ImageResponse = Envelope<GeneratedImage[]>;

export interface VideoParams<M extends string = string> extends VideoOptions<M> {
  /** What to show. */
  prompt: string;
}

export interface VideoOptions<M extends string = string> extends GatewayFields {
  /** `provider/model`; without it the gateway's default video model. */
  model?: OpenModel<VideoModel, M, Fits<'video', M>>;
  /** Seconds. */
  duration?: number | null;
  /** Like `1280x720`. */
  size?: string | null;
  /** Like `720p`. */
  resolution?: string | null;
  /** Like `16:9`. */
  aspect_ratio?: string | null;
  n?: number | null;
  /** With sound. */
  generate_audio?: boolean | null;
  negative_prompt?: string | null;
  person_generation?: string | null;
  /** Pictures are `data:` URLs or links; `toDataURL` makes the former. */
  input_image?: string | null;
  reference_image?: string | null;
  /** At most 3. */
  reference_images?: string[] | null;
  last_frame?: string | null;
  /** Told when the job is over: see `client.webhooks`. */
  webhook_url?: string | null;
}

export type VideoStatus = 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled';

/** The answer to a submission: `data.job_id` is what every other call takes. */
export interface VideoResponse extends Omit<
  Envelope<{
    job_id: string;
    status: VideoStatus;
    is_async: true;
    provider_video_id: string | null;
    /** US dollars; null when the price is unknown. */
    estimated_cost: number | null;
  }>,
  'usage'
> {
  usage: Pick<
    Usage,
    'tokens_prompt' | 'tokens_completion' | 'tokens_total' | 'cost' | 'latency' | 'timestamp'
  >;
}

export interface VideoFile {
  /** Opens with a plain GET until it expires. */
  url: string;
  file_size: number;
  content_type: string;
  file_name: string;
}

export interface VideoJob {
  job_id: string;
  /** The same as `job_id`. */
  id: string;
  status: VideoStatus;
  /** 0 to 100. */
  progress: number;
  provider: string;
  model: string;
  prompt: string;
  provider_video_id: string | null;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  /** null until the job is completed. */
  result:
    | (VideoFile & {
        /** The same as `url`. */
        video_url: string;
        /** Seconds. */
        duration: number;
        model: string;
        /** Unix seconds. */
        created: number;
        data: VideoFile[];
      })
    | null;
  error: string | null;
  error_code: string | null;
  /** US dollars, once the job is over. */
  cost: number | null;
  estimated_cost: number | null;
  /** What became of its webhook; null without one. Lists and webhooks themselves do not say. */
  webhook?: VideoWebhook | null;
}

export interface VideoWebhook {
  url: string;
  /** `waiting` for the job's end or its turn; `given_up` after the last attempt. */
  status: 'waiting' | 'retrying' | 'delivered' | 'given_up';
  next_attempt_at: string | null;
  /** Every attempt, in order. */
  deliveries: {
    attempt: number;
    at: string;
    /** The receiver's HTTP status; null when it did not answer. */
    status: number | null;
    /** The gateway's error code where it did not answer. */
    error: string | null;
    next_attempt_at: string | null;
  }[];
}

/** A change of a job. */
export interface VideoProgress {
  job_id: string;
  status: VideoStatus;
  /** 0 to 100. */
  progress: number;
  /** ISO 8601. */
  at: string;
}

export interface SpeechParams<M extends string = string> extends SpeechOptions<M> {
  /** The text to speak. */
  input: string;
}

export interface SpeechOptions<M extends string = string> extends GatewayFields {
  /** `provider/model`; without it the gateway's default model for speech. */
  model?: OpenModel<SpeechModel, M, Fits<'tts', M>>;
  voice?: string | ({ id: string } & MoreFields) | null;
  /** How to speak, where the model follows such words. */
  instructions?: string | null;
  /** Without it `mp3`. */
  response_format?: 'mp3' | 'opus' | 'aac' | 'flac' | 'wav' | 'pcm' | null;
  /** 0.25 to 4. */
  speed?: number | null;
}

export interface SpeechResponse extends Envelope<{
  /** Opens with a plain GET until it expires; a `data:` URL where the gateway stores nothing. */
  audio_url: string;
  /** The same as `audio_url`. */
  url: string;
  format: string;
  content_type: string;
  voice: string | null;
  file_size: number;
  expires_at?: string;
  /** Base64, where the gateway stores nothing. */
  audio_content?: string;
}> {
  usage: Usage & { characters: number };
}

export interface TranslationParams<M extends string = string> extends TranslationOptions<M> {
  /** The sound. A Blob, bytes, a read stream, a `Response`, or what `toFile` makes. */
  file: Uploadable;
}

export interface TranslationOptions<M extends string = string> extends GatewayFields {
  /** `provider/model`; without it the gateway's default model for speech to text. */
  model?: OpenModel<TranscriptionModel, M, Fits<'stt', M>>;
  /** Words that help with names and style. */
  prompt?: string;
  /** Without it `json`. The answer is JSON in any case; subtitles are in `text`. */
  response_format?: 'json' | 'text' | 'srt' | 'verbose_json' | 'vtt';
  /** 0 to 1. */
  temperature?: number;
}

export interface TranscriptionParams<M extends string = string> extends TranscriptionOptions<M> {
  /** The sound. A Blob, bytes, a read stream, a `Response`, or what `toFile` makes. */
  file: Uploadable;
}

export interface TranscriptionOptions<M extends string = string> extends TranslationOptions<M> {
  /** A code such as `en`; without it the model finds out. */
  language?: string;
  timestamp_granularities?: ('word' | 'segment')[];
}

export interface TranscriptWord {
  word: string;
  /** Seconds from the beginning. */
  start: number;
  end: number;
}
export interface TranscriptSegment extends MoreFields {
  text: string;
  start: number;
  end: number;
}
export interface Transcript {
  text: string;
  language: string | null;
  /** Seconds. */
  duration: number | null;
  words: TranscriptWord[] | null;
  segments: TranscriptSegment[] | null;
}
export interface TranscriptionResponse extends Envelope<Transcript>, Transcript {
  usage: Usage & { type: 'audio'; seconds: number | null };
  /** The chat model that translated the transcript, where the model itself could not. */
  translation?: { model: string; request_id: string; cost: number | null };
}
