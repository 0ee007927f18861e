/** Stage 4, attempt: a chat or text completion, written for one target and sent there. */
import { GatewayError } from '../contract/errors.ts';
import type { CallTarget, ChatCodec, UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { adapterAccess } from './adapter-access.ts';
import { addressed, keyOf } from './addressing.ts';
import type { Plan } from './call-types.ts';
import { classify, classifyError, type Classified } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { Target } from './models.ts';
import { tryTargets, type Outcome, type Tried } from './retry.ts';
import type { UpstreamAnswer } from './transport.ts';

const maxAnswerBytes = 64 * 1024 * 1024;
export const maxErrorBytes = 64 * 1024;

/** One target, prepared for one attempt. */
export interface Prepared {
  readonly target: Target;
  readonly codec: ChatCodec;
  readonly callTarget: CallTarget;
  send(handler: UpstreamHandler): UpstreamCall;
}

/** Encodes the request for a target. Throws a 400 for what its vendor cannot do. */
export function prepare(gateway: Gateway, plan: Plan, target: Target): Prepared {
  const { vendor, provider } = target;
  const { request } = plan;
  const codec = request.kind === 'chat' ? vendor.chat : vendor.completion;
  if (codec === undefined) {
    throw new GatewayError(
      'bad_request',
      `'${vendor.name}' does not serve ${request.kind === 'chat' ? 'chat' : 'text completion'}.`,
      { param: 'model' },
    );
  }
  const key = keyOf(target, request);
  const { maxTokens } = plan.admission;
  const callTarget: CallTarget = {
    provider: provider.id,
    model: target.model,
    info: target.info,
    maxTokens,
    options: provider.options,
  };
  const encoded = codec.encodeRequest(request, callTarget);
  const { timeouts } = gateway.settings;
  return {
    target,
    codec,
    callTarget,
    send(handler) {
      if (vendor.inProcess !== undefined) return vendor.inProcess(encoded, handler);
      // An answer that is not streamed sends its first byte when it is done.
      const limits = request.stream
        ? timeouts
        : { ...timeouts, firstByteMs: timeouts.totalMs, idleMs: timeouts.totalMs };
      if (vendor.adapter !== undefined)
        return vendor.adapter.chat(encoded, adapterAccess(gateway, target, key, limits), handler);
      const accept = request.stream ? 'text/event-stream' : 'application/json';
      return gateway.transport.send(addressed(target, encoded, { key, accept, timeouts: limits }), handler);
    },
  };
}

export function failureOf(plan: Plan, prepared: Prepared, answer: UpstreamAnswer): Classified {
  const { request } = plan;
  const key = request.byokKey ?? prepared.target.provider.apiKey;
  const failure = prepared.codec.decodeError(answer.status, answer.body);
  return classify({ ...failure, status: answer.status }, answer.headers, key, request.byokKey !== null);
}

/** Tries the targets of a chat or text completion in turn. */
export function attempt<T>(
  gateway: Gateway,
  plan: Plan,
  over: () => boolean,
  run: (prepared: Prepared) => Promise<Outcome<T>>,
): Promise<Tried<T, Prepared>> {
  return tryTargets(gateway, plan, over, (target) => prepare(gateway, plan, target), run);
}

/** A whole answer from one target. `abort` is called once with how to end it early. */
export function exchange(
  plan: Plan,
  prepared: Prepared,
  abort: (end: () => void) => void,
): Promise<Outcome<UpstreamAnswer>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let headers: UpstreamAnswer['headers'] = {};
    const fail = (error: unknown): void => resolve({ ok: false, classified: classifyError(error) });
    const call = prepared.send({
      onHeaders(code, fields) {
        status = code;
        headers = fields;
      },
      onData(chunk) {
        size += chunk.length;
        chunks.push(chunk);
        const isError = status < 200 || status > 299;
        if (size <= (isError ? maxErrorBytes : maxAnswerBytes)) return;
        call.abort();
        if (isError)
          resolve({
            ok: false,
            classified: failureOf(plan, prepared, { status, headers, body: Buffer.concat(chunks) }),
          });
        else fail(new GatewayError('upstream_malformed', 'The provider sent an answer of more than 64 MiB.'));
      },
      onEnd() {
        const first = chunks[0];
        const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size);
        const answer = { status, headers, body };
        if (status >= 200 && status < 300) resolve({ ok: true, value: answer });
        else resolve({ ok: false, classified: failureOf(plan, prepared, answer) });
      },
      onError: fail,
    });
    abort(() => {
      call.abort();
      fail(new GatewayError('upstream_error', 'The call was cancelled.'));
    });
  });
}
