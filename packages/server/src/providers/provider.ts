/**
 * What a vendor is to the gateway: where it lives, how a key is presented, and four translations per capability
 * (request, answer, stream, error). Codecs are pure: they see no socket, no store and no clock.
 */
import type { ChatAnswer, ChatEvent, ChatRequest, FinishReason, Wire } from '../contract/chat.ts';
import type { CatalogueModel } from '../contract/catalogue.ts';
import type { GatewayError } from '../contract/errors.ts';
import type {
  EmbeddingAnswer,
  EmbeddingRequest,
  ImageAnswer,
  ImageRequest,
  SpeechAnswer,
  SpeechRequest,
  TranscriptionAnswer,
  TranscriptionRequest,
  VideoPlan,
  VideoRequest,
  VideoState,
} from '../contract/media.ts';
import type { TokenUsage } from '../contract/usage.ts';
import type { Finder } from './own-servers.ts';

/** Where one attempt goes. The key is added by the transport, so a codec cannot leak it. */
export interface CallTarget {
  /** Provider id as in `provider/model`. */
  readonly provider: string;
  /** The id the vendor's API takes. */
  readonly model: string;
  /** Catalogue facts, or null for a model the catalogue does not list. */
  readonly info: CatalogueModel | null;
  /** The output bound to send upstream, or null to leave it out; already no more than what the budget admits. */
  readonly maxTokens: number | null;
  /** Vendor settings from the configuration, e.g. Azure's `api_version`. */
  readonly options: Readonly<Record<string, string>>;
}

/** Of requests that need none of their own. */
export const noHeaders: EncodedRequest['headers'] = {};

export interface EncodedRequest {
  /** Appended to the provider's base URL, query included: `/chat/completions`. */
  readonly path: string;
  /** Beyond authorisation and content type. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

/** A body that is read as it is sent, as often as it must be sent. */
export interface StreamedBody {
  readonly bytes: number;
  chunks(): AsyncIterable<Buffer>;
}

/** One step of a call that may take several. The content type is JSON unless `headers` say otherwise. */
export interface MediaStep {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Another place of the vendor's (`Provider.places`), unless the operator put the provider elsewhere. */
  readonly place?: string;
  /** Appended to the provider's base URL; or a whole URL at one of the vendor's own hosts (`Provider.hosts`). */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | StreamedBody;
}

export interface UpstreamResponse {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface StreamedResponse {
  readonly headers: UpstreamResponse['headers'];
  /** Ends with a GatewayError when the vendor breaks off. */
  readonly body: AsyncIterable<Buffer>;
}

/**
 * How a media codec speaks with its vendor. Every method throws when the vendor refuses or the call is over. Once a POST
 * was answered 2xx the vendor is at work and will be paid: a later failure is the call's end, never tried again.
 */
export interface Exchange {
  /** The whole of a 2xx answer. */
  send(step: MediaStep): Promise<UpstreamResponse>;
  /** A 2xx answer as it comes. */
  stream(step: MediaStep): Promise<StreamedResponse>;
  /** The same as it comes, for what is large. */
  open(url: string): Promise<StreamedResponse>;
  /** Fetches a result the vendor points at, without the key. */
  download(url: string): Promise<{ readonly contentType: string; readonly body: Buffer }>;
  /** Aborted when the call is over early: for work inside this process. */
  readonly signal: AbortSignal;
  /** For adapters: how their own requests are sent. */
  readonly access: AdapterAccess;
  /** What `send` would have thrown for this answer: for adapters to throw. */
  refusal(status: number, headers: UpstreamResponse['headers'], body: Buffer): Error;
  /** Sleeps until the vendor may have something new. */
  wait(ms: number): Promise<void>;
}

/** One capability of a vendor: the steps from a request to its answer. Sees no socket, no store and no clock. */
export interface MediaCodec<Request, Answer> {
  /** Throws a 400 naming the field for what this vendor cannot do, and `upstream_malformed` for an answer that is none. */
  run(request: Request, target: CallTarget, exchange: Exchange): Promise<Answer>;
  decodeError(status: number, body: Buffer): UpstreamFailure;
}

/**
 * Videos take minutes: a job is submitted once, asked about, and fetched, each perhaps by another process. A submit that is
 * repeated after a crash carries the same idempotency key.
 */
export interface VideoCodec {
  /** What the request comes to. Throws a 400 naming the field for what this vendor cannot do. */
  plan(request: VideoRequest, target: CallTarget): VideoPlan;
  /** The vendor's id of the job. */
  submit(request: VideoRequest, target: CallTarget, exchange: Exchange): Promise<string>;
  poll(id: string, target: CallTarget, exchange: Exchange): Promise<VideoState>;
  /** Ends the work, where the vendor can. */
  cancel?(id: string, target: CallTarget, exchange: Exchange): Promise<void>;
  /** A finished file as it comes. */
  fetch(file: string, target: CallTarget, exchange: Exchange): Promise<StreamedResponse>;
  decodeError(status: number, body: Buffer): UpstreamFailure;
}

export interface MadeVideo {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** Videos made inside this process, under the job's lease: no submit, no polls. After a crash they are begun anew. */
export interface VideoMaker {
  /** Throws where it cannot work at all here. */
  check(): Promise<void>;
  /** As of a `VideoCodec`. */
  plan(request: VideoRequest, target: CallTarget): VideoPlan;
  /** `onProgress` is told 0 to 100. Throws soon after the signal is aborted. */
  make(
    request: VideoRequest,
    plan: VideoPlan,
    signal: AbortSignal,
    onProgress: (percent: number) => void,
  ): Promise<readonly MadeVideo[]>;
}

export type EmbeddingCodec = MediaCodec<EmbeddingRequest, EmbeddingAnswer>;
export type ImageCodec = MediaCodec<ImageRequest, ImageAnswer>;
export type SpeechCodec = MediaCodec<SpeechRequest, SpeechAnswer>;
export type TranscriptionCodec = MediaCodec<TranscriptionRequest, TranscriptionAnswer>;

/** A vendor's refusal or failure, in words the gateway can act on. Holds no secret: built from the vendor's body only. */
export interface UpstreamFailure {
  readonly status: number;
  /** The vendor's own code, e.g. `model_not_found`, or null. */
  readonly code: string | null;
  /** The vendor's sentence, or null when its body has none that can be read. */
  readonly message: string | null;
  /** The request field the vendor blames, or null. */
  readonly param: string | null;
}

/** Turns a vendor's stream into events. One per call, never shared. */
export interface StreamDecoder {
  /** Appends the events these bytes complete. Throws `upstream_malformed` on bytes that cannot be read. */
  push(chunk: Buffer, events: ChatEvent[]): void;
  /** The vendor has written its terminal: the answer is complete, whether or not the connection is closed. */
  readonly ended: boolean;
  /** The stream's end: appends what was held back. True when the vendor ended it in its own proper way. */
  end(events: ChatEvent[]): boolean;
}

export interface ChatCodec {
  /** What the vendor speaks. When the caller speaks the same, its bytes are relayed. */
  readonly wire: Wire;
  /** The vendor does not fetch image URLs: the gateway turns them into data: URLs before `encodeRequest`. */
  readonly inlineMedia?: boolean;
  /** Throws a 400 naming the field for what this vendor cannot do. */
  encodeRequest(request: ChatRequest, target: CallTarget): EncodedRequest;
  /** Throws `upstream_malformed` when the body is not an answer of this vendor. */
  decodeAnswer(body: Buffer, target: CallTarget): ChatAnswer;
  createStreamDecoder(target: CallTarget): StreamDecoder;
  decodeError(status: number, body: Buffer): UpstreamFailure;
  /** For callers of the same wire: answers and streams pass as bytes, looked at only for what settles the call. */
  readonly relay?: ChatRelay;
}

/** What a relayed answer says about itself. */
export interface RelayFacts {
  /** null when the vendor sent none. */
  usage: TokenUsage | null;
  finishReason: FinishReason | null;
  /** The vendor ended the stream in its own proper way. */
  ended: boolean;
  /** A failure the vendor reported inside its stream. */
  failure: UpstreamFailure | null;
  /** Characters of text, reasoning and tool arguments that were delivered. */
  deliveredChars: number;
}

export interface AnswerFacts extends RelayFacts {
  /** The answer's own `usage` is an object with members, and none of them is `cost`. */
  readonly plainUsage: boolean;
}

export interface StreamRelay {
  readonly facts: RelayFacts;
  /** What the caller gets of this chunk: whole events only, without the terminal, which the gateway writes after settling. */
  push(chunk: Buffer): Buffer | null;
  end(): Buffer | null;
}

export interface ChatRelay {
  /** `showUsage`: the caller asked for the usage chunk; otherwise it is taken out. */
  createStream(target: CallTarget, showUsage: boolean): StreamRelay;
  /** The whole answer's facts, without rebuilding it. Throws `upstream_malformed` when it is none. */
  inspect(body: Buffer, target: CallTarget): AnswerFacts;
}

/** Everything an upstream call tells its owner, in this order; `onError` and `onEnd` exclude each other and come once. */
export interface UpstreamHandler {
  onHeaders(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Never called after `abort`. */
  onError(error: GatewayError): void;
}

export interface UpstreamCall {
  /** Back-pressure: stops reading from the vendor. */
  pause(): void;
  resume(): void;
  /** Closes the vendor's socket at once. Idempotent; nothing is called afterwards. */
  abort(): void;
}

/** A vendor that lives inside the process and speaks its wire like any other (the sandbox). */
export type InProcessUpstream = (request: EncodedRequest, handler: UpstreamHandler) => UpstreamCall;

/** What a library that speaks with a vendor by itself is given. */
export interface AdapterAccess {
  /** It goes to where the operator put the provider, else to the first host the library names, and nowhere else. */
  readonly apiKey: string | null;
  /** null: the library's own. */
  readonly baseUrl: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Through the gateway's transport: its timeouts, no redirects, no private address that is not the provider's. */
  readonly fetch: typeof fetch;
}

/** Chat as a server of the codec's wire would do it: takes the encoded request, gives that wire's bytes. */
export type ChatAdapter = (
  request: EncodedRequest,
  access: AdapterAccess,
  handler: UpstreamHandler,
) => UpstreamCall;

/** A vendor reached through a library of its own, which the operator installs. */
export interface Adapter {
  /** The npm package; null where the option `package` names it. */
  readonly package: string | null;
  /** The version our tests run; null = none of them does. */
  readonly tested: string | null;
  readonly chat: ChatAdapter;
  /** Throws `feature_unavailable` where the package is not there or is none. */
  check(options: Readonly<Record<string, string>>): Promise<void>;
}

/** How the key travels; always in a header. */
export type AuthScheme =
  | { readonly header: 'authorization'; readonly prefix: 'Bearer ' | 'Key ' | 'Token ' | '' }
  | { readonly header: 'x-api-key' | 'api-key' | 'x-goog-api-key' | 'xi-api-key' | 'x-key' };

export interface Provider {
  /** As in `provider/model`; lower case. */
  readonly id: string;
  readonly name: string;
  /** Environment names of the key and of the base URL, first wins. */
  readonly keyNames: readonly string[];
  readonly baseUrlNames: readonly string[];
  /** Without trailing slash; null when it must be configured (Azure). */
  readonly baseUrl: string | null;
  readonly auth: AuthScheme;
  /** Works without a key (servers on loopback, the sandbox). */
  readonly keyless?: boolean;
  /** Looked for on this machine: the base URL is a loopback default. */
  readonly loopback?: boolean;
  /** Says what such a server has; absent: OpenAI's list does. */
  readonly finder?: Finder;
  readonly inProcess?: InProcessUpstream;
  readonly adapter?: Adapter;
  /** Lets go of what it holds in the process. */
  close?(): Promise<void>;
  /** Headers of every call: versions and the like. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly chat?: ChatCodec;
  readonly completion?: ChatCodec;
  readonly embedding?: EmbeddingCodec;
  readonly image?: ImageCodec;
  readonly speech?: SpeechCodec;
  readonly transcription?: TranscriptionCodec;
  readonly video?: VideoCodec;
  /** Instead of `video`. */
  readonly videoMaker?: VideoMaker;
  /** Turns speech of any language into English text by itself; otherwise a chat model translates the transcript. */
  readonly translation?: TranscriptionCodec & {
    /** Absent: every model of the vendor. */
    readonly serves?: (model: string) => boolean;
  };
  /** Other hosts of the vendor's API, subdomains included, that its key may go to: `bfl.ai`. */
  readonly hosts?: readonly string[];
  /** Base URLs of parts of the API that live elsewhere. */
  readonly places?: Readonly<Record<string, string>>;
  /** What the codec was held against; the docs' table of proof is made from this. */
  readonly proof: ProviderProof;
}

/** What a codec may be held against an SDK for. */
export const provable = [
  'chat',
  'completion',
  'embedding',
  'image',
  'speech',
  'transcription',
  'translation',
  'video',
] as const;

/** Whose requests and parser agree with the codec, name and version; and what that covers. */
export interface Held {
  readonly sdk: string;
  readonly covers: readonly string[];
}

/** Absent = untested. */
export type ProviderProof = Partial<Record<(typeof provable)[number], Held>>;
