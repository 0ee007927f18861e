/** `/api/v1/embeddings`: `text` in, plain vectors out, in the order of the texts. */
import { embeddingBody } from '../../contract/bodies.ts';
import { firstIssue } from '../../contract/validate.ts';
import type { EmbeddingDialect } from '../dialect.ts';
import { parseJsonObject } from '../json-scan.ts';
import { mergeParams, ownFields, vendorParams } from '../own-fields.ts';
import { envelope } from './envelope.ts';

const read = new Set(['text', 'input', 'dimensions', 'encoding_format']);

export const nativeEmbeddings: EmbeddingDialect = {
  decode(body) {
    const merged = mergeParams(parseJsonObject(body).value);
    // OpenAI's name for the same.
    if (merged['text'] === undefined && merged['input'] !== undefined) merged['text'] = merged['input'];
    const valid = embeddingBody.safeParse(merged);
    if (!valid.success) throw firstIssue(valid.error);
    const { text, dimensions } = valid.data;
    return {
      kind: 'embedding',
      ...ownFields(merged),
      input: (typeof text === 'string' ? [text] : text) as string[],
      dimensions: dimensions ?? null,
      encoding: 'float',
      params: vendorParams(merged, read),
    };
  },
  encode({ vectors }, _, facts) {
    const data = vectors.map((vector) => Array.from(vector));
    return JSON.stringify(envelope(facts, data, { dimensions: data[0]?.length ?? 0 }));
  },
};
