/** Speech to text by Gemini: the sound goes inline, the instruction asks for the words alone. It tells no times. */
import { badField, GatewayError } from '../../contract/errors.ts';
import type { Upload } from '../../contract/media.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { TranscriptionCodec } from '../provider.ts';
import { partsOf } from './answer.ts';
import { decodeError } from './errors.ts';
import { modelPath } from './model.ts';
import { decodeUsage } from './parts.ts';

/** The whole request may have 20 MB, and base64 makes four bytes of three. */
const maxBytes = 14_000_000;

const types: Readonly<Record<string, string>> = {
  mp3: 'audio/mp3',
  wav: 'audio/wav',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  m4a: 'audio/mp4',
  mp4: 'audio/mp4',
  webm: 'audio/webm',
  aiff: 'audio/aiff',
};

function typeOf({ contentType, fileName }: Upload): string {
  const extension = /\.(\w+)$/.exec(fileName)?.[1]?.toLowerCase() ?? '';
  return types[extension] ?? (/^audio\/[\w.+-]+$/.test(contentType) ? contentType : 'audio/mp3');
}

function instructionOf(language: string | null, prompt: string | null): string {
  const spoken = language === null ? '' : ` The language is ${language}.`;
  const hint = prompt === null ? '' : ` Context that helps with spelling: ${prompt}`;
  return `Transcribe the speech of this audio word for word, in the language spoken. Answer with the transcript alone.${spoken}${hint}`;
}

export const transcription: TranscriptionCodec = {
  async run(request, target, exchange) {
    const { file, format, granularities } = request;
    if (format === 'srt' || format === 'vtt' || format === 'verbose_json' || granularities.length > 0)
      throw badField(
        granularities.length > 0 ? 'timestamp_granularities' : 'response_format',
        'Gemini tells no times: ask for json or text',
      );
    if (file.bytes > maxBytes)
      throw badField('file', `Invalid value for 'file': Gemini takes at most ${maxBytes} bytes of sound`);
    const chunks: Buffer[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    const inlineData = { mimeType: typeOf(file), data: Buffer.concat(chunks).toString('base64') };
    const version = target.options['api_version'] ?? 'v1beta';
    const { body } = await exchange.send({
      path: `/${version}/${modelPath(target.model)}:generateContent`,
      body: JSON.stringify({
        contents: [
          {
            role: 'user',
            parts: [{ text: instructionOf(request.language, request.prompt) }, { inlineData }],
          },
        ],
        ...(request.temperature === null ? {} : { generationConfig: { temperature: request.temperature } }),
      }),
    });
    const answer = parseUpstream(body);
    const candidates: unknown = answer['candidates'];
    const first: unknown = Array.isArray(candidates) ? candidates[0] : null;
    if (!isObject(first)) throw new GatewayError('upstream_malformed');
    const text = partsOf(first)
      .filter((part) => part['thought'] !== true)
      .map((part) => (typeof part['text'] === 'string' ? part['text'] : ''))
      .join('')
      .trim();
    const usage = decodeUsage(answer['usageMetadata'], 0);
    return { text, language: request.language, duration: null, words: null, segments: null, usage };
  },
  decodeError,
};
