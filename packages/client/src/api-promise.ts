/** The promise of a call: of its data, and on request of the HTTP answer. */

/** A successful answer that nobody has read yet. */
export interface Reply {
  readonly response: Response;
  /** Aborts what is still coming. */
  readonly controller: AbortController;
  /** Lets go of the caller's signal. */
  readonly release: () => void;
  /** The body; null where it is still coming. */
  readonly text: string | null;
}

export interface WithResponse<T> {
  readonly data: T;
  readonly response: Response;
  /** `X-Request-ID` */
  readonly requestId: string | null;
}

/**
 * Resolves to the data of the answer.
 *
 * @example
 * const { data, response, requestId } = await client.embeddings.create({ text: 'hello' }).withResponse();
 */
export class APIPromise<T> extends Promise<T> {
  readonly #reply: Promise<Reply>;
  readonly #parse: (reply: Reply) => Promise<T>;
  #parsed: Promise<T> | undefined;

  constructor(reply: Promise<Reply>, parse: (reply: Reply) => Promise<T>) {
    // Never read: `then` below answers.
    super((resolve) => resolve(undefined as T));
    this.#reply = reply;
    this.#parse = parse;
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * The HTTP answer itself; its body is yours to read.
   *
   * @example
   * const response = await client.chat(messages, { stream: true }).asResponse();
   */
  async asResponse(): Promise<Response> {
    return (await this.#reply).response;
  }

  /**
   * The data together with the HTTP answer and the request id.
   *
   * @example
   * const { data, requestId } = await client.chat(messages).withResponse();
   */
  async withResponse(): Promise<WithResponse<T>> {
    const [data, { response }] = await Promise.all([this.#data(), this.#reply]);
    return { data, response, requestId: response.headers.get('x-request-id') };
  }

  /**
   * The same call, its data changed.
   *
   * @example
   * const text = client.chat(messages).map(({ data }) => data);
   */
  map<U>(change: (data: T, reply: Reply) => U | Promise<U>): APIPromise<U> {
    return new APIPromise(this.#reply, async (reply) => change(await this.#parse(reply), reply));
  }

  #data(): Promise<T> {
    return (this.#parsed ??= this.#reply.then(this.#parse));
  }

  // A promise whose work is done when somebody asks.
  // oxlint-disable-next-line unicorn/no-thenable
  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#data().then(fulfilled, rejected);
  }

  override catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#data().catch(rejected);
  }

  override finally(after?: (() => void) | null): Promise<T> {
    return this.#data().finally(after);
  }
}
