/** What whole answers and chunks share: parts of a candidate as canonical events, usage, endings, log probabilities. */
import type { ChatEvent, FinishReason, JsonObject } from '../../contract/chat.ts';
import { count, type TokenUsage } from '../../contract/usage.ts';
import { isObject } from '../exact-json.ts';
import { billsEachSearch } from './model.ts';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  CONTINUATION: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
  MALFORMED_FUNCTION_CALL: 'error',
  UNEXPECTED_TOOL_CALL: 'error',
  TOO_MANY_TOOL_CALLS: 'error',
  MALFORMED_RESPONSE: 'error',
};

/** Google says STOP after function calls, too. Reasons of the future count as `stop`. */
export function finishReason(reason: unknown, hasCalls: boolean): FinishReason | null {
  if (typeof reason !== 'string' || reason === 'FINISH_REASON_UNSPECIFIED') return null;
  const known = finishReasons[reason] ?? 'stop';
  return known === 'stop' && hasCalls ? 'tool_calls' : known;
}

/** Tokens of one modality in a list of `{modality, tokenCount}`. */
function ofModality(details: unknown, modality: string): number {
  if (!Array.isArray(details)) return 0;
  let sum = 0;
  for (const each of details as unknown[]) {
    if (isObject(each) && each['modality'] === modality) sum += count(each['tokenCount']);
  }
  return sum;
}

/**
 * `promptTokenCount` includes cached tokens, `candidatesTokenCount` leaves out thoughts, results of Google's own
 * tools count apart. null when the object counts nothing.
 */
export function decodeUsage(usage: unknown, searches: number): TokenUsage | null {
  if (!isObject(usage)) return null;
  const { promptTokenCount, candidatesTokenCount, totalTokenCount } = usage;
  if ([promptTokenCount, candidatesTokenCount, totalTokenCount].every((each) => typeof each !== 'number')) {
    return null;
  }
  const prompt = count(promptTokenCount);
  const cacheRead = Math.min(count(usage['cachedContentTokenCount']), prompt);
  const cachedAudio = ofModality(usage['cacheTokensDetails'], 'AUDIO');
  const promptAudio = ofModality(usage['promptTokensDetails'], 'AUDIO');
  const audioInput = Math.min(Math.max(0, promptAudio - cachedAudio), prompt - cacheRead);
  const toolUse = count(usage['toolUsePromptTokenCount']);
  const reasoning = count(usage['thoughtsTokenCount']);
  const candidates =
    typeof candidatesTokenCount === 'number'
      ? count(candidatesTokenCount)
      : Math.max(0, count(totalTokenCount) - prompt - toolUse - reasoning);
  const imageOutput = Math.min(ofModality(usage['candidatesTokensDetails'], 'IMAGE'), candidates);
  const audioOutput = Math.min(
    ofModality(usage['candidatesTokensDetails'], 'AUDIO'),
    candidates - imageOutput,
  );
  return {
    input: prompt - cacheRead - audioInput + toolUse,
    cacheRead,
    cacheWrite: 0,
    cacheWriteLong: 0,
    audioInput,
    imageInput: 0,
    output: candidates - imageOutput - audioOutput,
    reasoning,
    audioOutput,
    imageOutput,
    webSearches: searches,
  };
}

/** Searches of a candidate that Google bills. */
export function searchesOf(candidate: JsonObject, model: string): number {
  const grounding = candidate['groundingMetadata'];
  const queries = isObject(grounding) ? grounding['webSearchQueries'] : null;
  if (!Array.isArray(queries) || queries.length === 0) return 0;
  return billsEachSearch(model) ? queries.length : 1;
}

/** The sentence for a prompt that was refused whole, or null. */
export function blockedPrompt(answer: JsonObject): string | null {
  const feedback = answer['promptFeedback'];
  if (!isObject(feedback) || typeof feedback['blockReason'] !== 'string') return null;
  const words = feedback['blockReasonMessage'];
  return typeof words === 'string' ? words : `The provider blocked the prompt: ${feedback['blockReason']}.`;
}

const token = (value: unknown): JsonObject => {
  const { token: text = '', logProbability = null } = isObject(value) ? value : {};
  return { token: text, logprob: logProbability, bytes: [...Buffer.from(String(text), 'utf8')] };
};

/** OpenAI's `logprobs`, or undefined. */
export function decodeLogprobs(candidate: JsonObject): JsonObject | undefined {
  const result = candidate['logprobsResult'];
  if (!isObject(result) || !Array.isArray(result['chosenCandidates'])) return undefined;
  const top: unknown[] = Array.isArray(result['topCandidates']) ? result['topCandidates'] : [];
  const content = (result['chosenCandidates'] as unknown[]).map((chosen, at) => {
    const row = top[at];
    const others: unknown[] = isObject(row) && Array.isArray(row['candidates']) ? row['candidates'] : [];
    return { ...token(chosen), top_logprobs: others.map(token) };
  });
  return { content, refusal: null };
}

/** Names the calls of one choice. Google sends ids only now and then; ours are the same each time it is decoded. */
function callId(given: unknown, answer: JsonObject, index: number, call: number): string {
  if (typeof given === 'string' && given !== '') return given;
  const id = typeof answer['responseId'] === 'string' ? answer['responseId'] : '';
  const base = id.replace(/[^a-zA-Z0-9]/g, '').slice(-24) || 'gemini';
  return `call_${base}_${index === 0 ? '' : `${index}_`}${call}`;
}

function signatureEvent(index: number, data: string): ChatEvent {
  return { type: 'reasoning', index, text: '', signature: { vendor: 'google', kind: 'signature', data } };
}

function toolEvent(
  call: JsonObject,
  part: JsonObject,
  answer: JsonObject,
  index: number,
  nth: number,
): ChatEvent {
  const signature = part['thoughtSignature'];
  return {
    type: 'tool',
    index,
    call: nth,
    id: callId(call['id'], answer, index, nth),
    name: String(call['name']),
    arguments: JSON.stringify(call['args'] ?? {}),
    ...(typeof signature === 'string' ? { extra: { google: { thought_signature: signature } } } : {}),
  };
}

/** Appends the events of one part; returns how many tool calls the choice now has. */
export function partEvents(
  part: JsonObject,
  answer: JsonObject,
  index: number,
  calls: number,
  events: ChatEvent[],
): number {
  const { functionCall, inlineData, text, thoughtSignature: signature } = part;
  if (isObject(functionCall)) {
    events.push(toolEvent(functionCall, part, answer, index, calls));
    return calls + 1;
  }
  const thought = part['thought'] === true;
  if (typeof text === 'string' && text !== '')
    events.push({ type: thought ? 'reasoning' : 'text', index, text });
  if (isObject(inlineData) && !thought && String(inlineData['mimeType']).startsWith('image/')) {
    const url = `data:${String(inlineData['mimeType'])};base64,${String(inlineData['data'])}`;
    events.push({ type: 'image', index, url });
  }
  if (typeof signature === 'string' && signature !== '') events.push(signatureEvent(index, signature));
  return calls;
}
