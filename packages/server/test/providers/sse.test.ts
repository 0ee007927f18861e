import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/contract/errors.ts';
import { createSseParser, type SseOptions } from '../../src/providers/sse.ts';
import { splitBytes } from './recorder.ts';

function parse(chunks: readonly Buffer[], options: SseOptions = {}): [string, string][] {
  const events: [string, string][] = [];
  const parser = createSseParser((data, event) => events.push([data, event]), options);
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  return events;
}
const all = (text: string, options?: SseOptions): [string, string][] => parse([Buffer.from(text)], options);

describe('server-sent events', () => {
  it.each([
    ['one', 'data: a\n\n', [['a', '']]],
    ['no space', 'data:a\n\n', [['a', '']]],
    ['only one space is the format’s', 'data:  a\n\n', [[' a', '']]],
    [
      'a name',
      'event: x\ndata: a\n\ndata: b\n\n',
      [
        ['a', 'x'],
        ['b', ''],
      ],
    ],
    ['several lines', 'data: a\ndata: b\ndata\n\n', [['a\nb\n', '']]],
    ['comments, ids and retries', ': ping\nid: 1\nretry: 5\ndata: a\n\n', [['a', '']]],
    ['a name without data', 'event: x\n\ndata: a\n\n', [['a', '']]],
    ['CR LF', 'event: x\r\ndata: a\r\n\r\n', [['a', 'x']]],
    ['BOM', '\ufeffdata: a\n\n', [['a', '']]],
    ['blank lines', '\n\n\ndata: a\n\n\n\n', [['a', '']]],
    [
      'no blank line at the end',
      'data: a\n\ndata: b',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    ['separators of Unicode are text', 'data: a\u2028b\u2029c\u0085d\n\n', [['a\u2028b\u2029c\u0085d', '']]],
    ['nothing', '', []],
  ])('%s', (_, text, wanted) => {
    expect(all(text)).toEqual(wanted);
    expect(parse(splitBytes(text, 1))).toEqual(wanted);
  });

  it('are the same however the bytes are split', () => {
    const line = fc
      .string({ unit: 'binary', maxLength: 20 })
      .map((text) => text.replace(/[\r\n\ufeff]/g, ''));
    const event = fc.record({ name: line, lines: fc.array(line, { minLength: 1, maxLength: 3 }) });
    const property = fc.property(
      fc.array(event, { maxLength: 4 }),
      fc.constantFrom('\n', '\r\n'),
      fc.array(fc.nat(200)),
      (events, ending, cuts) => {
        const text = events
          .map(({ name, lines }) =>
            [`event: ${name}`, ...lines.map((each) => `data: ${each}`), '', ''].join(ending),
          )
          .join('');
        const bytes = Buffer.from(text, 'utf8');
        const points = [
          0,
          ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b),
          bytes.length,
        ];
        const chunks = points.slice(1).map((point, at) => bytes.subarray(points[at], point));
        const wanted = events.map(({ name, lines }) => [lines.join('\n'), name]);
        expect(parse(chunks)).toEqual(wanted.map(([data, name]) => [wellFormed(data), wellFormed(name)]));
      },
    );
    fc.assert(property, { numRuns: 100 });
  });

  it('hands lines of no field to whoever asks', () => {
    const stray: string[] = [];
    const text = '{"error":\n  1}\n: c\nid: 1\nretry\nevent\ndata: a\n\n';
    expect(all(text, { stray: (line) => stray.push(line) })).toEqual([['a', '']]);
    expect(stray).toEqual(['{"error":', '  1}']);
  });

  it('are bounded, in one line or in many', () => {
    const mebibyte = 1024 * 1024;
    const fits = `data: ${'x'.repeat(mebibyte - 10)}\n\n`;
    expect(all(fits, { maxEventBytes: mebibyte })).toHaveLength(1);
    const long = Buffer.from('x'.repeat(mebibyte / 4));
    expect(() => parse([Buffer.from('data: '), long, long, long, long], { maxEventBytes: mebibyte })).toThrow(
      GatewayError,
    );
    const lines = `data: ${'x'.repeat(mebibyte / 4)}\n`.repeat(5);
    expect(() => all(lines, { maxEventBytes: mebibyte })).toThrow('more than 1 MiB');
  });

  it('are UTF-8', () => {
    expect(() => parse([Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a])])).toThrow('not UTF-8');
    expect(() => parse([Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xe4])])).toThrow('not UTF-8');
  });
});

/** Lone surrogates do not survive UTF-8; the generator may make them. */
const wellFormed = (text: string | undefined): string => Buffer.from(text ?? '', 'utf8').toString('utf8');
