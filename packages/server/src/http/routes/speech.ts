/** Text to speech on both surfaces. */
import { endpoints } from '../../contract/endpoints.ts';
import type { Gateway } from '../../core/gateway.ts';
import { storeSpeech, streamSpeech } from '../../core/speech.ts';
import { decodeNativeSpeech, encodeNativeSpeech } from '../../dialects/native/speech.ts';
import { decodeOpenaiSpeech } from '../../dialects/openai/speech.ts';
import { readBody } from '../body.ts';
import type { Door } from '../door.ts';

export function speechDoors(gateway: Gateway): Door[] {
  const bytes = (endpoint: Door['endpoint']): Door => ({
    endpoint,
    kind: 'tts',
    async serve(call, incoming) {
      const body = await readBody(incoming, gateway.settings.maxBodyBytes);
      return streamSpeech(gateway, call, decodeOpenaiSpeech(body), body);
    },
  });
  const native: Door = {
    endpoint: endpoints.speech,
    kind: 'tts',
    async serve(call, incoming) {
      const body = await readBody(incoming, gateway.settings.maxBodyBytes);
      const request = decodeNativeSpeech(body);
      return storeSpeech(gateway, call, request, body, (spoken, facts) =>
        encodeNativeSpeech(spoken, request, facts),
      );
    },
  };
  return [native, bytes(endpoints.openaiSpeech), bytes(endpoints.rootSpeech)];
}
