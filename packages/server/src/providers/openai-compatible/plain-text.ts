/**
 * Recognises the ordinary event of a stream without parsing it. Events of one stream differ in their text alone: one that
 * is, but for its text, the same as an event that was parsed, says the same.
 */

/** After so many events that were not like the one before, this stream's are all different. */
const maxMisses = 8;
/** What JSON would read as something else than itself, or not at all. */
// oxlint-disable-next-line no-control-regex
const special = /["\\\u0000-\u001f]/;

/** A copy: a slice would keep alive all that was read with it. */
const flat = (text: string): string => Buffer.from(text).toString();

export class PlainText {
  private head = '';
  private tail = '';
  private misses = 0;
  /** The choice of the event that was parsed. */
  index = 0;

  /** The text that this event delivers and nothing else, or null where it must be parsed. */
  of(data: string): string | null {
    const { head, tail } = this;
    const end = data.length - tail.length;
    if (head === '' || end <= head.length) return null;
    // A slice compares as memory does; startsWith goes unit by unit.
    if (data.slice(0, head.length) !== head || data.slice(end) !== tail) return null;
    const text = data.slice(head.length, end);
    if (special.test(text)) return null;
    this.misses = 0;
    return text;
  }

  /** An event that was parsed and delivered this text in this choice, and nothing else. */
  learn(data: string, index: number, text: string): void {
    if (this.misses > maxMisses) return;
    this.misses++;
    const member = `"content":${JSON.stringify(text)}`;
    const at = data.indexOf(member);
    if (at < 0 || data.indexOf(member, at + 1) >= 0) return;
    this.index = index;
    this.head = flat(data.slice(0, at + '"content":"'.length));
    this.tail = flat(data.slice(at + member.length - 1));
  }
}
