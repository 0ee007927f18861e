/** The stream of a chat or text completion. */
import type { Reply } from './api-promise.ts';
import type { Requester } from './request.ts';
import { nativeFrames, Stream } from './stream.ts';
import type { ChatStreamEvent, FinishReason, ToolCall, UsageEvent } from './types/chat.ts';

/** A whole answer, put together from a stream. Of the first choice where there are several. */
export interface FinalAnswer {
  /** The id of the call. */
  readonly id: string | null;
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly images: readonly string[];
  readonly refusal: string;
  readonly finishReason: FinishReason | null;
  /** null when the stream ended without it. */
  readonly usage: UsageEvent | null;
}

export class ChatStream extends Stream<ChatStreamEvent> {
  /** The id of the stream, known before the first token; what `completions.stopStream` takes. */
  readonly id: string | null;
  readonly response: Response;
  readonly #requester: Requester;

  constructor(requester: Requester, reply: Reply) {
    super(() => nativeFrames<ChatStreamEvent>(requester, reply), reply.controller);
    this.#requester = requester;
    this.response = reply.response;
    this.id = reply.response.headers.get('x-request-id');
  }

  /**
   * Only the text of the first choice.
   *
   * @example
   * for await (const text of stream.textStream) process.stdout.write(text);
   */
  get textStream(): AsyncIterable<string> {
    return this.#texts();
  }

  async *#texts(): AsyncGenerator<string, void> {
    for await (const event of this)
      if (event.type === 'content' && (event.choices[0]?.index ?? 0) === 0) yield event.data;
  }

  /**
   * Stops the model at the provider, from the gateway. The loop goes on: it still gets the finish reason `cancelled`
   * and the usage of what was delivered. False when the stream was over already.
   *
   * @example
   * for await (const event of stream) if (event.type === 'content' && enough(event.data)) await stream.stop();
   */
  async stop(): Promise<boolean> {
    if (this.id === null) return false;
    const path = `/api/v1/completions/stop-stream/${encodeURIComponent(this.id)}`;
    return (await this.#requester.send<{ success: boolean }>({ method: 'POST', path })).success;
  }

  /**
   * Reads to the end and puts the answer together.
   *
   * @example
   * const { text, toolCalls, usage } = await stream.final();
   */
  async final(): Promise<FinalAnswer> {
    const calls: ToolCall[] = [];
    const images: string[] = [];
    const said = { text: '', reasoning: '', refusal: '' };
    let finishReason: FinishReason | null = null;
    let usage: UsageEvent | null = null;
    for await (const event of this) {
      if (event.type === 'usage_final') usage = event;
      else if (event.type === 'image') images.push(...event.images.map(({ url }) => url));
      if (!('choices' in event) || (event.choices[0]?.index ?? 0) !== 0) continue;
      if (event.type === 'content') said.text += event.data;
      else if (event.type === 'reasoning') said.reasoning += event.reasoning;
      else if (event.type === 'refusal') said.refusal += event.choices[0]?.delta.refusal ?? '';
      else if (event.type === 'finish') finishReason = event.finish_reason;
      else if (event.type === 'tool_calls') addToolCalls(calls, event.choices[0]?.delta.tool_calls ?? []);
    }
    return { id: this.id, ...said, toolCalls: calls.filter(Boolean), images, finishReason, usage };
  }
}

type Deltas = Extract<ChatStreamEvent, { type: 'tool_calls' }>['choices'][number]['delta']['tool_calls'];

function addToolCalls(calls: ToolCall[], deltas: Deltas): void {
  for (const { index, id, function: piece, extra_content: extra } of deltas) {
    const call = (calls[index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } });
    if (id !== undefined) call.id = id;
    if (piece.name !== undefined) call.function.name = piece.name;
    call.function.arguments += piece.arguments;
    if (extra !== undefined) call.extra_content = extra;
  }
}
