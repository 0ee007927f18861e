/** The client: its options, its resources, and the Python client's names for them. */
import type { APIPromise } from './api-promise.ts';
import { callable } from './callable.ts';
import { cleanBaseURL, variable } from './environment.ts';
import { isLogLevel, levelled } from './log.ts';
import type { ClientOptions, RequestOptions } from './options.ts';
import type { PagePromise } from './pages.ts';
import type {
  ChatCall,
  CompletionCall,
  EmbeddingsCall,
  ImagesCall,
  ModelsCall,
  VideosCall,
} from './python-names.ts';
import { Requester, type Call } from './request.ts';
import { Audio } from './resources/audio.ts';
import { Chat } from './resources/chat.ts';
import { Completions } from './resources/completions.ts';
import { Embeddings } from './resources/embeddings.ts';
import { Images } from './resources/images.ts';
import { Models } from './resources/models.ts';
import { UsageReports } from './resources/usage.ts';
import { Videos, type CancelledVideo, type VideoListParams, type WaitOptions } from './resources/videos.ts';
import { Webhooks } from './resources/webhooks.ts';
import type { Model, TrendingModel, TrendingParams, UsageParams, UsageReport } from './types/account.ts';
import type {
  SpeechOptions,
  SpeechResponse,
  TranscriptionOptions,
  TranscriptionResponse,
  TranslationOptions,
  VideoJob,
} from './types/media.ts';
import type { Uploadable } from './uploads.ts';

function requesterOf(options: ClientOptions): Requester {
  const { apiKey = variable('INDOXHUB_API_KEY', 'INDOX_HUB_API_KEY', 'INDOX_ROUTER_API_KEY') ?? '' } =
    options;
  const wanted = options.logLevel ?? variable('INDOXHUB_LOG');
  return new Requester({
    baseURL: cleanBaseURL(options.baseURL ?? variable('INDOXHUB_BASE_URL') ?? 'http://127.0.0.1:8100'),
    apiKey: typeof apiKey === 'function' ? apiKey : () => apiKey,
    byokApiKey: options.byokApiKey,
    timeout: options.timeout ?? 600_000,
    maxRetries: options.maxRetries ?? 2,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    fetchOptions: options.fetchOptions ?? {},
    headers: options.defaultHeaders ?? {},
    query: options.defaultQuery ?? {},
    logger: levelled(options.logger ?? console, isLogLevel(wanted) ? wanted : 'warn'),
  });
}

/**
 * A client of one gateway.
 *
 * @example
 * const client = new IndoxHub({ apiKey: 'indox-…', baseURL: 'http://127.0.0.1:8100' });
 * const answer = await client.chat.completions.create({ messages: [{ role: 'user', content: 'Hello!' }] });
 */
export class IndoxHub {
  /** Chat: `chat.completions.create(…)`, or `chat(messages, …)`. */
  readonly chat: ChatCall & Chat;
  readonly completions: Completions;
  /** `embeddings.create(…)`, or `embeddings(text, …)`. */
  readonly embeddings: EmbeddingsCall & Embeddings;
  /** `images.generate(…)`, or `images(prompt, …)`. */
  readonly images: ImagesCall & Images;
  /** `videos.create(…)`, or `videos(prompt, …)`. */
  readonly videos: VideosCall & Videos;
  readonly audio: Audio;
  /** `models.list()`, or `models()`. */
  readonly models: ModelsCall & Models;
  readonly usage: UsageReports;
  readonly webhooks: Webhooks;
  readonly #options: ClientOptions;
  readonly #requester: Requester;

  constructor(apiKey: string, options?: ClientOptions);
  constructor(options?: ClientOptions);
  constructor(first: string | ClientOptions = {}, more: ClientOptions = {}) {
    this.#options = typeof first === 'string' ? { ...more, apiKey: first } : first;
    const requester = requesterOf(this.#options);
    this.#requester = requester;
    const chat = new Chat(requester);
    const embeddings = new Embeddings(requester);
    const images = new Images(requester);
    const videos = new Videos(requester);
    const models = new Models(requester);
    this.chat = callable(
      ((messages, params, options) => chat.completions.create({ ...params, messages }, options)) as ChatCall,
      chat,
    );
    this.embeddings = callable<EmbeddingsCall, Embeddings>(
      (text, params, options) => embeddings.create({ ...params, text }, options),
      embeddings,
    );
    this.images = callable<ImagesCall, Images>(
      (prompt, params, options) => images.generate({ ...params, prompt }, options),
      images,
    );
    this.videos = callable<VideosCall, Videos>(
      (prompt, params, options) => videos.create({ ...params, prompt }, options),
      videos,
    );
    this.models = callable(
      ((provider?: string) =>
        provider === undefined ? models.list() : models.provider(provider)) as ModelsCall,
      models,
    );
    this.completions = new Completions(requester);
    this.audio = new Audio(requester);
    this.usage = new UsageReports(requester);
    this.webhooks = new Webhooks(requester);
  }

  /** Where the gateway answers, without `/api/v1`. */
  get baseURL(): string {
    return this.#requester.settings.baseURL;
  }

  /**
   * A client that differs in some options.
   *
   * @example
   * const patient = client.withOptions({ maxRetries: 5, timeout: 1_200_000 });
   */
  withOptions(options: ClientOptions): IndoxHub {
    return new IndoxHub({ ...this.#options, ...options });
  }

  /**
   * Calls a path this client has no method for.
   *
   * @example
   * const me = await client.request<{ credits: number | null }>({ method: 'GET', path: '/api/v1/user/me' });
   */
  request<T>(
    call: Pick<Call, 'method' | 'path' | 'body' | 'query'>,
    options?: RequestOptions,
  ): APIPromise<T> {
    return this.#requester.send<T>(call, options);
  }

  /**
   * Is the gateway there? Needs no key.
   *
   * @example
   * const { status } = await client.testConnection();
   */
  testConnection(options?: RequestOptions): APIPromise<{ status: string; [more: string]: unknown }> {
    return this.#requester.send({ method: 'GET', path: '/', isOpen: true }, options);
  }

  /**
   * The same as `completions.create`.
   *
   * @example
   * const { data } = await client.completion('Once upon a time', { max_tokens: 20 });
   */
  get completion(): CompletionCall {
    return ((prompt, params, options) =>
      this.completions.create({ ...params, prompt }, options)) as CompletionCall;
  }

  /**
   * The same as `completions.stopStream`.
   *
   * @example
   * await client.stopCompletionStream(stream.id);
   */
  stopCompletionStream(id: string, options?: RequestOptions): APIPromise<{ success: boolean }> {
    return this.completions.stopStream(id, options);
  }

  /**
   * The same as `chat.stopStream`.
   *
   * @example
   * await client.stopChatStream(stream.id);
   */
  stopChatStream(id: string, options?: RequestOptions): APIPromise<{ success: boolean }> {
    return this.chat.stopStream(id, options);
  }

  /**
   * The same as `videos.retrieve`.
   *
   * @example
   * const { status } = await client.getVideoJobStatus(id);
   */
  getVideoJobStatus(id: string, options?: RequestOptions): APIPromise<VideoJob> {
    return this.videos.retrieve(id, options);
  }

  /**
   * The same as `videos.list`.
   *
   * @example
   * const { data, total } = await client.listVideoJobs({ limit: 5 });
   */
  listVideoJobs(query?: VideoListParams, options?: RequestOptions): PagePromise<VideoJob> {
    return this.videos.list(query, options);
  }

  /**
   * The same as `videos.cancel`.
   *
   * @example
   * await client.cancelVideoJob(id);
   */
  cancelVideoJob(id: string, options?: RequestOptions): APIPromise<CancelledVideo> {
    return this.videos.cancel(id, options);
  }

  /**
   * The same as `videos.wait`.
   *
   * @example
   * const job = await client.waitForVideoJob(id, { maxWait: 600_000 });
   */
  waitForVideoJob(id: string, options?: WaitOptions): Promise<VideoJob> {
    return this.videos.wait(id, options);
  }

  /**
   * The same as `audio.speech.create`.
   *
   * @example
   * const { data } = await client.textToSpeech('Hello there.', { voice: 'nova' });
   */
  textToSpeech<const M extends string>(
    input: string,
    params?: SpeechOptions<M>,
    options?: RequestOptions,
  ): APIPromise<SpeechResponse> {
    return this.audio.speech.create<M>({ ...(params as SpeechOptions<M>), input }, options);
  }

  /**
   * The same as `audio.transcriptions.create`.
   *
   * @example
   * const { text } = await client.speechToText(fs.createReadStream('speech.mp3'));
   */
  speechToText<const M extends string>(
    file: Uploadable,
    params?: TranscriptionOptions<M>,
    options?: RequestOptions,
  ): APIPromise<TranscriptionResponse> {
    return this.audio.transcriptions.create<M>({ ...(params as TranscriptionOptions<M>), file }, options);
  }

  /**
   * The same as `audio.translations.create`.
   *
   * @example
   * const { text } = await client.translateAudio(fs.createReadStream('rede.mp3'));
   */
  translateAudio<const M extends string>(
    file: Uploadable,
    params?: TranslationOptions<M>,
    options?: RequestOptions,
  ): APIPromise<TranscriptionResponse> {
    return this.audio.translations.create<M>({ ...(params as TranslationOptions<M>), file }, options);
  }

  /**
   * The same as `models.retrieve`.
   *
   * @example
   * const model = await client.getModelInfo('openai', 'gpt-4o-mini');
   */
  getModelInfo(provider: string, model: string, options?: RequestOptions): APIPromise<Model> {
    return this.models.retrieve(`${provider}/${model}`, options);
  }

  /**
   * The same as `models.trending`.
   *
   * @example
   * const models = await client.trendingModels({ days: 7 });
   */
  trendingModels(query?: TrendingParams, options?: RequestOptions): APIPromise<TrendingModel[]> {
    return this.models.trending(query, options);
  }

  /**
   * The same as `usage.retrieve`.
   *
   * @example
   * const { total_cost } = await client.getUsage();
   */
  getUsage(query?: UsageParams, options?: RequestOptions): APIPromise<UsageReport> {
    return this.usage.retrieve(query, options);
  }
}
