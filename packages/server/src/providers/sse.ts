/**
 * Server-sent events from bytes. Splits where the bytes split: in the middle of a line, of a CRLF or of a character.
 * Holds at most one unfinished event; a longer one, or bytes that are no UTF-8, are a malformed upstream.
 */
import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../contract/errors.ts';

const mebibyte = 1024 * 1024;
const lf = 10;

export type SseHandler = (data: string, event: string) => void;

/** Feed bytes with `push`; `end` delivers a last event that lacks its blank line. */
export interface SseParser {
  push(chunk: Buffer): void;
  end(): void;
}

export interface SseOptions {
  /** Default 4 MiB. */
  readonly maxEventBytes?: number;
  /** Gets lines that are neither fields nor comments, such as an error's bare JSON. Default: they are ignored. */
  readonly stray?: (line: string) => void;
}

/** Throws `upstream_malformed` for events that are too long and for bytes that are no UTF-8. */
export function createSseParser(handle: SseHandler, options: SseOptions = {}): SseParser {
  const { maxEventBytes = 4 * mebibyte, stray } = options;
  // Joined only when a line ends: an event of many megabytes comes in hundreds of pieces.
  let rest: Buffer[] = [];
  let restBytes = 0;
  let data: string | null = null;
  let event = '';
  let first = true;

  const tooLong = (): GatewayError =>
    new GatewayError(
      'upstream_malformed',
      `The provider sent an event of more than ${maxEventBytes / mebibyte} MiB.`,
    );

  const decode = (bytes: Buffer): string => {
    if (!isUtf8(bytes)) {
      throw new GatewayError('upstream_malformed', 'The provider sent bytes that are not UTF-8.');
    }
    return bytes.toString('utf8');
  };

  const line = (text: string): void => {
    if (text === '') {
      if (data !== null) handle(data, event);
      data = null;
      event = '';
    } else if (text.startsWith('data:')) {
      const value = text.charCodeAt(5) === 32 ? text.slice(6) : text.slice(5);
      data = data === null ? value : `${data}\n${value}`;
      if (data.length > maxEventBytes) throw tooLong();
    } else if (text.startsWith('event:')) {
      event = text.charCodeAt(6) === 32 ? text.slice(7) : text.slice(6);
    } else if (text === 'data') {
      data = data === null ? '' : `${data}\n`;
    } else if (stray !== undefined && !/^(?::|(?:id|retry|event)(?::|$))/.test(text)) {
      stray(text);
    }
  };

  const lines = (text: string): void => {
    let start = 0;
    if (first && text !== '') {
      first = false;
      if (text.charCodeAt(0) === 0xfeff) start = 1;
    }
    for (;;) {
      const stop = text.indexOf('\n', start);
      if (stop < 0) return;
      line(text.slice(start, text.charCodeAt(stop - 1) === 13 && stop > start ? stop - 1 : stop));
      start = stop + 1;
    }
  };

  const take = (bytes: Buffer): Buffer => {
    const whole = rest.length === 0 ? bytes : Buffer.concat([...rest, bytes]);
    rest = [];
    restBytes = 0;
    return whole;
  };

  const keep = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    rest.push(Buffer.from(bytes));
    restBytes += bytes.length;
    if (restBytes > maxEventBytes) throw tooLong();
  };

  return {
    push(chunk) {
      const last = chunk.lastIndexOf(lf);
      if (last >= 0) lines(decode(take(chunk.subarray(0, last + 1))));
      keep(chunk.subarray(last + 1));
    },
    end() {
      if (rest.length > 0) lines(`${decode(take(Buffer.alloc(0)))}\n`);
      line('');
    },
  };
}
