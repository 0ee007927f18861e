/** What the engines of `@indoxhub/local` serve, as any other vendor's codec. */
import { badField } from '../../contract/errors.ts';
import { noUsage } from '../../contract/usage.ts';
import { one } from '../audio-types.ts';
import { pixelsFor } from '../image-sizes.ts';
import { manyImages } from '../many-images.ts';
import type {
  EmbeddingCodec,
  ImageCodec,
  SpeechCodec,
  TranscriptionCodec,
  UpstreamFailure,
} from '../provider.ts';
import { withEngines } from './engines.ts';

/** Nothing here answers over HTTP. */
const decodeError = (status: number): UpstreamFailure => ({ status, code: null, message: null, param: null });

const defaultSide = 1024;

export const embedding: EmbeddingCodec = {
  async run({ input, dimensions }, _, exchange) {
    if (typeof input[0] !== 'string')
      throw badField('input', "Invalid value for 'input': this model takes texts, not token ids");
    if (dimensions !== null && dimensions !== 512)
      throw badField('dimensions', "Invalid value for 'dimensions': this model makes 512");
    const texts = input as readonly string[];
    const { vectors, tokens } = await withEngines((engines) => engines.embed(texts, exchange.signal), {
      texts: 'text',
    });
    return { vectors, usage: { ...noUsage, input: tokens } };
  },
  decodeError,
};

export const speech: SpeechCodec = {
  async run({ input, voice, format, speed }, _, exchange) {
    const request = { text: input, voice: voice ?? undefined, format, speed };
    const { audio, contentType } = await withEngines((engines) => engines.speak(request, exchange.signal), {
      text: 'input',
      format: 'response_format',
    });
    return { contentType, audio: one(Buffer.from(audio)), usage: () => null };
  },
  decodeError,
};

export const transcription: TranscriptionCodec = {
  async run({ file, language }, _, exchange) {
    if (language !== null && !/^en\b/i.test(language))
      throw badField('language', "Invalid value for 'language': this model hears English only");
    const chunks: Buffer[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    const request = { audio: Buffer.concat(chunks), words: true };
    const heard = await withEngines((engines) => engines.transcribe(request, exchange.signal), {
      audio: 'file',
    });
    return {
      text: heard.text,
      language: heard.language,
      duration: heard.durationSeconds,
      words: heard.words,
      segments: heard.segments.map((segment, id) => ({ id, ...segment })),
      usage: null,
    };
  },
  decodeError,
};

export const image: ImageCodec = {
  async run(request, _, exchange) {
    if (request.images.length > 0) throw badField('image', 'This model does not edit pictures');
    const { width, height } = pixelsFor(request) ?? { width: defaultSide, height: defaultSide };
    const { seed: given } = request.params;
    const seed = typeof given === 'number' ? given : 0;
    return manyImages(request.n, async (index) => {
      const picture = { prompt: request.prompt, width, height, seed, index };
      const { png } = await withEngines((engines) => engines.draw(picture, exchange.signal), {
        width: 'size',
        height: 'size',
      });
      return {
        images: [{ bytes: Buffer.from(png), contentType: 'image/png', revisedPrompt: null }],
        usage: null,
      };
    });
  },
  decodeError,
};
