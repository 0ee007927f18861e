/** What an AI SDK model answers → OpenAI's wire, whole or as frames of a stream. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../contract/chat.ts';
import { isObject } from '../exact-json.ts';
import { errorBody, failureOf } from './failures.ts';
import type { SdkAnswer, SdkContent, SdkFinishReason, SdkStreamPart, SdkUsage, SdkWarning } from './spec.ts';

const reasons: Readonly<Record<string, string>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
};

const reasonOf = (reason: SdkFinishReason | undefined): string =>
  reasons[typeof reason === 'object' ? reason.unified : (reason ?? '')] ?? 'stop';

/** null where the vendor told none: absent usage is not zero usage. */
function usageOf({ inputTokens, outputTokens }: SdkUsage): JsonObject | null {
  const input = inputTokens?.total;
  const output = outputTokens?.total;
  if (typeof input !== 'number' || typeof output !== 'number') return null;
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: {
      cached_tokens: inputTokens?.cacheRead ?? 0,
      cache_write_tokens: inputTokens?.cacheWrite ?? 0,
    },
    completion_tokens_details: { reasoning_tokens: outputTokens?.reasoning ?? 0 },
  };
}

/** What the package could not pass on, in words. */
const warningsOf = (warnings: readonly SdkWarning[] = []): JsonObject =>
  warnings.length === 0
    ? {}
    : {
        warnings: warnings.map(
          ({ type, feature, setting, details, message }) =>
            message ?? [type, feature ?? setting, details].filter((each) => each !== undefined).join(': '),
        ),
      };

const inputText = (input: unknown): string =>
  typeof input === 'string' ? input : JSON.stringify(input ?? {});

/** A file the model made, as a data: URL; null for what is none. */
function pictureOf({ mediaType, data }: SdkContent): string | null {
  const held: unknown = isObject(data) && 'type' in data ? (data['data'] ?? data['url']) : data;
  const type = mediaType ?? 'image/png';
  if (held instanceof Uint8Array) return `data:${type};base64,${Buffer.from(held).toString('base64')}`;
  if (held instanceof URL) return held.href;
  return typeof held === 'string' ? `data:${type};base64,${held}` : null;
}

export function answerBody(answer: SdkAnswer, model: string, nowMs: number): string {
  let text = '';
  let reasoning = '';
  const calls: JsonObject[] = [];
  const images: JsonObject[] = [];
  for (const part of answer.content) {
    if (part.type === 'text') text += part.text ?? '';
    else if (part.type === 'reasoning') reasoning += part.text ?? '';
    else if (part.type === 'tool-call' && part.providerExecuted !== true)
      calls.push({
        id: part.toolCallId,
        type: 'function',
        function: { name: part.toolName, arguments: inputText(part.input) },
      });
    else if (part.type === 'file') {
      const url = pictureOf(part);
      if (url !== null) images.push({ type: 'image_url', image_url: { url } });
    }
  }
  const usage = answer.usage === undefined ? null : usageOf(answer.usage);
  return JSON.stringify({
    id: answer.response?.id ?? `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor((answer.response?.timestamp?.getTime() ?? nowMs) / 1000),
    model: answer.response?.modelId ?? model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
          ...(calls.length === 0 ? {} : { tool_calls: calls }),
          ...(images.length === 0 ? {} : { images }),
        },
        logprobs: null,
        finish_reason: reasonOf(answer.finishReason),
      },
    ],
    ...(usage === null ? {} : { usage }),
    ...warningsOf(answer.warnings),
  });
}

/** Parts of a stream → frames. One per call. */
export class FrameWriter {
  private readonly head: string;
  /** Tool calls in the order they began. */
  private readonly calls = new Map<string, number>();
  private started = false;

  constructor(model: string, nowMs: number) {
    const created = Math.floor(nowMs / 1000);
    const id = `chatcmpl-${randomUUID()}`;
    this.head = JSON.stringify({ id, object: 'chat.completion.chunk', created, model }).slice(0, -1);
  }

  /** '' for what callers are not told. */
  part(part: SdkStreamPart): string {
    switch (part.type) {
      case 'stream-start':
        return (part.warnings ?? []).length === 0 ? '' : this.frame([], warningsOf(part.warnings));
      case 'text-delta':
        return this.delta({ content: part.delta ?? '' });
      case 'reasoning-delta':
        return this.delta({ reasoning_content: part.delta ?? '' });
      case 'tool-input-start':
        return part.providerExecuted === true ? '' : this.toolStart(part.id ?? '', part.toolName ?? '');
      case 'tool-input-delta':
        return this.toolInput(part.id ?? '', part.delta ?? '');
      case 'tool-call':
        return this.toolCall(part);
      case 'file': {
        const url = pictureOf(part);
        return url === null ? '' : this.delta({ images: [{ type: 'image_url', image_url: { url } }] });
      }
      case 'error':
        return `data: ${failureFrame(part.error)}\n\n`;
      case 'finish':
        return this.finish(part);
      default:
        return '';
    }
  }

  private finish({ finishReason, usage }: SdkStreamPart): string {
    const told = usage === undefined ? null : usageOf(usage);
    const choice = { index: 0, delta: {}, logprobs: null, finish_reason: reasonOf(finishReason) };
    const last = told === null ? '' : this.frame([], { usage: told });
    return `${this.frame([choice])}${last}data: [DONE]\n\n`;
  }

  private toolStart(id: string, name: string): string {
    const index = this.calls.size;
    this.calls.set(id, index);
    const call = { index, id, type: 'function', function: { name, arguments: '' } };
    return this.delta({ tool_calls: [call] });
  }

  private toolInput(id: string, input: string): string {
    const index = this.calls.get(id);
    if (index === undefined || input === '') return '';
    return this.delta({ tool_calls: [{ index, function: { arguments: input } }] });
  }

  /** Told whole at its end; said only where it did not come in pieces. */
  private toolCall({ toolCallId = '', toolName = '', input, providerExecuted }: SdkStreamPart): string {
    if (providerExecuted === true || this.calls.has(toolCallId)) return '';
    return this.toolStart(toolCallId, toolName) + this.toolInput(toolCallId, inputText(input));
  }

  private delta(delta: JsonObject): string {
    const said = this.started ? delta : { role: 'assistant', ...delta };
    this.started = true;
    return this.frame([{ index: 0, delta: said, logprobs: null, finish_reason: null }]);
  }

  private frame(choices: readonly JsonObject[], more: JsonObject = {}): string {
    return `data: ${this.head},${JSON.stringify({ choices, ...more }).slice(1)}\n\n`;
  }
}

function failureFrame(error: unknown): string {
  const failure = failureOf(error);
  if (!(failure instanceof Error)) return errorBody(failure);
  const said = typeof error === 'string' ? error : isObject(error) ? error['message'] : null;
  return errorBody({ status: 502, message: typeof said === 'string' ? said : failure.message });
}
