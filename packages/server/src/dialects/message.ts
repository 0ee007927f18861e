/** Parts of answers that both dialects print alike, in OpenAI's words. */
import { usdNumber, type CostBreakdown, type SettledFacts } from '../contract/answer.ts';
import type { ChatChoice, ChatEvent, JsonObject, ReasoningSignature, ToolCall } from '../contract/chat.ts';
import { inputTokens, outputTokens } from '../contract/usage.ts';

export function toolCallJson(call: ToolCall): JsonObject {
  return {
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
    ...(call.extra === undefined ? {} : { extra_content: call.extra }),
  };
}

export function toolDelta(event: Extract<ChatEvent, { type: 'tool' }>): JsonObject {
  return {
    index: event.call,
    ...(event.id === undefined ? {} : { id: event.id, type: 'function' }),
    function: { ...(event.name === undefined ? {} : { name: event.name }), arguments: event.arguments },
    ...(event.extra === undefined ? {} : { extra_content: event.extra }),
  };
}

/** The opaque blocks a vendor wants back verbatim: sent in `reasoning_details`, accepted there in the next turn. */
export function reasoningDetail(signature: ReasoningSignature, text = signature.text ?? ''): JsonObject {
  const format = signature.vendor;
  if (signature.kind === 'redacted') return { type: 'reasoning.encrypted', data: signature.data, format };
  if (signature.kind === 'id') return { type: 'reasoning.text', text, id: signature.data, format };
  return { type: 'reasoning.text', text, signature: signature.data, format };
}

/** `message` of a choice, OpenAI's shape plus the fields the field agrees on. */
export function messageJson(choice: ChatChoice): JsonObject {
  const { text, toolCalls, reasoning, signatures, images, refusal } = choice;
  return {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    refusal,
    ...(reasoning === null ? {} : { reasoning_content: reasoning }),
    ...(signatures.length === 0
      ? {}
      : {
          reasoning_details: signatures.map((each, at) =>
            reasoningDetail(each, each.text ?? (at === 0 ? (reasoning ?? '') : '')),
          ),
        }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(toolCallJson) }),
    ...(images.length === 0
      ? {}
      : { images: images.map((url, index) => ({ type: 'image_url', image_url: { url }, index })) }),
  };
}

export function breakdownJson(breakdown: CostBreakdown | null): JsonObject | null {
  if (breakdown === null) return null;
  return Object.fromEntries(
    Object.entries(breakdown).map(([part, nano]) => [part, usdNumber(nano as bigint)]),
  );
}

/** OpenAI's `usage` with the cost inside. */
export function openaiUsage(facts: SettledFacts): JsonObject {
  const { usage } = facts;
  const prompt = inputTokens(usage);
  const completion = outputTokens(usage);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite + usage.cacheWriteLong,
      audio_tokens: usage.audioInput,
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.audioOutput,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    cost: usdNumber(facts.costNano),
    ...(facts.source === 'counted' ? { estimated: true } : {}),
  };
}
