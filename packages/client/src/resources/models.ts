/** Models of the gateway. */
import type { APIPromise } from '../api-promise.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { Model, Provider, TrendingModel, TrendingParams } from '../types/account.ts';

const inPath = (id: string): string => id.split('/').map(encodeURIComponent).join('/');

export class Models {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Every provider with its models. Needs no key.
   *
   * @example
   * for (const provider of await client.models.list()) console.log(provider.id, provider.models.length);
   */
  list(options?: RequestOptions): APIPromise<Provider[]> {
    return this.#requester.send({ method: 'GET', path: '/api/v1/models', isOpen: true }, options);
  }

  /**
   * One provider with its models. Needs no key.
   *
   * @example
   * const { embeddings } = await client.models.provider('openai');
   */
  provider(id: string, options?: RequestOptions): APIPromise<Provider> {
    return this.#requester.send(
      { method: 'GET', path: `/api/v1/models/${inPath(id)}`, isOpen: true },
      options,
    );
  }

  /**
   * One model, by `provider/model`. Needs no key.
   *
   * @example
   * const { pricing, context_window } = await client.models.retrieve('openai/gpt-4o-mini');
   */
  retrieve(id: string, options?: RequestOptions): APIPromise<Model> {
    return this.#requester.send(
      { method: 'GET', path: `/api/v1/models/${inPath(id)}`, isOpen: true },
      options,
    );
  }

  /**
   * The most used models of this gateway.
   *
   * @example
   * const [first] = await client.models.trending({ days: 7, limit: 5 });
   */
  trending(query: TrendingParams = {}, options?: RequestOptions): APIPromise<TrendingModel[]> {
    return this.#requester.send({ method: 'GET', path: '/api/v1/models/trending', query }, options);
  }
}
