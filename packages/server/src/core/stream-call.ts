/**
 * Stage 5, relay: the one owner of a streamed call. Whatever happens, `finish` runs once: the vendor's socket closes,
 * the call is settled, the terminal is written, everything is cleaned up. docs/streams.md has the table of endings.
 */
import { GatewayError } from '../contract/errors.ts';
import type { FinishReason } from '../contract/chat.ts';
import { done, heartbeat } from '../dialects/sse.ts';
import type { Ending } from '../storage/storage.ts';
import { attempt } from './attempt.ts';
import type { Plan } from './call-types.ts';
import { countedUsage } from './count.ts';
import type { Gateway } from './gateway.ts';
import { endingOf, priceCall, report, settle, unbilled, type CallEnd, type Priced } from './settlement.ts';
import { StreamAttempt, type StreamConsumer } from './stream-attempt.ts';
import { StreamBudget } from './stream-budget.ts';
import type { StoppableStream } from './streams.ts';
import { createTranslation } from './translation.ts';

const writeStallMs = 30_000;
/** A transcript kept for replays under an Idempotency-Key, at most. */
const maxTranscript = 1024 * 1024;

export class StreamCall implements StreamConsumer, StoppableStream {
  readonly id: string;
  readonly accountId: string;
  readonly alias: string | null;
  slot = 0;
  private readonly gateway: Gateway;
  private readonly plan: Plan;
  private readonly budget: StreamBudget;
  private readonly startedAt = performance.now();
  private readonly transcript: (string | Buffer)[] | null;
  private transcriptBytes = 0;
  private current: StreamAttempt | null = null;
  private attempts = 0;
  private firstByteMs: number | null = null;
  private lastWriteAt = performance.now();
  private stalledSince: number | null = null;
  private finishing = false;
  private ticker: NodeJS.Timeout | null = null;
  private resolve: (failure: GatewayError | null) => void = () => {};

  constructor(gateway: Gateway, plan: Plan) {
    this.gateway = gateway;
    this.plan = plan;
    this.id = plan.identity.requestId;
    this.accountId = plan.call.credential.account.id;
    this.alias = plan.request.streamAlias;
    this.transcript = plan.call.idempotencyKey === null ? null : [];
    this.budget = new StreamBudget(gateway, plan, {
      pause: () => this.current?.pause(),
      resume: () => this.current?.resume(),
      exhausted: () => void this.finish('budget_reached', null),
    });
  }

  /** Resolves when the stream is over: null when it was answered as a stream, else the error still to be sent. */
  run(): Promise<GatewayError | null> {
    const { client } = this.plan.call;
    this.gateway.streams.add(this);
    client.onGone(() => void this.finish('client_cancelled', null));
    client.onDrain(() => {
      this.stalledSince = null;
      if (!this.budget.waiting) this.current?.resume();
    });
    const { heartbeatMs } = this.gateway.settings;
    this.ticker = setInterval(() => this.tick(heartbeatMs), Math.min(5_000, heartbeatMs));
    const over = new Promise<GatewayError | null>((resolve) => {
      this.resolve = resolve;
    });
    if (client.gone) void this.finish('client_cancelled', null);
    else if (!this.finishing) void this.begin();
    return over;
  }

  stop(): boolean {
    if (this.finishing) return false;
    void this.finish('stopped', null);
    return true;
  }

  shutDown(): void {
    void this.finish('server_shutdown', new GatewayError('shutting_down'));
  }

  opened(attempt: StreamAttempt): void {
    this.current = attempt;
    this.firstByteMs = Math.round(performance.now() - this.startedAt);
  }

  output(bytes: string | Buffer): void {
    if (this.finishing) return;
    this.write(bytes);
    const { current } = this;
    if (current !== null) this.budget.delivered(current.translation.facts.deliveredChars);
  }

  ended(): void {
    const facts = this.current?.translation.facts;
    if (facts?.ended === true || (facts !== undefined && facts.finishReason !== null))
      void this.finish('completed', null);
    else
      this.broken(
        new GatewayError(
          'upstream_error',
          'The provider closed the connection before its answer was complete.',
        ),
      );
  }

  broken(error: GatewayError): void {
    void this.finish(endingOf(error), error);
  }

  private async begin(): Promise<void> {
    const { gateway, plan } = this;
    try {
      const tried = await attempt<StreamAttempt>(
        gateway,
        plan,
        () => this.finishing,
        (prepared) => {
          this.attempts++;
          const { call, identity, request } = plan;
          const translation = createTranslation(
            prepared.codec,
            prepared.callTarget,
            call.dialect,
            identity,
            request,
          );
          return new Promise((resolve) => {
            this.current = new StreamAttempt(plan, prepared, translation, this, resolve);
            if (this.finishing) this.current.abort();
          });
        },
      );
      this.attempts = tried.attempts;
    } catch (error) {
      const failure =
        error instanceof GatewayError ? error : new GatewayError('internal', undefined, { cause: error });
      if (failure.code === 'internal')
        gateway.log.error({ err: error, request_id: this.id }, 'a stream failed inside the gateway');
      void this.finish(endingOf(failure), failure);
    }
  }

  /** The last thing a stream does, once. */
  private async finish(ending: Ending, error: GatewayError | null): Promise<void> {
    if (this.finishing) return;
    this.finishing = true;
    const upstreamMs = performance.now() - this.startedAt;
    this.current?.abort();
    const end = this.endOf(ending, error, upstreamMs);
    const priced = priceCall(this.plan, end, null);
    const frames = this.terminalSafely(ending, error, priced);
    // The answer's last byte is the acknowledgement.
    const failed = await settle(this.gateway, this.plan, priced, this.replay(frames, end), 'wait');
    if (this.ticker !== null) clearInterval(this.ticker);
    this.gateway.streams.remove(this);
    const { client } = this.plan.call;
    if (client.opened || frames.clean) {
      if (!client.opened) client.open(this.plan.admission.headers);
      client.end(failed === null ? frames.text : this.failureFrames(failed));
      this.resolve(null);
    } else {
      this.resolve(failed ?? error);
    }
    report(this.gateway, this.plan, end, priced);
  }

  private endOf(ending: Ending, error: GatewayError | null, upstreamMs: number): CallEnd {
    const facts = this.current?.translation.facts;
    const delivered = facts !== undefined && (facts.deliveredChars > 0 || this.firstByteMs !== null);
    // Stopped or left by the caller, the vendor has read the input by then; failed before a byte came, nothing is owed.
    const owes = delivered || (this.attempts > 0 && (ending === 'stopped' || ending === 'client_cancelled'));
    if (!owes)
      return {
        ...unbilled(error ?? new GatewayError('upstream_error'), ending, this.attempts, upstreamMs),
        httpStatus: error?.status ?? 200,
        errorCode: error?.code ?? null,
      };
    const usage = facts?.usage ?? null;
    return {
      ending,
      httpStatus: 200,
      errorCode: error?.code ?? null,
      finishReason: this.reasonOf(ending),
      usage:
        usage ??
        countedUsage(this.plan.input, facts?.deliveredChars ?? 0, this.current?.translation.inputTokens),
      source: usage === null ? 'counted' : 'provider',
      firstByteMs: this.firstByteMs,
      upstreamMs,
      attempts: Math.max(1, this.attempts),
    };
  }

  private reasonOf(ending: Ending): FinishReason {
    if (ending === 'stopped' || ending === 'client_cancelled') return 'cancelled';
    if (ending === 'budget_reached') return 'length';
    if (ending !== 'completed') return 'error';
    return this.current?.translation.facts.finishReason ?? 'stop';
  }

  /** A stream whose terminal cannot be written ends without one, which no client takes for a good end; it is settled all the same. */
  private terminalSafely(
    ending: Ending,
    error: GatewayError | null,
    priced: Priced,
  ): { text: string; clean: boolean } {
    try {
      return this.terminal(ending, error, priced);
    } catch (cause) {
      this.gateway.log.error(
        { err: cause, request_id: this.id },
        'a stream could not be ended in its own way',
      );
      return { text: '', clean: true };
    }
  }

  /** `clean`: this is an answer even when no byte of it was sent before. */
  private terminal(
    ending: Ending,
    error: GatewayError | null,
    { facts }: Priced,
  ): { text: string; clean: boolean } {
    if (error !== null) return { text: this.failureFrames(error), clean: false };
    const { call, identity, request } = this.plan;
    const translation = this.current?.translation;
    const encoder = translation?.encoder ?? call.dialect.createEncoder(identity, request);
    const started = this.plan.call.client.opened && this.firstByteMs !== null;
    const start = started ? '' : encoder.start(0);
    if (ending === 'completed' && translation?.relayed === true)
      return { text: encoder.relayedEnd(facts) + done, clean: true };
    return {
      text: start + encoder.finish(facts, this.reasonOf(ending)),
      clean: ending !== 'client_cancelled',
    };
  }

  private failureFrames(error: GatewayError): string {
    const { call, identity, request } = this.plan;
    const encoder = this.current?.translation.encoder ?? call.dialect.createEncoder(identity, request);
    return encoder.failure({ code: error.code, status: error.status, message: error.message }, identity);
  }

  private replay(frames: { text: string }, end: CallEnd) {
    if (this.transcript === null || this.transcriptBytes === 0 || end.source === 'none') return null;
    const body = this.transcript.map((part) => part.toString()).join('') + frames.text;
    if (body.length > maxTranscript) return null;
    return { status: 200, contentType: 'text/event-stream; charset=utf-8', body };
  }

  private write(bytes: string | Buffer): void {
    const { client } = this.plan.call;
    if (!client.opened) client.open(this.plan.admission.headers);
    if (this.transcript !== null && this.transcriptBytes <= maxTranscript) {
      this.transcript.push(bytes);
      this.transcriptBytes += bytes.length;
    }
    this.lastWriteAt = performance.now();
    if (client.write(bytes)) return;
    this.stalledSince ??= this.lastWriteAt;
    this.current?.pause();
  }

  private tick(heartbeatMs: number): void {
    const now = performance.now();
    const { client } = this.plan.call;
    if (this.stalledSince !== null && now - this.stalledSince > writeStallMs) {
      return void this.finish('client_cancelled', null);
    }
    if (now - this.lastWriteAt >= heartbeatMs - 50 && this.stalledSince === null && !client.gone) {
      if (!client.opened) client.open(this.plan.admission.headers);
      client.write(heartbeat);
      this.lastWriteAt = now;
    }
    if (!this.finishing) this.budget.checkpoint();
  }
}
