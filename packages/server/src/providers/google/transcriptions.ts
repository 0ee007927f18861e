/**
 * Speech to text by Gemini: the sound goes inline. A model made for it (`gemini-3.5-transcribe`) tells the times of words;
 * any other is asked in words for the words alone, and tells none.
 */
import { badField, GatewayError } from '../../contract/errors.ts';
import type { TranscriptionAnswer, TranscriptionRequest, Upload } from '../../contract/media.ts';
import { count, noUsage, type TokenUsage } from '../../contract/usage.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { CallTarget, Exchange, TranscriptionCodec } from '../provider.ts';
import { segmentsOf } from '../transcripts.ts';
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

async function soundOf(file: Upload): Promise<{ mimeType: string; data: string }> {
  if (file.bytes > maxBytes)
    throw badField('file', `Invalid value for 'file': Gemini takes at most ${maxBytes} bytes of sound`);
  const chunks: Buffer[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  return { mimeType: typeOf(file), data: Buffer.concat(chunks).toString('base64') };
}

const wantsTimes = ({ format, granularities }: TranscriptionRequest): boolean =>
  format === 'srt' || format === 'vtt' || format === 'verbose_json' || granularities.length > 0;

export const transcription: TranscriptionCodec = {
  async run(request, target, exchange) {
    if (isTranscriber(target.model)) return transcribe(request, target, exchange);
    if (wantsTimes(request))
      throw badField(
        request.granularities.length > 0 ? 'timestamp_granularities' : 'response_format',
        `'${target.model}' tells no times: ask for json or text, or use gemini-3.5-transcribe`,
      );
    const inlineData = await soundOf(request.file);
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

/** Its streaming sisters are spoken to by WebSocket only. */
const isTranscriber = (model: string): boolean => model.includes('-transcribe') && !model.includes('-live');

/** Through the Interactions API, which has a configuration for it. */
async function transcribe(
  request: TranscriptionRequest,
  target: CallTarget,
  exchange: Exchange,
): Promise<TranscriptionAnswer> {
  const { mimeType, data } = await soundOf(request.file);
  const phrases = (request.prompt ?? '').split(/[,;\n]/).map((each) => each.trim());
  const vocabulary = phrases.filter((each) => each !== '');
  const config = {
    ...(request.language === null ? {} : { language_codes: [request.language] }),
    ...(vocabulary.length === 0 ? {} : { custom_vocabulary: vocabulary }),
    ...(wantsTimes(request) ? { mode: { type: 'verbatim', timestamp_granularities: ['word'] } } : {}),
  };
  const { body } = await exchange.send({
    path: `/${target.options['api_version'] ?? 'v1beta'}/interactions`,
    body: JSON.stringify({
      model: target.model,
      input: [{ type: 'audio', data, mime_type: mimeType }],
      ...(Object.keys(config).length === 0 ? {} : { generation_config: { transcription_config: config } }),
    }),
  });
  const answer = parseUpstream(body);
  const texts = listOf(answer['steps'])
    .flatMap(({ content }) => listOf(content))
    .filter(({ type, text }) => type === 'text' && typeof text === 'string');
  if (texts.length === 0) throw new GatewayError('upstream_malformed');
  const words = texts
    .flatMap(({ annotations }) => listOf(annotations))
    .filter(
      ({ type, text, start_offset: start }) =>
        type === 'word_info' && typeof text === 'string' && start !== undefined,
    )
    .map(({ text, start_offset: start, end_offset: end }) => ({
      word: String(text),
      start: seconds(start),
      end: seconds(end),
    }));
  return {
    text: texts
      .map(({ text }) => String(text))
      .join('')
      .trim(),
    language: request.language,
    duration: null,
    words: words.length === 0 ? null : words,
    segments: words.length === 0 ? null : segmentsOf(words),
    usage: usageOf(answer['usage']),
  };
}

const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isObject) : [];

/** `"9.400s"` */
const seconds = (offset: unknown): number => Math.max(0, Number.parseFloat(String(offset)) || 0);

function usageOf(usage: unknown): TokenUsage | null {
  if (!isObject(usage) || typeof usage['total_input_tokens'] !== 'number') return null;
  const input = count(usage['total_input_tokens']);
  const heard = listOf(usage['input_tokens_by_modality']).find(({ modality }) => modality === 'audio');
  const audioInput = Math.min(count(heard?.['tokens']), input);
  return { ...noUsage, input: input - audioInput, audioInput, output: count(usage['total_output_tokens']) };
}
