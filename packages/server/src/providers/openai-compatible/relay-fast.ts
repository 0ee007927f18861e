/**
 * Recognises the ordinary event of a stream without parsing it. Events of one stream differ in a few characters: what
 * stands before the delivered text is learned from an event that was parsed, and an event that begins with the same
 * bytes needs only its text counted and its tail looked at.
 */

/** Members whose string is delivered text; the first one after the choice's beginning is the event's. */
const chatValue = /"(?:content|reasoning_content|reasoning|arguments)":"/g;
const completionValue = /"text":"/g;

/** What makes an event worth parsing, in the part after its text. An unescaped `"name":` cannot stand inside a string. */
const chatSigns = ['"finish_reason":"', '"usage":{', '"delta":{', '"error":'];
const completionSigns = ['"finish_reason":"', '"usage":{', '"text":"', '"error":'];

const maxHeads = 4;

interface Head {
  readonly text: string;
  /** Closes what the text stands in; anything else behind the text must equal `tail`. */
  readonly closing: string;
  tail: string;
}

const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** All strings are latin1 views of UTF-8 bytes. */
export class FastEvents {
  private readonly heads: Head[] = [];
  private readonly isChat: boolean;
  private countedTo = 0;

  constructor(isChat: boolean) {
    this.isChat = isChat;
  }

  /** Characters the event [from, end) delivers, or -1 when it must be parsed. */
  chars(source: string, from: number, end: number): number {
    for (const head of this.heads) {
      // A slice compares as memory does; startsWith goes unit by unit.
      if (source.slice(from, from + head.text.length) !== head.text) continue;
      const chars = this.count(source, from + head.text.length, end);
      if (chars < 0) return -1;
      const at = this.countedTo;
      const tail = source.slice(at, end);
      if (tail === head.tail) return chars;
      if (!tail.startsWith(head.closing)) return -1;
      const signs = this.isChat ? chatSigns : completionSigns;
      for (const sign of signs) if (tail.includes(sign)) return -1;
      return chars;
    }
    return -1;
  }

  /** Remembers an event that was parsed and found ordinary: one choice, unfinished, `chars` delivered. */
  learn(source: string, from: number, end: number, chars: number): void {
    const opener = source.indexOf(this.isChat ? '"delta":{' : '"choices":[{', from);
    if (opener < 0 || opener >= end || chars === 0) return;
    const values = this.isChat ? chatValue : completionValue;
    values.lastIndex = opener;
    const value = values.exec(source);
    if (value === null || values.lastIndex > end) return;
    const text = source.slice(from, values.lastIndex);
    if (this.count(source, values.lastIndex, end) !== chars) return;
    const isArguments = value[0] === '"arguments":"';
    const closing = !this.isChat ? ',' : isArguments ? '}}]}' : '}';
    this.heads.unshift({ text: flat(text), closing, tail: flat(source.slice(this.countedTo, end)) });
    if (this.heads.length > maxHeads) this.heads.pop();
  }

  /** UTF-16 units of the JSON string whose text begins at `start`; leaves the index after its closing quote. -1: none. */
  private count(source: string, start: number, end: number): number {
    let chars = 0;
    for (let at = start; at < end; at++) {
      const byte = source.charCodeAt(at);
      if (byte === 34) {
        this.countedTo = at + 1;
        return chars;
      }
      if (byte === 92) {
        at += source.charCodeAt(at + 1) === 117 ? 5 : 1;
        chars++;
      } else if (byte < 0x80) chars++;
      else if (byte >= 0xc0) chars += byte >= 0xf0 ? 2 : 1;
    }
    return -1;
  }
}
