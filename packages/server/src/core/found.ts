/** What names of models tell of what they do. */
export const speechToTextNames = /whisper|parakeet|canary|moonshine/i;
export const textToSpeechNames = /kokoro|piper|\btts\b|speech/i;

/** What servers on this machine (Ollama, LM Studio, vLLM, llama.cpp) said they have; filled by discovery. */
export interface FoundModels {
  /** Grows with every change. */
  readonly version: number;
  /** Provider ids that answered, in the order they were first found. */
  readonly providers: readonly string[];
  /** The server's own model names; empty when it was not found. */
  names(provider: string): readonly string[];
  /** Replaces what is known of a server; null: it no longer answers. */
  set(provider: string, names: readonly string[] | null): void;
}

export function createFoundModels(): FoundModels {
  const found = new Map<string, readonly string[]>();
  let version = 0;
  return {
    get version() {
      return version;
    },
    get providers() {
      return [...found.keys()];
    },
    names: (provider) => found.get(provider) ?? [],
    set(provider, names) {
      const before = found.get(provider);
      if (names === null ? before === undefined : before?.join('\n') === names.join('\n')) return;
      if (names === null) found.delete(provider);
      else found.set(provider, [...names]);
      version += 1;
    },
  };
}
