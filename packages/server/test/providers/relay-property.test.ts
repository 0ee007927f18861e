/** Whatever a vendor streams and wherever it is cut: the relay finds what the decoder finds, and passes what it must. */
import {
  array,
  assert,
  boolean,
  constantFrom,
  double,
  nat,
  oneof,
  option,
  property,
  record,
  string,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatEvent } from '../../src/contract/chat.ts';
import { chatOf, decodeStream, targetOf } from './openai-fixtures.ts';

const word = oneof(
  string({ unit: 'binary', maxLength: 12 }),
  constantFrom(
    '"',
    '\\',
    '\n\n',
    '"}}]}',
    '"finish_reason":"stop"',
    '"usage":{',
    '"delta":{',
    'data: [DONE]',
    '🌍',
    'é',
  ),
);
const delta = oneof(
  record({ content: word }),
  record({ content: word }),
  record({ role: constantFrom('assistant'), content: word }),
  record({ content: option(word), reasoning_content: word }),
  record({ reasoning: word, content: option(word) }),
  record({
    tool_calls: array(record({ index: nat(2), function: record({ arguments: word }) }), {
      minLength: 1,
      maxLength: 2,
    }),
  }),
  record({ refusal: word }),
);
const tail = oneof(
  constantFrom({}),
  constantFrom({}),
  constantFrom({ usage: null }),
  record({ obfuscation: string({ maxLength: 6 }) }),
  record({ usage: record({ prompt_tokens: nat(1000), completion_tokens: nat(1000) }) }),
);
const chunk = record({
  index: constantFrom(0, 0, 0, 1),
  delta,
  finish: constantFrom(null, null, null, null, 'stop', 'length'),
  tail,
  style: constantFrom('plain', 'plain', 'plain', 'crlf', 'comment', 'two choices', 'usage first'),
});

function eventOf(each: {
  index: number;
  delta: object;
  finish: string | null;
  tail: object;
  style: string;
}): string {
  const choice = { index: each.index, delta: each.delta, logprobs: null, finish_reason: each.finish };
  const choices = each.style === 'two choices' ? [choice, { ...choice, index: 1 - each.index }] : [choice];
  const body =
    each.style === 'usage first' ? { id: 'x', ...each.tail, choices } : { id: 'x', choices, ...each.tail };
  const line = `data: ${JSON.stringify(body)}`;
  if (each.style === 'crlf') return `${line}\r\n\r\n`;
  return each.style === 'comment' ? `: ping\n\n${line}\n\n` : `${line}\n\n`;
}

function units(events: readonly ChatEvent[]): number {
  let sum = 0;
  for (const event of events) {
    if (event.type === 'text' || event.type === 'reasoning' || event.type === 'refusal')
      sum += event.text.length;
    else if (event.type === 'tool') sum += event.arguments.length;
  }
  return sum;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b);
  return [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length));
}

const share = double({ min: 0, max: 1, noNaN: true });

describe('relay and decoder', () => {
  it('agree', () => {
    assert(
      property(
        array(chunk, { maxLength: 30 }),
        array(share, { maxLength: 8 }),
        boolean(),
        (chunks, cuts, isDone) => {
          const source = Buffer.from(chunks.map(eventOf).join('') + (isDone ? 'data: [DONE]\n\n' : ''));
          const codec = chatOf('openai');
          const whole = decodeStream(codec, 'openai', [source]);
          const relay = codec.relay?.createStream(targetOf('openai'), true);
          if (relay === undefined) throw new Error('no relay');
          const out: Buffer[] = [];
          for (const piece of cutAt(source, cuts)) out.push(relay.push(piece) ?? Buffer.alloc(0));
          out.push(relay.end() ?? Buffer.alloc(0));
          const { facts } = relay;
          const usages = whole.events.filter((event) => event.type === 'usage');
          const finishes = whole.events.filter((event) => event.type === 'finish');
          expect(facts.deliveredChars).toBe(units(whole.events));
          expect(facts.usage).toEqual(usages.at(-1)?.usage ?? null);
          expect(facts.finishReason).toBe(finishes[0]?.reason ?? null);
          expect(facts.ended).toBe(whole.ended);
          // What passed says the same, and nothing of it is a terminal.
          const passed = decodeStream(codec, 'openai', [Buffer.concat(out)]);
          expect(passed.events).toEqual(whole.events);
          const pieces = decodeStream(codec, 'openai', cutAt(source, cuts));
          expect(pieces).toEqual(whole);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('an event read by what the one before looked like says what it says alone', () => {
    const said = (events: readonly ChatEvent[]): unknown[] =>
      events.filter(({ type }) => type === 'text' || type === 'reasoning');
    const body = record({ content: word });
    const ordinary = record({
      index: constantFrom(0, 0, 0, 1),
      delta: oneof(body, body, body, delta),
      finish: constantFrom(null),
      tail: constantFrom({}, { usage: null }),
      style: constantFrom('plain', 'plain', 'plain', 'usage first'),
    });
    assert(
      property(array(ordinary, { minLength: 2, maxLength: 40 }), (chunks) => {
        const codec = chatOf('openai');
        const sources = chunks.map((each) => Buffer.from(eventOf(each)));
        const alone = sources.flatMap((source) => decodeStream(codec, 'openai', [source]).events);
        expect(said(decodeStream(codec, 'openai', sources).events)).toEqual(said(alone));
      }),
      { numRuns: 400 },
    );
  });
});
