/** What the tests of native codecs share: canonical requests, fixtures, streams fed in pieces. */
import { readFileSync, readdirSync } from 'node:fs';
import type {
  ChatEvent,
  ChatRequest,
  FinishReason,
  JsonObject,
  ReasoningSignature,
} from '../../src/contract/chat.ts';
import { GatewayError } from '../../src/contract/errors.ts';
import type { CatalogueModel } from '../../src/contract/catalogue.ts';
import type { TokenUsage } from '../../src/contract/usage.ts';
import type { CallTarget, ChatCodec, EncodedRequest, Provider } from '../../src/providers/provider.ts';
import type { RecordedRequest, Recorder } from './recorder.ts';

export const key = 'test-key-123';

export function request(params: JsonObject, over: Partial<ChatRequest> = {}): ChatRequest {
  return {
    kind: 'chat',
    model: null,
    providerField: null,
    stream: false,
    includeUsage: false,
    params,
    raw: null,
    bodyBytes: 0,
    maxTokens: null,
    choices: 1,
    byokKey: null,
    sessionId: null,
    streamAlias: null,
    maxCostNano: null,
    includeRaw: false,
    ...over,
  };
}

export function target(model: string, over: Partial<CallTarget> = {}): CallTarget {
  return { provider: 'p', model, info: null, maxTokens: 1000, options: {}, ...over };
}

export function info(facts: Partial<CatalogueModel>): CatalogueModel {
  return { id: 'm', name: 'M', capabilities: ['chat'], input: ['text'], output: ['text'], ...facts };
}

export const bodyOf = (encoded: EncodedRequest): JsonObject =>
  JSON.parse(encoded.body.toString()) as JsonObject;

/** The request as the transport would send it. */
export async function sendOurs(
  provider: Provider,
  encoded: EncodedRequest,
  recorder: Recorder,
): Promise<void> {
  const answer = await fetch(recorder.origin + encoded.path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [provider.auth.header]: key,
      ...provider.headers,
      ...encoded.headers,
    },
    body: encoded.body as string,
  });
  await answer.arrayBuffer();
}

/** What must agree between the vendor's SDK and the codec. */
export function essence(recorded: RecordedRequest | undefined, headers: readonly string[]): JsonObject {
  if (recorded === undefined) throw new Error('Nothing was sent.');
  const kept = Object.fromEntries(headers.map((name) => [name, recorded.headers[name]]));
  return {
    ...kept,
    method: recorded.method,
    path: recorded.path,
    body: JSON.parse(recorded.body) as unknown,
  };
}

export interface Fixtures {
  names(ending: string): string[];
  text(name: string): string;
}

export function fixtures(vendor: string): Fixtures {
  const folder = new URL(`../fixtures/${vendor}/`, import.meta.url);
  return {
    names: (ending) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .map((name) => name.slice(0, -ending.length))
        .toSorted(),
    text: (name) => readFileSync(new URL(name, folder), 'utf8'),
  };
}

export interface Decoded {
  readonly events: ChatEvent[];
  readonly ended: boolean;
}

export function decode(codec: ChatCodec, where: CallTarget, chunks: readonly Buffer[]): Decoded {
  const decoder = codec.createStreamDecoder(where);
  const events: ChatEvent[] = [];
  for (const chunk of chunks) decoder.push(chunk, events);
  return { events, ended: decoder.end(events) };
}

export interface Collected {
  text: string;
  reasoning: string | null;
  readonly signatures: ReasoningSignature[];
  readonly toolCalls: { id: string; name: string; arguments: string; extra?: JsonObject }[];
  readonly images: string[];
  refusal: string | null;
  finishReason: FinishReason | null;
  usage: TokenUsage | null;
}

/** A choice put together from its events, as a client would. */
export function collect(events: readonly ChatEvent[], index = 0): Collected {
  const all: Collected = {
    text: '',
    reasoning: null,
    signatures: [],
    toolCalls: [],
    images: [],
    refusal: null,
    finishReason: null,
    usage: null,
  };
  for (const event of events) {
    if (event.type === 'usage') all.usage = event.usage;
    if (!('index' in event) || event.index !== index) continue;
    if (event.type === 'text') all.text += event.text;
    if (event.type === 'reasoning') {
      if (event.text !== '') all.reasoning = (all.reasoning ?? '') + event.text;
      if (event.signature !== undefined) all.signatures.push(event.signature);
    }
    if (event.type === 'image') all.images.push(event.url);
    if (event.type === 'refusal') all.refusal = (all.refusal ?? '') + event.text;
    if (event.type === 'finish') all.finishReason = event.reason;
    if (event.type !== 'tool') continue;
    const call = (all.toolCalls[event.call] ??= { id: '', name: '', arguments: '' });
    call.id += event.id ?? '';
    call.name += event.name ?? '';
    call.arguments += event.arguments;
    if (event.extra !== undefined) call.extra = event.extra;
  }
  return all;
}

/** The 400 that `work` throws, as `param: message`. */
export function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError && error.status === 400) return `${error.param}: ${error.message}`;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

/** The gateway code that `work` throws. */
export function failureCode(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  throw new Error('Nothing failed.');
}

/** Two pieces, cut at every byte in turn. */
export function* everyCut(text: string): Generator<Buffer[]> {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}
