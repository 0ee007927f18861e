/** ElevenLabs: speech from text. The voice is part of the path, the format a query. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { AudioFormat, TranscriptionAnswer, TranscriptWord } from '../contract/media.ts';
import { audioTypes, requireFormat, requireSound, requireSpeed } from './audio-types.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import { fieldsOf, multipart } from './multipart.ts';
import type { Provider, SpeechCodec, TranscriptionCodec, UpstreamFailure } from './provider.ts';
import { segmentsOf } from './transcripts.ts';

const formats: Partial<Record<AudioFormat, string>> = {
  mp3: 'mp3_44100_128',
  opus: 'opus_48000_128',
  // As raw PCM of OpenAI: 24 kHz, 16 bit, mono.
  pcm: 'pcm_24000',
  wav: 'wav_24000',
};
/** "Rachel", the voice of the vendor's own examples. */
const defaultVoice = '21m00Tcm4TlvDq8ikWAM';

const speech: SpeechCodec = {
  async run(request, target, exchange) {
    requireFormat(request.format, Object.keys(formats) as AudioFormat[]);
    requireSpeed(request.speed, 0.7, 1.2);
    const voice = request.voice ?? defaultVoice;
    if (!/^\w{1,64}$/.test(voice))
      throw badField('voice', "Invalid value for 'voice': must be a voice id of ElevenLabs");
    const given = request.params['voice_settings'];
    const settings = {
      ...(isObject(given) ? given : {}),
      ...(request.speed === 1 ? {} : { speed: request.speed }),
    };
    const body = {
      ...request.params,
      text: request.input,
      model_id: target.model,
      ...(Object.keys(settings).length === 0 ? {} : { voice_settings: settings }),
    };
    const answer = await exchange.stream({
      path: `/v1/text-to-speech/${voice}?output_format=${formats[request.format] ?? ''}`,
      body: JSON.stringify(body),
    });
    requireSound(answer);
    return { contentType: audioTypes[request.format], audio: answer.body, usage: () => null };
  },
  decodeError,
};

const transcription: TranscriptionCodec = {
  async run(request, target, exchange) {
    const { file, language, temperature, params } = request;
    const fields = fieldsOf({
      model_id: target.model,
      timestamps_granularity: 'word',
      ...(language === null ? {} : { language_code: language }),
      ...(temperature === null || temperature === 0 ? {} : { temperature }),
      ...params,
    });
    const { fileName, contentType, bytes } = file;
    const form = multipart([
      ...fields,
      { name: 'file', fileName, contentType, bytes, read: () => file.read() },
    ]);
    const headers = { 'content-type': form.contentType };
    const { body } = await exchange.send({ path: '/v1/speech-to-text', headers, body: form.body });
    return decodeTranscript(body);
  },
  decodeError,
};

function decodeTranscript(body: Buffer): TranscriptionAnswer {
  const answer = parseUpstream(body);
  if (typeof answer['text'] !== 'string') throw new GatewayError('upstream_malformed');
  const list: unknown[] = Array.isArray(answer['words']) ? answer['words'] : [];
  const words = list
    .filter(isObject)
    // Spaces and noises are listed among the words.
    .filter(({ type }) => type === undefined || type === 'word')
    .map(({ text, start, end }): TranscriptWord => ({
      word: typeof text === 'string' ? text : '',
      start: typeof start === 'number' ? start : 0,
      end: typeof end === 'number' ? end : 0,
    }));
  const language = answer['language_code'];
  return {
    text: answer['text'],
    language: typeof language === 'string' ? language : null,
    duration: null,
    words,
    segments: segmentsOf(words),
    usage: null,
  };
}

/** `{detail: {status, message}}`, `{detail: "…"}` or FastAPI's list. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  let detail: unknown = isObject(parsed) ? parsed['detail'] : null;
  let param: string | null = null;
  if (Array.isArray(detail)) {
    const first: unknown = detail[0];
    detail = isObject(first) ? { message: first['msg'] } : null;
    const path: unknown = isObject(first) ? first['loc'] : null;
    if (Array.isArray(path)) param = String(path.at(-1));
  }
  const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 1000) : null);
  if (!isObject(detail)) return { status, code: null, message: text(detail), param };
  return { status, code: text(detail['status'] ?? detail['code']), message: text(detail['message']), param };
}

export const elevenlabs: Provider = {
  id: 'elevenlabs',
  name: 'ElevenLabs',
  keyNames: ['ELEVENLABS_API_KEY'],
  baseUrlNames: ['ELEVENLABS_BASE_URL'],
  baseUrl: 'https://api.elevenlabs.io',
  auth: { header: 'xi-api-key' },
  speech,
  transcription,
  proof: {
    speech: { sdk: '@elevenlabs/elevenlabs-js 2.73.0', covers: ['requests', 'formats', 'sound'] },
    transcription: { sdk: '@elevenlabs/elevenlabs-js 2.73.0', covers: ['requests', 'answers with words'] },
  },
};
