import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedResponse, maxHeadBytes, ResponseParser, type ResponseHeaders } from './http-response.ts';

interface Seen {
  status: number;
  headers: ResponseHeaders;
  body: string;
  complete: boolean;
  keepAlive: boolean;
  keepAliveMs: number | null;
  reason: string | null;
}

/** What comes of these reads, then of the vendor closing where `closes`. */
function read(parts: readonly Buffer[], closes = false): Seen {
  const seen: Seen = {
    status: 0,
    headers: {},
    body: '',
    complete: false,
    keepAlive: false,
    keepAliveMs: null,
    reason: null,
  };
  const parser = new ResponseParser({
    onHead(status, headers) {
      seen.status = status;
      seen.headers = headers;
    },
    onBody(bytes) {
      expect(bytes.length).toBeGreaterThan(0);
      seen.body += bytes.toString('latin1');
    },
    onComplete() {
      seen.complete = true;
      seen.keepAlive = parser.keepAlive;
      seen.keepAliveMs = parser.keepAliveMs;
    },
  });
  parser.begin();
  try {
    for (const part of parts) {
      if (seen.complete) break;
      // As on a socket, whose next read overwrites what this one brought.
      const shared = Buffer.from(part);
      parser.push(shared);
      shared.fill(0x7a);
    }
    if (closes && !seen.complete && !parser.close()) seen.reason = 'cut';
  } catch (error) {
    if (!(error instanceof MalformedResponse)) throw error;
    seen.reason = error.reason;
  }
  return seen;
}

const whole = (text: string, closes = false): Seen => read([Buffer.from(text, 'latin1')], closes);
const byByte = (text: string): Seen =>
  read([...Buffer.from(text, 'latin1')].map((each) => Buffer.from([each])));

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((each) => each % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at]
    .map((from, index) => bytes.subarray(from, at[index] ?? bytes.length))
    .filter((each) => each.length > 0);
}

const ok = 'HTTP/1.1 200 OK\r\n';
const chunkedHead = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

describe('an answer', () => {
  test('with a length', () => {
    const seen = whole(`${ok}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
    expect(seen).toMatchObject({ status: 200, body: '{}', complete: true, keepAlive: true, reason: null });
    expect({ ...seen.headers }).toEqual({ 'content-type': 'application/json', 'content-length': '2' });
  });
  test('in chunks, with extensions and trailers', () => {
    const seen = whole(`${chunkedHead}3;a=b\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nZ: a\r\n\r\n`);
    expect(seen).toMatchObject({ body: 'abc0123456789', complete: true, keepAlive: true });
  });
  test('until the vendor closes', () => {
    expect(whole(`${ok}\r\nabc`)).toMatchObject({ body: 'abc', complete: false });
    expect(whole(`${ok}\r\nabc`, true)).toMatchObject({ body: 'abc', complete: true, keepAlive: false });
  });
  test.each(['204 No Content', '304 Not Modified'])('%s has no body, whatever it says', (line) => {
    const seen = whole(`HTTP/1.1 ${line}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    expect(seen).toMatchObject({ body: '', complete: true, keepAlive: true });
  });
  test('after informational ones', () => {
    const seen = whole(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${ok}Content-Length: 1\r\n\r\na`,
    );
    expect(seen).toMatchObject({ status: 200, body: 'a', complete: true });
    expect(seen.headers['link']).toBeUndefined();
  });
  test('a status line without a reason, a field that comes twice, spaces round values', () => {
    const seen = whole(
      'HTTP/1.1 200\r\nSet-Cookie: a\r\nset-cookie:\t b \r\n__proto__: c\r\nContent-Length: 0\r\n\r\n',
    );
    expect(seen.headers['set-cookie']).toEqual(['a', 'b']);
    expect(seen.headers['__proto__']).toBe('c');
    expect(seen.complete).toBe(true);
  });
  test.each([
    [`${ok}Connection: close\r\nContent-Length: 0\r\n\r\n`, false],
    [`${ok}Connection: foo, Close\r\nContent-Length: 0\r\n\r\n`, false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', true],
    [`${ok}Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n`, false],
    [`${ok}Content-Length: 1\r\n\r\nab`, false],
  ])('%j: may the connection be used again? %s', (text, keepAlive) => {
    expect(whole(text)).toMatchObject({ complete: true, keepAlive });
  });
  test('how long the vendor keeps the connection', () => {
    expect(whole(`${ok}Keep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n`).keepAliveMs).toBe(5000);
    expect(whole(`${ok}Content-Length: 0\r\n\r\n`).keepAliveMs).toBeNull();
  });
});

describe('what is no answer, or not for sure', () => {
  const cases: [string, string][] = [
    ['not_http', 'SSH-2.0-OpenSSH\r\n'],
    ['not_http', '<html>'],
    ['not_http', 'HTTP/2 200\r\n\r\n'],
    ['bad_status', 'HTTP/1.1 20\r\n\r\n'],
    ['bad_status', 'HTTP/1.1 099 X\r\n\r\n'],
    ['bad_status', 'HTTP/1.1 +200 X\r\n\r\n'],
    ['unexpected_status', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['unexpected_status', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(17)],
    ['bare_line_feed', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['bare_line_feed', `${ok}X: a\nY: b\r\n\r\n`],
    ['bad_header', `${ok}X: a\rY: b\r\n\r\n`],
    ['bad_header', `${ok}X: a\0b\r\n\r\n`],
    ['bad_header', `${ok}no colon\r\n\r\n`],
    ['bad_header_name', `${ok}X : a\r\n\r\n`],
    ['bad_header_name', `${ok}X: a\r\n folded: b\r\n\r\n`],
    ['bad_header_name', `${ok}: a\r\n\r\n`],
    ['head_too_large', `${ok}X: ${'a'.repeat(maxHeadBytes)}\r\n\r\n`],
    ['length_and_transfer_encoding', `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['repeated_content_length', `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ['repeated_transfer_encoding', `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['bad_content_length', `${ok}Content-Length: -1\r\n\r\n`],
    ['bad_content_length', `${ok}Content-Length: 1, 1\r\n\r\n`],
    ['bad_content_length', `${ok}Content-Length: 0x1\r\n\r\n`],
    ['bad_content_length', `${ok}Content-Length: 9999999999999999\r\n\r\n`],
    ['bad_transfer_encoding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['bad_transfer_encoding', `${ok}Transfer-Encoding: identity\r\n\r\n`],
    ['bad_transfer_encoding', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['bad_chunk_size', `${chunkedHead}zz\r\n`],
    ['bad_chunk_size', `${chunkedHead}\r\n`],
    ['bad_chunk_size', `${chunkedHead}-1\r\n`],
    ['bad_chunk_size', `${chunkedHead} 1\r\n`],
    ['bad_chunk_size', `${chunkedHead}${'0'.repeat(13)}\r\n`],
    ['bad_chunk_end', `${chunkedHead}1\r\nabc\r\n`],
    ['bad_chunk_end', `${chunkedHead}1\r\na\rb\r\n`],
    ['bare_line_feed', `${chunkedHead}1\na\r\n`],
    ['line_too_large', `${chunkedHead}1;${'x'.repeat(2_000)}\r\n`],
    ['trailer_too_large', `${chunkedHead}0\r\n${'X: y\r\n'.repeat(65)}`],
  ];
  test.each(cases)('%s', (reason, text) => {
    expect(whole(text)).toMatchObject({ reason, complete: false });
    expect(byByte(text)).toMatchObject({ reason, complete: false });
  });
  test.each([
    `${ok}Content-Length: 2\r\n\r\na`,
    `${chunkedHead}2\r\na`,
    `${chunkedHead}1\r\na\r\n`,
    `${chunkedHead}1\r\na\r\n0\r\n`,
    'HTTP/1.1 200',
    `${ok}Content-Length: 2\r\n`,
  ])('cut off: %j', (text) => {
    expect(whole(text, true)).toMatchObject({ reason: 'cut', complete: false });
  });
  test('bytes when nothing was asked', () => {
    const parser = new ResponseParser({ onHead() {}, onBody() {}, onComplete() {} });
    expect(() => parser.push(Buffer.from(ok))).toThrow(MalformedResponse);
  });
});

test('the same comes of an answer however it is cut', () => {
  const pieces = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 80 }), {
    maxLength: 12,
  });
  const places = fc.array(fc.nat(2_000), { maxLength: 20 });
  fc.assert(
    fc.property(pieces, places, fc.constantFrom('length', 'chunked', 'close'), (texts, at, framing) => {
      const body = texts.join('');
      const chunks = texts.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('');
      const text =
        framing === 'length'
          ? `${ok}Content-Length: ${body.length}\r\n\r\n${body}`
          : framing === 'chunked'
            ? `${chunkedHead}${chunks}0\r\n\r\n`
            : `${ok}X: y\r\n\r\n${body}`;
      const seen = read(cut(Buffer.from(text, 'latin1'), at), framing === 'close');
      expect(seen).toMatchObject({
        status: 200,
        body,
        complete: true,
        keepAlive: framing !== 'close',
        reason: null,
      });
    }),
    { numRuns: 500 },
  );
});

test('any bytes are an answer or an error, and never more of a body than was read', () => {
  const parts = fc.array(
    fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.constantFrom('\r\n', '0\r\n\r\n', 'a\r\n')),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(ok, chunkedHead, `${ok}Content-Length: 20\r\n\r\n`, ''),
      parts,
      (head, rest) => {
        const bytes = [Buffer.from(head), ...rest.map((each) => Buffer.from(each as string))];
        const size = bytes.reduce((sum, each) => sum + each.length, 0);
        expect(read(bytes, true).body.length).toBeLessThanOrEqual(size);
      },
    ),
    { numRuns: 500 },
  );
});
