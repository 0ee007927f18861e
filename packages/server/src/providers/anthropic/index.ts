/** Anthropic's Messages API. */
import { completionFrom } from '../prompt-as-chat.ts';
import type { ChatCodec, Provider } from '../provider.ts';
import { decodeAnswer } from './answer.ts';
import { decodeError } from './errors.ts';
import { encodeRequest } from './request.ts';
import { createStreamDecoder } from './stream.ts';

const chat: ChatCodec = {
  wire: 'anthropic-messages',
  encodeRequest,
  decodeAnswer: (body) => decodeAnswer(body),
  createStreamDecoder: () => createStreamDecoder(),
  decodeError,
};

export const anthropic: Provider = {
  id: 'anthropic',
  name: 'Anthropic',
  keyNames: ['ANTHROPIC_API_KEY'],
  baseUrlNames: ['ANTHROPIC_BASE_URL'],
  // Without /v1, as the vendor's SDKs read ANTHROPIC_BASE_URL.
  baseUrl: 'https://api.anthropic.com',
  auth: { header: 'x-api-key' },
  // The newer 2026-10-21 refuses temperature, top_p and top_k from every model; answers are alike.
  headers: { 'anthropic-version': '2023-06-01' },
  chat,
  completion: completionFrom(chat, 'Anthropic'),
  proof: {
    chat: {
      sdk: '@anthropic-ai/sdk 1.12.0',
      covers: [
        'request path, headers and body',
        'messages, system, images, documents, tools, tool results, thinking, structured output, cache control',
        'answers and streams: text, tools, thinking, refusal, usage',
        'errors by status and inside a stream',
      ],
    },
  },
};
