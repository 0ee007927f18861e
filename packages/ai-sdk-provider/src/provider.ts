import type {
  EmbeddingModelV4,
  Experimental_VideoModelV4 as VideoModelV4,
  ImageModelV4,
  LanguageModelV4,
  ProviderV4,
  SpeechModelV4,
  TranscriptionModelV4,
} from '@ai-sdk/provider';
import { embeddingModel } from './embedding-model.ts';
import { imageModel } from './image-model.ts';
import { languageModel } from './language-model.ts';
import { configOf, type IndoxHubSettings } from './settings.ts';
import { speechModel } from './speech-model.ts';
import { transcriptionModel } from './transcription-model.ts';
import { videoModel } from './video-model.ts';

/** Models of one gateway. Ids are `provider/model`, an alias, or a bare model name. */
export interface IndoxHubProvider extends ProviderV4 {
  /** A chat model. */
  (modelId: string): LanguageModelV4;
  /** A chat model. */
  languageModel(modelId: string): LanguageModelV4;
  /** A chat model. */
  chat(modelId: string): LanguageModelV4;
  /** A model that continues a text. */
  completion(modelId: string): LanguageModelV4;
  embeddingModel(modelId: string): EmbeddingModelV4;
  imageModel(modelId: string): ImageModelV4;
  speechModel(modelId: string): SpeechModelV4;
  transcriptionModel(modelId: string): TranscriptionModelV4;
  videoModel(modelId: string): VideoModelV4;
}

/**
 * A provider for one gateway.
 *
 * @example
 * const indoxhub = createIndoxHub({ apiKey: 'indox-…', baseURL: 'http://127.0.0.1:8100' });
 * const { text } = await generateText({ model: indoxhub('openai/gpt-4o-mini'), prompt: 'Hello' });
 */
export function createIndoxHub(settings: IndoxHubSettings = {}): IndoxHubProvider {
  const chat = (modelId: string): LanguageModelV4 =>
    languageModel('chat', modelId, configOf(settings, 'chat'));
  return Object.assign((modelId: string) => chat(modelId), {
    specificationVersion: 'v4' as const,
    languageModel: chat,
    chat,
    completion: (modelId: string) => languageModel('completion', modelId, configOf(settings, 'completion')),
    embeddingModel: (modelId: string) => embeddingModel(modelId, configOf(settings, 'embedding')),
    imageModel: (modelId: string) => imageModel(modelId, configOf(settings, 'image')),
    speechModel: (modelId: string) => speechModel(modelId, configOf(settings, 'speech')),
    transcriptionModel: (modelId: string) => transcriptionModel(modelId, configOf(settings, 'transcription')),
    videoModel: (modelId: string) => videoModel(modelId, configOf(settings, 'video')),
  });
}

/** The gateway and key of the environment: `INDOXHUB_BASE_URL`, `INDOXHUB_API_KEY`. */
export const indoxhub: IndoxHubProvider = createIndoxHub();
