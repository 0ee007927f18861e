/**
 * The engines of the package `@indoxhub/local`, where it is installed: embeddings, speech, transcription, pictures and films
 * in this process, without key and network. Loaded by the first call that wants one.
 */
import { GatewayError, type ErrorCode } from '../../contract/errors.ts';

/** As much of the package as is used here. */
export interface Engines {
  embed(
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<{ vectors: readonly Float32Array[]; tokens: number }>;
  speak(
    request: { text: string; voice?: string | undefined; format: string; speed: number },
    signal: AbortSignal,
  ): Promise<{ audio: Uint8Array; contentType: string }>;
  transcribe(
    request: { audio: Uint8Array; words: boolean },
    signal: AbortSignal,
  ): Promise<{
    text: string;
    language: string;
    durationSeconds: number;
    words: readonly { word: string; start: number; end: number }[];
    segments: readonly { text: string; start: number; end: number }[];
  }>;
  draw(
    request: { prompt: string; width: number; height: number; seed: number; index: number },
    signal: AbortSignal,
  ): Promise<{ png: Uint8Array }>;
  animate(
    request: {
      prompt: string;
      width: number;
      height: number;
      seconds: number;
      seed: number;
      index: number;
    },
    signal: AbortSignal,
    onProgress: (done: number) => void,
  ): Promise<{ mp4: Uint8Array }>;
  readonly models: readonly { readonly id: string; readonly installed: boolean }[];
  close(): Promise<void>;
}

// A name in a variable: the package is optional, and nothing may ask for it when this file is read.
const packageName = '@indoxhub/local';
let loaded: Promise<Engines> | null = null;

async function load(): Promise<Engines> {
  try {
    const { createLocalEngines } = (await import(packageName)) as { createLocalEngines: () => Engines };
    return createLocalEngines();
  } catch (cause) {
    throw new GatewayError(
      'feature_unavailable',
      `This model is not installed here: npm install ${packageName}`,
      { cause },
    );
  }
}

/** Stops the engines' threads; a later call starts them anew. */
export async function closeEngines(): Promise<void> {
  const engines = loaded;
  loaded = null;
  await engines?.then((each) => each.close()).catch(() => {});
}

/** The engines' word for what is wrong, and ours. */
const codes: Readonly<Record<string, ErrorCode>> = {
  invalid_request: 'bad_request',
  unsupported_format: 'bad_request',
  unknown_voice: 'bad_request',
  audio_unreadable: 'bad_request',
  not_installed: 'feature_unavailable',
  busy: 'overloaded',
  timed_out: 'upstream_timeout',
  cancelled: 'upstream_error',
  closed: 'shutting_down',
};

interface EngineError {
  readonly code: string;
  readonly field: string | null;
  readonly message: string;
}

const isEngineError = (error: unknown): error is EngineError =>
  error instanceof Error && error.name === 'LocalEngineError' && 'code' in error && 'field' in error;

/** Runs one call. `fields`: what a caller calls the engine's fields. Throws GatewayError. */
export async function withEngines<T>(
  run: (engines: Engines) => Promise<T>,
  fields: Readonly<Record<string, string>> = {},
): Promise<T> {
  // One that could not be loaded is tried again by the next call.
  loaded ??= load().catch((error: unknown) => {
    loaded = null;
    throw error;
  });
  const engines = await loaded;
  try {
    return await run(engines);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    const param = error.field === null ? undefined : (fields[error.field] ?? error.field);
    throw new GatewayError(codes[error.code] ?? 'upstream_error', error.message, { param });
  }
}
