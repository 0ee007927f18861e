/** Text to speech, speech to text, translation. */
import type { APIPromise } from '../api-promise.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type {
  SpeechParams,
  SpeechResponse,
  TranscriptionParams,
  TranscriptionResponse,
  TranslationParams,
} from '../types/media.ts';

export class Speech {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Speaks a text. The answer has a link to the sound, and the cost.
   *
   * @example
   * const { data } = await client.audio.speech.create({ input: 'Hello there.', voice: 'nova' });
   * console.log(data.audio_url);
   */
  create<const M extends string>(
    params: SpeechParams<M>,
    options?: RequestOptions,
  ): APIPromise<SpeechResponse> {
    return this.#requester.send(
      { method: 'POST', path: '/api/v1/audio/tts/generations', body: params, isModel: true },
      options,
    );
  }

  /**
   * Speaks a text and answers the sound itself, as it comes.
   *
   * @example
   * const sound = await client.audio.speech.bytes({ input: 'Hello there.' });
   * await fs.promises.writeFile('hello.mp3', Buffer.from(await sound.arrayBuffer()));
   */
  bytes<const M extends string>(params: SpeechParams<M>, options?: RequestOptions): APIPromise<Response> {
    return this.#requester.send(
      {
        method: 'POST',
        path: '/v1/audio/speech',
        body: params,
        isModel: true,
        isStream: true,
        headers: { accept: '*/*' },
      },
      options,
      async ({ response }) => response,
    );
  }
}

/** How forms are sent: transcriptions and translations differ in their path only. */
const listen = (requester: Requester, what: string, form: object, options?: RequestOptions) =>
  requester.send<TranscriptionResponse>(
    { method: 'POST', path: `/api/v1/audio/stt/${what}`, form, isModel: true },
    options,
  );

export class Transcriptions {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * What is said.
   *
   * @example
   * const { text } = await client.audio.transcriptions.create({ file: fs.createReadStream('speech.mp3') });
   */
  create<const M extends string>(
    params: TranscriptionParams<M>,
    options?: RequestOptions,
  ): APIPromise<TranscriptionResponse> {
    return listen(this.#requester, 'transcriptions', params, options);
  }
}

export class Translations {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * What is said, in English.
   *
   * @example
   * const { text } = await client.audio.translations.create({ file: fs.createReadStream('rede.mp3') });
   */
  create<const M extends string>(
    params: TranslationParams<M>,
    options?: RequestOptions,
  ): APIPromise<TranscriptionResponse> {
    return listen(this.#requester, 'translations', params, options);
  }
}

export class Audio {
  readonly speech: Speech;
  readonly transcriptions: Transcriptions;
  readonly translations: Translations;

  constructor(requester: Requester) {
    this.speech = new Speech(requester);
    this.transcriptions = new Transcriptions(requester);
    this.translations = new Translations(requester);
  }
}
