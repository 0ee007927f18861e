/** Several pictures from a vendor that makes one at a time. */
import type { ImageAnswer } from '../contract/media.ts';
import { addUsage, type TokenUsage } from '../contract/usage.ts';

/** In flight at once. */
const parallel = 4;

/** All or nothing: one that fails is the call's failure. `index` tells otherwise equal requests apart. */
export async function manyImages(
  n: number,
  draw: (index: number) => Promise<ImageAnswer>,
): Promise<ImageAnswer> {
  const answers: ImageAnswer[] = [];
  for (let from = 0; from < n; from += parallel) {
    const count = Math.min(parallel, n - from);
    answers.push(...(await Promise.all(Array.from({ length: count }, (_, at) => draw(from + at)))));
  }
  let usage: TokenUsage | null = answers[0]?.usage ?? null;
  for (const answer of answers.slice(1))
    usage = usage === null || answer.usage === null ? null : addUsage(usage, answer.usage);
  return { images: answers.flatMap(({ images }) => images), usage };
}
