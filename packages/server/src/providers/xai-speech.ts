/** Speech of xAI: one voice model without a name, a codec in an object of its own. */
import type { JsonObject } from '../contract/chat.ts';
import type { AudioFormat } from '../contract/media.ts';
import { audioTypes, requireFormat, requireSound, requireSpeed } from './audio-types.ts';
import { decodeError } from './openai-compatible/errors.ts';
import type { SpeechCodec } from './provider.ts';

const formats: readonly AudioFormat[] = ['mp3', 'wav', 'pcm'];
/** As raw PCM of OpenAI. */
const sampleRate = 24_000;

export const xaiSpeech: SpeechCodec = {
  async run(request, _, exchange) {
    requireFormat(request.format, formats);
    requireSpeed(request.speed, 0.7, 1.5);
    const { language = 'auto', ...params } = request.params;
    const body: JsonObject = {
      ...params,
      text: request.input,
      voice_id: request.voice ?? 'eve',
      language,
      output_format:
        request.format === 'mp3' ? { codec: 'mp3' } : { codec: request.format, sample_rate: sampleRate },
      ...(request.speed === 1 ? {} : { speed: request.speed }),
    };
    const answer = await exchange.stream({ path: '/tts', body: JSON.stringify(body) });
    requireSound(answer);
    return { contentType: audioTypes[request.format], audio: answer.body, usage: () => null };
  },
  decodeError,
};
