/** Inputs beyond a vendor's limit, asked for in pieces and put together again in order. */
import type { EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, Vector } from '../contract/media.ts';
import { addUsage, type TokenUsage } from '../contract/usage.ts';

/** Pieces in flight at once. */
const parallel = 4;

/** The sums are known only where every piece has its own. */
export async function inBatches(
  request: EmbeddingRequest,
  limit: number,
  embed: (input: EmbeddingInput) => Promise<EmbeddingAnswer>,
): Promise<EmbeddingAnswer> {
  const { input } = request;
  if (input.length <= limit) return embed(input);
  const answers: EmbeddingAnswer[] = [];
  for (let from = 0; from < input.length; from += limit * parallel) {
    const pieces: Promise<EmbeddingAnswer>[] = [];
    for (let at = from; at < Math.min(input.length, from + limit * parallel); at += limit)
      pieces.push(embed(input.slice(at, at + limit)));
    answers.push(...(await Promise.all(pieces)));
  }
  const vectors: Vector[] = [];
  let usage: TokenUsage | null = null;
  let isKnown = true;
  for (const answer of answers) {
    vectors.push(...answer.vectors);
    if (answer.usage === null) isKnown = false;
    else usage = usage === null ? answer.usage : addUsage(usage, answer.usage);
  }
  return { vectors, usage: isKnown ? usage : null };
}
