/** A whole GenerateContentResponse → the canonical answer. */
import type {
  ChatAnswer,
  ChatChoice,
  ChatEvent,
  JsonObject,
  ReasoningSignature,
  ToolCall,
} from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { CallTarget } from '../provider.ts';
import { blockedPrompt, decodeLogprobs, decodeUsage, finishReason, partEvents, searchesOf } from './parts.ts';

const malformed = (): GatewayError => new GatewayError('upstream_malformed');

function blockedChoice(sentence: string): ChatChoice {
  return {
    index: 0,
    text: '',
    reasoning: null,
    signatures: [],
    toolCalls: [],
    images: [],
    refusal: sentence,
    finishReason: 'content_filter',
    logprobs: null,
  };
}

/** Parts of a candidate; none where it was cut before its first. Throws where they are not parts. */
export function partsOf(candidate: JsonObject): JsonObject[] {
  const content = candidate['content'];
  const parts: unknown = isObject(content) ? (content['parts'] ?? []) : [];
  if (!Array.isArray(parts) || !parts.every(isObject)) throw malformed();
  return parts;
}

function decodeChoice(candidate: JsonObject, answer: JsonObject, index: number): ChatChoice {
  const events: ChatEvent[] = [];
  let calls = 0;
  for (const part of partsOf(candidate)) calls = partEvents(part, answer, index, calls, events);
  let text = '';
  let reasoning: string | null = null;
  const signatures: ReasoningSignature[] = [];
  const toolCalls: ToolCall[] = [];
  const images: string[] = [];
  for (const event of events) {
    if (event.type === 'text') text += event.text;
    if (event.type === 'image') images.push(event.url);
    if (event.type === 'reasoning' && event.text !== '') reasoning = (reasoning ?? '') + event.text;
    if (event.type === 'reasoning' && event.signature !== undefined) signatures.push(event.signature);
    if (event.type === 'tool') {
      const { id = '', name = '', arguments: args, extra } = event;
      toolCalls.push({ id, name, arguments: args, ...(extra === undefined ? {} : { extra }) });
    }
  }
  return {
    index,
    text,
    reasoning,
    signatures,
    toolCalls,
    images,
    refusal: null,
    finishReason: finishReason(candidate['finishReason'], calls > 0),
    logprobs: decodeLogprobs(candidate) ?? null,
  };
}

/** Throws `upstream_malformed` when the body is no answer of Gemini. */
export function decodeAnswer(body: Buffer, target: CallTarget): ChatAnswer {
  const answer = parseUpstream(body);
  const candidates: unknown = answer['candidates'] ?? [];
  if (!Array.isArray(candidates) || !candidates.every(isObject)) throw malformed();
  const blocked = blockedPrompt(answer);
  if (candidates.length === 0 && blocked === null) throw malformed();
  const choices = candidates.map((candidate, at) =>
    decodeChoice(candidate, answer, typeof candidate['index'] === 'number' ? candidate['index'] : at),
  );
  const searches = candidates.reduce((sum, candidate) => sum + searchesOf(candidate, target.model), 0);
  const created = typeof answer['createTime'] === 'string' ? Date.parse(answer['createTime']) : Number.NaN;
  return {
    id: typeof answer['responseId'] === 'string' ? answer['responseId'] : null,
    model: typeof answer['modelVersion'] === 'string' ? answer['modelVersion'] : null,
    created: Number.isNaN(created) ? null : Math.floor(created / 1000),
    choices: choices.length === 0 && blocked !== null ? [blockedChoice(blocked)] : choices,
    usage: decodeUsage(answer['usageMetadata'], searches),
    extra: {},
  };
}
