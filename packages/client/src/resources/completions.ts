/** Chat and text completion share how they are sent; this is the latter, and stopping. */
import type { APIPromise } from '../api-promise.ts';
import { ChatStream } from '../chat-stream.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { Completion, CompletionParams } from '../types/chat.ts';

/** Sends a call that answers whole or, with `stream: true`, piece by piece. */
export function sendText<Whole>(
  requester: Requester,
  path: string,
  body: { stream?: boolean | null },
  options?: RequestOptions,
): APIPromise<Whole | ChatStream> {
  const call = { method: 'POST', path, body, isModel: true } as const;
  if (body.stream !== true) return requester.send<Whole>(call, options);
  return requester.send<ChatStream>(
    { ...call, isStream: true },
    options,
    async (reply) => new ChatStream(requester, reply),
  );
}

export class Completions {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Continues a text.
   *
   * @example
   * const { data, usage } = await client.completions.create({ model: 'openai/gpt-4o-mini', prompt: 'Once upon a time' });
   */
  create<const M extends string>(
    params: CompletionParams<M> & { stream: true },
    options?: RequestOptions,
  ): APIPromise<ChatStream>;
  create<const M extends string>(
    params: CompletionParams<M> & { stream?: false | null },
    options?: RequestOptions,
  ): APIPromise<Completion>;
  create<const M extends string>(
    params: CompletionParams<M>,
    options?: RequestOptions,
  ): APIPromise<Completion | ChatStream>;
  create(params: CompletionParams, options?: RequestOptions): APIPromise<Completion | ChatStream> {
    return sendText<Completion>(this.#requester, '/api/v1/completions', params, options);
  }

  /**
   * Stops a running stream of the account by its id, or by the `stream_id` it was given. `success` is false when no
   * such stream runs.
   *
   * @example
   * const { success } = await client.completions.stopStream(stream.id);
   */
  stopStream(id: string, options?: RequestOptions): APIPromise<{ success: boolean }> {
    const path = `/api/v1/completions/stop-stream/${encodeURIComponent(id)}`;
    return this.#requester.send({ method: 'POST', path }, options);
  }
}
