/** Images. */
import type { APIPromise } from '../api-promise.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { ImageParams, ImageResponse } from '../types/media.ts';

export class Images {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Pictures from a prompt.
   *
   * @example
   * const { data } = await client.images.generate({ prompt: 'A fox in the snow', size: '1024x1024' });
   * console.log(data[0]?.url);
   */
  generate<const M extends string>(
    params: ImageParams<M>,
    options?: RequestOptions,
  ): APIPromise<ImageResponse> {
    return this.#requester.send(
      { method: 'POST', path: '/api/v1/images/generations', body: params, isModel: true },
      options,
    );
  }
}
