/** Embeddings. */
import type { APIPromise } from '../api-promise.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { EmbeddingParams, EmbeddingResponse } from '../types/media.ts';

export class Embeddings {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Texts as vectors, in the order of the texts.
   *
   * @example
   * const { data, dimensions } = await client.embeddings.create({ text: ['A cat sleeps.', 'A kitten naps.'] });
   */
  create<const M extends string>(
    params: EmbeddingParams<M>,
    options?: RequestOptions,
  ): APIPromise<EmbeddingResponse> {
    return this.#requester.send(
      { method: 'POST', path: '/api/v1/embeddings', body: params, isModel: true },
      options,
    );
  }
}
