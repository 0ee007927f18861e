/**
 * One streamed answer on its way from the vendor's bytes to the caller's: relayed when both speak the same wire, else
 * through canonical events. Either way it knows what settles the call.
 */
import type { CallIdentity } from '../contract/answer.ts';
import type { ChatEvent, ChatRequest, FinishReason } from '../contract/chat.ts';
import type { TokenUsage } from '../contract/usage.ts';
import { inputTokens } from '../contract/usage.ts';
import type { ChatDialect, StreamEncoder } from '../dialects/dialect.ts';
import type {
  CallTarget,
  ChatCodec,
  RelayFacts,
  StreamDecoder,
  StreamRelay,
  UpstreamFailure,
} from '../providers/provider.ts';

export interface Translation {
  readonly facts: Readonly<RelayFacts>;
  /** Writes what the vendor did not: the terminal, and everything a broken stream needs. */
  readonly encoder: StreamEncoder;
  /** The provider's frames already said how each choice finished. */
  readonly relayed: boolean;
  /** Input tokens the vendor told at the start; 0 when it did not. */
  readonly inputTokens: number;
  /** What the caller gets of this chunk; '' for nothing yet. Throws `upstream_malformed`. */
  feed(chunk: Buffer): string | Buffer;
  /** The vendor's stream is over: what was held back. */
  end(): string | Buffer;
}

class Relayed implements Translation {
  readonly encoder: StreamEncoder;
  readonly relayed = true;
  readonly inputTokens = 0;
  private readonly relay: StreamRelay;

  constructor(relay: StreamRelay, encoder: StreamEncoder) {
    this.relay = relay;
    this.encoder = encoder;
  }

  get facts(): RelayFacts {
    return this.relay.facts;
  }

  feed(chunk: Buffer): Buffer | string {
    return this.relay.push(chunk) ?? '';
  }

  end(): Buffer | string {
    return this.relay.end() ?? '';
  }
}

const failureOf = (event: Extract<ChatEvent, { type: 'error' }>): UpstreamFailure => ({
  status: event.status ?? 502,
  code: event.code,
  message: event.message,
  param: null,
});

class Translated implements Translation {
  readonly encoder: StreamEncoder;
  readonly relayed = false;
  readonly facts: {
    usage: TokenUsage | null;
    finishReason: FinishReason | null;
    ended: boolean;
    failure: UpstreamFailure | null;
    deliveredChars: number;
  } = { usage: null, finishReason: null, ended: false, failure: null, deliveredChars: 0 };
  private readonly decoder: StreamDecoder;
  private readonly events: ChatEvent[] = [];
  inputTokens = 0;
  private started = false;

  constructor(decoder: StreamDecoder, encoder: StreamEncoder) {
    this.decoder = decoder;
    this.encoder = encoder;
  }

  feed(chunk: Buffer): string {
    this.decoder.push(chunk, this.events);
    return this.decoder.ended ? this.end() : this.encode();
  }

  end(): string {
    if (!this.facts.ended)
      this.facts.ended = this.decoder.end(this.events) || this.facts.finishReason !== null;
    return this.encode();
  }

  private encode(): string {
    let frames = '';
    for (const event of this.events) {
      if (event.type === 'usage') this.facts.usage = event.usage;
      if (event.type === 'usage') this.inputTokens = inputTokens(event.usage);
      else if (event.type === 'start') this.inputTokens = event.inputTokens;
      else if (event.type === 'finish') this.facts.finishReason = event.reason;
      else if (event.type === 'error') {
        this.facts.failure = failureOf(event);
        break;
      } else if (event.type === 'tool')
        this.facts.deliveredChars += event.arguments.length + (event.name?.length ?? 0);
      else if (event.type !== 'image') this.facts.deliveredChars += event.text.length;
      const text = this.encoder.event(event);
      if (text === '') continue;
      if (!this.started) frames += this.start();
      frames += text;
    }
    this.events.length = 0;
    return frames;
  }

  private start(): string {
    this.started = true;
    return this.encoder.start(this.inputTokens);
  }
}

export function createTranslation(
  codec: ChatCodec,
  target: CallTarget,
  dialect: ChatDialect,
  identity: CallIdentity,
  request: ChatRequest,
): Translation {
  const encoder = dialect.createEncoder(identity, request);
  // The usage chunk is written by the gateway after settling, with the cost in it.
  if (codec.wire === dialect.wire && codec.relay !== undefined)
    return new Relayed(codec.relay.createStream(target, false), encoder);
  return new Translated(codec.createStreamDecoder(target), encoder);
}
