/** Lists that come page by page. */
import type { APIPromise, WithResponse } from './api-promise.ts';

/** One page; iterating it goes on through all later pages. */
export class Page<T> implements AsyncIterable<T> {
  readonly data: readonly T[];
  readonly total: number;
  readonly limit: number;
  readonly skip: number;
  readonly #fetch: (skip: number) => PagePromise<T>;

  constructor(
    page: Pick<Page<T>, 'data' | 'total' | 'limit' | 'skip'>,
    fetch: (skip: number) => PagePromise<T>,
  ) {
    this.data = page.data;
    this.total = page.total;
    this.limit = page.limit;
    this.skip = page.skip;
    this.#fetch = fetch;
  }

  /**
   * Is there more?
   *
   * @example
   * while (page.hasNextPage()) page = await page.getNextPage();
   */
  hasNextPage(): boolean {
    return this.data.length > 0 && this.skip + this.data.length < this.total;
  }

  /**
   * The page after this one. A RangeError behind the last.
   *
   * @example
   * const next = await page.getNextPage();
   */
  async getNextPage(): Promise<Page<T>> {
    if (!this.hasNextPage()) throw new RangeError('This is the last page');
    return this.#fetch(this.skip + this.data.length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    yield* itemsFrom(this);
  }
}

async function* itemsFrom<T>(first: Page<T>): AsyncGenerator<T, void> {
  for (let page = first; ; page = await page.getNextPage()) {
    yield* page.data;
    if (!page.hasNextPage()) return;
  }
}

/** Awaited, the first page; iterated, every item of every page. */
export class PagePromise<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #first: APIPromise<Page<T>>;

  constructor(first: APIPromise<Page<T>>) {
    this.#first = first;
  }

  // oxlint-disable-next-line unicorn/no-thenable
  then<A = Page<T>, B = never>(
    fulfilled?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#first.then(fulfilled, rejected);
  }

  /**
   * The first page together with the HTTP answer and the request id.
   *
   * @example
   * const { data: page, requestId } = await client.videos.list().withResponse();
   */
  withResponse(): Promise<WithResponse<Page<T>>> {
    return this.#first.withResponse();
  }

  /**
   * The HTTP answer of the first page.
   *
   * @example
   * const response = await client.videos.list().asResponse();
   */
  asResponse(): Promise<Response> {
    return this.#first.asResponse();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    yield* await this.#first;
  }
}
