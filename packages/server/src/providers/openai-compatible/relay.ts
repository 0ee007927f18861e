/**
 * For callers of OpenAI's own wire: the vendor's bytes pass as they are, looked at only for what settles the call. The
 * hot path of the gateway: an untouched chunk is handed on as the very same Buffer.
 */
import type { JsonObject } from '../../contract/chat.ts';
import type { AnswerFacts, ChatRelay, RelayFacts, StreamRelay } from '../provider.ts';
import { readAnswer } from './answer.ts';
import { failureIn } from './errors.ts';
import { NotAStream } from './not-a-stream.ts';
import type { Quirks } from './quirks.ts';
import { FastEvents } from './relay-fast.ts';
import { charsOf, emptyFacts, noteUsage } from './relay-facts.ts';
import {
  finishReasonOf,
  indexOf,
  isObject,
  listOf,
  malformed,
  objectIn,
  objectOf,
  parseObject,
} from './shape.ts';

const maxEventBytes = 4 * 1024 * 1024;
const lf = 10;
const cr = 13;

export function createRelay(wire: 'openai-chat' | 'openai-completion', quirks: Quirks): ChatRelay {
  return {
    createStream: (_, showUsage) => new OpenaiStreamRelay(wire === 'openai-chat', showUsage, quirks),
    inspect: (body) => inspect(body, quirks),
  };
}

function inspect(body: Buffer, quirks: Quirks): AnswerFacts {
  const { json, choices } = readAnswer(body);
  const facts = { ...emptyFacts(), plainUsage: false };
  noteUsage(facts, json, quirks);
  for (const choice of choices) {
    if (!isObject(choice)) throw malformed('a choice is not an object');
    facts.finishReason ??= finishReasonOf(choice['finish_reason']);
    facts.deliveredChars += charsOf(choice);
  }
  facts.ended = true;
  const { usage } = json;
  facts.plainUsage = isObject(usage) && usage['cost'] === undefined && facts.usage !== null;
  return facts;
}

/** The index after the last blank line, or 0. */
function afterLastBlank(bytes: Buffer): number {
  let at = bytes.lastIndexOf(lf);
  while (at > 0) {
    const before = bytes[at - 1] === cr ? at - 2 : at - 1;
    if (bytes[before] === lf) return at + 1;
    at = bytes.lastIndexOf(lf, at - 1);
  }
  return 0;
}

/** What becomes of an event: passed as it is, taken out, or written anew. */
type Verdict = 'pass' | 'drop' | Buffer;

class OpenaiStreamRelay implements StreamRelay {
  readonly facts: RelayFacts = emptyFacts();
  private readonly quirks: Quirks;
  private readonly showUsage: boolean;
  private readonly fast: FastEvents;
  private readonly guard = new NotAStream();
  private readonly begun = new Set<number>();
  private readonly finished = new Set<number>();
  private rest: Buffer[] = [];
  private restBytes = 0;
  private isFirst = true;
  /** The event that `eventEnd` measured last is one line. */
  private isOneLine = false;
  /** What is left lacks its blank line: it may end anywhere, so it is parsed whatever it looks like. */
  private isCutOff = false;

  constructor(isChat: boolean, showUsage: boolean, quirks: Quirks) {
    this.fast = new FastEvents(isChat);
    this.showUsage = showUsage;
    this.quirks = quirks;
  }

  push(chunk: Buffer): Buffer | null {
    if (this.guard.holds(chunk)) return null;
    let bytes = chunk;
    if (this.restBytes > 0) {
      if (!chunk.includes(lf)) return this.hold(chunk);
      bytes = Buffer.concat([...this.rest, chunk]);
      this.rest = [];
      this.restBytes = 0;
    }
    const cut = afterLastBlank(bytes);
    if (cut === 0) return this.hold(bytes);
    if (cut === bytes.length) return this.events(bytes);
    this.hold(bytes.subarray(cut));
    return this.events(bytes.subarray(0, cut));
  }

  /** Delivers a last event that lacks its blank line; one cut off in the middle is left out. */
  end(): Buffer | null {
    const failure = this.guard.end();
    if (failure !== null) this.facts.failure = failure;
    let last: Buffer | null = null;
    if (this.restBytes > 0) {
      const bytes = Buffer.concat([...this.rest, Buffer.from('\n\n')]);
      this.rest = [];
      this.restBytes = 0;
      this.isCutOff = true;
      try {
        last = this.events(bytes);
      } catch {
        return null;
      }
    }
    const allFinished = this.begun.size > 0 && this.finished.size >= this.begun.size;
    if (allFinished && this.facts.failure === null) this.facts.ended = true;
    return last;
  }

  private hold(bytes: Buffer): null {
    this.restBytes += bytes.length;
    if (this.restBytes > maxEventBytes) throw malformed('an event of more than 4 MiB');
    this.rest.push(bytes);
    return null;
  }

  private events(bytes: Buffer): Buffer | null {
    const source = bytes.toString('latin1');
    const kept: Buffer[] = [];
    let from = 0;
    let runFrom = 0;
    if (this.isFirst) {
      this.isFirst = false;
      if (source.startsWith('\u00ef\u00bb\u00bf')) from = runFrom = 3;
    }
    const begin = runFrom;
    while (from < source.length) {
      const end = this.eventEnd(source, from);
      const verdict = this.event(source, bytes, from, end);
      if (verdict !== 'pass') {
        if (from > runFrom) kept.push(bytes.subarray(runFrom, from));
        if (verdict !== 'drop') kept.push(verdict);
        runFrom = end;
      }
      from = end;
    }
    if (runFrom === begin && kept.length === 0) return begin === 0 ? bytes : bytes.subarray(begin);
    if (runFrom < bytes.length) kept.push(bytes.subarray(runFrom));
    if (kept.length <= 1) return kept[0] ?? null;
    return Buffer.concat(kept);
  }

  /** The index after the blank line that ends the event beginning at `from`. */
  private eventEnd(source: string, from: number): number {
    let at = source.indexOf('\n', from);
    this.isOneLine = true;
    if (at === from || (at === from + 1 && source.charCodeAt(from) === cr)) return at + 1;
    while (at >= 0) {
      const next = source.charCodeAt(at + 1);
      if (next === lf) return at + 2;
      if (next === cr && source.charCodeAt(at + 2) === lf) return at + 3;
      this.isOneLine = false;
      at = source.indexOf('\n', at + 1);
    }
    return source.length;
  }

  private event(source: string, bytes: Buffer, from: number, end: number): Verdict {
    const isQuiet = !this.facts.ended && this.facts.failure === null;
    if (isQuiet && this.isOneLine && !this.isCutOff) {
      const chars = this.fast.chars(source, from, end);
      if (chars >= 0) {
        this.facts.deliveredChars += chars;
        return 'pass';
      }
    }
    const isPlain = this.isOneLine && source.startsWith('data: ', from);
    const data = isPlain
      ? bytes.toString('utf8', from + 6, end).trimEnd()
      : dataOf(bytes.toString('utf8', from, end));
    if (data === null || data === '') return 'drop';
    if (data.trim() === '[DONE]') {
      this.facts.ended = true;
      return 'drop';
    }
    // Behind the terminal only usage is of interest, and nothing there can spoil a stream that ended well.
    const json = this.facts.ended ? objectIn(data) : parseObject(data);
    const hasUsage = noteUsage(this.facts, json, this.quirks);
    if (!isQuiet || this.failed(json)) return 'drop';
    const choices = listOf(json['choices']);
    if (hasUsage && choices.length === 0 && !this.showUsage) return 'drop';
    const chars = this.choices(choices);
    if (!isPlain) return Buffer.from(`data: ${data.replaceAll('\n', ' ')}\n\n`);
    if (choices.length === 1 && chars > 0 && !hasUsage && !this.hasFinish(choices[0])) {
      this.fast.learn(source, from, end, chars);
    }
    return 'pass';
  }

  private failed(json: JsonObject): boolean {
    const failure = failureIn(json, 502) ?? failureIn(objectOf(listOf(json['choices'])[0]) ?? {}, 502);
    if (failure !== null) this.facts.failure = failure;
    return failure !== null;
  }

  private choices(choices: readonly unknown[]): number {
    let chars = 0;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const index = indexOf(choice['index']);
      this.begun.add(index);
      chars += charsOf(choice);
      if (!this.hasFinish(choice)) continue;
      this.finished.add(index);
      this.facts.finishReason ??= finishReasonOf(choice['finish_reason']);
    }
    this.facts.deliveredChars += chars;
    return chars;
  }

  private hasFinish(choice: unknown): boolean {
    return isObject(choice) && finishReasonOf(choice['finish_reason']) !== null;
  }
}

/** The joined `data` lines of an event, or null when it has none (comments, a bare `event:`). */
function dataOf(event: string): string | null {
  let data: string | null = null;
  for (const raw of event.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (!line.startsWith('data:')) continue;
    const value = line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5);
    data = data === null ? value : `${data}\n${value}`;
  }
  return data;
}
