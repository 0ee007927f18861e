/**
 * The story of a call:
 *
 * 1. authorise  the key → account and limits                        (keys.ts, before the body is read)
 * 2. resolve    the model → targets in order                        (models.ts)
 * 3. admit      idempotency, rate limits and holds, one transaction (admission.ts)
 * 4. attempt    retry and failover, before the first byte only      (attempt.ts)
 * 5. relay      a stream, counted as it is delivered                (stream-call.ts)
 * 6. settle     exactly once, however the call ended                (settlement.ts)
 * 7. report     metrics and one log line                            (settlement.ts)
 *
 * The last byte of an answer is the acknowledgement: the settlement is durable before it is sent.
 */
import type { CallIdentity } from '../contract/answer.ts';
import type { ChatRequest } from '../contract/chat.ts';
import { GatewayError } from '../contract/errors.ts';
import type { TokenUsage } from '../contract/usage.ts';
import type { StoredResponse } from '../storage/storage.ts';
import { admit } from './admission.ts';
import { attempt, exchange, type Tried } from './attempt.ts';
import type { IncomingCall, Plan, Reply } from './call-types.ts';
import { countedUsage, inputSize } from './count.ts';
import type { Gateway } from './gateway.ts';
import { inlineMedia } from './inline-media.ts';
import type { Resolved } from './models.ts';
import { endingOf, priceCall, report, settle, unbilled, type CallEnd } from './settlement.ts';
import { StreamCall } from './stream-call.ts';
import type { UpstreamAnswer } from './transport.ts';

/** Serves one chat or text completion. null: it was answered as a stream. Throws GatewayError for everything else. */
export async function serveCall(gateway: Gateway, call: IncomingCall): Promise<Reply | null> {
  if (gateway.draining) throw new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
  const decoded = call.dialect.decode(call.body);
  const resolved = resolve(gateway, call, decoded);
  const request = await inlineMedia(gateway, decoded, resolved);
  const input = inputSize(request);
  const admitted = await admit(gateway, { call, request, resolved, input });
  if (admitted.status === 'replay') return replayed(admitted.result.id, admitted.result.response);

  const { model, provider, id } = resolved;
  const { requestId, startedAtMs } = call;
  const identity: CallIdentity = { requestId, startedAtMs, provider, model, publicModel: id, byok: request.byokKey !== null };
  const plan: Plan = { call, request, resolved, identity, input, admission: admitted.admission };
  gateway.metrics.started();
  try {
    if (!request.stream) return await whole(gateway, plan);
    const failure = await new StreamCall(gateway, plan).run();
    if (failure !== null) throw failure;
    return null;
  } finally {
    gateway.metrics.ended();
  }
}

function resolve(gateway: Gateway, call: IncomingCall, request: ChatRequest): Resolved {
  const capability = request.kind === 'chat' ? 'chat' : 'completion';
  const resolved = gateway.models.resolve(request.model, request.providerField, capability, { byok: request.byokKey !== null });
  const { allowedModels } = call.credential.key;
  const isAllowed =
    allowedModels === null ||
    allowedModels.some((each) => each === '*' || each === resolved.id || (each.endsWith('/*') && resolved.id.startsWith(each.slice(0, -1))));
  if (!isAllowed) throw new GatewayError('model_not_allowed', `This API key may not use '${resolved.id}'.`, { param: 'model' });
  return resolved;
}

function replayed(id: string, response: StoredResponse): Reply {
  return {
    status: response.status,
    headers: { 'content-type': response.contentType, 'x-request-id': id, 'idempotent-replayed': 'true' },
    body: response.body,
  };
}

/** The answer in the caller's words, and what the vendor counted. */
interface Answered {
  readonly usage: TokenUsage | null;
  readonly finishReason: string | null;
  readonly chars: number;
  readonly encode: (facts: ReturnType<typeof priceCall>['facts']) => string | Buffer;
}

function read(plan: Plan, { value, prepared }: Tried<UpstreamAnswer>): Answered {
  const { dialect } = plan.call;
  const { codec, callTarget } = prepared;
  if (codec.wire === dialect.wire && codec.relay !== undefined) {
    const facts = codec.relay.inspect(value.body, callTarget);
    const { usage, finishReason, deliveredChars } = facts;
    return { usage, finishReason, chars: deliveredChars, encode: (settled) => dialect.amendAnswer(value.body, settled) };
  }
  const answer = codec.decodeAnswer(value.body, callTarget);
  let chars = 0;
  for (const { text, reasoning, toolCalls } of answer.choices) {
    chars += text.length + (reasoning?.length ?? 0);
    for (const tool of toolCalls) chars += tool.arguments.length;
  }
  const finishReason = answer.choices[0]?.finishReason ?? null;
  return { usage: answer.usage, finishReason, chars, encode: (settled) => dialect.encodeAnswer(answer, settled) };
}

async function whole(gateway: Gateway, plan: Plan): Promise<Reply> {
  const { client, idempotencyKey } = plan.call;
  const startedAt = performance.now();
  let abort: () => void = () => {};
  let attempts = 0;
  // Under an Idempotency-Key the caller will ask again, so the answer is fetched even when nobody waits for it now.
  const over = (): boolean => client.gone && idempotencyKey === null;
  client.onGone(() => {
    if (idempotencyKey === null) abort();
  });
  let end: CallEnd;
  let answered: Answered;
  let raw: unknown = null;
  try {
    const tried = await attempt(gateway, plan, over, (prepared) => {
      attempts++;
      return exchange(plan, prepared, (how) => {
        abort = how;
      });
    });
    answered = read(plan, tried);
    if (plan.request.includeRaw) raw = JSON.parse(tried.value.body.toString('utf8'));
    end = {
      ending: client.gone ? 'client_cancelled' : 'completed',
      httpStatus: 200,
      errorCode: null,
      finishReason: answered.finishReason,
      usage: answered.usage ?? countedUsage(plan.input, answered.chars),
      source: answered.usage === null ? 'counted' : 'provider',
      firstByteMs: null,
      upstreamMs: performance.now() - startedAt,
      attempts: tried.attempts,
    };
  } catch (error) {
    await settleFailure(gateway, plan, error, over(), attempts, performance.now() - startedAt);
    throw error;
  }
  const priced = priceCall(plan, end, raw);
  const body = answered.encode(priced.facts);
  const contentType = 'application/json';
  const kept = idempotencyKey === null ? null : { status: 200, contentType, body: body.toString() };
  await settle(gateway, priced, kept);
  report(gateway, plan, end, priced);
  return { status: 200, headers: { 'content-type': contentType, ...plan.admission.headers }, body };
}

/** Nothing was delivered: nothing is owed, unless the caller left while the vendor was at work on its input. */
async function settleFailure(gateway: Gateway, plan: Plan, error: unknown, left: boolean, attempts: number, upstreamMs: number): Promise<void> {
  const failure = error instanceof GatewayError ? error : new GatewayError('internal');
  let end: CallEnd;
  if (left && attempts > 0) {
    end = { ...unbilled(failure, 'client_cancelled', attempts, upstreamMs), usage: countedUsage(plan.input, 0), source: 'counted', httpStatus: 499, finishReason: 'cancelled' };
  } else {
    end = unbilled(failure, endingOf(failure), attempts, upstreamMs);
  }
  const priced = priceCall(plan, end, null);
  await settle(gateway, priced, null);
  report(gateway, plan, end, priced);
}
