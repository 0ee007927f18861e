/** A call answered in one piece: attempt, translate, settle, and only then the answer. */
import { GatewayError } from '../contract/errors.ts';
import type { SettledFacts } from '../contract/answer.ts';
import type { TokenUsage } from '../contract/usage.ts';
import { attempt, exchange, type Prepared } from './attempt.ts';
import type { Tried } from './retry.ts';
import type { Plan, Reply } from './call-types.ts';
import { countedUsage } from './count.ts';
import { withoutKey } from './failures.ts';
import type { Gateway } from './gateway.ts';
import { endingOf, priceCall, report, settle, unbilled, type CallEnd } from './settlement.ts';
import type { StoppableStream } from './streams.ts';
import type { UpstreamAnswer } from './transport.ts';

const contentType = 'application/json';

/** The answer in the caller's words, and what the vendor counted. */
interface Answered {
  readonly usage: TokenUsage | null;
  readonly finishReason: string | null;
  readonly chars: number;
  readonly encode: (facts: SettledFacts) => string | Buffer;
}

function read(plan: Plan, { value, prepared }: Tried<UpstreamAnswer, Prepared>): Answered {
  const { dialect } = plan.call;
  const { codec, callTarget } = prepared;
  if (codec.wire === dialect.wire && codec.relay !== undefined) {
    const { usage, finishReason, deliveredChars, plainUsage } = codec.relay.inspect(value.body, callTarget);
    return {
      usage,
      finishReason,
      chars: deliveredChars,
      encode: (facts) => dialect.amendAnswer(value.body, facts, plainUsage),
    };
  }
  const answer = codec.decodeAnswer(value.body, callTarget);
  let chars = 0;
  for (const { text, reasoning, toolCalls } of answer.choices) {
    chars += text.length + (reasoning?.length ?? 0);
    for (const tool of toolCalls) chars += tool.arguments.length;
  }
  const finishReason = answer.choices[0]?.finishReason ?? null;
  return { usage: answer.usage, finishReason, chars, encode: (facts) => dialect.encodeAnswer(answer, facts) };
}

/** `read`, whose errors may quote what the vendor said. */
function readSafely(plan: Plan, tried: Tried<UpstreamAnswer, Prepared>): Answered {
  try {
    return read(plan, tried);
  } catch (error) {
    throw withoutKey(error, plan.request.byokKey ?? tried.prepared.target.provider.apiKey);
  }
}

export class WholeCall implements StoppableStream {
  readonly id: string;
  readonly accountId: string;
  readonly alias = null;
  slot = 0;
  private readonly gateway: Gateway;
  private readonly plan: Plan;
  private readonly startedAt = performance.now();
  private attempts = 0;
  private abort: () => void = () => {};
  /** Why the gateway itself ended the call. */
  private cut: GatewayError | null = null;

  constructor(gateway: Gateway, plan: Plan) {
    this.gateway = gateway;
    this.plan = plan;
    this.id = plan.identity.requestId;
    this.accountId = plan.call.credential.account.id;
  }

  /** Only streams can be stopped. */
  stop(): boolean {
    return false;
  }

  shutDown(): void {
    this.cut = new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
    this.abort();
  }

  /** Settled when it resolves. Throws what the caller is to be told, settled as well. */
  async run(): Promise<Reply> {
    const { gateway, plan } = this;
    gateway.streams.add(this);
    plan.call.client.onGone(() => {
      if (this.over) this.abort();
    });
    try {
      return await this.answer();
    } finally {
      gateway.streams.remove(this);
    }
  }

  /** Under an Idempotency-Key the caller will ask again, so the answer is fetched even when nobody waits for it now. */
  private get over(): boolean {
    return this.cut !== null || (this.plan.call.client.gone && this.plan.call.idempotencyKey === null);
  }

  private async answer(): Promise<Reply> {
    const { gateway, plan } = this;
    let tried: Tried<UpstreamAnswer, Prepared>;
    let answered: Answered;
    let raw: unknown = null;
    try {
      tried = await attempt(
        gateway,
        plan,
        () => this.over,
        (prepared) => {
          this.attempts++;
          return exchange(plan, prepared, (abort) => {
            this.abort = abort;
            if (this.over) abort();
          });
        },
      );
      answered = readSafely(plan, tried);
      if (plan.request.includeRaw) raw = JSON.parse(tried.value.body.toString('utf8'));
    } catch (error) {
      await this.settleFailure(this.cut ?? error);
      throw this.cut ?? error;
    }
    const end: CallEnd = {
      ending: plan.call.client.gone ? 'client_cancelled' : 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: answered.finishReason,
      usage: answered.usage ?? countedUsage(plan.input, answered.chars),
      source: answered.usage === null ? 'counted' : 'provider',
      firstByteMs: null,
      upstreamMs: performance.now() - this.startedAt,
      attempts: tried.attempts,
    };
    const priced = priceCall(plan, end, raw);
    let body: string | Buffer;
    try {
      body = answered.encode(priced.facts);
    } catch (error) {
      // Whatever cannot be written down was still bought.
      await settle(gateway, plan, priced, null, 'later');
      throw error;
    }
    const kept =
      plan.call.idempotencyKey === null ? null : { status: 200, contentType, body: body.toString() };
    const unsettled = await settle(gateway, plan, priced, kept, 'wait');
    report(gateway, plan, end, priced);
    if (unsettled !== null) throw unsettled;
    return { status: 200, headers: { ...plan.admission.headers, 'content-type': contentType }, body };
  }

  /** Nothing was delivered: nothing is owed, unless the caller left while the vendor was at work on its input. */
  private async settleFailure(error: unknown): Promise<void> {
    const { gateway, plan } = this;
    const failure = error instanceof GatewayError ? error : new GatewayError('internal');
    const upstreamMs = performance.now() - this.startedAt;
    const left = this.over && this.cut === null && this.attempts > 0;
    const ending = left ? 'client_cancelled' : endingOf(failure);
    const nothing = unbilled(failure, ending, this.attempts, upstreamMs);
    const end: CallEnd = left
      ? {
          ...nothing,
          usage: countedUsage(plan.input, 0),
          source: 'counted',
          httpStatus: 499,
          finishReason: 'cancelled',
        }
      : nothing;
    const priced = priceCall(plan, end, null);
    await settle(gateway, plan, priced, null, 'later');
    report(gateway, plan, end, priced);
  }
}
