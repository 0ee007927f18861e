/**
 * As much of the AI SDK's provider specification (v3 and v4) as is used here. Written down instead of imported, because the
 * packages are the operator's: none of them is a dependency of the gateway.
 */
import type { JsonObject } from '../../contract/chat.ts';

export interface CallSettings {
  readonly providerOptions?: unknown;
  readonly abortSignal: AbortSignal;
}

export interface SdkWarning {
  readonly type: string;
  readonly feature?: string;
  readonly setting?: string;
  readonly details?: string;
  readonly message?: string;
}

export interface SdkUsage {
  readonly inputTokens?: {
    readonly total?: number;
    readonly cacheRead?: number;
    readonly cacheWrite?: number;
  };
  readonly outputTokens?: { readonly total?: number; readonly reasoning?: number };
}

/** `{unified, raw}`; earlier ones are the word itself. */
export type SdkFinishReason = string | { readonly unified: string };

/** `text`, `reasoning`, `tool-call`, `file` and others, which are passed over. */
export interface SdkContent {
  readonly type: string;
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  /** The vendor ran this tool itself. */
  readonly providerExecuted?: boolean;
  readonly mediaType?: string;
  readonly data?: unknown;
}

export interface SdkAnswer {
  readonly content: readonly SdkContent[];
  readonly finishReason: SdkFinishReason;
  readonly usage?: SdkUsage;
  readonly warnings?: readonly SdkWarning[];
  readonly response?: { readonly id?: string; readonly modelId?: string; readonly timestamp?: Date };
}

export interface SdkStreamPart extends SdkContent {
  readonly id?: string;
  readonly delta?: string;
  readonly usage?: SdkUsage;
  readonly finishReason?: SdkFinishReason;
  readonly warnings?: readonly SdkWarning[];
  readonly error?: unknown;
}

interface SdkModel {
  /** `v3` or `v4`. */
  readonly specificationVersion: string;
}

export interface SdkLanguageModel extends SdkModel {
  doGenerate(options: JsonObject): PromiseLike<SdkAnswer>;
  doStream(options: JsonObject): PromiseLike<{ readonly stream: ReadableStream<SdkStreamPart> }>;
}

export interface SdkEmbeddingModel extends SdkModel {
  readonly maxEmbeddingsPerCall?: number | PromiseLike<number | undefined>;
  doEmbed(options: CallSettings & { values: readonly string[]; dimensions?: number }): PromiseLike<{
    readonly embeddings: readonly (readonly number[])[];
    readonly usage?: { readonly tokens: number };
  }>;
}

export interface SdkImageModel extends SdkModel {
  readonly maxImagesPerCall?:
    | number
    | ((options: { modelId: string }) => number | PromiseLike<number | undefined> | undefined);
  doGenerate(options: CallSettings & JsonObject): PromiseLike<{
    readonly images: readonly (string | Uint8Array)[];
    readonly usage?: { readonly inputTokens?: number; readonly outputTokens?: number };
  }>;
}

export interface SdkSpeechModel extends SdkModel {
  doGenerate(options: CallSettings & JsonObject): PromiseLike<{
    readonly audio: string | Uint8Array;
    readonly response?: { readonly headers?: Readonly<Record<string, string>> };
    readonly warnings?: readonly SdkWarning[];
  }>;
}

interface SdkTimed {
  readonly text: string;
  readonly startSecond: number;
  readonly endSecond: number;
}

export interface SdkTranscriptionModel extends SdkModel {
  doGenerate(options: CallSettings & JsonObject): PromiseLike<{
    readonly text: string;
    readonly segments: readonly SdkTimed[];
    readonly words?: readonly SdkTimed[];
    readonly language?: string;
    readonly durationInSeconds?: number;
  }>;
}

/** Each kind of model, and how a provider of the AI SDK may call the method that gives it. */
export interface SdkModels {
  readonly language: SdkLanguageModel;
  readonly embedding: SdkEmbeddingModel;
  readonly image: SdkImageModel;
  readonly speech: SdkSpeechModel;
  readonly transcription: SdkTranscriptionModel;
}

export const modelMethods: Readonly<Record<keyof SdkModels, readonly string[]>> = {
  language: ['languageModel'],
  embedding: ['embeddingModel', 'textEmbeddingModel'],
  image: ['imageModel', 'image'],
  speech: ['speechModel', 'speech'],
  transcription: ['transcriptionModel', 'transcription'],
};
