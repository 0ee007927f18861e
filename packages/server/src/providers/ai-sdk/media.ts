/** Embeddings, pictures, speech and transcription through AI SDK models. */
import { badField, GatewayError } from '../../contract/errors.ts';
import type { EmbeddingAnswer, GeneratedImage, InputImage, Vector } from '../../contract/media.ts';
import type { JsonObject } from '../../contract/chat.ts';
import { count, noUsage } from '../../contract/usage.ts';
import { audioTypes, one, requireSound } from '../audio-types.ts';
import { inBatches } from '../batches.ts';
import { isObject, tryParse } from '../exact-json.ts';
import { pixelsOf } from '../image-sizes.ts';
import { manyImages } from '../many-images.ts';
import { decodeError } from '../openai-compatible/errors.ts';
import type {
  CallTarget,
  EmbeddingCodec,
  Exchange,
  ImageCodec,
  SpeechCodec,
  TranscriptionCodec,
} from '../provider.ts';
import { segmentsOf } from '../transcripts.ts';
import { errorBody, failureOf } from './failures.ts';
import { openModel } from './package.ts';
import type { SdkModels, SdkWarning } from './spec.ts';

const mostPerCall = 100;

interface Common {
  readonly abortSignal: AbortSignal;
  readonly providerOptions: JsonObject;
}

/** Opens the model and makes one call; what it throws is what the exchange would have thrown. */
async function withModel<Kind extends keyof SdkModels, T>(
  kind: Kind,
  ownPackage: string | null,
  params: JsonObject,
  target: CallTarget,
  exchange: Exchange,
  run: (model: SdkModels[Kind], common: Common) => PromiseLike<T>,
): Promise<T> {
  try {
    const model = await openModel(kind, target.model, exchange.access, ownPackage);
    return await run(model, { abortSignal: exchange.signal, providerOptions: optionsOf(params) });
  } catch (error) {
    const failure = failureOf(error);
    throw failure instanceof GatewayError
      ? failure
      : exchange.refusal(failure.status, failure.headers, Buffer.from(errorBody(failure)));
  }
}

/** An object, or its JSON where the request was a form. */
function optionsOf({ provider_options: given }: JsonObject): JsonObject {
  const options: unknown = typeof given === 'string' ? tryParse(Buffer.from(given)) : (given ?? {});
  if (isObject(options)) return options;
  throw badField('provider_options', "Invalid value for 'provider_options': must be an object");
}

const bytesOf = (data: string | Uint8Array): Buffer =>
  typeof data === 'string' ? Buffer.from(data, 'base64') : Buffer.from(data);

export const embeddingAdapter = (ownPackage: string | null): EmbeddingCodec => ({
  run(request, target, exchange) {
    const { input, dimensions, params } = request;
    if (typeof input[0] !== 'string')
      throw badField('input', "Invalid value for 'input': this provider takes texts, not token ids");
    return withModel('embedding', ownPackage, params, target, exchange, async (model, common) => {
      const limit = (await model.maxEmbeddingsPerCall) ?? mostPerCall;
      return inBatches(request, Math.min(limit, 2048), async (values): Promise<EmbeddingAnswer> => {
        const wanted = dimensions === null ? {} : { dimensions };
        const options = { ...common, ...wanted, values: values as readonly string[] };
        const { embeddings, usage } = await model.doEmbed(options);
        checkVectors(embeddings, values.length, dimensions);
        const tokens = usage?.tokens;
        // Some packages write NaN where the vendor tells nothing.
        const isTold = typeof tokens === 'number' && Number.isFinite(tokens);
        return { vectors: embeddings, usage: isTold ? { ...noUsage, input: count(tokens) } : null };
      });
    });
  },
  decodeError,
});

function checkVectors(vectors: readonly Vector[], wanted: number, dimensions: number | null): void {
  if (vectors.length !== wanted) throw new GatewayError('upstream_malformed');
  const [first] = vectors;
  if (dimensions === null || first === undefined || first.length === dimensions) return;
  throw badField(
    'dimensions',
    `Invalid value for 'dimensions': this model made ${first.length}; its own option for that goes in provider_options`,
  );
}

const fileOf = ({ bytes, contentType }: InputImage): JsonObject => ({
  type: 'file',
  mediaType: contentType,
  data: bytes,
});

export const imageAdapter = (ownPackage: string | null): ImageCodec => ({
  run: (request, target, exchange) =>
    withModel('image', ownPackage, request.params, target, exchange, async (model, common) => {
      const most = model.maxImagesPerCall;
      const told = typeof most === 'function' ? await most({ modelId: target.model }) : most;
      const limit = Math.max(1, told ?? 1);
      pixelsOf(request.size);
      const { seed } = request.params;
      const draw = async (n: number, index: number) => {
        const { images, usage } = await model.doGenerate({
          ...common,
          prompt: request.prompt,
          n,
          size: request.size === 'auto' ? undefined : (request.size ?? undefined),
          aspectRatio: request.aspectRatio ?? undefined,
          // The same seed would draw the same picture again.
          seed: typeof seed === 'number' ? seed + index : undefined,
          files: request.images.length === 0 ? undefined : request.images.map(fileOf),
          mask: request.mask === null ? undefined : fileOf(request.mask),
        });
        if (images.length === 0) throw new GatewayError('upstream_malformed');
        const { inputTokens, outputTokens } = usage ?? {};
        const isTold = typeof inputTokens === 'number' && typeof outputTokens === 'number';
        return {
          images: images.map((data): GeneratedImage => ({
            bytes: bytesOf(data),
            contentType: null,
            revisedPrompt: null,
          })),
          usage: isTold ? { ...noUsage, input: count(inputTokens), imageOutput: count(outputTokens) } : null,
        };
      };
      return request.n <= limit ? draw(request.n, 0) : manyImages(request.n, (index) => draw(1, index));
    }),
  decodeError,
});

const ignored = (warnings: readonly SdkWarning[] | undefined, feature: string): boolean =>
  warnings?.some((each) => each.type === 'unsupported' && each.feature === feature) ?? false;

export const speechAdapter = (ownPackage: string | null): SpeechCodec => ({
  run: (request, target, exchange) =>
    withModel('speech', ownPackage, request.params, target, exchange, async (model, common) => {
      const { language } = request.params;
      const { audio, warnings, response } = await model.doGenerate({
        ...common,
        text: request.input,
        voice: request.voice ?? undefined,
        outputFormat: request.format,
        instructions: request.instructions ?? undefined,
        speed: request.speed === 1 ? undefined : request.speed,
        language: typeof language === 'string' ? language : undefined,
      });
      // Sound that is not what it is called would be worse than none.
      if (ignored(warnings, 'outputFormat'))
        throw badField(
          'response_format',
          `Invalid value for 'response_format': this model speaks no ${request.format}`,
        );
      if (ignored(warnings, 'speed'))
        throw badField('speed', "Invalid value for 'speed': this model speaks at its own pace only");
      requireSound({ headers: response?.headers ?? {} });
      const bytes = bytesOf(audio);
      if (bytes.length === 0) throw new GatewayError('upstream_malformed');
      return { contentType: audioTypes[request.format], audio: one(bytes), usage: () => null };
    }),
  decodeError,
});

export const transcriptionAdapter = (ownPackage: string | null): TranscriptionCodec => ({
  run(request, target, exchange) {
    for (const name of ['language', 'prompt'] as const)
      if (request[name] !== null)
        throw badField(name, `'${name}' has no common place for this provider: send it in provider_options`);
    return withModel('transcription', ownPackage, request.params, target, exchange, async (model, common) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request.file.read()) chunks.push(chunk);
      const { contentType } = request.file;
      const answer = await model.doGenerate({
        ...common,
        audio: Buffer.concat(chunks),
        mediaType: /^audio\/[\w.+-]+$/.test(contentType) ? contentType : 'audio/wav',
        ...(request.granularities.length === 0 || model.specificationVersion === 'v3'
          ? {}
          : { timestampGranularities: request.granularities }),
      });
      const timed = (list: typeof answer.segments) =>
        list.map(({ text, startSecond, endSecond }) => ({ word: text, start: startSecond, end: endSecond }));
      const pieces = timed(answer.segments);
      // Many packages call words segments.
      const isWords = pieces.length > 0 && pieces.every(({ word }) => !/\S\s+\S/.test(word));
      const words = answer.words === undefined ? (isWords ? pieces : null) : timed(answer.words);
      return {
        text: answer.text,
        language: answer.language ?? null,
        duration: answer.durationInSeconds ?? null,
        words,
        segments: isWords
          ? segmentsOf(pieces)
          : pieces.map(({ word, start, end }, id) => ({ id, text: word, start, end })),
        usage: null,
      };
    });
  },
  decodeError,
});
