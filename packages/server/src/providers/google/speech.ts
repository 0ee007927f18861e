/** Speech of Gemini: the model answers raw PCM, which gets a header when a WAV file is wanted. */
import { GatewayError } from '../../contract/errors.ts';
import { audioTypes, one, requireFormat, requireSpeed, wavHeader } from '../audio-types.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { SpeechCodec } from '../provider.ts';
import { partsOf } from './answer.ts';
import { decodeError } from './errors.ts';
import { modelPath } from './model.ts';
import { decodeUsage } from './parts.ts';

const defaultVoice = 'Kore';

export const speech: SpeechCodec = {
  async run(request, target, exchange) {
    requireFormat(request.format, ['wav', 'pcm']);
    requireSpeed(request.speed, 1, 1);
    const version = target.options['api_version'] ?? 'v1beta';
    const text = request.instructions === null ? request.input : `${request.instructions}: ${request.input}`;
    const { body } = await exchange.send({
      path: `/${version}/${modelPath(target.model)}:generateContent`,
      body: JSON.stringify({
        contents: [{ parts: [{ text }], role: 'user' }],
        generationConfig: {
          responseModalities: ['AUDIO'],
          speechConfig: {
            voiceConfig: { prebuiltVoiceConfig: { voiceName: request.voice ?? defaultVoice } },
          },
        },
      }),
    });
    const answer = parseUpstream(body);
    const candidates: unknown = answer['candidates'];
    const first: unknown = Array.isArray(candidates) ? candidates[0] : null;
    const sounds = (isObject(first) ? partsOf(first) : []).map((part) => part['inlineData']).filter(isObject);
    const pcm = Buffer.concat(
      sounds.map(({ data }) => Buffer.from(typeof data === 'string' ? data : '', 'base64')),
    );
    if (pcm.length === 0) throw new GatewayError('upstream_malformed', 'The provider answered no sound.');
    const rate = Number(/rate=(\d+)/.exec(String(sounds[0]?.['mimeType']))?.[1] ?? 24_000);
    const bytes = request.format === 'wav' ? Buffer.concat([wavHeader(pcm.length, rate), pcm]) : pcm;
    const told = decodeUsage(answer['usageMetadata'], 0);
    // All that comes out is sound.
    const usage = told === null ? null : { ...told, output: 0, audioOutput: told.output + told.audioOutput };
    return { contentType: audioTypes[request.format], audio: one(bytes), usage: () => usage };
  },
  decodeError,
};
