/** `/v1/embeddings`: OpenAI's exact shape; vectors as numbers or as base64 of little-endian float32. */
import { endianness } from 'node:os';
import { usdNumber } from '../../contract/answer.ts';
import { openaiEmbeddingBody } from '../../contract/bodies.ts';
import type { EmbeddingInput, Vector } from '../../contract/media.ts';
import { inputTokens } from '../../contract/usage.ts';
import { firstIssue } from '../../contract/validate.ts';
import type { EmbeddingDialect } from '../dialect.ts';
import { parseJsonObject } from '../json-scan.ts';
import { mergeParams, ownFields, vendorParams } from '../own-fields.ts';

const read = new Set(['input', 'dimensions', 'encoding_format']);

/** One text, one list of token ids, or a list of either. */
function inputs(value: unknown): EmbeddingInput {
  if (typeof value === 'string') return [value];
  const list = value as unknown[];
  return typeof list[0] === 'number' ? [list as number[]] : (list as EmbeddingInput);
}

function base64(vector: Vector): string {
  const floats = vector instanceof Float32Array ? vector : Float32Array.from(vector);
  const bytes = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
  return (endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32()).toString('base64');
}

export const openaiEmbeddings: EmbeddingDialect = {
  decode(body) {
    const merged = mergeParams(parseJsonObject(body).value);
    const valid = openaiEmbeddingBody.safeParse(merged);
    if (!valid.success) throw firstIssue(valid.error);
    const { dimensions, encoding_format: encoding } = valid.data;
    return {
      kind: 'embedding',
      ...ownFields(merged),
      input: inputs(merged['input']),
      dimensions: dimensions ?? null,
      encoding: encoding ?? 'float',
      params: vendorParams(merged, read),
    };
  },
  encode({ vectors }, { encoding }, facts) {
    const tokens = inputTokens(facts.usage);
    return JSON.stringify({
      object: 'list',
      data: vectors.map((vector, index) => ({
        object: 'embedding',
        index,
        embedding: encoding === 'base64' ? base64(vector) : Array.from(vector),
      })),
      model: facts.model,
      usage: {
        prompt_tokens: tokens,
        total_tokens: tokens,
        cost: usdNumber(facts.costNano),
        ...(facts.source === 'counted' ? { estimated: true } : {}),
      },
      provider: facts.provider,
    });
  },
};
