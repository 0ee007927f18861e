/** What providers other than OpenAI put into an answer: proofs of reasoning that they want back, and pictures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateText, jsonSchema, streamText, tool, type ModelMessage } from 'ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../server/test/fakes/images.ts';
import { startGateway, type TestGateway } from '../../server/test/gateway.ts';
import { startUpstream, type Upstream } from '../../server/test/upstream.ts';
import { createIndoxHub, type IndoxHubProvider } from '../src/index.ts';

const fixture = (name: string, vendor = 'anthropic'): string =>
  readFileSync(join(import.meta.dirname, '../../server/test/fixtures', vendor, name), 'utf8');
const picture = `data:image/png;base64,${png.toString('base64')}`;

let upstream: Upstream;
let gateway: TestGateway;
let indoxhub: IndoxHubProvider;
beforeAll(async () => {
  upstream = await startUpstream((call, response) => {
    const isStream = call.body['stream'] === true;
    response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
    if (call.path.includes('/messages'))
      return void response.end(fixture(isStream ? 'reasoning.sse' : 'reasoning.json'));
    if (call.path.includes('enerateContent'))
      return void response.end(
        fixture(isStream || call.path.includes('stream') ? 'tools.sse' : 'tools.json', 'google'),
      );
    const images = [{ type: 'image_url', image_url: { url: picture }, index: 0 }];
    const head = { id: 'x', created: 1, model: 'm' };
    const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    if (!isStream) {
      const message = { role: 'assistant', content: 'Here.', images };
      return void response.end(
        JSON.stringify({
          ...head,
          object: 'chat.completion',
          choices: [{ index: 0, message, finish_reason: 'stop' }],
          usage,
        }),
      );
    }
    const object = 'chat.completion.chunk';
    const frame = (body: object): string => `data: ${JSON.stringify({ ...head, object, ...body })}\n\n`;
    response.write(
      frame({ choices: [{ index: 0, delta: { role: 'assistant', content: 'Here.' }, finish_reason: null }] }),
    );
    response.write(frame({ choices: [{ index: 0, delta: { images }, finish_reason: null }] }));
    response.write(frame({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }));
    response.end(`${frame({ choices: [], usage })}data: [DONE]\n\n`);
  });
  gateway = await startGateway({
    env: {
      ANTHROPIC_API_KEY: 'sk-ant',
      ANTHROPIC_BASE_URL: upstream.url,
      GEMINI_API_KEY: 'sk-gemini',
      GEMINI_BASE_URL: upstream.url,
      OPENROUTER_API_KEY: 'sk-or',
      OPENROUTER_BASE_URL: upstream.url,
    },
  });
  indoxhub = createIndoxHub({ apiKey: gateway.apiKey, baseURL: gateway.url });
});
afterAll(async () => {
  await gateway.verify();
  await gateway.close();
  await upstream.close();
});

const claude = 'anthropic/claude-sonnet-4-5-20250929';
const question: ModelMessage[] = [{ role: 'user', content: '27 * 453?' }];
/** The thinking the provider was sent back. */
const sentBack = (): unknown[] =>
  ((upstream.calls.at(-1)?.body['messages'] ?? []) as { role: string; content: unknown }[])
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => (Array.isArray(content) ? (content as { type: string }[]) : []))
    .filter(({ type }) => type.includes('thinking'));
/** What it said: the blocks of the fixture. */
const blocks = (JSON.parse(fixture('reasoning.json')) as { content: { type: string }[] }).content.filter(
  ({ type }) => type.includes('thinking'),
);

test('whole: the reasoning, and its proof goes back unchanged in the next turn', async () => {
  const first = await generateText({ model: indoxhub(claude), messages: question });
  expect(first.reasoningText).not.toBe('');
  const messages = [...question, ...first.responseMessages, { role: 'user' as const, content: 'And now?' }];
  await generateText({ model: indoxhub(claude), messages });
  expect(blocks.length).toBeGreaterThan(0);
  expect(sentBack()).toEqual(blocks);
});

test('streamed: the same', async () => {
  const first = streamText({ model: indoxhub(claude), messages: question });
  const kinds: string[] = [];
  for await (const { type } of first.fullStream) kinds.push(type);
  expect(kinds).toContain('reasoning-delta');
  expect(kinds).not.toContain('raw');
  expect(kinds.indexOf('reasoning-end')).toBeLessThan(kinds.indexOf('text-start'));
  const messages = [
    ...question,
    ...(await first.responseMessages),
    { role: 'user' as const, content: 'And now?' },
  ];
  await generateText({ model: indoxhub(claude), messages });
  expect(sentBack()).toMatchObject([
    {
      type: 'thinking',
      thinking: expect.stringContaining('Let me think') as string,
      signature: expect.stringMatching(/^EqQB/) as string,
    },
    { type: 'redacted_thinking', data: expect.stringMatching(/^EmwK/) as string },
    { type: 'thinking', thinking: 'Second thought.' },
  ]);
});

test('Gemini’s signature of a tool call goes back with it', async () => {
  const model = indoxhub('google/gemini-2.5-flash');
  const inputSchema = jsonSchema<{ location: string }>({ type: 'object' });
  const tools = { get_weather: tool({ inputSchema, execute: () => 'rain' }) };
  const whole = await generateText({ model, messages: question, tools });
  const streamed = streamText({ model, messages: question, tools });
  for (const said of [whole.responseMessages, await streamed.responseMessages]) {
    expect(said.map(({ role }) => role)).toEqual(['assistant', 'tool']);
    await generateText({ model, messages: [...question, ...said], tools });
    expect(upstream.calls.at(-1)?.text).toContain('"thoughtSignature":"Ci4BVKhc7tool"');
  }
});

test('pictures in an answer are files, whole and streamed', async () => {
  const model = indoxhub('openrouter/google/gemini-2.5-flash-image');
  const whole = await generateText({ model, prompt: 'Draw' });
  const streamed = streamText({ model, prompt: 'Draw' });
  expect([whole.text, await streamed.text]).toEqual(['Here.', 'Here.']);
  for (const files of [whole.files, await streamed.files]) {
    expect(files.map(({ mediaType }) => mediaType)).toEqual(['image/png']);
    expect(files[0]?.uint8Array).toEqual(new Uint8Array(png));
  }
});
