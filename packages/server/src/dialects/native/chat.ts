/** `/api/v1/chat/completions` and `/api/v1/completions`: the native envelope and its stream. */
import { usdNumber, type CallIdentity, type SettledFacts } from '../../contract/answer.ts';
import { chatBody, completionBody } from '../../contract/bodies.ts';
import type { ChatAnswer, ChatChoice, ChatEvent, FinishReason, JsonObject } from '../../contract/chat.ts';
import { inputTokens, outputTokens } from '../../contract/usage.ts';
import { validator } from '../../contract/validate.ts';
import { decodeChat } from '../decode-chat.ts';
import type { ChatDialect, StreamEncoder } from '../dialect.ts';
import { messageJson, reasoningDetail, toolCallJson, toolDelta } from '../message.ts';
import { done, frame, namedFrame } from '../sse.ts';
import { encodeNativeError } from './errors.ts';
import { nativeUsage } from './usage.ts';

/** `data`: the text, or text and tool calls when the model calls tools. */
function dataOf(choice: ChatChoice | undefined): string | JsonObject {
  if (choice === undefined) return '';
  if (choice.toolCalls.length === 0) return choice.text;
  return { content: choice.text, tool_calls: choice.toolCalls.map(toolCallJson) };
}

function choiceJson(kind: 'chat' | 'completion', choice: ChatChoice): JsonObject {
  const { index, finishReason, logprobs } = choice;
  const rest = { index, finish_reason: finishReason, logprobs: logprobs ?? null };
  return kind === 'chat' ? { ...rest, message: messageJson(choice) } : { ...rest, text: choice.text };
}

function envelope(kind: 'chat' | 'completion', answer: ChatAnswer, facts: SettledFacts): string {
  const first = answer.choices[0];
  return JSON.stringify({
    request_id: facts.requestId,
    created_at: new Date(facts.startedAtMs).toISOString(),
    duration_ms: facts.durationMs,
    provider: facts.provider,
    model: facts.model,
    success: true,
    message: '',
    usage: nativeUsage(facts),
    raw_response: facts.raw ?? null,
    data: dataOf(first),
    finish_reason: first?.finishReason ?? null,
    images:
      first === undefined || first.images.length === 0
        ? null
        : first.images.map((url, index) => ({ url, index })),
    reasoning_content: first?.reasoning ?? null,
    byok_api_key: facts.byok,
    id: facts.requestId,
    object: kind === 'chat' ? 'chat.completion' : 'text_completion',
    created: Math.floor(facts.startedAtMs / 1000),
    choices: answer.choices.map((choice) => choiceJson(kind, choice)),
  });
}

class NativeEncoder implements StreamEncoder {
  private readonly identity: CallIdentity;
  private readonly provider: string;
  private readonly finished = new Map<number, FinishReason>();
  private images = 0;

  constructor(identity: CallIdentity) {
    this.identity = identity;
    this.provider = JSON.stringify(identity.provider);
  }

  start(inputTokens: number): string {
    const { requestId, provider, model } = this.identity;
    return namedFrame('usage_start', {
      type: 'usage_start',
      request_id: requestId,
      provider,
      model,
      input_tokens: inputTokens,
    });
  }

  event(event: ChatEvent): string {
    switch (event.type) {
      case 'text': {
        const text = JSON.stringify(event.text);
        const logprobs = event.logprobs === undefined ? '' : `,"logprobs":${JSON.stringify(event.logprobs)}`;
        return `data: {"type":"content","data":${text},"provider":${this.provider},"choices":[{"delta":{"content":${text}},"index":${event.index},"finish_reason":null${logprobs}}]}\n\n`;
      }
      case 'reasoning': {
        const details =
          event.signature === undefined ? {} : { reasoning_details: [reasoningDetail(event.signature)] };
        return this.delta(
          'reasoning',
          event.index,
          { reasoning_content: event.text, ...details },
          { reasoning: event.text },
        );
      }
      case 'tool':
        return this.delta('tool_calls', event.index, { tool_calls: [toolDelta(event)] });
      case 'image': {
        const image = { url: event.url, index: this.images++ };
        return frame({ type: 'image', provider: this.identity.provider, images: [image] });
      }
      case 'refusal':
        return this.delta('refusal', event.index, { refusal: event.text });
      case 'finish':
        this.finished.set(event.index, event.reason);
        return '';
      default:
        return '';
    }
  }

  finish(facts: SettledFacts, reason: FinishReason): string {
    if (this.finished.size === 0 || reason === 'cancelled') this.finished.set(0, reason);
    const { provider, requestId, publicModel } = this.identity;
    const usage = { input_tokens: inputTokens(facts.usage), output_tokens: outputTokens(facts.usage) };
    let frames = '';
    for (const [index, why] of this.finished) {
      const choices = [{ delta: {}, index, finish_reason: why }];
      frames += frame({ type: 'finish', provider, finish_reason: why, choices });
    }
    frames += namedFrame('usage_final', {
      type: 'usage_final',
      ...usage,
      cost_usd: usdNumber(facts.costNano),
      latency_ms: facts.durationMs,
      cache_read_tokens: facts.usage.cacheRead,
      cache_write_tokens: facts.usage.cacheWrite + facts.usage.cacheWriteLong,
      reasoning_tokens: facts.usage.reasoning,
      byok_api_key: facts.byok,
      ...(facts.source === 'counted' ? { estimated: true } : {}),
    });
    const status = reason === 'cancelled' ? 'cancelled' : 'completed';
    const total = { ...usage, total_tokens: usage.input_tokens + usage.output_tokens };
    frames += frame({
      type: 'response.done',
      response: { id: requestId, object: 'response', status, model: publicModel, usage: total },
    });
    return frames + done;
  }

  relayedEnd(): string {
    return '';
  }

  /** `error` is a string that begins with the status, which is what clients look for. No [DONE] follows. */
  failure(failure: { code: string; status: number; message: string }): string {
    return frame({
      error: `Status ${failure.status}: ${failure.message}`,
      code: failure.code,
      status_code: failure.status,
      request_id: this.identity.requestId,
    });
  }

  private delta(type: string, index: number, delta: JsonObject, more: JsonObject = {}): string {
    return frame({
      type,
      ...more,
      provider: this.identity.provider,
      choices: [{ delta, index, finish_reason: null }],
    });
  }
}

function dialect(kind: 'chat' | 'completion'): ChatDialect {
  const validate = validator(kind === 'chat' ? chatBody : completionBody);
  return {
    wire: 'native',
    decode: (body) => decodeChat(kind, body, validate),
    encodeAnswer: (answer, facts) => envelope(kind, answer, facts),
    amendAnswer: (body) => body,
    createEncoder: (identity) => new NativeEncoder(identity),
    encodeError: encodeNativeError,
  };
}

export const nativeChat = dialect('chat');
export const nativeCompletion = dialect('completion');
