/** A sandbox answer in OpenAI's wire: one body, or the frames of a stream. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../contract/chat.ts';
import type { SandboxAnswer, SandboxChoice } from './answer.ts';
import { tokenize } from './tokenizer.ts';

const fingerprint = 'indoxhub-sandbox';

export interface Envelope {
  readonly isChat: boolean;
  readonly model: string;
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
}

export function envelope(isChat: boolean, model: string, nowMs: number): Envelope {
  const id = `${isChat ? 'chatcmpl' : 'cmpl'}-sandbox-${randomBytes(9).toString('base64url')}`;
  return { isChat, model, id, created: Math.floor(nowMs / 1000) };
}

const toolCallJson = (choice: SandboxChoice, tool: NonNullable<SandboxChoice['tool']>): JsonObject => ({
  id: `call_sandbox_${choice.index}`,
  type: 'function',
  function: { name: tool.name, arguments: tool.arguments },
});

export function answerBody(answer: SandboxAnswer, { isChat, id, model, created }: Envelope): string {
  const choices = answer.choices.map((choice) => ({
    index: choice.index,
    ...(isChat ? { message: messageJson(choice) } : { text: choice.text }),
    logprobs: null,
    finish_reason: choice.finishReason,
  }));
  const object = isChat ? 'chat.completion' : 'text_completion';
  const usage = answer.usage === null ? {} : { usage: answer.usage };
  return JSON.stringify({ id, object, created, model, choices, ...usage, system_fingerprint: fingerprint });
}

function messageJson(choice: SandboxChoice): JsonObject {
  return {
    role: 'assistant',
    content: choice.tool === null ? choice.text : null,
    refusal: null,
    ...(choice.reasoning === '' ? {} : { reasoning_content: choice.reasoning }),
    ...(choice.tool === null ? {} : { tool_calls: [toolCallJson(choice, choice.tool)] }),
  };
}

/** The stream's frames in order, made as they are asked for; the usage chunk only if the caller asked. */
export function* frames(answer: SandboxAnswer, about: Envelope, showUsage: boolean): Generator<string> {
  const head = JSON.stringify({
    id: about.id,
    object: about.isChat ? 'chat.completion.chunk' : 'text_completion',
    created: about.created,
    model: about.model,
    system_fingerprint: fingerprint,
  }).slice(0, -1);
  const frame = (choices: readonly JsonObject[], more: JsonObject = {}): string =>
    `data: ${head},${JSON.stringify({ choices, ...more }).slice(1)}\n\n`;
  for (const choice of answer.choices) {
    const { index, finishReason } = choice;
    for (const delta of about.isChat ? chatDeltas(choice) : textDeltas(choice)) {
      yield frame([{ index, ...delta, logprobs: null, finish_reason: null }]);
    }
    const last = about.isChat ? { delta: {} } : { text: '' };
    yield frame([{ index, ...last, logprobs: null, finish_reason: finishReason }]);
  }
  if (showUsage && answer.usage !== null) yield frame([], { usage: answer.usage });
  yield 'data: [DONE]\n\n';
}

function* chatDeltas(choice: SandboxChoice): Generator<JsonObject> {
  yield { delta: { role: 'assistant', content: '' } };
  for (const token of tokenize(choice.reasoning)) yield { delta: { reasoning_content: token } };
  for (const token of tokenize(choice.text)) yield { delta: { content: token } };
  if (choice.tool === null) return;
  const call = {
    ...toolCallJson(choice, choice.tool),
    function: { name: choice.tool.name, arguments: '' },
    index: 0,
  };
  yield { delta: { tool_calls: [call] } };
  for (const token of tokenize(choice.tool.arguments)) {
    yield { delta: { tool_calls: [{ index: 0, function: { arguments: token } }] } };
  }
}

function* textDeltas(choice: SandboxChoice): Generator<JsonObject> {
  for (const token of tokenize(choice.text)) yield { text: token };
}
