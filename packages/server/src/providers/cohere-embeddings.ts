/** Embeddings of Cohere in its own wire: its OpenAI-like endpoint knows neither what a text is for nor a vector's length. */
import type { JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import type { EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, Vector } from '../contract/media.ts';
import { count, noUsage } from '../contract/usage.ts';
import { inBatches } from './batches.ts';
import { decodeError } from './openai-compatible/errors.ts';
import { listOf, malformed, objectOf, parseObject } from './openai-compatible/shape.ts';
import type { CallTarget, EmbeddingCodec } from './provider.ts';

const limit = 96;
const own = new Set(['input_type', 'truncate', 'max_tokens', 'priority']);

function encode(request: EmbeddingRequest, input: EmbeddingInput, target: CallTarget): string {
  const body: JsonObject = {
    texts: input,
    model: target.model,
    // Required by the vendor. What is stored is what callers mostly embed; a search says so itself.
    input_type: 'search_document',
    embedding_types: ['float'],
  };
  for (const name of own) if (request.params[name] !== undefined) body[name] = request.params[name];
  if (request.dimensions !== null) body['output_dimension'] = request.dimensions;
  return JSON.stringify(body);
}

function decode(bytes: Buffer, wanted: number): EmbeddingAnswer {
  const answer = parseObject(bytes.toString('utf8'));
  const vectors = listOf(objectOf(answer['embeddings'])?.['float']).map((row): Vector => {
    if (!Array.isArray(row) || row.length === 0 || !row.every((value) => typeof value === 'number'))
      throw malformed('a vector is not one');
    return row;
  });
  if (vectors.length !== wanted) throw malformed(`${vectors.length} vectors for ${wanted} inputs`);
  const billed = objectOf(objectOf(answer['meta'])?.['billed_units'])?.['input_tokens'];
  return { vectors, usage: typeof billed === 'number' ? { ...noUsage, input: count(billed) } : null };
}

export const cohereEmbedding: EmbeddingCodec = {
  run: (request, target, exchange) => {
    if (typeof request.input[0] !== 'string')
      throw badField('input', "Invalid value for 'input': this provider takes texts, not token ids");
    return inBatches(request, limit, async (input) => {
      const { body } = await exchange.send({ path: '/v2/embed', body: encode(request, input, target) });
      return decode(body, input.length);
    });
  },
  decodeError,
};
