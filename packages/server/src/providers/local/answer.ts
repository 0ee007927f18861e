/** A request to the sandbox → what it answers, before it becomes a body or a stream. */
import type { JsonObject } from '../../contract/chat.ts';
import { lastUserText, reply, textOfContent, type Reply } from './assistant.ts';
import { readDirectives, type Directives } from './directives.ts';
import { countTokens, tokenize } from './tokenizer.ts';

export interface SandboxChoice {
  readonly index: number;
  readonly reasoning: string;
  readonly text: string;
  readonly tool: Reply['tool'];
  readonly finishReason: string;
}

export interface SandboxAnswer {
  readonly choices: readonly SandboxChoice[];
  readonly usage: JsonObject | null;
}

/** The sandbox's refusal of a request it cannot serve honestly. */
export interface Refusal {
  readonly param: string;
  readonly message: string;
}

export function refusalOf(body: JsonObject, isChat: boolean, directives: Directives): Refusal | null {
  if (directives.unknown !== null) {
    return {
      param: isChat ? 'messages' : 'prompt',
      message: `The sandbox knows no directive '${directives.unknown}'.`,
    };
  }
  const logprobs = body['logprobs'];
  if (logprobs !== undefined && logprobs !== false) {
    return { param: 'logprobs', message: 'The sandbox is no language model: it has no probabilities.' };
  }
  const modalities = body['modalities'];
  if (Array.isArray(modalities) && modalities.includes('audio')) {
    return { param: 'modalities', message: 'The sandbox only writes text.' };
  }
  if (!isChat && promptsOf(body) === null) {
    return { param: 'prompt', message: 'The sandbox takes a prompt of text, or a list of texts.' };
  }
  return null;
}

/** null for prompts of token numbers. */
function promptsOf(body: JsonObject): string[] | null {
  const prompt = body['prompt'];
  if (typeof prompt === 'string') return [prompt];
  if (!Array.isArray(prompt) || prompt.length === 0) return null;
  return prompt.every((each) => typeof each === 'string') ? prompt : null;
}

export function directivesOf(body: JsonObject, isChat: boolean): Directives {
  return readDirectives(isChat ? lastUserText(body) : (promptsOf(body) ?? []).join('\n'));
}

export function answerTo(body: JsonObject, isChat: boolean, directives: Directives): SandboxAnswer {
  const asked = isChat ? [lastUserText(body)] : (promptsOf(body) ?? []);
  const copies = Math.min(typeof body['n'] === 'number' ? Math.max(1, Math.floor(body['n'])) : 1, 128);
  const choices = asked.flatMap((text, at) =>
    Array.from({ length: copies }, (_, copy) =>
      choiceOf(body, isChat, text, at * copies + copy, copy, directives),
    ),
  );
  return { choices, usage: directives.noUsage ? null : usageOf(body, isChat, choices) };
}

function choiceOf(
  body: JsonObject,
  isChat: boolean,
  asked: string,
  index: number,
  copy: number,
  directives: Directives,
): SandboxChoice {
  const said = reply(isChat ? body : {}, asked, directives);
  const isPlain = said.tool === null && body['response_format'] === undefined;
  const numbered = copy > 0 && isPlain ? `(${copy + 1}) ${said.text}` : said.text;
  const whole = !isChat && body['echo'] === true ? `${asked}${numbered}` : numbered;
  const stopped = beforeStop(whole, body['stop']);
  const bound = body['max_completion_tokens'] ?? body['max_tokens'];
  const limit = typeof bound === 'number' ? bound : Number.POSITIVE_INFINITY;
  const thought = tokenize(said.reasoning);
  const reasoning = thought.slice(0, limit).join('');
  const left = Math.max(0, limit - thought.length);
  const tokens = tokenize(stopped);
  const isLong = tokens.length > left || thought.length > limit;
  const text = isLong ? tokens.slice(0, left).join('') : stopped;
  const natural = said.tool !== null ? 'tool_calls' : isLong ? 'length' : 'stop';
  return { index, reasoning, text, tool: said.tool, finishReason: directives.finish ?? natural };
}

function beforeStop(text: string, stop: unknown): string {
  const words = (Array.isArray(stop) ? stop : [stop]).filter(
    (word) => typeof word === 'string' && word !== '',
  );
  const places = words.map((word) => text.indexOf(word as string)).filter((place) => place >= 0);
  return places.length === 0 ? text : text.slice(0, Math.min(...places));
}

function usageOf(body: JsonObject, isChat: boolean, choices: readonly SandboxChoice[]): JsonObject {
  const prompt = isChat
    ? chatTokens(body)
    : (promptsOf(body) ?? []).reduce((sum, each) => sum + countTokens(each), 0);
  let completion = 0;
  let reasoning = 0;
  for (const choice of choices) {
    const thought = countTokens(choice.reasoning);
    reasoning += thought;
    completion += thought + countTokens(choice.text);
    if (choice.tool !== null)
      completion += countTokens(choice.tool.name) + countTokens(choice.tool.arguments);
  }
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}

/** Four for each message, as chat formats cost, and the text; tools by their JSON. */
function chatTokens(body: JsonObject): number {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as unknown[]) : [];
  let tokens = 0;
  for (const message of messages) {
    tokens += 4;
    if (typeof message === 'object' && message !== null)
      tokens += countTokens(textOfContent((message as JsonObject)['content']));
  }
  return tokens + (body['tools'] === undefined ? 0 : countTokens(JSON.stringify(body['tools'])));
}
