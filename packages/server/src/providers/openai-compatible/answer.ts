/** A whole OpenAI-shaped answer → the canonical one. */
import { isUtf8 } from 'node:buffer';
import type { ChatAnswer, ChatChoice, JsonObject, ToolCall } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import type { CallTarget } from '../provider.ts';
import { failureIn } from './errors.ts';
import { argumentsText, contentWords, readImages, reasoningText, signaturesOf } from './message.ts';
import type { Quirks } from './quirks.ts';
import {
  finishReasonOf,
  indexOf,
  isObject,
  listOf,
  malformed,
  objectOf,
  parseObject,
  textOf,
} from './shape.ts';
import { splitThinking } from './think.ts';
import { decodeUsage, findUsage } from './usage.ts';

/** Members of an answer that say something our own fields do not. */
const extras = ['system_fingerprint', 'service_tier', 'citations', 'search_results', 'related_questions'];

/** Throws `upstream_malformed`, or `upstream_error` for a failure that came with status 200. */
export function readAnswer(body: Buffer): { json: JsonObject; choices: readonly unknown[] } {
  if (!isUtf8(body)) throw malformed('not UTF-8');
  const json = parseObject(body.toString('utf8'));
  const choices = json['choices'];
  if (Array.isArray(choices) && choices.length > 0) return { json, choices };
  const failure = failureIn(json, 502);
  if (failure !== null) {
    throw new GatewayError('upstream_error', failure.message ?? undefined, {
      details: { reason: failure.code ?? 'error_with_status_200' },
    });
  }
  if (!Array.isArray(choices)) throw malformed('no choices');
  return { json, choices };
}

export function decodeAnswer(body: Buffer, target: CallTarget, quirks: Quirks): ChatAnswer {
  const { json, choices } = readAnswer(body);
  const usage = findUsage(json);
  const extra: JsonObject = {};
  for (const name of extras) if (json[name] !== undefined && json[name] !== null) extra[name] = json[name];
  const first = objectOf(objectOf(choices[0])?.['message']) ?? {};
  if (isObject(first['audio'])) extra['audio'] = first['audio'];
  if (listOf(first['annotations']).length > 0) extra['annotations'] = first['annotations'];
  return {
    id: textOf(json['id']),
    model: textOf(json['model']),
    created: typeof json['created'] === 'number' ? json['created'] : null,
    choices: choices.map((choice, at) => decodeChoice(choice, at, target, quirks)),
    usage: usage === null ? null : decodeUsage(usage, quirks),
    extra,
  };
}

function decodeChoice(value: unknown, at: number, target: CallTarget, quirks: Quirks): ChatChoice {
  if (!isObject(value)) throw malformed('a choice is not an object');
  const message = objectOf(value['message']) ?? {};
  const images: string[] = [];
  const words = contentWords(message['content'] ?? value['text'], images);
  const inText = quirks.thinkTags ? splitThinking(words.text) : { text: words.text, reasoning: '' };
  const reasoning = reasoningText(message) + words.reasoning + inText.reasoning;
  readImages(message, images);
  return {
    index: typeof value['index'] === 'number' ? indexOf(value['index']) : at,
    text: inText.text,
    reasoning: reasoning === '' ? null : reasoning,
    signatures: signaturesOf(message, target.provider),
    toolCalls: toolCalls(message, at),
    images,
    refusal: textOf(message['refusal']),
    finishReason: finishReasonOf(value['finish_reason']),
    logprobs: value['logprobs'] ?? null,
  };
}

function toolCalls(message: JsonObject, choice: number): ToolCall[] {
  const legacy = objectOf(message['function_call']);
  const calls = listOf(message['tool_calls']);
  const list = calls.length === 0 && legacy !== null ? [{ function: legacy }] : calls;
  return list.filter(isObject).map((call, at) => {
    const called = objectOf(call['function']) ?? objectOf(call['custom']) ?? {};
    const extra = objectOf(call['extra_content']);
    return {
      id: textOf(call['id']) ?? `call_${choice}_${at}`,
      name: textOf(called['name']) ?? '',
      arguments: argumentsText(called['arguments'] ?? called['input']),
      ...(extra === null ? {} : { extra }),
    };
  });
}
