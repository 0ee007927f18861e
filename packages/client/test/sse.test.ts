/** The SSE parser against the specification, and against `eventsource-parser` on random input cut anywhere. */
import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, SSEParser, type ServerSentEvent } from '../src/sse.ts';

function ours(pieces: readonly string[]): ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  const parser = new SSEParser((event) => events.push(event));
  for (const piece of pieces) parser.push(piece);
  return events;
}

function theirs(text: string): { event: string; data: string }[] {
  const events: { event: string; data: string }[] = [];
  const parser = createParser({
    onEvent: ({ event = '', data }) => void events.push({ event, data }),
  });
  parser.feed(text);
  return events;
}

/** The text cut at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
}

const piece = fc.constantFrom(
  'data',
  'data:',
  'data: ',
  'data:  ',
  'event: ',
  'event:',
  'id: ',
  'id:1',
  'retry: 5',
  ': comment',
  ':',
  '{"a":1}',
  'ü🦊',
  '[DONE]',
  ' ',
  '\0',
  '\n',
  '\n\n',
  '\r\n',
  '\r\n\r\n',
  '\r',
  'x',
  '\uFEFF',
);
const places = fc.array(fc.nat(400), { maxLength: 12 });

test('random streams, cut anywhere, are read as eventsource-parser reads them', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), places, (pieces, at) => {
      // Both wait for what may follow a CR; a line that begins anew settles it.
      const text = `${pieces.join('')}\n\ndata: end\n\n`;
      const read = ours(cut(text, at)).map(({ event, data }) => ({ event, data }));
      expect(read).toEqual(theirs(text));
    }),
    { numRuns: 5_000 },
  );
});

test('bytes cut inside a character, a BOM, CRLF over two pieces, a last event without its empty line', async () => {
  const text = '\uFEFFid: 7\r\nevent: a\r\ndata: ü🦊\r\ndata: 2\r\n\r\ndata:x\r\rdata: lost';
  const bytes = new TextEncoder().encode(text);
  const events: ServerSentEvent[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(target) {
      for (const byte of bytes) target.enqueue(Uint8Array.of(byte));
      target.close();
    },
  });
  for await (const event of readEvents(body)) events.push(event);
  expect(events).toEqual([
    { event: 'a', data: 'ü🦊\n2', id: '7' },
    { event: '', data: 'x', id: '7' },
  ]);
});

test('a last empty line that is a CR ends its event', async () => {
  const body = new Response('data: x\r\r').body;
  const events: string[] = [];
  if (body !== null) for await (const { data } of readEvents(body)) events.push(data);
  expect(events).toEqual(['x']);
});
