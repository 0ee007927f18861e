/** Embeddings of vendors that speak OpenAI's wire, one row of differences each. */
import type { JsonObject } from '../../contract/chat.ts';
import type { EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, Vector } from '../../contract/media.ts';
import { badField } from '../../contract/errors.ts';
import { count, noUsage, type TokenUsage } from '../../contract/usage.ts';
import { inBatches } from '../batches.ts';
import type { CallTarget, EmbeddingCodec, UpstreamResponse } from '../provider.ts';
import { decodeError } from './errors.ts';
import { isObject, listOf, malformed, objectOf, parseObject } from './shape.ts';

interface EmbeddingQuirks {
  /** Texts a request. */
  readonly limit: number;
  /** Vectors may be asked for in base64, which is a third of the bytes. */
  readonly base64?: boolean;
  /** Its name for the length of the vectors; null: it lets nobody choose. */
  readonly dimensions?: string | null;
  /** Takes no lists of token ids. */
  readonly textOnly?: boolean;
  /** `api_version` of the options becomes the query `api-version`. */
  readonly apiVersion?: boolean;
}

const rows: Readonly<Record<string, EmbeddingQuirks>> = {
  openai: { limit: 2048, base64: true },
  azure: { limit: 2048, base64: true, apiVersion: true },
  mistral: { limit: 512, dimensions: 'output_dimension', textOnly: true },
  together: { limit: 128, textOnly: true },
  fireworks: { limit: 256, textOnly: true },
  nvidia: { limit: 512, textOnly: true },
  qwen: { limit: 10, textOnly: true },
  zhipu: { limit: 64, textOnly: true },
  openrouter: { limit: 2048 },
  deepinfra: { limit: 1024, textOnly: true },
  sambanova: { limit: 32, dimensions: null, textOnly: true },
  ollama: { limit: 512, textOnly: true },
  lmstudio: { limit: 512, dimensions: null, textOnly: true },
  vllm: { limit: 1024, base64: true },
  llamacpp: { limit: 512, dimensions: null },
  'openai-compatible': { limit: 2048 },
};

export function embeddingCodecOf(vendor: string): EmbeddingCodec | undefined {
  const quirks = rows[vendor];
  return quirks === undefined ? undefined : codec(quirks);
}

function codec(quirks: EmbeddingQuirks): EmbeddingCodec {
  return {
    run: (request, target, exchange) => {
      refuse(request, quirks);
      return inBatches(request, quirks.limit, async (input) =>
        decode(
          await exchange.send({ path: pathOf(target, quirks), body: encode(request, input, target, quirks) }),
          input,
        ),
      );
    },
    decodeError,
  };
}

function refuse(request: EmbeddingRequest, quirks: EmbeddingQuirks): void {
  if (quirks.textOnly === true && typeof request.input[0] !== 'string')
    throw badField('input', "Invalid value for 'input': this provider takes texts, not token ids");
  if (quirks.dimensions === null && request.dimensions !== null)
    throw badField('dimensions', "Invalid value for 'dimensions': this provider has one length only");
}

function pathOf(target: CallTarget, quirks: EmbeddingQuirks): string {
  const version = quirks.apiVersion === true ? target.options['api_version'] : undefined;
  return version === undefined ? '/embeddings' : `/embeddings?api-version=${encodeURIComponent(version)}`;
}

function encode(
  request: EmbeddingRequest,
  input: EmbeddingInput,
  target: CallTarget,
  quirks: EmbeddingQuirks,
): string {
  const wantsBase64 = quirks.base64 === true && request.encoding === 'base64';
  const body: JsonObject = {
    ...request.params,
    model: target.model,
    // One text goes as one: servers that serve one at a time take it, too.
    input: input.length === 1 ? input[0] : input,
  };
  if (request.dimensions !== null) body[quirks.dimensions ?? 'dimensions'] = request.dimensions;
  if (quirks.base64 === true) body['encoding_format'] = wantsBase64 ? 'base64' : 'float';
  return JSON.stringify(body);
}

function decode({ body }: UpstreamResponse, input: EmbeddingInput): EmbeddingAnswer {
  const answer = parseObject(body.toString('utf8'));
  const rowsOfAnswer = listOf(answer['data']);
  if (rowsOfAnswer.length !== input.length)
    throw malformed(`${rowsOfAnswer.length} vectors for ${input.length} inputs`);
  const vectors: Vector[] = [];
  for (const [at, row] of rowsOfAnswer.entries()) {
    if (!isObject(row)) throw malformed('a vector is missing');
    const index = typeof row['index'] === 'number' ? row['index'] : at;
    if (vectors[index] !== undefined || !(index < input.length)) throw malformed('vectors out of place');
    vectors[index] = vectorOf(row['embedding']);
  }
  return { vectors, usage: usageOf(answer) };
}

/** Numbers, or base64 of little-endian float32. */
function vectorOf(value: unknown): Vector {
  if (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'number'))
    return value;
  if (typeof value !== 'string' || value === '') throw malformed('a vector is not one');
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length === 0 || bytes.length % 4 !== 0) throw malformed('a vector is not float32');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(at * 4, true));
}

function usageOf(answer: JsonObject): TokenUsage | null {
  const usage = objectOf(answer['usage']);
  const tokens = usage?.['prompt_tokens'] ?? usage?.['total_tokens'];
  return typeof tokens === 'number' && tokens > 0 ? { ...noUsage, input: count(tokens) } : null;
}
