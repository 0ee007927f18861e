/** The fields of a transcription form → the canonical request, for both dialects. All of them came as text. */
import type { JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import type { TranscriptFormat, TranscriptionRequest, Upload } from '../contract/media.ts';
import { transcriptFormats } from '../contract/media.ts';
import { mergeParams, ownFields, vendorParams } from './own-fields.ts';

const read = new Set([
  'file',
  'language',
  'prompt',
  'response_format',
  'temperature',
  'timestamp_granularities',
  'timestamp_granularities[]',
]);

const flag = (text: string | undefined): boolean => text === 'true' || text === '1';

/** Values of the fields, the way a JSON body would have them; `name[]` is a list. */
function valuesOf(fields: ReadonlyMap<string, readonly string[]>): JsonObject {
  const values: JsonObject = {};
  for (const [name, texts] of fields) {
    if (name === '__proto__') continue;
    const isList = name.endsWith('[]') || texts.length > 1;
    if (!isList && (texts[0] === '' || texts[0] === 'null')) continue;
    values[name] = isList ? texts : texts[0];
  }
  const extra = values['additional_params'];
  if (typeof extra === 'string') values['additional_params'] = jsonOf(extra, 'additional_params');
  for (const name of ['stream', 'include_raw'])
    if (name in values) values[name] = flag(fields.get(name)?.[0]);
  return mergeParams(values);
}

function jsonOf(text: string, param: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badField(param, `Invalid value for '${param}': is not JSON`);
  }
}

/** A JSON list in one field, a field repeated, or OpenAI's `timestamp_granularities[]`. */
function granularitiesOf(values: JsonObject): ('word' | 'segment')[] {
  const param = 'timestamp_granularities';
  const given = values[`${param}[]`] ?? values[param];
  if (given === undefined) return [];
  const list: unknown =
    typeof given === 'string' ? (given.startsWith('[') ? jsonOf(given, param) : [given]) : given;
  if (!Array.isArray(list) || !list.every((each) => each === 'word' || each === 'segment'))
    throw badField(param, `Invalid value for '${param}': must be of word and segment`);
  return list as ('word' | 'segment')[];
}

function formatOf(value: unknown): TranscriptFormat {
  if (value === undefined) return 'json';
  const known = transcriptFormats.find((each) => each === value);
  if (known === undefined)
    throw badField(
      'response_format',
      `Invalid value for 'response_format': must be one of ${transcriptFormats.join(', ')}`,
    );
  return known;
}

function temperatureOf(value: unknown): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (!(number >= 0 && number <= 1))
    throw badField('temperature', "Invalid value for 'temperature': must be between 0 and 1");
  return number;
}

function textOf(values: JsonObject, name: string, max: number): string | null {
  const value = values[name];
  if (value === undefined) return null;
  if (typeof value !== 'string' || value.length > max)
    throw badField(name, `Invalid value for '${name}': must be a text of at most ${max} characters`);
  return value;
}

export interface DecodedTranscription {
  readonly request: TranscriptionRequest;
  /** What decides whether a repeat is the same request, beside the file. */
  readonly fields: string;
}

/** Throws a 400 that names the field. */
export function decodeTranscription(
  kind: 'stt' | 'translation',
  fields: ReadonlyMap<string, readonly string[]>,
  file: Upload | undefined,
  durationMs: number | null,
): DecodedTranscription {
  const values = valuesOf(fields);
  const language = textOf(values, 'language', 35);
  if (language !== null && !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(language))
    throw badField('language', "Invalid value for 'language': must be a code such as en or pt-BR");
  const rest = {
    language,
    prompt: textOf(values, 'prompt', 20_000),
    format: formatOf(values['response_format']),
    temperature: temperatureOf(values['temperature']),
    granularities: granularitiesOf(values),
    params: vendorParams(values, read),
  };
  const own = ownFields(values);
  if (own.stream && rest.format !== 'json' && rest.format !== 'text')
    throw badField(
      'response_format',
      "Invalid value for 'response_format': a stream tells text only; ask for json or text, or without 'stream'",
    );
  if (file === undefined) throw badField('file', "'file' is required: the sound, as a file of the form");
  return {
    request: { kind, ...own, file, durationMs, ...rest },
    fields: JSON.stringify([own.model, own.providerField, rest]),
  };
}
