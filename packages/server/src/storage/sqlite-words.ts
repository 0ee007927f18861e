/**
 * Messages between the store and its worker: numbers in one array of 64-bit words, texts in another. Structured clone
 * writes every member of every object with its name, and that copy was a good part of what a call cost. Texts that come
 * again and again (accounts, keys, models) cross once and are a number from then on.
 */

/** What crosses, either way. */
export interface Packed {
  readonly words: Float64Array;
  /** Texts of this message alone, in the order they are read. */
  readonly texts: readonly string[];
  /** Texts to be remembered, numbered on from those remembered before. */
  readonly learned: readonly string[];
  /** What was remembered is forgotten first. */
  readonly restart: boolean;
}

/** Remembered texts, at most: bounds the memory of both sides. */
const maxRemembered = 10_000;
const maxRememberedLength = 120;
/** Numbers of texts that are not remembered: none at all, and one that is in `texts`. */
const [absent, aside] = [0, -1];
const [smallest, largest] = [-(2n ** 63n), 2n ** 63n - 1n];

/** What is kept of a value that is not what its type says would be something else. */
function unfit(value: unknown, wanted: string): TypeError {
  return new TypeError(`cannot send a ${typeof value} where a ${wanted} must be`);
}

/** Writes the messages of one side, for one `WordReader` of the other. */
export class WordWriter {
  private words = new Float64Array(4096);
  private integers = new BigInt64Array(this.words.buffer);
  private at = 0;
  private texts: string[] = [];
  private learned: string[] = [];
  private restart = true;
  private readonly numbers = new Map<string, number>();

  number(value: number): void {
    if (typeof value !== 'number') throw unfit(value, 'number');
    if (this.at === this.words.length) this.grow();
    this.words[this.at++] = value;
  }

  integer(value: bigint): void {
    if (typeof value !== 'bigint') throw unfit(value, 'bigint');
    if (value < smallest || value > largest) throw new RangeError(`${value} does not fit into 64 bits`);
    if (this.at === this.words.length) this.grow();
    this.integers[this.at++] = value;
  }

  maybeInteger(value: bigint | null): void {
    this.number(value === null ? 0 : 1);
    if (value !== null) this.integer(value);
  }

  flag(value: boolean): void {
    if (typeof value !== 'boolean') throw unfit(value, 'boolean');
    this.number(value ? 1 : 0);
  }

  /** A text that will come again. */
  text(value: string | null): void {
    if (value === null) {
      this.number(absent);
      return;
    }
    let number = this.numbers.get(value);
    if (number === undefined) {
      if (typeof value !== 'string') throw unfit(value, 'string');
      if (value.length > maxRememberedLength) {
        this.once(value);
        return;
      }
      number = this.numbers.size + 1;
      this.numbers.set(value, number);
      this.learned.push(value);
    }
    this.number(number);
  }

  /** A text that will not. */
  once(value: string | null): void {
    if (value !== null && typeof value !== 'string') throw unfit(value, 'string');
    this.number(value === null ? absent : aside);
    if (value !== null) this.texts.push(value);
  }

  /** The message of what was written since the last. */
  take(): Packed {
    const { texts, learned, restart } = this;
    const words = this.words.slice(0, this.at);
    this.clear();
    this.restart = this.numbers.size > maxRemembered;
    if (this.restart) this.numbers.clear();
    return { words, texts, learned, restart };
  }

  /** Drops what was written, and what the other side may not have learned. */
  forget(): void {
    this.clear();
    this.numbers.clear();
    this.restart = true;
  }

  private clear(): void {
    this.at = 0;
    this.texts = [];
    this.learned = [];
  }

  private grow(): void {
    const words = new Float64Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
    this.integers = new BigInt64Array(words.buffer);
  }
}

/** Reads what a `WordWriter` wrote, in the same order. */
export class WordReader {
  private words = new Float64Array();
  private integers = new BigInt64Array();
  private at = 0;
  private texts: readonly string[] = [];
  private nextText = 0;
  private readonly remembered: string[] = [''];

  open({ words, texts, learned, restart }: Packed): void {
    if (restart) this.remembered.length = 1;
    for (const text of learned) this.remembered.push(text);
    this.words = words as Float64Array<ArrayBuffer>;
    this.integers = new BigInt64Array(
      words.buffer,
      words.byteOffset,
      words.length,
    ) as BigInt64Array<ArrayBuffer>;
    this.texts = texts;
    this.at = 0;
    this.nextText = 0;
  }

  get isAtEnd(): boolean {
    return this.at >= this.words.length;
  }

  number(): number {
    const value = this.words[this.at++];
    if (value === undefined) throw new RangeError('read beyond the end of a message');
    return value;
  }

  integer(): bigint {
    const value = this.integers[this.at++];
    if (value === undefined) throw new RangeError('read beyond the end of a message');
    return value;
  }

  maybeInteger(): bigint | null {
    return this.number() === 0 ? null : this.integer();
  }

  flag(): boolean {
    return this.number() === 1;
  }

  text(): string {
    const value = this.maybeText();
    if (value === null) throw new RangeError('a message brings nothing where a text must be');
    return value;
  }

  maybeText(): string | null {
    const number = this.number();
    if (number === absent) return null;
    const value = number === aside ? this.texts[this.nextText++] : this.remembered[number];
    if (value === undefined) throw new RangeError('a message names a text that it does not bring');
    return value;
  }
}
