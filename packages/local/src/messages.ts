/** What the main thread and an engine's thread say to each other. Everything here survives a structured clone. */
import type { LocalEngineErrorCode, LocalField } from './errors.ts';

/** A request after validation: every default filled in. */
export interface Jobs {
  embeddings: { readonly texts: readonly string[] };
  speech: {
    readonly text: string;
    readonly voice: string;
    readonly format: 'wav' | 'pcm' | 'mp3';
    readonly speed: number;
  };
  transcription: { readonly audio: Uint8Array; readonly words: boolean };
  images: {
    readonly prompt: string;
    readonly width: number;
    readonly height: number;
    readonly seed: number;
    readonly index: number;
  };
  videos: Jobs['images'] & { readonly seconds: number };
}

export interface Results {
  embeddings: { vectors: Float32Array[]; tokens: number };
  speech: {
    audio: Uint8Array;
    contentType: string;
    durationSeconds: number;
    voice: string;
    sampleRate: number;
  };
  transcription: {
    text: string;
    language: 'en';
    durationSeconds: number;
    words: { word: string; start: number; end: number }[];
    segments: { text: string; start: number; end: number }[];
  };
  images: { png: Uint8Array; width: number; height: number; procedural: true };
  videos: {
    mp4: Uint8Array;
    width: number;
    height: number;
    seconds: number;
    frames: number;
    procedural: true;
  };
}

export type EngineName = keyof Jobs;

/** The share of the work that is done, from 0 to 1. */
export type Report = (done: number) => void;

/** What an engine's module exports: `load` reads the model once, the function it gives runs one job at a time. */
export type LoadEngine<E extends EngineName> = () => Promise<
  (job: Jobs[E], report: Report) => Promise<Results[E]>
>;

/** One with `progress` is not the last of its job. */
export interface Answer<E extends EngineName> {
  readonly id: number;
  readonly progress?: number;
  readonly result?: Results[E];
  /** `fatal`: the engine is in no state to go on, the thread must be replaced. */
  readonly failure?: {
    code: LocalEngineErrorCode;
    message: string;
    field: LocalField | null;
    fatal: boolean;
  };
}
