/** Text to speech of vendors that speak OpenAI's wire, one row of differences each. */
import type { JsonObject } from '../../contract/chat.ts';
import type { AudioFormat, SpeechRequest } from '../../contract/media.ts';
import { audioFormats } from '../../contract/media.ts';
import { audioTypes, one, requireFormat, requireSound, requireSpeed } from '../audio-types.ts';
import type { CallTarget, SpeechCodec } from '../provider.ts';
import { decodeError } from './errors.ts';
import { malformed, parseObject } from './shape.ts';

interface SpeechQuirks {
  readonly formats: readonly AudioFormat[];
  readonly speed: readonly [number, number];
  /** The voice of a call that names none; null: the vendor chooses. */
  readonly voice: string | null;
  /** Takes `instructions`; others ignore or refuse them, so they are not sent. */
  readonly instructions: boolean;
  readonly voiceField?: 'voice_id';
  /** What it calls a format, where that is not OpenAI's word, with what makes the sound the same. */
  readonly names?: Partial<Record<AudioFormat, JsonObject>>;
  /** Answers JSON with base64 in `audio_data`. */
  readonly inJson?: boolean;
  readonly apiVersion?: boolean;
}

const plain: SpeechQuirks = { formats: audioFormats, speed: [0.25, 4], voice: 'alloy', instructions: true };
const own: SpeechQuirks = { ...plain, voice: null };

const rows: Readonly<Record<string, SpeechQuirks>> = {
  openai: plain,
  azure: { ...plain, apiVersion: true },
  groq: {
    formats: ['wav', 'mp3', 'flac', 'opus'],
    speed: [0.5, 5],
    voice: 'troy',
    instructions: false,
    names: { opus: { response_format: 'ogg' } },
  },
  mistral: {
    formats: ['mp3', 'wav', 'pcm', 'flac', 'opus'],
    speed: [1, 1],
    voice: null,
    instructions: false,
    voiceField: 'voice_id',
    inJson: true,
  },
  together: {
    formats: ['mp3', 'wav', 'pcm'],
    speed: [1, 1],
    voice: 'tara',
    instructions: false,
    // As raw PCM of OpenAI: 24 kHz, 16 bit, mono.
    names: { pcm: { response_format: 'raw', response_encoding: 'pcm_s16le', sample_rate: 24_000 } },
  },
  deepinfra: {
    formats: ['mp3', 'opus', 'flac', 'wav', 'pcm'],
    speed: [0.25, 4],
    voice: null,
    instructions: false,
  },
  vllm: own,
  speaches: { ...own, instructions: false },
  'openai-compatible': own,
};

export function speechCodecOf(vendor: string): SpeechCodec | undefined {
  const quirks = rows[vendor];
  return quirks === undefined ? undefined : codec(quirks);
}

function encode(request: SpeechRequest, target: CallTarget, quirks: SpeechQuirks): string {
  const body: JsonObject = { ...request.params, model: target.model, input: request.input };
  const voice = request.voice ?? quirks.voice;
  if (voice !== null) body[quirks.voiceField ?? 'voice'] = voice;
  if (request.instructions !== null && quirks.instructions) body['instructions'] = request.instructions;
  Object.assign(body, quirks.names?.[request.format] ?? { response_format: request.format });
  if (request.speed !== 1) body['speed'] = request.speed;
  if (quirks.inJson === true) body['stream'] = false;
  return JSON.stringify(body);
}

function codec(quirks: SpeechQuirks): SpeechCodec {
  return {
    async run(request, target, exchange) {
      requireFormat(request.format, quirks.formats);
      requireSpeed(request.speed, ...quirks.speed);
      const version = quirks.apiVersion === true ? target.options['api_version'] : undefined;
      const path =
        version === undefined ? '/audio/speech' : `/audio/speech?api-version=${encodeURIComponent(version)}`;
      const body = encode(request, target, quirks);
      const contentType = audioTypes[request.format];
      if (quirks.inJson === true) {
        const answer = await exchange.send({ path, body });
        const data = parseObject(answer.body.toString('utf8'))['audio_data'];
        if (typeof data !== 'string' || data === '') throw malformed('no audio_data');
        return { contentType, audio: one(Buffer.from(data, 'base64')), usage: () => null };
      }
      const answer = await exchange.stream({ path, body });
      requireSound(answer);
      return { contentType, audio: answer.body, usage: () => null };
    },
    decodeError,
  };
}
