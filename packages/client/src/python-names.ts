/** The methods as the Python client and its documentation name them: thin calls to the same code. */
import type { APIPromise } from './api-promise.ts';
import type { ChatStream } from './chat-stream.ts';
import type { RequestOptions } from './options.ts';
import type {
  ChatCompletion,
  ChatMessage,
  ChatOptions,
  Completion,
  CompletionOptions,
} from './types/chat.ts';
import type {
  EmbeddingOptions,
  EmbeddingResponse,
  ImageOptions,
  ImageResponse,
  VideoOptions,
  VideoResponse,
} from './types/media.ts';
import type { Provider } from './types/account.ts';

/**
 * The same as `chat.completions.create`.
 *
 * @example
 * const answer = await client.chat([{ role: 'user', content: 'Hello!' }], { model: 'openai/gpt-4o-mini' });
 */
export interface ChatCall {
  <const M extends string>(
    messages: ChatMessage[],
    params: ChatOptions<M> & { stream: true },
    options?: RequestOptions,
  ): APIPromise<ChatStream>;
  <const M extends string>(
    messages: ChatMessage[],
    params?: ChatOptions<M> & { stream?: false | null },
    options?: RequestOptions,
  ): APIPromise<ChatCompletion>;
}

/**
 * The same as `completions.create`.
 *
 * @example
 * const { data } = await client.completion('Once upon a time', { max_tokens: 20 });
 */
export interface CompletionCall {
  <const M extends string>(
    prompt: string,
    params: CompletionOptions<M> & { stream: true },
    options?: RequestOptions,
  ): APIPromise<ChatStream>;
  <const M extends string>(
    prompt: string,
    params?: CompletionOptions<M> & { stream?: false | null },
    options?: RequestOptions,
  ): APIPromise<Completion>;
}

/**
 * The same as `embeddings.create`.
 *
 * @example
 * const { data } = await client.embeddings(['A cat sleeps.', 'A kitten naps.']);
 */
export type EmbeddingsCall = <const M extends string>(
  text: string | string[],
  params?: EmbeddingOptions<M>,
  options?: RequestOptions,
) => APIPromise<EmbeddingResponse>;

/**
 * The same as `images.generate`.
 *
 * @example
 * const { data } = await client.images('A fox in the snow', { size: '1024x1024' });
 */
export type ImagesCall = <const M extends string>(
  prompt: string,
  params?: ImageOptions<M>,
  options?: RequestOptions,
) => APIPromise<ImageResponse>;

/**
 * The same as `videos.create`.
 *
 * @example
 * const { data } = await client.videos('A fox runs through snow', { duration: 4 });
 */
export type VideosCall = <const M extends string>(
  prompt: string,
  params?: VideoOptions<M>,
  options?: RequestOptions,
) => APIPromise<VideoResponse>;

/**
 * The same as `models.list`, or `models.provider` with a provider.
 *
 * @example
 * const providers = await client.models();
 */
export interface ModelsCall {
  (): APIPromise<Provider[]>;
  (provider: string): APIPromise<Provider>;
}
