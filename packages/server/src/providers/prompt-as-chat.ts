/** Text completions for vendors that have only chat: the prompt becomes the one user message. */
import type { ChatRequest, JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import { unsupported } from './openai-messages.ts';
import type { ChatCodec } from './provider.ts';

function promptText(prompt: unknown): string {
  const only: unknown = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  if (typeof only === 'string' && only !== '') return only;
  throw badField('prompt', "Invalid value for 'prompt': this provider takes exactly one prompt, as text");
}

function asChat(request: ChatRequest, vendor: string): ChatRequest {
  const { prompt, suffix, echo, best_of: bestOf, logprobs, ...rest } = request.params;
  if (typeof suffix === 'string' && suffix !== '') throw unsupported('suffix', vendor);
  if (echo === true) throw unsupported('echo', vendor);
  if (typeof bestOf === 'number' && bestOf > 1) throw unsupported('best_of', vendor);
  if (logprobs !== undefined && logprobs !== false) throw unsupported('logprobs', vendor);
  const params: JsonObject = { ...rest, messages: [{ role: 'user', content: promptText(prompt) }] };
  return { ...request, kind: 'chat', params, raw: null };
}

/** The chat codec behind a text-completion face. Throws a 400 for what only true completions can do. */
export function completionFrom(chat: ChatCodec, vendor: string): ChatCodec {
  return {
    wire: chat.wire,
    encodeRequest: (request, target) => chat.encodeRequest(asChat(request, vendor), target),
    decodeAnswer: (body, target) => chat.decodeAnswer(body, target),
    createStreamDecoder: (target) => chat.createStreamDecoder(target),
    decodeError: (status, body) => chat.decodeError(status, body),
  };
}
