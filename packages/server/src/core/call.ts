/**
 * The story of a call:
 *
 * 1. authorise  the key → account and limits                        (keys.ts, before the body is read)
 * 2. resolve    the model → targets in order                        (resolve.ts, models.ts)
 * 3. admit      idempotency, rate limits and holds, one transaction (admission.ts, chat-admission.ts)
 * 4. attempt    retry and failover, before the first byte only      (retry.ts, attempt.ts)
 * 5. relay      a stream, counted as it is delivered                (stream-call.ts; whole-call.ts)
 * 6. settle     exactly once, however the call ended                (settlement.ts)
 * 7. report     metrics and one log line                            (settlement.ts)
 *
 * The last byte of an answer is the acknowledgement: the settlement is durable before it is sent.
 */
import type { CallIdentity } from '../contract/answer.ts';
import { GatewayError } from '../contract/errors.ts';
import { admitChat } from './chat-admission.ts';
import type { IncomingCall, Plan, Reply } from './call-types.ts';
import { inputSize } from './count.ts';
import type { Gateway } from './gateway.ts';
import { replayed } from './kept-answer.ts';
import { hasLinks, inlineMedia } from './inline-media.ts';
import { resolve } from './resolve.ts';
import { StreamCall } from './stream-call.ts';
import { WholeCall } from './whole-call.ts';

/** Serves one chat or text completion. null: it was answered as a stream. Throws GatewayError for everything else. */
export async function serveCall(gateway: Gateway, call: IncomingCall): Promise<Reply | null> {
  if (gateway.draining) throw new GatewayError('shutting_down', undefined, { retryAfterMs: 1000 });
  const leave = gateway.streams.enter();
  try {
    return await serve(gateway, call);
  } finally {
    leave();
  }
}

async function serve(gateway: Gateway, call: IncomingCall): Promise<Reply | null> {
  const decoded = call.dialect.decode(call.body);
  const capability = decoded.kind === 'chat' ? 'chat' : 'completion';
  const resolved = resolve(gateway, call, decoded, capability);
  const request = hasLinks(decoded, resolved) ? await inlineMedia(gateway, decoded) : decoded;
  const input = inputSize(request);
  const admitted = await admitChat(gateway, { call, request, resolved, input });
  if (admitted.status === 'replay') return replayed(admitted.result.id, admitted.result.response);

  const { model, provider, id } = resolved;
  const { requestId, startedAtMs } = call;
  const identity: CallIdentity = {
    requestId,
    startedAtMs,
    provider,
    model,
    publicModel: id,
    byok: request.byokKey !== null,
  };
  const plan: Plan = { call, request, resolved, identity, input, admission: admitted.admission };
  gateway.metrics.started();
  try {
    if (!request.stream) return await new WholeCall(gateway, plan).run();
    const failure = await new StreamCall(gateway, plan).run();
    if (failure !== null) throw failure;
    return null;
  } finally {
    gateway.metrics.ended();
  }
}
