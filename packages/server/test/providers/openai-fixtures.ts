/** The OpenAI-speaking vendors' fixtures, and what each of them says once the vendor's manners are taken off. */
import { readFileSync } from 'node:fs';
import type { ChatAnswer, ChatEvent } from '../../src/contract/chat.ts';
import { noUsage, type TokenUsage } from '../../src/contract/usage.ts';
import type { CallTarget, ChatCodec } from '../../src/providers/provider.ts';
import { vendorById } from '../../src/providers/registry.ts';

export const vendorIds = ['openai', 'mistral', 'groq', 'together', 'deepseek', 'xai'] as const;
export type VendorId = (typeof vendorIds)[number];
export const cases = ['text', 'tools', 'reasoning', 'odd-usage'] as const;
export type Case = (typeof cases)[number];

export function fixture(vendor: string, name: string): Buffer {
  return readFileSync(new URL(`../fixtures/${vendor}/${name}`, import.meta.url));
}

export function targetOf(provider: string, model = 'some-model'): CallTarget {
  return { provider, model, info: null, maxTokens: null, options: {} };
}

export function chatOf(vendor: string): ChatCodec {
  const codec = vendorById(vendor)?.chat;
  if (codec === undefined) throw new Error(`${vendor} has no chat`);
  return codec;
}

export interface Summary {
  text: string[];
  reasoning: string;
  tools: { id: string; name: string; arguments: unknown }[];
  finish: (string | null)[];
  usage: TokenUsage | null;
}

const usage = (some: Partial<TokenUsage>): TokenUsage => ({ ...noUsage, ...some });

const sentence = 'Grüße, 世界! 🌍 A "quote"\nand a line.';
const thought = 'Six times seven.';

const callIds: Record<VendorId, [string, string]> = {
  openai: ['call_9pLxQ1', 'call_7mKwR2'],
  mistral: ['D681PevKs', 'a1B2c3D4e'],
  groq: ['call_d5wg', 'call_k2xp'],
  together: ['call_a8x', 'call_b9y'],
  deepseek: ['call_0_6c07', 'call_1_7d18'],
  xai: ['call_71', 'call_72'],
};

const usages: Record<VendorId, Record<Case, TokenUsage>> = {
  openai: {
    text: usage({ input: 19, output: 10 }),
    tools: usage({ input: 82, output: 41 }),
    reasoning: usage({ input: 30, output: 10, reasoning: 64 }),
    'odd-usage': usage({
      input: 16,
      cacheRead: 64,
      audioInput: 20,
      imageInput: 0,
      output: 25,
      reasoning: 10,
      audioOutput: 15,
    }),
  },
  mistral: {
    text: usage({ input: 13, output: 11 }),
    tools: usage({ input: 90, output: 44 }),
    reasoning: usage({ input: 20, output: 30 }),
    'odd-usage': usage({ input: 36, cacheRead: 64, output: 50 }),
  },
  groq: {
    text: usage({ input: 18, output: 12 }),
    tools: usage({ input: 77, output: 33 }),
    reasoning: usage({ input: 25, output: 12, reasoning: 48 }),
    'odd-usage': usage({ input: 36, cacheRead: 64, output: 50 }),
  },
  together: {
    text: usage({ input: 40, output: 13 }),
    tools: usage({ input: 200, output: 37 }),
    reasoning: usage({ input: 20, output: 30 }),
    'odd-usage': usage({ input: 36, cacheRead: 64, output: 50 }),
  },
  deepseek: {
    text: usage({ input: 16, output: 10 }),
    tools: usage({ input: 36, cacheRead: 128, output: 42 }),
    reasoning: usage({ input: 14, output: 8, reasoning: 32 }),
    'odd-usage': usage({ input: 36, cacheRead: 64, output: 50 }),
  },
  xai: {
    text: usage({ input: 32, output: 9, reasoning: 94 }),
    tools: usage({ input: 279, output: 6, reasoning: 89 }),
    reasoning: usage({ input: 12, output: 1, reasoning: 386 }),
    'odd-usage': usage({ input: 9992, cacheRead: 128, output: 1499, reasoning: 2809, webSearches: 5 }),
  },
};

/** Known from the fixture's text, not made by the codec. */
export function expected(vendor: VendorId, name: Case): Summary {
  const counted = usages[vendor][name];
  const plain = { reasoning: '', tools: [], usage: counted };
  if (name === 'text') return { ...plain, text: [sentence], finish: ['stop'] };
  if (name === 'tools') {
    const [first, second] = callIds[vendor];
    const tools = [
      { id: first, name: 'get_weather', arguments: { city: 'Zürich', unit: 'celsius' } },
      { id: second, name: 'get_time', arguments: { tz: 'Europe/Zurich' } },
    ];
    return { ...plain, text: [''], tools, finish: ['tool_calls'] };
  }
  if (name === 'reasoning') {
    const isHidden = vendor === 'openai';
    return { ...plain, text: ['42'], reasoning: isHidden ? '' : thought, finish: ['stop'] };
  }
  if (vendor === 'openai') return { ...plain, text: ['Hi', 'Hey there'], finish: ['stop', 'length'] };
  return { ...plain, text: ['Cut'], finish: [vendor === 'deepseek' ? 'error' : 'length'] };
}

export function summaryOfAnswer(answer: ChatAnswer): Summary {
  return {
    text: answer.choices.map((choice) => choice.text),
    reasoning: answer.choices.map((choice) => choice.reasoning ?? '').join(''),
    tools: answer.choices.flatMap((choice) =>
      choice.toolCalls.map(({ id, name, arguments: json }) => ({
        id,
        name,
        arguments: JSON.parse(json) as unknown,
      })),
    ),
    finish: answer.choices.map((choice) => choice.finishReason),
    usage: answer.usage,
  };
}

export function summaryOfEvents(events: readonly ChatEvent[]): Summary {
  const summary: Summary = { text: [], reasoning: '', tools: [], finish: [], usage: null };
  const calls: { id: string; name: string; arguments: string }[] = [];
  for (const event of events) {
    if (event.type === 'text') summary.text[event.index] = (summary.text[event.index] ?? '') + event.text;
    else if (event.type === 'reasoning') summary.reasoning += event.text;
    else if (event.type === 'finish') summary.finish[event.index] = event.reason;
    else if (event.type === 'usage') summary.usage = event.usage;
    else if (event.type === 'tool') {
      const call = (calls[event.call] ??= { id: event.id ?? '', name: event.name ?? '', arguments: '' });
      call.arguments += event.arguments;
    }
  }
  if (summary.text.length === 0) summary.text = [''];
  summary.tools = calls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) as unknown }));
  return summary;
}

export function decodeStream(
  codec: ChatCodec,
  provider: string,
  chunks: readonly Buffer[],
): { events: ChatEvent[]; ended: boolean } {
  const decoder = codec.createStreamDecoder(targetOf(provider));
  const events: ChatEvent[] = [];
  for (const chunk of chunks) decoder.push(chunk, events);
  const ended = decoder.end(events);
  return { events, ended };
}
