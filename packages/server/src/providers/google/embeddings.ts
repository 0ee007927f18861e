/** Embeddings of Gemini: always asked for as a batch, as the vendor's own SDK does. */
import type { EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, Vector } from '../../contract/media.ts';
import { badField, GatewayError } from '../../contract/errors.ts';
import { count, noUsage } from '../../contract/usage.ts';
import { inBatches } from '../batches.ts';
import type { CallTarget, EmbeddingCodec } from '../provider.ts';
import { decodeError } from './errors.ts';
import { modelPath } from './model.ts';
import { isObject, parseUpstream } from '../exact-json.ts';

const limit = 100;

/** Extras of the vendor, under OpenAI-like and its own spelling. */
const extras: Readonly<Record<string, string>> = {
  task_type: 'taskType',
  taskType: 'taskType',
  title: 'title',
};

function encode(request: EmbeddingRequest, input: EmbeddingInput, target: CallTarget): string {
  const shared: Record<string, unknown> = {};
  for (const [name, theirs] of Object.entries(extras))
    if (request.params[name] !== undefined) shared[theirs] = request.params[name];
  if (request.dimensions !== null) shared['outputDimensionality'] = request.dimensions;
  const model = modelPath(target.model);
  return JSON.stringify({
    requests: input.map((text) => ({ content: { parts: [{ text }], role: 'user' }, ...shared, model })),
  });
}

function decode(body: Buffer, wanted: number): EmbeddingAnswer {
  const answer = parseUpstream(body);
  const list: unknown[] = Array.isArray(answer['embeddings']) ? answer['embeddings'] : [];
  const vectors = list.map((each): Vector => {
    const values: unknown = isObject(each) ? each['values'] : null;
    if (!Array.isArray(values) || values.length === 0 || !values.every((value) => typeof value === 'number'))
      throw malformed('a vector is not one');
    return values;
  });
  if (vectors.length !== wanted) throw malformed(`${vectors.length} vectors for ${wanted} inputs`);
  const usage = answer['usageMetadata'];
  const tokens = isObject(usage) ? count(usage['promptTokenCount']) : 0;
  return { vectors, usage: tokens > 0 ? { ...noUsage, input: tokens } : null };
}

const malformed = (reason: string): GatewayError =>
  new GatewayError('upstream_malformed', undefined, { details: { reason } });

export const embedding: EmbeddingCodec = {
  run: (request, target, exchange) => {
    if (typeof request.input[0] !== 'string')
      throw badField('input', "Invalid value for 'input': this provider takes texts, not token ids");
    // v1 is the SDK's default here, too.
    const version = target.options['api_version'] ?? 'v1';
    const path = `/${version}/${modelPath(target.model)}:batchEmbedContents`;
    return inBatches(request, limit, async (input) => {
      const { body } = await exchange.send({ path, body: encode(request, input, target) });
      return decode(body, input.length);
    });
  },
  decodeError,
};
