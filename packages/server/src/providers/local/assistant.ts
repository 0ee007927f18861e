/**
 * What the sandbox says: deterministic, small, and honest about what it is. Same request, same answer; temperature and
 * seed change nothing.
 */
import type { JsonObject } from '../../contract/chat.ts';
import { arithmeticIn } from './arithmetic.ts';
import { withoutDirectives, type Directives } from './directives.ts';
import { SchemaFiller } from './schema-value.ts';

export interface Reply {
  readonly reasoning: string;
  readonly text: string;
  readonly tool: { readonly name: string; readonly arguments: string } | null;
}

export const introduction =
  'I am the sandbox of this IndoxHub gateway: a small deterministic program, not a language model. ' +
  'Configure a provider key to talk to a real one.';

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text of a message's content; parts that are no text are left out. */
export function textOfContent(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
    .filter((text) => text !== '')
    .join('\n');
}

export function lastMessage(body: JsonObject): JsonObject {
  const messages = Array.isArray(body['messages']) ? body['messages'] : [];
  const last: unknown = messages.at(-1);
  return isObject(last) ? last : {};
}

/** What the user said last: the text that directives and answers are made from. */
export function lastUserText(body: JsonObject): string {
  const messages = Array.isArray(body['messages']) ? body['messages'] : [];
  const user: unknown = messages.findLast((message) => isObject(message) && message['role'] === 'user');
  return isObject(user) ? textOfContent(user['content']) : textOfContent(lastMessage(body)['content']);
}

export function reply(body: JsonObject, asked: string, directives: Directives): Reply {
  const text = withoutDirectives(asked);
  const reasoning = directives.think ? `The sandbox was asked: ${text.slice(0, 80)}` : '';
  if (directives.tokens !== null) return { reasoning, text: filler(directives.tokens), tool: null };
  const last = lastMessage(body);
  if (last['role'] === 'tool' || last['role'] === 'function') {
    const answer = textOfContent(last['content']).slice(0, 2000);
    return { reasoning, text: shaped(body, text) ?? `The tool answered: ${answer}`, tool: null };
  }
  const tool = pickTool(body, text);
  if (tool !== null) return { reasoning, text: '', tool };
  return { reasoning, text: shaped(body, text) ?? say(text, hasImage(last)), tool: null };
}

/** Exactly so many of the sandbox's tokens. */
function filler(tokens: number): string {
  const words = ['sand', 'box', 'test', 'token', 'flow'];
  return Array.from(
    { length: tokens },
    (_, at) => (at === 0 ? '' : ' ') + (words[at % words.length] ?? 'sand'),
  ).join('');
}

function hasImage(message: JsonObject): boolean {
  const content = message['content'];
  return Array.isArray(content) && content.some((part) => isObject(part) && part['type'] === 'image_url');
}

/** JSON when `response_format` asks for it, else null. */
function shaped(body: JsonObject, text: string): string | null {
  const format = isObject(body['response_format']) ? body['response_format'] : {};
  if (format['type'] === 'json_object')
    return JSON.stringify({ answer: say(text, false), model: 'local/sandbox' });
  if (format['type'] !== 'json_schema') return null;
  const wrapper = isObject(format['json_schema']) ? format['json_schema'] : {};
  const schema = isObject(wrapper['schema']) ? wrapper['schema'] : { type: 'object' };
  return JSON.stringify(new SchemaFiller(schema, text).value());
}

const commands: readonly (readonly [RegExp, (rest: string) => string])[] = [
  [/^(?:please\s+)?(?:echo|repeat|say)\b[:\s]*(?:after me[:\s]*)?([\s\S]*)$/i, (rest) => rest],
  [/^(?:please\s+)?(?:upper-?\s?case|shout|to upper)\b[:\s]*([\s\S]*)$/i, (rest) => rest.toUpperCase()],
  [/^(?:please\s+)?(?:lower-?\s?case|to lower)\b[:\s]*([\s\S]*)$/i, (rest) => rest.toLowerCase()],
  [/^(?:please\s+)?reverse\b[:\s]*([\s\S]*)$/i, (rest) => Array.from(rest).toReversed().join('')],
  [
    /^(?:please\s+)?count (?:the )?words(?: in)?\b[:\s]*([\s\S]*)$/i,
    (rest) => String(rest.split(/\s+/).filter(Boolean).length),
  ],
];

function say(text: string, sawImage: boolean): string {
  if (sawImage) return `I see that you sent an image, but I cannot look at it. ${introduction}`;
  for (const [pattern, answer] of commands) {
    const rest = pattern
      .exec(text)?.[1]
      ?.trim()
      .replace(/^(["'])([\s\S]*)\1$/, '$2');
    if (rest !== undefined && rest !== '') return answer(rest);
  }
  if (text === '' || /\b(?:who|what) are you\b|\b(?:which|what) model\b|\bsandbox\b/i.test(text))
    return introduction;
  const sum = arithmeticIn(text);
  if (sum !== null) return `${sum.expression} = ${sum.value}`;
  if (/^(?:hi|hello|hey|good (?:morning|day|evening))\b/i.test(text)) return `Hello! ${introduction}`;
  const quoted = text.length > 200 ? `${text.slice(0, 199)}…` : text;
  return `You said: “${quoted}” ${introduction}`;
}

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
}

function toolsOf(body: JsonObject): Tool[] {
  const tools = Array.isArray(body['tools']) ? body['tools'] : [];
  return tools.flatMap((tool): Tool[] => {
    const called = isObject(tool) && isObject(tool['function']) ? tool['function'] : null;
    if (called === null || typeof called['name'] !== 'string') return [];
    const description = typeof called['description'] === 'string' ? called['description'] : '';
    const parameters = isObject(called['parameters']) ? called['parameters'] : { type: 'object' };
    return [{ name: called['name'], description, parameters }];
  });
}

/** The tool the caller forces, else the one whose name and description share most words with the text. */
function pickTool(body: JsonObject, text: string): Reply['tool'] {
  const choice = body['tool_choice'];
  const tools = toolsOf(body);
  if (choice === 'none' || tools.length === 0) return null;
  const forced = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : null;
  const said = new Set(wordsOf(text));
  const scored = tools
    .map((tool) => ({
      tool,
      score: wordsOf(`${tool.name} ${tool.description}`).filter((word) => said.has(word)).length,
    }))
    .toSorted((a, b) => b.score - a.score);
  const best = scored.find((each) => each.tool.name === forced) ?? (forced === null ? scored[0] : undefined);
  if (best === undefined || (best.score === 0 && forced === null && choice !== 'required')) return null;
  const value = new SchemaFiller(best.tool.parameters, text).value();
  return { name: best.tool.name, arguments: JSON.stringify(isObject(value) ? value : {}) };
}

const littleWords = new Set([
  'this',
  'that',
  'with',
  'from',
  'what',
  'the',
  'and',
  'for',
  'get',
  'your',
  'are',
  'you',
]);

function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  return [...new Set(words)].filter((word) => !littleWords.has(word));
}
