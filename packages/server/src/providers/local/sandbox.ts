/**
 * `local/sandbox`: a vendor inside the process. It needs no key and no network, answers the same to the same request,
 * says that it is no language model, and breaks on demand, so that people can test their own error handling.
 */
import type { JsonObject } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import { openaiChatCodec, openaiCompletionCodec } from '../openai-compatible/codec.ts';
import { quirks } from '../openai-compatible/quirks.ts';
import type { EncodedRequest, Provider, UpstreamCall, UpstreamHandler } from '../provider.ts';
import { answerTo, directivesOf, refusalOf, type SandboxAnswer } from './answer.ts';
import type { Directives } from './directives.ts';
import { answerBody, envelope, frames, type Envelope } from './frames.ts';
import { closeEngines } from './engines.ts';
import { embedding, image, speech, transcription } from './media.ts';
import { videoMaker } from './motion.ts';

/** Frames handed over in one go when nothing slows them: others get their turn in between. */
const burst = 64;

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'insufficient_quota',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

class SandboxCall implements UpstreamCall {
  private readonly request: EncodedRequest;
  private readonly handler: UpstreamHandler;
  private timer: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  private next: (() => void) | null = null;
  private isPaused = false;
  private isOver = false;

  constructor(request: EncodedRequest, handler: UpstreamHandler) {
    this.request = request;
    this.handler = handler;
    this.later(0, () => this.begin());
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    const step = this.next;
    this.next = null;
    if (step !== null) this.later(0, step);
  }

  abort(): void {
    this.isOver = true;
    this.next = null;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.immediate !== null) clearImmediate(this.immediate);
  }

  private begin(): void {
    const isChat = this.request.path.startsWith('/chat/');
    let body: JsonObject;
    try {
      body = JSON.parse(this.request.body.toString()) as JsonObject;
    } catch {
      return this.refuse(400, 'The request body is not valid JSON.', null, null);
    }
    const directives = directivesOf(body, isChat);
    const go = (): void => this.respond(body, isChat, directives);
    if (directives.delayMs > 0) this.later(directives.delayMs, go);
    else go();
  }

  private respond(body: JsonObject, isChat: boolean, directives: Directives): void {
    if (directives.error !== null) {
      const { status, retryAfter } = directives.error;
      return this.refuse(status, 'The sandbox was asked to answer this error.', null, retryAfter);
    }
    const refusal = refusalOf(body, isChat, directives);
    if (refusal !== null) return this.refuse(400, refusal.message, refusal.param, null);
    if (body['model'] !== 'sandbox')
      return this.refuse(404, 'The only model here is sandbox.', 'model', null);
    if (directives.hangAfter === 0) return;
    if (directives.cutAfter === 0) return this.reset();
    const about = envelope(isChat, 'sandbox', Date.now());
    const answer = answerTo(body, isChat, directives);
    if (body['stream'] === true) {
      const options = body['stream_options'];
      const isAsked = typeof options === 'object' && options !== null && 'include_usage' in options;
      return this.stream(answer, about, isAsked && options.include_usage === true, directives);
    }
    this.whole(answer, about, directives);
  }

  private whole(answer: SandboxAnswer, about: Envelope, directives: Directives): void {
    if (directives.malformed) {
      this.headers(200, 'text/html');
      this.handler.onData(Buffer.from('<html><body>The sandbox was asked for this page.</body></html>'));
      return this.finish();
    }
    const body = Buffer.from(answerBody(answer, about));
    this.headers(200, 'application/json');
    const isBroken = directives.cutAfter !== null || directives.hangAfter !== null;
    this.handler.onData(isBroken ? body.subarray(0, body.length >> 1) : body);
    if (directives.cutAfter !== null) return this.reset();
    if (directives.hangAfter === null) this.finish();
  }

  private stream(answer: SandboxAnswer, about: Envelope, showUsage: boolean, directives: Directives): void {
    this.headers(200, 'text/event-stream');
    const source = frames(answer, about, showUsage);
    let sent = 0;
    const size = directives.slowMs > 0 ? 1 : burst;
    const step = (): void => {
      let text = '';
      for (let at = 0; at < size; at++) {
        if (sent === directives.cutAfter) return this.give(text, () => this.reset());
        if (sent === directives.hangAfter) return this.give(text, () => {});
        if (sent === directives.breakAfter) return this.give(text + breakFrame, () => this.finish());
        if (directives.malformed && sent === 1)
          return this.give(`${text}data: {"choices":[{"delta\n\n`, () => this.finish());
        const next = source.next();
        if (next.done === true) return this.give(text, () => this.finish());
        text += next.value;
        sent++;
      }
      this.give(text, () => this.later(directives.slowMs, step));
    };
    step();
  }

  /** Hands bytes over; what follows waits while the reader is paused. */
  private give(text: string, then: () => void): void {
    if (text !== '') this.handler.onData(Buffer.from(text));
    if (this.isOver) return;
    if (this.isPaused) this.next = then;
    else then();
  }

  private later(ms: number, step: () => void): void {
    const run = (): void => {
      if (this.isOver) return;
      if (this.isPaused) this.next = step;
      else step();
    };
    if (ms > 0) this.timer = setTimeout(run, ms).unref();
    else this.immediate = setImmediate(run);
  }

  private headers(status: number, type: string, more: Readonly<Record<string, string>> = {}): void {
    this.handler.onHeaders(status, { 'content-type': type, ...more });
  }

  private refuse(status: number, message: string, param: string | null, retryAfter: string | null): void {
    const type = errorTypes[status] ?? 'api_error';
    const body = { error: { message, type, code: 'sandbox', param } };
    this.headers(status, 'application/json', retryAfter === null ? {} : { 'retry-after': retryAfter });
    if (this.isOver) return;
    this.handler.onData(Buffer.from(JSON.stringify(body)));
    this.finish();
  }

  private reset(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.onError(
      new GatewayError(
        'upstream_error',
        'The provider closed the connection before its answer was complete.',
        {
          details: { reason: 'connection_reset' },
        },
      ),
    );
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.onEnd();
  }
}

const breakFrame = `data: ${JSON.stringify({
  error: { message: 'The sandbox was asked to fail here.', type: 'api_error', code: 'sandbox' },
})}\n\n`;

export const local: Provider = {
  id: 'local',
  name: 'Local',
  keyNames: [],
  baseUrlNames: [],
  baseUrl: null,
  auth: { header: 'authorization', prefix: 'Bearer ' },
  keyless: true,
  inProcess: (request, handler) => new SandboxCall(request, handler),
  chat: openaiChatCodec(quirks.sandbox),
  completion: openaiCompletionCodec(quirks.sandbox),
  embedding,
  image,
  speech,
  transcription,
  videoMaker,
  close: closeEngines,
  proof: {},
};
