import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ZodType } from 'zod';
import { compile } from './accepts.ts';
import { chatBody, completionBody, embeddingBody, imageBody, openaiChatBody, speechBody } from './bodies.ts';

const schemas: [string, ZodType][] = [
  ['chat', chatBody],
  ['openai chat', openaiChatBody],
  ['completion', completionBody],
  ['embeddings', embeddingBody],
  ['speech', speechBody],
  ['images', imageBody],
];

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    0,
    -0,
    1,
    0.5,
    -3,
    2,
    129,
    1e308,
    Infinity,
    NaN,
    2 ** 53,
    true,
    [],
    {},
    [[]],
  ),
  fc.constantFrom<unknown>(
    { constructor: 1 },
    { type: 1 },
    { type: 'text', text: 'a' },
    [{ type: 'text' }],
    ['a', 1],
  ),
);
const message = fc.oneof(
  odd,
  fc.record({ role: fc.oneof(fc.string(), odd), content: fc.oneof(fc.string(), odd) }, { requiredKeys: [] }),
);

/** A body with some of the schema's members, each right or odd, and some that no schema names. */
const bodies = ({ shape }: { shape: Record<string, unknown> }): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: odd, weight: 1 },
    {
      arbitrary: fc.dictionary(
        fc.constantFrom(...Object.keys(shape), 'unknown_member', 'logit_bias'),
        fc.oneof(odd, fc.string(), fc.nat(4), fc.float({ min: 0, max: 1, noNaN: true }), fc.array(message)),
      ),
      weight: 9,
    },
  );

describe.each(schemas)('%s', (_, schema) => {
  test('the quick check takes only what the schema takes', () => {
    const accepts = compile(schema);
    fc.assert(
      fc.property(bodies(schema as never), (body) => !accepts(body) || schema.safeParse(body).success),
      { numRuns: 2_000 },
    );
  });
});

test('ordinary chats never come to the schema', () => {
  const accepts = compile(openaiChatBody);
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    { role: 'assistant', content: null, tool_calls: [] },
  ];
  expect(accepts({ model: 'openai/gpt-4o-mini', messages })).toBe(true);
  const tools = [{ type: 'function', function: { name: 'f' } }];
  expect(accepts({ messages, temperature: 0.7, top_p: 1, max_tokens: 256, n: 1, stop: ['a'], tools })).toBe(
    true,
  );
  expect(accepts({ messages, stream: true, stream_options: { include_usage: true }, seed: null })).toBe(true);
  expect(accepts({ messages: [] })).toBe(false);
  expect(accepts({ messages, temperature: 3 })).toBe(false);
  expect(accepts({ messages, max_tokens: 1.5 })).toBe(false);
});
