/**
 * The canonical form of calls beside chat: what dialects decode to and providers translate from. What the gateway itself
 * must understand has a field of its own; everything else the caller sent is in `params`, under OpenAI's names where it
 * has one, untouched.
 */
import type { JsonObject } from './chat.ts';
import type { CallRequest } from './request.ts';
import type { TokenUsage } from './usage.ts';

/** Input texts, or lists of token ids (`/v1` only). Never empty. */
export type EmbeddingInput = readonly string[] | readonly (readonly number[])[];

export interface EmbeddingRequest extends CallRequest {
  readonly kind: 'embedding';
  readonly input: EmbeddingInput;
  /** Length of the vectors wanted, or null for the model's own. */
  readonly dimensions: number | null;
  /** How the caller wants vectors written; a hint for what to ask the vendor for. */
  readonly encoding: 'float' | 'base64';
  readonly params: JsonObject;
}

/** Numbers as the vendor wrote them, or the float32 values it sent in base64. */
export type Vector = readonly number[] | Float32Array;

export interface EmbeddingAnswer {
  /** In the order of the input. */
  readonly vectors: readonly Vector[];
  /** null when the vendor sent none. */
  readonly usage: TokenUsage | null;
}

/** A file the caller uploaded, kept where it can be read more than once. */
export interface Upload {
  /** The base name the caller gave it, without path and control characters: a hint for its format, never a place. */
  readonly fileName: string;
  /** As the caller declared it; may be as vague as `audio/*`. */
  readonly contentType: string;
  readonly bytes: number;
  read(): AsyncIterable<Buffer>;
}

/** A picture the caller sent along. */
export interface InputImage {
  readonly bytes: Buffer;
  readonly contentType: string;
  readonly fileName: string;
}

export interface ImageRequest extends CallRequest {
  readonly kind: 'image';
  readonly prompt: string;
  readonly n: number;
  /** `1024x1024`, `auto`, or null. */
  readonly size: string | null;
  /** `16:9`, or null. */
  readonly aspectRatio: string | null;
  readonly quality: string | null;
  /** What the caller wants in the answer; null leaves it to the dialect. */
  readonly responseFormat: 'url' | 'b64_json' | null;
  /** Pictures to work on (edits); empty for a generation. */
  readonly images: readonly InputImage[];
  readonly mask: InputImage | null;
  readonly params: JsonObject;
}

/** A picture as the vendor gave it: its bytes, or a link of the vendor's that may expire. */
export type GeneratedImage = (
  | { readonly bytes: Buffer; readonly url?: undefined }
  | { readonly url: string; readonly bytes?: undefined }
) & {
  /** null when the vendor does not say. */
  readonly contentType: string | null;
  readonly revisedPrompt: string | null;
};

export interface ImageAnswer {
  readonly images: readonly GeneratedImage[];
  readonly usage: TokenUsage | null;
  /** What the vendor says it made, where that decides the price; absent = as asked. */
  readonly made?: { readonly size?: string; readonly quality?: string };
}

export const audioFormats = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const;
export type AudioFormat = (typeof audioFormats)[number];

export interface SpeechRequest extends CallRequest {
  readonly kind: 'tts';
  readonly input: string;
  /** null takes the model's default voice. */
  readonly voice: string | null;
  readonly instructions: string | null;
  readonly format: AudioFormat;
  /** 0.25 to 4; 1 is the voice's own pace. */
  readonly speed: number;
  readonly params: JsonObject;
}

export interface SpeechAnswer {
  readonly contentType: string;
  /** The sound as it comes. Ends with an error when the vendor breaks off. */
  readonly audio: AsyncIterable<Buffer>;
  /** Known once the sound has ended; null when the vendor sent none. */
  usage(): TokenUsage | null;
}

export const transcriptFormats = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const;
export type TranscriptFormat = (typeof transcriptFormats)[number];

export interface TranscriptionRequest extends CallRequest {
  readonly kind: 'stt' | 'translation';
  readonly file: Upload;
  /** Measured from the sound itself; null when its format hides it. */
  readonly durationMs: number | null;
  /** BCP-47, of the sound; null lets the model find out. */
  readonly language: string | null;
  readonly prompt: string | null;
  readonly format: TranscriptFormat;
  readonly temperature: number | null;
  readonly granularities: readonly ('word' | 'segment')[];
  readonly params: JsonObject;
}

/** Seconds from the beginning of the sound. */
export interface TranscriptWord {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** With whatever else the vendor says of it. */
export interface TranscriptSegment {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly [more: string]: unknown;
}

export interface TranscriptionAnswer {
  readonly text: string;
  readonly language: string | null;
  /** Seconds, as the vendor says; null when it does not. */
  readonly duration: number | null;
  readonly words: readonly TranscriptWord[] | null;
  readonly segments: readonly TranscriptSegment[] | null;
  readonly usage: TokenUsage | null;
  /** OpenAI's extras: `logprobs`. */
  readonly extra?: JsonObject;
}

/** A video to be made. Without its key it is JSON: the job outlives the process that took it. */
export interface VideoRequest extends CallRequest {
  readonly kind: 'video';
  readonly prompt: string;
  /** null leaves it to the model. */
  readonly seconds: number | null;
  /** What the caller called them. */
  readonly secondsField: string;
  /** `1280x720`, or null. */
  readonly size: string | null;
  /** `720p`, `1080p`, or null. */
  readonly resolution: string | null;
  /** `16:9`, or null. */
  readonly aspectRatio: string | null;
  readonly n: number;
  /** With sound; null leaves it to the model. */
  readonly audio: boolean | null;
  readonly negativePrompt: string | null;
  /** The first frame, as a data: URL or link. */
  readonly image: string | null;
  readonly lastFrame: string | null;
  readonly references: readonly string[];
  readonly params: JsonObject;
}

/** What will be made, as far as its price depends on it. */
export interface VideoPlan {
  readonly seconds: number;
  readonly n: number;
  readonly resolution: string;
  readonly audio: boolean;
}

/** How far a provider is. */
export type VideoState =
  /** 0 to 100; null when it does not say. */
  | { readonly status: 'pending'; readonly progress: number | null }
  /** `seconds` of one video, where the provider says. Each file is a place that `VideoCodec.fetch` understands. */
  | { readonly status: 'completed'; readonly files: readonly string[]; readonly seconds: number | null }
  | { readonly status: 'failed'; readonly code: string | null; readonly message: string | null };
