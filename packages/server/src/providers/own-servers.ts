/**
 * What a model server on this machine says it has. Servers differ in how much they tell: where one tells what a model
 * does, that counts; else its name has to do.
 */
import type { Capability } from '../contract/catalogue.ts';

export interface FoundModel {
  /** The server's own name. */
  readonly id: string;
  /** Empty: nothing the gateway serves, like reranking. */
  readonly capabilities: readonly Capability[];
  /** The server said so; otherwise it is a guess by the name. */
  readonly told: boolean;
  /** null: unknown. */
  readonly contextWindow: number | null;
}

/** GETs a path of the server, or POSTs the body there: parsed JSON, or text that is none; null unless it answers 200. */
export type Look = (path: string, body?: object) => Promise<unknown>;

/** Null: this is not that server. */
export type Finder = (look: Look) => Promise<readonly FoundModel[] | null>;

type Row = Record<string, unknown>;

const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects with an `id` in the `data` of a list; null where there is no list. */
function listed(answer: unknown): (Row & { id: string })[] | null {
  if (!isRow(answer) || !Array.isArray(answer['data'])) return null;
  return answer['data'].filter(
    (each): each is Row & { id: string } => isRow(each) && typeof each['id'] === 'string',
  );
}

const text: readonly Capability[] = ['chat', 'completion'];

/** First match wins. A name is taken apart at everything but letters and digits. */
const names: readonly (readonly [RegExp, readonly Capability[]])[] = [
  [/rerank/, []],
  [/embed|(^| )(bge|e5|gte|minilm|gritlm|arctic)( |$)/, ['embedding']],
  [/(^| )(whisper|asr|stt|parakeet|canary|moonshine|sensevoice)( |\d|$)|speech to text/, ['stt']],
  [/(^| )(tts|xtts|kokoro|piper|orpheus|chatterbox|bark)( |\d|$)|text to speech/, ['tts']],
  [
    /stable diffusion|(^| )(sdxl|sd ?[123]|flux ?[12]?|dall e|dreamshaper|(qwen|z|hunyuan) image)( |$)/,
    ['image'],
  ],
];

/** A guess. */
export function byName(id: string): FoundModel {
  const words = id.toLowerCase().replaceAll(/[^a-z0-9]+/g, ' ');
  const capabilities = names.find(([pattern]) => pattern.test(words))?.[1] ?? text;
  return { id, capabilities, told: false, contextWindow: null };
}

const whole = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;

const told = (
  id: string,
  capabilities: readonly Capability[],
  contextWindow: unknown = null,
): FoundModel => ({
  id,
  capabilities,
  told: true,
  contextWindow: whole(contextWindow),
});

/** OpenAI's list and nothing beside it; vLLM adds the context window. Of a list that tells tasks another server is the author. */
export const plainFinder: Finder = async (look) => {
  const rows = listed(await look('/v1/models'));
  if (rows === null || (rows.length > 0 && rows.every(({ task }) => typeof task === 'string'))) return null;
  return rows.map((row) => ({ ...byName(row.id), contextWindow: whole(row['max_model_len']) }));
};

const tasks: Readonly<Record<string, readonly Capability[]>> = {
  'automatic-speech-recognition': ['stt'],
  'text-to-speech': ['tts'],
};

/** Its rows have a `task` of the Hugging Face hub. */
export const speachesFinder: Finder = async (look) => {
  const rows = listed(await look('/v1/models'));
  if (rows === null || rows.length === 0 || !rows.every(({ task }) => typeof task === 'string')) return null;
  return rows.map(({ id, task }) => told(id, tasks[String(task)] ?? []));
};

const types: Readonly<Record<string, readonly Capability[]>> = {
  llm: text,
  vlm: [...text, 'vision'],
  embeddings: ['embedding'],
};

/** Its own list has a `type`; older ones have OpenAI's only. */
export const lmStudioFinder: Finder = async (look) => {
  const rows = listed(await look('/api/v0/models'));
  if (rows === null) return plainFinder(look);
  return rows.map(({ id, type, max_context_length: window }) => {
    const capabilities = typeof type === 'string' ? types[type] : undefined;
    return capabilities === undefined ? byName(id) : told(id, capabilities, window);
  });
};

const ollamaWords: Readonly<Record<string, readonly Capability[]>> = {
  completion: text,
  embedding: ['embedding'],
  vision: ['vision'],
  image: ['image'],
};

/** Models it is asked about, one question each. */
const mostAsked = 64;

/** What a model does is told by a question about it; answers are kept until the model changes. */
export function createOllamaFinder(): Finder {
  let known = new Map<string, FoundModel>();
  return async (look) => {
    const rows = listed(await look('/v1/models'));
    if (rows === null) return null;
    const next = new Map<string, FoundModel>();
    const found = await Promise.all(
      rows.map(async ({ id, created }, at): Promise<FoundModel> => {
        const key = `${id}\n${String(created)}`;
        const model = known.get(key) ?? (at < mostAsked ? await ollamaModel(look, id) : null);
        if (model === null) return byName(id);
        next.set(key, model);
        return model;
      }),
    );
    known = next;
    return found;
  };
}

async function ollamaModel(look: Look, id: string): Promise<FoundModel | null> {
  const answer = await look('/api/show', { model: id });
  if (!isRow(answer) || !Array.isArray(answer['capabilities'])) return null;
  const words: unknown[] = answer['capabilities'];
  const capabilities = [...new Set(words.flatMap((word) => ollamaWords[String(word)] ?? []))];
  const facts = isRow(answer['model_info']) ? answer['model_info'] : {};
  const window = Object.entries(facts).find(([name]) => name.endsWith('.context_length'))?.[1];
  return told(id, capabilities, window);
}

/** llama.cpp's list says `multimodal` of what sees, and not whether a model embeds: that is guessed. */
export const llamaCppFinder: Finder = async (look) => {
  const answer = await look('/v1/models');
  const rows = listed(answer);
  if (rows === null) return null;
  const more: unknown[] = isRow(answer) && Array.isArray(answer['models']) ? answer['models'] : [];
  const sees = more.some(
    (each) =>
      isRow(each) && Array.isArray(each['capabilities']) && each['capabilities'].includes('multimodal'),
  );
  return rows.map((row) => {
    const guess = byName(row.id);
    const meta = isRow(row['meta']) ? row['meta'] : {};
    const capabilities: readonly Capability[] =
      sees && guess.capabilities.includes('chat') ? [...guess.capabilities, 'vision'] : guess.capabilities;
    return { ...guess, capabilities, contextWindow: whole(meta['n_ctx_train']) };
  });
};

/** One model, whose name it does not tell; known by its page. */
export const whisperCppFinder: Finder = async (look) => {
  const page = await look('/');
  return typeof page === 'string' && /<title>\s*whisper\.cpp server/i.test(page)
    ? [told('whisper', ['stt'])]
    : null;
};
