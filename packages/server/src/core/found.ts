/** What servers on this machine (Ollama, LM Studio, vLLM and the like) said they have; filled by discovery. */
import type { FoundModel } from '../providers/own-servers.ts';

export interface FoundModels {
  /** Grows with every change. */
  readonly version: number;
  /** Provider ids that answered, in the order they were first found. */
  readonly providers: readonly string[];
  /** What the server has; empty when it was not found. */
  models(provider: string): readonly FoundModel[];
  /** Null for what it does not list. A name without a tag is that with `:latest`. */
  find(provider: string, name: string): FoundModel | null;
  /** Replaces what is known of a server; null: it no longer answers. */
  set(provider: string, models: readonly FoundModel[] | null): void;
}

export function createFoundModels(): FoundModels {
  const found = new Map<string, readonly FoundModel[]>();
  let version = 0;
  const models = (provider: string): readonly FoundModel[] => found.get(provider) ?? [];
  return {
    get version() {
      return version;
    },
    get providers() {
      return [...found.keys()];
    },
    models,
    find: (provider, name) =>
      models(provider).find(({ id }) => id === name || id === `${name}:latest`) ?? null,
    set(provider, next) {
      const before = found.get(provider);
      if (next === null ? before === undefined : JSON.stringify(before) === JSON.stringify(next)) return;
      if (next === null) found.delete(provider);
      else found.set(provider, [...next]);
      version += 1;
    },
  };
}
