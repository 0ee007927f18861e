/** Chat. */
import type { APIPromise } from '../api-promise.ts';
import type { ChatStream } from '../chat-stream.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { ChatCompletion, ChatParams } from '../types/chat.ts';
import { sendText } from './completions.ts';

export class ChatCompletions {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Answers a conversation. With `stream: true` it resolves to a stream once the first byte is there.
   *
   * @example
   * const answer = await client.chat.completions.create({
   *   model: 'openai/gpt-4o-mini',
   *   messages: [{ role: 'user', content: 'Hello!' }],
   * });
   * console.log(answer.data, answer.usage.cost);
   *
   * @example
   * const stream = await client.chat.completions.create({ messages, stream: true });
   * for await (const text of stream.textStream) process.stdout.write(text);
   */
  create<const M extends string>(
    params: ChatParams<M> & { stream: true },
    options?: RequestOptions,
  ): APIPromise<ChatStream>;
  create<const M extends string>(
    params: ChatParams<M> & { stream?: false | null },
    options?: RequestOptions,
  ): APIPromise<ChatCompletion>;
  create<const M extends string>(
    params: ChatParams<M>,
    options?: RequestOptions,
  ): APIPromise<ChatCompletion | ChatStream>;
  create(params: ChatParams, options?: RequestOptions): APIPromise<ChatCompletion | ChatStream> {
    return sendText<ChatCompletion>(this.#requester, '/api/v1/chat/completions', params, options);
  }
}

export class Chat {
  readonly completions: ChatCompletions;
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.completions = new ChatCompletions(requester);
  }

  /**
   * Stops a running stream of the account; the same as `completions.stopStream`.
   *
   * @example
   * const { success } = await client.chat.stopStream(stream.id);
   */
  stopStream(id: string, options?: RequestOptions): APIPromise<{ success: boolean }> {
    const path = `/api/v1/chat/stop-stream/${encodeURIComponent(id)}`;
    return this.#requester.send({ method: 'POST', path }, options);
  }
}
