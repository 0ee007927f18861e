/**
 * One attempt at a stream: silent until the vendor delivers something the caller will see. Until then it can fail and
 * another attempt may follow; from then on it belongs to the stream.
 */
import { GatewayError } from '../contract/errors.ts';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { failureOf, maxErrorBytes, type Prepared } from './attempt.ts';
import type { Outcome } from './retry.ts';
import type { Plan } from './call-types.ts';
import { classify, classifyError, type Classified } from './failures.ts';
import type { Translation } from './translation.ts';

/** After its terminal a vendor gets this long to end the answer itself, so that its connection serves the next call. */
const lingerMs = 1_000;

/** The stream, as its attempt sees it. */
export interface StreamConsumer {
  /** The vendor acknowledged the call, nothing of it was shown yet. */
  opened(attempt: StreamAttempt): void;
  output(bytes: string | Buffer): void;
  /** The vendor closed; whether in its own proper way, the translation's facts say. */
  ended(): void;
  broken(error: GatewayError): void;
}

export class StreamAttempt implements UpstreamHandler {
  readonly translation: Translation;
  readonly prepared: Prepared;
  private readonly plan: Plan;
  private readonly consumer: StreamConsumer;
  private readonly resolve: (outcome: Outcome<StreamAttempt>) => void;
  private readonly call: UpstreamCall;
  private state: 'waiting' | 'error_body' | 'open' | 'over' = 'waiting';
  private lingering: NodeJS.Timeout | null = null;
  private status = 0;
  private headers: Readonly<Record<string, string | string[] | undefined>> = {};
  private errorBody: Buffer[] = [];
  private errorBytes = 0;

  constructor(
    plan: Plan,
    prepared: Prepared,
    translation: Translation,
    consumer: StreamConsumer,
    resolve: (outcome: Outcome<StreamAttempt>) => void,
  ) {
    this.plan = plan;
    this.prepared = prepared;
    this.translation = translation;
    this.consumer = consumer;
    this.resolve = resolve;
    this.call = prepared.send(this);
  }

  pause(): void {
    this.call.pause();
  }

  resume(): void {
    this.call.resume();
  }

  /** Closes the vendor's socket; an attempt still waiting counts as failed. */
  abort(): void {
    const before = this.state;
    this.state = 'over';
    if (this.lingering !== null) return;
    this.call.abort();
    if (before === 'waiting' || before === 'error_body')
      this.fail(classifyError(new GatewayError('upstream_error', 'The call was cancelled.')));
  }

  onHeaders(status: number, headers: StreamAttempt['headers']): void {
    this.status = status;
    this.headers = headers;
    if (status < 200 || status > 299) this.state = 'error_body';
  }

  onData(chunk: Buffer): void {
    if (this.state === 'over') return;
    if (this.state === 'error_body') {
      this.errorBody.push(chunk);
      this.errorBytes += chunk.length;
      if (this.errorBytes > maxErrorBytes) this.refuse();
      return;
    }
    this.pass(() => this.translation.feed(chunk));
  }

  onEnd(): void {
    this.stopLingering();
    if (this.state === 'over') return;
    if (this.state === 'error_body') return this.refuse();
    this.pass(() => this.translation.end());
    if (this.state === 'waiting') {
      if (!this.translation.facts.ended) {
        return this.failed(
          new GatewayError('upstream_malformed', 'The provider ended its stream before anything was in it.'),
        );
      }
      this.open();
    }
    if (this.state !== 'open') return;
    this.state = 'over';
    this.consumer.ended();
  }

  onError(error: GatewayError): void {
    this.stopLingering();
    this.failed(error);
  }

  private pass(translate: () => string | Buffer): void {
    let output: string | Buffer;
    try {
      output = translate();
    } catch (error) {
      this.call.abort();
      return this.failed(
        error instanceof GatewayError
          ? error
          : new GatewayError('upstream_malformed', undefined, { cause: error }),
      );
    }
    if (output.length > 0) {
      if (this.state === 'waiting') this.open();
      if (this.state === 'open') this.consumer.output(output);
    }
    const { failure, ended } = this.translation.facts;
    if (this.state === 'over') return;
    if (failure !== null) {
      this.call.abort();
      const key = this.plan.request.byokKey ?? this.prepared.target.provider.apiKey;
      const classified = classify(failure, {}, key, this.plan.request.byokKey !== null);
      if (this.state === 'waiting') this.fail(classified);
      else this.failed(classified.error);
      return;
    }
    if (ended && this.state === 'open') {
      this.state = 'over';
      // Some vendors keep the connection open after their terminal.
      this.lingering = setTimeout(() => this.call.abort(), lingerMs);
      this.consumer.ended();
    }
  }

  private stopLingering(): void {
    if (this.lingering !== null) clearTimeout(this.lingering);
  }

  private open(): void {
    this.state = 'open';
    this.consumer.opened(this);
    this.resolve({ ok: true, value: this });
  }

  private refuse(): void {
    this.call.abort();
    const body = Buffer.concat(this.errorBody);
    this.fail(failureOf(this.plan, this.prepared, { status: this.status, headers: this.headers, body }));
  }

  private failed(error: GatewayError): void {
    if (this.state === 'open') {
      this.state = 'over';
      this.consumer.broken(error);
    } else if (this.state !== 'over') this.fail(classifyError(error));
  }

  private fail(classified: Classified): void {
    this.state = 'over';
    this.resolve({ ok: false, classified });
  }
}
