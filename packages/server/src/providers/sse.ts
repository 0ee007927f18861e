/**
 * Server-sent events from bytes. Splits where the bytes split: in the middle of a line, of a CRLF or of a character.
 * Holds at most one unfinished event; longer than `maxEventBytes` is a malformed upstream.
 */
import { GatewayError } from '../contract/errors.ts';

const maxEventBytes = 4 * 1024 * 1024;
const lf = 10;

export type SseHandler = (data: string, event: string) => void;

/** Feed bytes with `push`; `end` delivers a last event that lacks its blank line. */
export interface SseParser {
  push(chunk: Buffer): void;
  end(): void;
}

export function createSseParser(handle: SseHandler): SseParser {
  let rest: Buffer | null = null;
  let data: string | null = null;
  let event = '';
  let first = true;

  const line = (text: string): void => {
    if (text === '') {
      if (data !== null) handle(data, event);
      data = null;
      event = '';
    } else if (text.startsWith('data:')) {
      const value = text.charCodeAt(5) === 32 ? text.slice(6) : text.slice(5);
      data = data === null ? value : `${data}\n${value}`;
    } else if (text.startsWith('event:')) {
      event = text.charCodeAt(6) === 32 ? text.slice(7) : text.slice(6);
    } else if (text === 'data') {
      data = data === null ? '' : `${data}\n`;
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

  return {
    push(chunk) {
      const last = chunk.lastIndexOf(lf);
      if (last < 0) {
        rest = rest === null ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
        if (rest.length > maxEventBytes) {
          throw new GatewayError('upstream_malformed', 'The provider sent an event of more than 4 MiB.');
        }
        return;
      }
      const whole = chunk.subarray(0, last + 1);
      const bytes = rest === null ? whole : Buffer.concat([rest, whole]);
      rest = last + 1 < chunk.length ? Buffer.from(chunk.subarray(last + 1)) : null;
      lines(bytes.toString('utf8'));
    },
    end() {
      if (rest !== null) lines(`${rest.toString('utf8')}\n`);
      rest = null;
      line('');
    },
  };
}
