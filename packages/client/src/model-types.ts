/** Model ids as types: known ones are suggested, one that cannot do the job is refused, any other string passes. */
import type { ModelIds } from './model-ids.ts';

export type ChatModel = ModelIds['chat'];
export type CompletionModel = ModelIds['completion'];
export type EmbeddingModel = ModelIds['embedding'];
export type ImageModel = ModelIds['image'];
export type SpeechModel = ModelIds['tts'];
export type TranscriptionModel = ModelIds['stt'];
export type VideoModel = ModelIds['video'];
/** Every model of the catalogue this version was made with. */
export type KnownModel = ModelIds[keyof ModelIds];

/** `M`, unless it is a known model without this capability. */
export type Fits<Kind extends keyof ModelIds, M extends string> = M extends KnownModel
  ? M extends ModelIds[Kind]
    ? unknown
    : never
  : unknown;

/** Suggests `Known`, infers `M`, and holds it to `Check`. */
export type OpenModel<Known extends string, M extends string, Check> =
  | (Known & M & Check)
  | (M & Check)
  | null;
