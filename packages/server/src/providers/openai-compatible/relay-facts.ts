/** What a parsed chunk or answer of OpenAI's wire says for settling the call. */
import type { JsonObject } from '../../contract/chat.ts';
import type { RelayFacts } from '../provider.ts';
import { argumentsText, contentWords, reasoningText } from './message.ts';
import type { Quirks } from './quirks.ts';
import { isObject, listOf, objectOf, textOf } from './shape.ts';
import { decodeUsage, findUsage } from './usage.ts';

export function emptyFacts(): RelayFacts {
  return {
    usage: null,
    finishReason: null,
    ended: false,
    failure: null,
    deliveredChars: 0,
  };
}

/** The last usage stands. True when there was one. */
export function noteUsage(facts: RelayFacts, json: JsonObject, quirks: Quirks): boolean {
  const found = findUsage(json);
  const usage = found === null ? null : decodeUsage(found, quirks);
  if (usage !== null) facts.usage = usage;
  return usage !== null;
}

/** UTF-16 units of text, reasoning, refusal and tool arguments in a choice, streamed (`delta`) or whole (`message`). */
export function charsOf(choice: JsonObject): number {
  const said = objectOf(choice['delta']) ?? objectOf(choice['message']) ?? {};
  const words = contentWords(said['content'] ?? choice['text'], []);
  let chars = words.text.length + words.reasoning.length + reasoningText(said).length;
  chars += (textOf(said['refusal']) ?? '').length;
  const legacy = objectOf(said['function_call']);
  if (legacy !== null) chars += argumentsText(legacy['arguments']).length;
  for (const call of listOf(said['tool_calls'])) {
    if (!isObject(call)) continue;
    const called = objectOf(call['function']) ?? objectOf(call['custom']) ?? {};
    chars += argumentsText(called['arguments'] ?? called['input']).length;
  }
  return chars;
}
