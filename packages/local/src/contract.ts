/** What the package offers. All engines reject with {@link LocalEngineError} only. */

/** A sentence, or several, as vectors of 512 numbers. */
export interface Embeddings {
  /** One for each text, in order; each has length 1, so that the dot product is the cosine. */
  readonly vectors: readonly Float32Array[];
  /** Tokens of all texts, by the model's own tokenizer. */
  readonly tokens: number;
}

/** The file formats that flite's speech can be written in. */
export type SpeechFormat = 'wav' | 'pcm' | 'mp3';

export interface SpeechRequest {
  /** English, at most 10,000 characters. */
  readonly text: string;
  /** A voice of flite, or one of OpenAI's names, which are mapped on these. Default `slt`. */
  readonly voice?: string | undefined;
  /** `wav`, `pcm` (24 kHz, 16 bit, little-endian, mono, no header: as OpenAI's) or `mp3`. Default `mp3`. */
  readonly format?: string | undefined;
  /** 0.25 to 4; 1 is the voice's own pace. */
  readonly speed?: number | undefined;
}

export interface Speech {
  readonly audio: Uint8Array;
  readonly contentType: string;
  readonly durationSeconds: number;
  /** The voice that spoke: flite's name, also where one of OpenAI's was asked for. */
  readonly voice: string;
  /** Samples a second. */
  readonly sampleRate: number;
}

export interface TranscriptionRequest {
  /** WAV, MP3, FLAC, Ogg Vorbis or Ogg Opus; told apart by the bytes, whatever the name says. At most 10 minutes. */
  readonly audio: Uint8Array;
  /** Wanted in the answer? Finding them costs nothing: it only keeps the answer small. */
  readonly words?: boolean | undefined;
}

/** Times are seconds from the start of the audio. */
export interface TranscribedWord {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

export interface TranscribedSegment {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface Transcription {
  /** Without punctuation, as the recognizer knows none; first letters and «I» are capitals. Empty for silence. */
  readonly text: string;
  /** Always `en`: the model hears English only. */
  readonly language: 'en';
  readonly durationSeconds: number;
  /** Empty unless asked for. */
  readonly words: readonly TranscribedWord[];
  /** Split where the speaker pauses. */
  readonly segments: readonly TranscribedSegment[];
}

export interface DrawingRequest {
  /** At most 4,000 characters. Its words choose the palette and the scene, and the first of them are the caption. */
  readonly prompt: string;
  /** 64 to 2048 pixels; default 1024. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Any safe integer. The same prompt, size, seed and index give the same bytes. Default 0. */
  readonly seed?: number | undefined;
  /** Which picture of several of one request: each index is a picture of its own. Default 0. */
  readonly index?: number | undefined;
}

export interface Drawing {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Always true: code drew this, no model saw the prompt's meaning. Also said in the PNG's own metadata. */
  readonly procedural: true;
}

export interface MotionRequest {
  /** At most 4,000 characters. As of a drawing: the same prompt, size, seed and index give the same landscape. */
  readonly prompt: string;
  /** 64 to 1280 pixels, even; default 640. */
  readonly width?: number | undefined;
  /** 64 to 1280 pixels, even; default 360. */
  readonly height?: number | undefined;
  /** 1 to 20, whole; default 4. */
  readonly seconds?: number | undefined;
  /** Any safe integer; the same request gives the same bytes. Default 0. */
  readonly seed?: number | undefined;
  /** Which film of several of one request. Default 0. */
  readonly index?: number | undefined;
}

export interface Motion {
  /** H.264 in MP4, 24 frames a second, without sound; its index comes first. */
  readonly mp4: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
  readonly frames: number;
  /** Always true: code drew this, no model saw the prompt's meaning. Also said in the file's own metadata. */
  readonly procedural: true;
}

export type LocalCapability = 'embeddings' | 'speech' | 'transcription' | 'images' | 'videos';

/** What a list of models shows. */
export interface LocalModel {
  /** As callers write it: `local/use-lite`. */
  readonly id: string;
  readonly capability: LocalCapability;
  /** One honest sentence. */
  readonly description: string;
  /** Licences of the engine and of its weights, as SPDX expressions where there are any. */
  readonly licence: string;
  /** Length of a vector; null for what gives none. */
  readonly dimensions: number | null;
  /** Names that `voice` takes, flite's own first; empty for what does not speak. */
  readonly voices: readonly string[];
  /** Formats written (speech, images) or read (transcription). */
  readonly formats: readonly string[];
  /** Are the npm packages of the engine there? */
  readonly installed: boolean;
  /** The command that installs it. */
  readonly install: string;
}

export interface LocalEngines {
  readonly models: readonly LocalModel[];
  /** `local/use-lite`: 1 to 2,048 texts of at most 20,000 characters. English. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings>;
  /** `local/flite`. */
  speak(request: SpeechRequest, signal?: AbortSignal): Promise<Speech>;
  /** `local/pocketsphinx`: clean, close English speech; of demo quality. */
  transcribe(request: TranscriptionRequest, signal?: AbortSignal): Promise<Transcription>;
  /** `local/canvas`. */
  draw(request: DrawingRequest, signal?: AbortSignal): Promise<Drawing>;
  /** `local/motion`. `onProgress` is told the share of its frames that are done, from 0 to 1, after each. */
  animate(request: MotionRequest, signal?: AbortSignal, onProgress?: (done: number) => void): Promise<Motion>;
  /** Stops all threads; calls that run or wait reject with `closed`. */
  close(): Promise<void>;
}

export interface LocalEnginesOptions {
  /** Threads for each engine, started when needed: 1 to 16, default 1. Each has its own copy of the model. */
  readonly threads?: number | undefined;
  /** Calls that may wait for each engine before the next is refused as `busy`. Default 32. */
  readonly queueLimit?: number | undefined;
  /** Time that one call may take inside an engine, in milliseconds; a film, five times as long. Default 120,000. */
  readonly limitMs?: number | undefined;
  /** An engine unused for so long gives its memory back, in milliseconds. Default 300,000. */
  readonly idleMs?: number | undefined;
}
