/** The one codec of all OpenAI-speaking vendors: what differs between them is a row of quirks. */
import type { ChatCodec } from '../provider.ts';
import { decodeAnswer } from './answer.ts';
import { decodeError } from './errors.ts';
import type { Quirks } from './quirks.ts';
import { createRelay } from './relay.ts';
import { encodeRequest } from './request.ts';
import { OpenaiStreamDecoder } from './stream.ts';

function codec(wire: 'openai-chat' | 'openai-completion', quirks: Quirks): ChatCodec {
  return {
    wire,
    encodeRequest: (request, target) => encodeRequest(request, target, quirks),
    decodeAnswer: (body, target) => decodeAnswer(body, target, quirks),
    createStreamDecoder: (target) => new OpenaiStreamDecoder(target, quirks),
    decodeError,
    ...(quirks.inlineMedia ? { inlineMedia: true } : {}),
    ...(quirks.relay ? { relay: createRelay(wire, quirks) } : {}),
  };
}

export const openaiChatCodec = (quirks: Quirks): ChatCodec => codec('openai-chat', quirks);
export const openaiCompletionCodec = (quirks: Quirks): ChatCodec => codec('openai-completion', quirks);
