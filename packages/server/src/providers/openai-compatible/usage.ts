/** OpenAI-shaped usage → disjoint buckets. Vendors nest the same counters differently; here they are untangled. */
import type { JsonObject } from '../../contract/chat.ts';
import { count, type TokenUsage } from '../../contract/usage.ts';
import type { Quirks } from './quirks.ts';
import { isObject, listOf, objectOf } from './shape.ts';

/** The first member that is a number; later ones are other vendors' names for the same thing. */
function first(source: JsonObject, ...names: readonly string[]): number | null {
  for (const name of names) if (typeof source[name] === 'number') return count(source[name]);
  return null;
}

/** Where usage stands in an answer or a chunk: at the top, in Groq's own member, or in a choice (Moonshot). */
export function findUsage(body: JsonObject): JsonObject | null {
  if (isObject(body['usage'])) return body['usage'];
  const groq = body['x_groq'];
  if (isObject(groq) && isObject(groq['usage'])) return groq['usage'];
  const choice = listOf(body['choices'])[0];
  return isObject(choice) && isObject(choice['usage']) ? choice['usage'] : null;
}

/** null when it does not say both sides: absent usage is not zero usage. */
export function decodeUsage(usage: JsonObject, quirks: Quirks): TokenUsage | null {
  const prompt = first(usage, 'prompt_tokens', 'input_tokens');
  const completion = first(usage, 'completion_tokens', 'output_tokens');
  if (prompt === null || completion === null) return null;
  return {
    ...inputBuckets(usage, prompt, quirks),
    ...outputBuckets(usage, prompt, completion, quirks),
  };
}

type InputBuckets = Pick<
  TokenUsage,
  'input' | 'cacheRead' | 'cacheWrite' | 'cacheWriteLong' | 'audioInput' | 'imageInput'
>;
type OutputBuckets = Pick<TokenUsage, 'output' | 'reasoning' | 'audioOutput' | 'imageOutput' | 'webSearches'>;

/** `prompt_tokens` contains what came from the cache and what was audio. */
function inputBuckets(usage: JsonObject, prompt: number, quirks: Quirks): InputBuckets {
  const details = objectOf(usage['prompt_tokens_details']) ?? objectOf(usage['input_tokens_details']) ?? {};
  const cached =
    first(details, 'cached_tokens', 'cache_read_tokens') ??
    first(
      usage,
      'prompt_cache_hit_tokens',
      'cached_tokens',
      'num_cached_tokens',
      'cache_read_input_tokens',
    ) ??
    0;
  const written =
    first(details, 'cache_write_tokens', 'cache_creation_tokens', 'cache_creation_input_tokens') ??
    first(usage, 'cache_creation_input_tokens') ??
    0;
  const cacheRead = Math.min(cached, prompt);
  const cacheWrite = Math.min(written, prompt - cacheRead);
  const audioInput = Math.min(count(details['audio_tokens']), prompt - cacheRead - cacheWrite);
  const citations = quirks.citationTokens ? count(usage['citation_tokens']) : 0;
  const input = prompt - cacheRead - cacheWrite - audioInput + citations;
  return { input, cacheRead, cacheWrite, cacheWriteLong: 0, audioInput, imageInput: 0 };
}

function outputBuckets(usage: JsonObject, prompt: number, completion: number, quirks: Quirks): OutputBuckets {
  const details =
    objectOf(usage['completion_tokens_details']) ?? objectOf(usage['output_tokens_details']) ?? {};
  const thought = first(details, 'reasoning_tokens') ?? first(usage, 'reasoning_tokens') ?? 0;
  const isApart = thought > 0 && reasoningIsApart(usage, prompt, completion, thought, quirks);
  const reasoning = isApart ? thought : Math.min(thought, completion);
  let left = isApart ? completion : completion - reasoning;
  const audioOutput = Math.min(count(details['audio_tokens']), left);
  left -= audioOutput;
  const imageOutput = Math.min(count(details['image_tokens']), left);
  const tools = objectOf(usage['server_tool_use']) ?? {};
  const webSearches =
    first(usage, 'num_search_queries', 'num_sources_used') ?? first(tools, 'web_search_requests') ?? 0;
  return { output: left - imageOutput, reasoning, audioOutput, imageOutput, webSearches };
}

/** Only the vendor's own sum tells whether `completion_tokens` contains the reasoning (OpenAI) or not (xAI). */
function reasoningIsApart(
  usage: JsonObject,
  prompt: number,
  completion: number,
  thought: number,
  quirks: Quirks,
): boolean {
  if (thought > completion) return true;
  const total = usage['total_tokens'];
  if (total === prompt + completion + thought) return true;
  if (total === prompt + completion && !quirks.citationTokens) return false;
  return quirks.reasoningApart;
}
