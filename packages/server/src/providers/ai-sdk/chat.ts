/**
 * Chat through an AI SDK model, as if it were a server that speaks OpenAI's wire: the body that would have gone to one goes
 * in, bytes of that wire come out. So everything that follows (relay, usage, stop, settlement) is as for any other vendor.
 */
import type { JsonObject } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import type {
  AdapterAccess,
  ChatAdapter,
  EncodedRequest,
  UpstreamCall,
  UpstreamHandler,
} from '../provider.ts';
import { answerBody, FrameWriter } from './answer.ts';
import { errorBody, failureOf } from './failures.ts';
import { callOptions } from './options.ts';
import { openModel } from './package.ts';
import type { SdkLanguageModel } from './spec.ts';

class AdaptedCall implements UpstreamCall {
  private readonly aborter = new AbortController();
  private readonly handler: UpstreamHandler;
  private isOver = false;
  private isPaused = false;
  private wake: (() => void) | null = null;

  constructor(handler: UpstreamHandler) {
    this.handler = handler;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.wake?.();
  }

  abort(): void {
    this.isOver = true;
    this.aborter.abort();
    this.wake?.();
  }

  async run(encoded: EncodedRequest, access: AdapterAccess, ownPackage: string | null): Promise<void> {
    try {
      const body = JSON.parse(encoded.body.toString()) as JsonObject;
      const name = String(body['model']);
      const model = await openModel('language', name, access, ownPackage);
      const options = callOptions(body, model.specificationVersion, this.aborter.signal);
      if (this.isOver) return;
      if (body['stream'] === true) await this.stream(model, options, name);
      else await this.whole(model, options, name);
    } catch (error) {
      this.fail(error);
    }
  }

  private async whole(model: SdkLanguageModel, options: JsonObject, name: string): Promise<void> {
    const answer = answerBody(await model.doGenerate(options), name, Date.now());
    if (this.isOver) return;
    this.handler.onHeaders(200, { 'content-type': 'application/json' });
    this.handler.onData(Buffer.from(answer));
    this.end();
  }

  private async stream(model: SdkLanguageModel, options: JsonObject, name: string): Promise<void> {
    const { stream } = await model.doStream(options);
    const reader = stream.getReader();
    if (this.isOver) return void reader.cancel().catch(() => {});
    this.handler.onHeaders(200, { 'content-type': 'text/event-stream' });
    const writer = new FrameWriter(name, Date.now());
    for (;;) {
      if (this.isPaused) await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = null;
      const { done, value } = this.isOver ? { done: true, value: undefined } : await reader.read();
      if (this.isOver) return void reader.cancel().catch(() => {});
      if (done || value === undefined) return this.end();
      const frames = writer.part(value);
      if (frames !== '') this.handler.onData(Buffer.from(frames));
    }
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.onEnd();
  }

  private fail(error: unknown): void {
    if (this.isOver) return;
    const failure = failureOf(error);
    if (failure instanceof GatewayError) {
      this.isOver = true;
      return this.handler.onError(failure);
    }
    this.handler.onHeaders(failure.status, { ...failure.headers, 'content-type': 'application/json' });
    this.handler.onData(Buffer.from(errorBody(failure)));
    this.end();
  }
}

export const chatAdapter =
  (ownPackage: string | null): ChatAdapter =>
  (encoded, access, handler) => {
    const call = new AdaptedCall(handler);
    void call.run(encoded, access, ownPackage);
    return call;
  };
