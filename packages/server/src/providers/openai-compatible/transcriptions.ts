/** Speech to text of vendors that speak OpenAI's wire, one row of differences each. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import type {
  TranscriptionAnswer,
  TranscriptionRequest,
  TranscriptSegment,
  TranscriptWord,
} from '../../contract/media.ts';
import { count, noUsage, type TokenUsage } from '../../contract/usage.ts';
import { fieldsOf, multipart } from '../multipart.ts';
import type { CallTarget, Provider, TranscriptionCodec } from '../provider.ts';
import { segmentsOf } from '../transcripts.ts';
import { decodeError } from './errors.ts';
import { isObject, listOf, malformed, objectOf, parseObject, textOf } from './shape.ts';

interface TranscriptionQuirks {
  /** Tells times by `response_format: verbose_json`; `always`: without being asked so. Else it knows no times. */
  readonly times: 'verbose_json' | 'always';
  /** Which models translate, where any does. */
  readonly translates?: RegExp;
  readonly apiVersion?: boolean;
  /** Knows no prompt. */
  readonly noPrompt?: boolean;
  /** One path for both tasks; the field `translate` tells which. */
  readonly path?: string;
}

const verbose: TranscriptionQuirks = { times: 'verbose_json' };

/** Named by their operator, so the name tells nothing. */
const any = /./;

const rows: Readonly<Record<string, TranscriptionQuirks>> = {
  openai: { ...verbose, translates: /^whisper-1$/ },
  azure: { ...verbose, translates: any, apiVersion: true },
  groq: { ...verbose, translates: /^whisper-large-v3$/ },
  together: { ...verbose, translates: any },
  fireworks: { ...verbose, translates: any },
  deepinfra: verbose,
  mistral: { times: 'always', noPrompt: true },
  vllm: { ...verbose, translates: any },
  speaches: { ...verbose, translates: any },
  whispercpp: { ...verbose, translates: any, path: '/inference' },
  'openai-compatible': { ...verbose, translates: any },
};

/** Models of OpenAI that answer text only. */
const textOnly = /^gpt-4o(-mini)?-transcribe/;

export function transcriptionCodecOf(vendor: string): TranscriptionCodec | undefined {
  const quirks = rows[vendor];
  return quirks === undefined ? undefined : codec('transcriptions', quirks);
}

export function translationCodecOf(vendor: string): Provider['translation'] {
  const quirks = rows[vendor];
  const translates = quirks?.translates;
  if (quirks === undefined || translates === undefined) return undefined;
  return { ...codec('translations', quirks), serves: (model) => translates.test(model) };
}

const wantsTimes = ({ format, granularities }: TranscriptionRequest): boolean =>
  format === 'srt' || format === 'vtt' || format === 'verbose_json' || granularities.length > 0;

function formOf(
  task: 'transcriptions' | 'translations',
  request: TranscriptionRequest,
  target: CallTarget,
  quirks: TranscriptionQuirks,
): [string, string][] {
  const fields: [string, string][] = [['model', target.model]];
  if (quirks.path !== undefined && task === 'translations') fields.push(['translate', 'true']);
  // That server takes English for granted, where others find out.
  const language = request.language ?? (quirks.path === undefined ? null : 'auto');
  const isTold = task === 'transcriptions' || quirks.path !== undefined;
  if (language !== null && isTold) fields.push(['language', language]);
  if (request.prompt !== null && quirks.noPrompt !== true) fields.push(['prompt', request.prompt]);
  if (request.temperature !== null && request.temperature !== 0)
    fields.push(['temperature', String(request.temperature)]);
  if (wantsTimes(request)) {
    if (textOnly.test(target.model))
      throw badField(
        request.granularities.length > 0 ? 'timestamp_granularities' : 'response_format',
        `'${target.model}' tells no times: ask for json or text, or use a model such as whisper-1`,
      );
    if (quirks.times === 'verbose_json') fields.push(['response_format', 'verbose_json']);
    const units = request.granularities.length === 0 ? ['segment'] : request.granularities;
    const name = quirks.times === 'always' ? 'timestamp_granularities' : 'timestamp_granularities[]';
    if (task === 'transcriptions') for (const unit of units) fields.push([name, unit]);
  } else if (quirks.times === 'verbose_json') fields.push(['response_format', 'json']);
  fields.push(...fieldsOf(request.params));
  return fields;
}

function codec(task: 'transcriptions' | 'translations', quirks: TranscriptionQuirks): TranscriptionCodec {
  return {
    async run(request, target, exchange) {
      const { fileName, contentType, bytes } = request.file;
      const file = { name: 'file', fileName, contentType, bytes, read: () => request.file.read() };
      const form = multipart([...formOf(task, request, target, quirks), file]);
      const version = quirks.apiVersion === true ? target.options['api_version'] : undefined;
      const query = version === undefined ? '' : `?api-version=${encodeURIComponent(version)}`;
      const answer = await exchange.send({
        path: `${quirks.path ?? `/audio/${task}`}${query}`,
        headers: { 'content-type': form.contentType },
        body: form.body,
      });
      return decode(answer.body);
    },
    decodeError,
  };
}

const seconds = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);

function wordsOf(value: unknown): TranscriptWord[] {
  return listOf(value)
    .filter(isObject)
    .map(({ word, text, start, end }) => ({
      word: textOf(word) ?? textOf(text) ?? '',
      start: seconds(start),
      end: seconds(end),
    }));
}

/** whisper.cpp puts the words into their segments. */
function nestedWords(segments: readonly JsonObject[]): TranscriptWord[] | null {
  const nested = segments.flatMap(({ words }) => (Array.isArray(words) ? wordsOf(words) : []));
  return nested.length === 0 ? null : nested;
}

function decode(body: Buffer): TranscriptionAnswer {
  const answer = parseObject(body.toString('utf8'));
  const text = textOf(answer['text']);
  if (text === null) throw malformed('no text');
  const toldTimes = Array.isArray(answer['segments']);
  const told = listOf(answer['segments']).filter(isObject);
  const segments = told.map((segment): TranscriptSegment => ({
    ...segment,
    text: textOf(segment['text']) ?? '',
    start: seconds(segment['start']),
    end: seconds(segment['end']),
  }));
  const words = Array.isArray(answer['words']) ? wordsOf(answer['words']) : nestedWords(told);
  const { language, logprobs } = answer;
  return {
    text,
    language: textOf(language),
    duration: durationOf(answer),
    words,
    // An empty list is silence; without any list no times were told.
    segments: segments.length === 0 && words !== null ? segmentsOf(words) : toldTimes ? segments : null,
    usage: usageOf(objectOf(answer['usage'])),
    ...(logprobs === undefined ? {} : { extra: { logprobs } }),
  };
}

/** `verbose_json` tells it beside the text, plain json as `usage: {type: 'duration', seconds}`. */
function durationOf({ duration, usage }: JsonObject): number | null {
  const said = objectOf(usage);
  for (const told of [duration, said?.['type'] === 'duration' ? said['seconds'] : null]) {
    const length = typeof told === 'number' ? told : Number(textOf(told) ?? Number.NaN);
    if (Number.isFinite(length) && length > 0) return length;
  }
  return null;
}

/** Of models billed by tokens. */
function usageOf(usage: JsonObject | null): TokenUsage | null {
  const input = usage?.['input_tokens'] ?? usage?.['prompt_tokens'];
  const output = usage?.['output_tokens'] ?? usage?.['completion_tokens'];
  if (usage === null || typeof input !== 'number' || typeof output !== 'number') return null;
  const details = objectOf(usage['input_token_details']);
  const audio = Math.min(count(details?.['audio_tokens']), count(input));
  return { ...noUsage, input: count(input) - audio, audioInput: audio, output: count(output) };
}
