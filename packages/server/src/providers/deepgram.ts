/** Deepgram: everything but the text itself is in the query. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { AudioFormat, TranscriptionAnswer } from '../contract/media.ts';
import { audioTypes, requireFormat, requireSound, requireSpeed } from './audio-types.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import type { Provider, SpeechCodec, TranscriptionCodec, UpstreamFailure } from './provider.ts';
import { segmentsOf } from './transcripts.ts';

const encodings: Partial<Record<AudioFormat, Readonly<Record<string, string>>>> = {
  mp3: { encoding: 'mp3' },
  opus: { encoding: 'opus', container: 'ogg' },
  aac: { encoding: 'aac' },
  flac: { encoding: 'flac' },
  wav: { encoding: 'linear16', container: 'wav' },
  pcm: { encoding: 'linear16', container: 'none' },
};

/** `aura-2` with a voice is one model to Deepgram: `aura-2-thalia-en`. */
function modelOf(model: string, voice: string | null): string {
  if (voice === null) return model === 'aura-2' ? 'aura-2-thalia-en' : model;
  if (!/^[\w-]{1,64}$/.test(voice))
    throw badField('voice', "Invalid value for 'voice': must be a voice of Deepgram");
  if (voice.startsWith('aura')) return voice;
  return model.split('-').length > 2 ? model : `${model}-${voice}${voice.includes('-') ? '' : '-en'}`;
}

/** A list is a field repeated; what has no place in a query is left out. */
function addParams(query: URLSearchParams, params: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(params)) {
    const list = (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
      (each) => typeof each === 'string' || typeof each === 'number' || typeof each === 'boolean',
    );
    if (list.length > 0) query.delete(name);
    for (const each of list) query.append(name, String(each));
  }
}

const speech: SpeechCodec = {
  async run(request, target, exchange) {
    requireFormat(request.format, Object.keys(encodings) as AudioFormat[]);
    requireSpeed(request.speed, 0.7, 1.5);
    const query = new URLSearchParams({
      model: modelOf(target.model, request.voice),
      ...encodings[request.format],
      ...(request.speed === 1 ? {} : { speed: String(request.speed) }),
    });
    addParams(query, request.params);
    const answer = await exchange.stream({
      path: `/v1/speak?${query.toString()}`,
      body: JSON.stringify({ text: request.input }),
    });
    requireSound(answer);
    return { contentType: audioTypes[request.format], audio: answer.body, usage: () => null };
  },
  decodeError,
};

const transcription: TranscriptionCodec = {
  async run(request, target, exchange) {
    const query = new URLSearchParams({ model: target.model, smart_format: 'true', utterances: 'true' });
    if (request.language === null) query.set('detect_language', 'true');
    else query.set('language', request.language);
    addParams(query, request.params);
    const { contentType, bytes } = request.file;
    const { body } = await exchange.send({
      path: `/v1/listen?${query.toString()}`,
      // It looks at the sound itself; a vague type is none.
      headers: { 'content-type': contentType.includes('*') ? 'application/octet-stream' : contentType },
      body: { bytes, chunks: () => request.file.read() },
    });
    return decodeTranscript(body);
  },
  decodeError,
};

const seconds = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);
const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isObject) : [];
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function decodeTranscript(body: Buffer): TranscriptionAnswer {
  const answer = parseUpstream(body);
  const results = isObject(answer['results']) ? answer['results'] : {};
  const [channel] = listOf(results['channels']);
  const [best] = listOf(channel?.['alternatives']);
  const text = textOf(best?.['transcript']);
  if (text === null) throw new GatewayError('upstream_malformed');
  const words = listOf(best?.['words']).map(({ word, punctuated_word: punctuated, start, end }) => ({
    word: textOf(punctuated) ?? textOf(word) ?? '',
    start: seconds(start),
    end: seconds(end),
  }));
  const utterances = listOf(results['utterances']).map((each, id) => ({
    id,
    text: textOf(each['transcript']) ?? '',
    start: seconds(each['start']),
    end: seconds(each['end']),
  }));
  const metadata = isObject(answer['metadata']) ? answer['metadata'] : {};
  const { duration } = metadata;
  return {
    text,
    language: textOf(channel?.['detected_language']),
    duration: typeof duration === 'number' ? duration : null,
    words,
    segments: utterances.length > 0 ? utterances : segmentsOf(words),
    usage: null,
  };
}

/** `{err_code, err_msg}`, or newer `{category, message}`. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 1000) : null);
  if (!isObject(parsed)) return { status, code: null, message: null, param: null };
  return {
    status,
    code: text(parsed['err_code'] ?? parsed['category']),
    message: text(parsed['err_msg'] ?? parsed['message'] ?? parsed['details']),
    param: null,
  };
}

export const deepgram: Provider = {
  id: 'deepgram',
  name: 'Deepgram',
  keyNames: ['DEEPGRAM_API_KEY'],
  baseUrlNames: ['DEEPGRAM_BASE_URL'],
  baseUrl: 'https://api.deepgram.com',
  auth: { header: 'authorization', prefix: 'Token ' },
  speech,
  transcription,
  proof: {
    speech: { sdk: '@deepgram/sdk 5.13.0', covers: ['requests', 'formats', 'sound'] },
    transcription: { sdk: '@deepgram/sdk 5.13.0', covers: ['requests', 'answers with words'] },
  },
};
