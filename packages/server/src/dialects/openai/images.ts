/** `/v1/images/generations` and `/v1/images/edits`: OpenAI's exact shape. */
import { usdNumber, type SettledFacts } from '../../contract/answer.ts';
import { imageBody } from '../../contract/bodies.ts';
import type { ImageAnswer, ImageRequest } from '../../contract/media.ts';
import { inputTokens, outputTokens } from '../../contract/usage.ts';
import { decodeFormEdit, decodeImage, decodeJsonEdit, type Pictures } from '../decode-image.ts';
import type { WrittenImage } from '../dialect.ts';

export const decodeOpenaiImage = (body: Buffer): ImageRequest => decodeImage(body, imageBody);
export const decodeOpenaiJsonEdit = (body: Buffer): ImageRequest => decodeJsonEdit(body, imageBody);
export const decodeOpenaiFormEdit = (
  fields: ReadonlyMap<string, readonly string[]>,
  pictures: Pictures,
): ImageRequest => decodeFormEdit(fields, pictures, imageBody);

export function encodeOpenaiImages(
  images: readonly WrittenImage[],
  { made }: ImageAnswer,
  facts: SettledFacts,
): string {
  const { usage } = facts;
  const input = inputTokens(usage);
  const output = outputTokens(usage);
  return JSON.stringify({
    created: Math.floor(facts.startedAtMs / 1000),
    data: images,
    ...made,
    usage: {
      input_tokens: input,
      input_tokens_details: { text_tokens: input - usage.imageInput, image_tokens: usage.imageInput },
      output_tokens: output,
      total_tokens: input + output,
      cost: usdNumber(facts.costNano),
    },
    model: facts.model,
    provider: facts.provider,
  });
}
