/** Splits text that begins with `<think>…</think>` into reasoning and answer, wherever the stream cuts the tags. */

const open = '<think>';
const close = '</think>';

export interface ThinkSplit {
  readonly reasoning: string;
  readonly text: string;
}

export class ThinkSplitter {
  private state: 'start' | 'thinking' | 'after' | 'text' = 'start';
  private held = '';

  push(piece: string): ThinkSplit {
    if (this.state === 'text') return { reasoning: '', text: piece };
    this.held += piece;
    if (this.state === 'start') {
      const begun = this.held.trimStart();
      if (begun.length < open.length && open.startsWith(begun)) return { reasoning: '', text: '' };
      if (!begun.startsWith(open)) return { reasoning: '', text: this.release('text') };
      this.state = 'thinking';
      this.held = begun.slice(open.length);
    }
    let reasoning = '';
    if (this.state === 'thinking') {
      const at = this.held.indexOf(close);
      if (at < 0) return { reasoning: this.keepTail(), text: '' };
      reasoning = this.held.slice(0, at);
      this.held = this.held.slice(at + close.length);
      this.state = 'after';
    }
    this.held = this.held.trimStart();
    if (this.held === '') return { reasoning, text: '' };
    return { reasoning, text: this.release('text') };
  }

  /** What was held back because it might have been the beginning of a tag. */
  end(): ThinkSplit {
    const isThought = this.state === 'thinking';
    const rest = this.release(this.state);
    return isThought ? { reasoning: rest, text: '' } : { reasoning: '', text: rest };
  }

  private release(next: 'start' | 'thinking' | 'after' | 'text'): string {
    const text = this.held;
    this.held = '';
    this.state = next;
    return text;
  }

  /** All but a possible beginning of the closing tag. */
  private keepTail(): string {
    let keep = Math.min(close.length - 1, this.held.length);
    while (keep > 0 && !close.startsWith(this.held.slice(-keep))) keep--;
    const given = this.held.slice(0, this.held.length - keep);
    this.held = keep === 0 ? '' : this.held.slice(-keep);
    return given;
  }
}

export function splitThinking(text: string): ThinkSplit {
  const splitter = new ThinkSplitter();
  const first = splitter.push(text);
  const last = splitter.end();
  return { reasoning: first.reasoning + last.reasoning, text: first.text + last.text };
}
