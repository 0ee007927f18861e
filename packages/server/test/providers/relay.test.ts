import { describe, expect, it } from 'vitest';
import { vendorById } from '../../src/providers/registry.ts';
import type { RelayFacts, StreamRelay } from '../../src/providers/provider.ts';
import { cases, chatOf, expected, fixture, targetOf, vendorIds } from './openai-fixtures.ts';
import { splitBytes } from './recorder.ts';

function relayOf(vendor = 'openai', showUsage = false, kind: 'chat' | 'completion' = 'chat'): StreamRelay {
  const relay = vendorById(vendor)?.[kind]?.relay;
  if (relay === undefined) throw new Error(`${vendor} is not relayed`);
  return relay.createStream(targetOf(vendor), showUsage);
}

function run(stream: StreamRelay, chunks: readonly Buffer[]): { text: string; facts: RelayFacts } {
  const out: Buffer[] = [];
  for (const chunk of chunks) {
    const given = stream.push(chunk);
    if (given !== null) {
      out.push(given);
      expect(given.toString('utf8')).toMatch(/\n\r?\n$/);
    }
  }
  const last = stream.end();
  if (last !== null) out.push(last);
  return { text: Buffer.concat(out).toString('utf8'), facts: { ...stream.facts } };
}

const relayed = vendorIds.filter((vendor) => vendor !== 'mistral');
const event = (delta: object, more: object = {}, choice: object = {}): string =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: null, ...choice }], ...more })}\n\n`;

/** The same stream with the terminal, comments and (unless asked for) the usage chunk taken out. */
function passed(source: string, showUsage: boolean): string {
  return source
    .split('\n\n')
    .filter((part) => part !== '' && part !== 'data: [DONE]' && !part.startsWith(':'))
    .filter((part) => showUsage || !/"choices":\[\],/.test(part))
    .map((part) => `${part}\n\n`)
    .join('');
}

describe.each(relayed)('%s', (vendor) => {
  it.each(cases)('passes the bytes and finds the facts: %s', (name) => {
    const bytes = fixture(vendor, `${name}.sse`);
    const want = expected(vendor, name);
    const chars =
      want.text.join('').length +
      want.reasoning.length +
      want.tools.reduce(
        (sum, tool) => sum + JSON.stringify(tool.arguments).length + spaces(tool.arguments),
        0,
      );
    for (const showUsage of [false, true]) {
      const { text, facts } = run(relayOf(vendor, showUsage), [bytes]);
      expect(text).toBe(passed(bytes.toString('utf8'), showUsage));
      expect(facts).toEqual({
        usage: want.usage,
        finishReason: want.finish[0],
        ended: true,
        failure: null,
        deliveredChars: chars,
      });
    }
  });

  it.each(cases)('gives the same wherever the stream is cut: %s', (name) => {
    for (const showUsage of [false, true]) {
      const bytes = fixture(vendor, `${name}.sse`);
      const whole = JSON.stringify(run(relayOf(vendor, showUsage), [bytes]));
      expect(JSON.stringify(run(relayOf(vendor, showUsage), splitBytes(bytes.toString('utf8'), 1)))).toBe(
        whole,
      );
      for (let at = 1; at < bytes.length; at++) {
        const cut = run(relayOf(vendor, showUsage), [bytes.subarray(0, at), bytes.subarray(at)]);
        if (JSON.stringify(cut) !== whole) expect(JSON.stringify(cut), `cut at ${at}`).toBe(whole);
      }
    }
  });

  it.each(cases)('inspects the whole answer: %s', (name) => {
    const want = expected(vendor, name);
    const facts = chatOf(vendor).relay?.inspect(fixture(vendor, `${name}.json`), targetOf(vendor));
    expect(facts).toMatchObject({
      usage: want.usage,
      finishReason: want.finish[0],
      ended: true,
      failure: null,
    });
    expect(facts?.deliveredChars).toBeGreaterThan(0);
  });

  it('holds the error back and reports it', () => {
    const { text, facts } = run(relayOf(vendor), [fixture(vendor, 'error.sse')]);
    expect(text).toContain('"Hi"');
    expect(text).not.toContain('"error"');
    expect(facts.ended).toBe(false);
    expect(facts.failure?.message?.length).toBeGreaterThan(10);
  });
});

/** Python's JSON, as the fixtures have it in arguments, has a space after each colon and comma. */
const spaces = (value: unknown): number => Object.keys(value as object).length * 2 - 1;

describe('the hot path', () => {
  it('hands on the very same buffer when nothing has to change', () => {
    const stream = relayOf();
    const chunk = Buffer.from(
      event({ role: 'assistant', content: '' }) + event({ content: 'a' }) + event({ content: 'b' }),
    );
    expect(stream.push(chunk)).toBe(chunk);
    const second = Buffer.from(event({ content: 'c' }).repeat(50));
    expect(stream.push(second)).toBe(second);
    expect(stream.facts.deliveredChars).toBe(52);
  });

  it('counts UTF-16 units of every kind of text, escapes and all, as the translated path does', () => {
    const words = ['é', '世界', '🌍', '\n"\\\u0001', 'plain', '\ud83d', 'a\u2028b'];
    for (const member of ['content', 'reasoning_content', 'reasoning', 'refusal']) {
      const stream = relayOf();
      for (const word of words)
        stream.push(Buffer.from(event({ [member]: 'x' }) + event({ [member]: word }).repeat(2)));
      expect(stream.facts.deliveredChars).toBe(words.reduce((sum, word) => sum + 1 + 2 * word.length, 0));
    }
  });

  it.each([
    ['another member of the delta', event({ content: 'ab', reasoning_content: 'cde' }), 5],
    [
      'a second tool call',
      event({
        tool_calls: [
          { index: 0, function: { arguments: 'ab' } },
          { index: 1, function: { arguments: 'cde' } },
        ],
      }),
      5,
    ],
    [
      'a second choice',
      `data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":null},{"index":1,"delta":{"content":"cde"},"finish_reason":null}]}\n\n`,
      5,
    ],
    ['a vendor tail', event({ content: 'abcde' }, { usage: null, obfuscation: 'zz' }), 5],
  ])('sees %s after the ordinary event was learned', (_, odd, chars) => {
    const stream = relayOf();
    const one = event({ content: 'x' });
    const args = event({ tool_calls: [{ index: 0, function: { arguments: 'y' } }] });
    stream.push(Buffer.from(one + one + args + args));
    stream.push(Buffer.from(odd));
    expect(stream.facts.deliveredChars).toBe(4 + chars);
  });

  it('sees finish and usage that stand in an otherwise ordinary event', () => {
    const stream = relayOf();
    stream.push(Buffer.from(event({ content: 'x' }).repeat(2)));
    stream.push(
      Buffer.from(
        event(
          { content: 'x' },
          { usage: { prompt_tokens: 3, completion_tokens: 4 } },
          { finish_reason: 'stop' },
        ),
      ),
    );
    expect(stream.facts).toMatchObject({
      finishReason: 'stop',
      usage: { input: 3, output: 4 },
      deliveredChars: 3,
    });
  });

  it('never counts only one of two delivered members, however often they come', () => {
    const stream = relayOf();
    stream.push(Buffer.from(event({ reasoning: 'ab', content: 'cde' }).repeat(4)));
    expect(stream.facts.deliveredChars).toBe(20);
  });

  it('passes an event as soon as its blank line is there, with CRLF too', () => {
    for (const end of ['\n', '\r\n']) {
      const stream = relayOf();
      const whole = event({ content: 'a' }).replaceAll('\n', end);
      expect(stream.push(Buffer.from(`${whole}data: {"cho`))?.toString()).toBe(whole);
      expect(stream.push(Buffer.from(`ices":[]}${end}`))).toBeNull();
      expect(stream.push(Buffer.from(end))?.toString()).toBe(`data: {"choices":[]}${end}${end}`);
    }
  });

  it('is not fooled by text that looks like the wire', () => {
    const stream = relayOf();
    const text =
      '"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}} \n\ndata: [DONE]\n\n{"error":{"message":"no"}}';
    const chunk = Buffer.from(event({ content: 'x' }) + event({ content: text }).repeat(2));
    expect(stream.push(chunk)).toBe(chunk);
    expect(stream.facts).toEqual({
      usage: null,
      finishReason: null,
      ended: false,
      failure: null,
      deliveredChars: 1 + 2 * text.length,
    });
  });
});

describe('ugly streams', () => {
  const text = (source: string, showUsage = false): { text: string; facts: RelayFacts } =>
    run(relayOf('openai', showUsage), [Buffer.from(source)]);

  it('joins lines, drops comments, names and the BOM, and keeps CRLF', () => {
    const json = '{"choices":[{"index":0,"delta":{"content":"a"}}]}';
    const plain = `data: ${json}\n\n`;
    expect(text(`\uFEFF${plain}`).text).toBe(plain);
    expect(text(`: hi\n\n${plain}\n\n: ho\n\n`).text).toBe(plain);
    expect(text(`event: chunk\nid: 7\ndata:${json}\n\n`).text).toBe(plain);
    expect(text(`data: {"choices":\ndata: [{"index":0,"delta":{"content":"a"}}]}\n\n`).text).toBe(
      'data: {"choices": [{"index":0,"delta":{"content":"a"}}]}\n\n',
    );
    expect(text(`data: ${json}\r\n\r\ndata: ${json}\r\n\r\n`)).toMatchObject({
      text: `data: ${json}\r\n\r\n`.repeat(2),
      facts: { deliveredChars: 2 },
    });
  });

  it('gives nothing after the terminal, but counts usage that comes late', () => {
    const late = `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n`;
    const given = text(
      `${event({ content: 'a' })}data: [DONE]\n\ndata: [DONE]\n\n${late}${event({ content: 'b' })}`,
      true,
    );
    expect(given.text).toBe(event({ content: 'a' }));
    expect(given.facts).toMatchObject({ ended: true, usage: { input: 5, output: 6 }, deliveredChars: 1 });
  });

  it('takes the last of several usages and leaves unknown usage null', () => {
    const at = (tokens: unknown): string => event({ content: 'a' }, { usage: tokens });
    expect(
      text(
        at({ prompt_tokens: 5, completion_tokens: 1 }) +
          at({ prompt_tokens: 5, completion_tokens: 9 }) +
          at(null),
      ).facts.usage,
    ).toMatchObject({ output: 9 });
    expect(text(at(null) + at({}) + at('x')).facts.usage).toBeNull();
    expect(text(at({ prompt_tokens: 0, completion_tokens: 0 })).facts.usage).toMatchObject({
      input: 0,
      output: 0,
    });
    expect(text(at({ prompt_tokens: -5, completion_tokens: 'many' })).facts.usage).toBeNull();
    expect(text(at({ prompt_tokens: -5, completion_tokens: 7.9 })).facts.usage).toMatchObject({
      input: 0,
      output: 7,
    });
  });

  it('ends properly with a finish reason of every choice, not with a cut', () => {
    const finish = (index: number): string => event({}, {}, { index, finish_reason: 'stop' });
    expect(text(event({ content: 'a' })).facts.ended).toBe(false);
    expect(text(event({ content: 'a' }) + finish(0)).facts.ended).toBe(true);
    expect(
      text(event({ content: 'a' }) + event({ content: 'b' }, {}, { index: 1 }) + finish(0)).facts.ended,
    ).toBe(false);
    expect(text(finish(0) + finish(1)).facts.ended).toBe(true);
  });

  it('delivers a last event without blank line, but not half of one', () => {
    expect(text(event({ content: 'a' }).trimEnd()).text).toBe(event({ content: 'a' }));
    const half = text(event({ content: 'a' }) + event({ content: 'b' }).slice(0, 40));
    expect(half.text).toBe(event({ content: 'a' }));
    expect(half.facts.ended).toBe(false);
  });

  it('passes a chunk without choices that is no usage', () => {
    const filter = 'data: {"choices":[],"prompt_filter_results":[]}\n\n';
    expect(text(filter).text).toBe(filter);
    expect(text('data: {"error":null,"choices":[]}\n\n').facts.failure).toBeNull();
  });

  it.each(['data: {nope\n\n', 'data: [1]\n\n', 'data: 7\n\n', '<html></html>', '[]'])(
    'upstream_malformed: %s',
    (body) => {
      expect(() => relayOf().push(Buffer.from(body))).toThrow(
        expect.objectContaining({ code: 'upstream_malformed' }),
      );
    },
  );

  it('reads one big event and refuses an endless one', () => {
    const big = 'x'.repeat(1_000_000);
    const { facts } = run(relayOf(), splitBytes(event({ content: big }), 16_384));
    expect(facts.deliveredChars).toBe(1_000_000);
    const stream = relayOf();
    const piece = Buffer.from('data: '.padEnd(1024 * 1024, 'x'));
    expect(() => {
      for (let at = 0; at < 6; at++) stream.push(piece);
    }).toThrow(expect.objectContaining({ code: 'upstream_malformed' }));
  });

  it('relays text completions', () => {
    const bytes = fixture('openai', 'completion.sse');
    const { text: given, facts } = run(relayOf('openai', false, 'completion'), [bytes]);
    expect(given).toBe(passed(bytes.toString('utf8'), false));
    expect(facts).toMatchObject({
      deliveredChars: '\n\nGrüße 🌍'.length,
      finishReason: 'length',
      ended: true,
    });
  });
});
