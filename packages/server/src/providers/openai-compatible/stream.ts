/** An OpenAI-shaped stream → canonical events. */
import type { ChatEvent, JsonObject } from '../../contract/chat.ts';
import type { CallTarget, StreamDecoder } from '../provider.ts';
import { createSseParser, type SseParser } from '../sse.ts';
import { failureIn } from './errors.ts';
import { argumentsText, contentWords, readImages, reasoningText, signaturesOf } from './message.ts';
import { NotAStream } from './not-a-stream.ts';
import { PlainText } from './plain-text.ts';
import type { Quirks } from './quirks.ts';
import {
  finishReasonOf,
  indexOf,
  isObject,
  listOf,
  objectIn,
  objectOf,
  parseObject,
  textOf,
} from './shape.ts';
import { ThinkSplitter } from './think.ts';
import { decodeUsage, findUsage } from './usage.ts';

interface OpenCall {
  readonly id: string | null;
  readonly call: number;
}

/** What a choice has told so far. */
interface ChoiceState {
  readonly think: ThinkSplitter | null;
  /** The vendor's index → the call it means now. */
  readonly calls: Map<number, OpenCall>;
  callCount: number;
  isFinished: boolean;
}

export class OpenaiStreamDecoder implements StreamDecoder {
  private readonly target: CallTarget;
  private readonly quirks: Quirks;
  private readonly parser: SseParser;
  private readonly guard = new NotAStream();
  private readonly plain = new PlainText();
  private readonly choices = new Map<number, ChoiceState>();
  private events: ChatEvent[] = [];
  private hasStarted = false;
  private isDone = false;
  private hasFailed = false;

  constructor(target: CallTarget, quirks: Quirks) {
    this.target = target;
    this.quirks = quirks;
    this.parser = createSseParser((data) => this.data(data));
  }

  push(chunk: Buffer, events: ChatEvent[]): void {
    if (this.guard.holds(chunk)) return;
    this.events = events;
    this.parser.push(chunk);
  }

  get ended(): boolean {
    return this.isDone;
  }

  end(events: ChatEvent[]): boolean {
    this.events = events;
    const failure = this.guard.end();
    if (failure !== null) {
      this.fail(failure);
      return false;
    }
    // An event cut off in the middle is an unclean end, not a malformed stream.
    try {
      this.parser.end();
    } catch {
      return false;
    }
    for (const [index, choice] of this.choices) this.flushThinking(index, choice);
    if (this.hasFailed) return false;
    const states = [...this.choices.values()];
    return this.isDone || (states.length > 0 && states.every((state) => state.isFinished));
  }

  private data(data: string): void {
    if (data === '[DONE]' || data.trim() === '[DONE]') {
      this.isDone = true;
      return;
    }
    if (data === '') return;
    const text = this.isDone || this.hasFailed ? null : this.plain.of(data);
    if (text !== null) return void this.events.push({ type: 'text', index: this.plain.index, text });
    const before = this.events.length;
    // Nothing behind the terminal can spoil a stream that ended well.
    this.chunk(this.isDone ? objectIn(data) : parseObject(data));
    const [event, ...more] = this.events.slice(before);
    if (event?.type === 'text' && more.length === 0 && this.isOrdinary(event))
      this.plain.learn(data, event.index, event.text);
  }

  /** Its choice has nothing but text to tell, and shows it as it comes. */
  private isOrdinary({ index, logprobs }: Extract<ChatEvent, { type: 'text' }>): boolean {
    return logprobs === undefined && this.choices.get(index)?.think === null;
  }

  private chunk(chunk: JsonObject): void {
    const usage = findUsage(chunk);
    const counted = usage === null ? null : decodeUsage(usage, this.quirks);
    if (this.isDone || this.hasFailed) {
      if (counted !== null) this.events.push({ type: 'usage', usage: counted });
      return;
    }
    const choices = listOf(chunk['choices']);
    const failure = failureIn(chunk, 502) ?? failureIn(objectOf(choices[0]) ?? {}, 502);
    if (!this.hasStarted && failure === null) {
      this.hasStarted = true;
      this.events.push({
        type: 'start',
        id: textOf(chunk['id']),
        model: textOf(chunk['model']),
        inputTokens: 0,
      });
    }
    for (const choice of choices) if (isObject(choice)) this.choice(choice);
    if (counted !== null) this.events.push({ type: 'usage', usage: counted });
    if (failure !== null) this.fail(failure);
  }

  private fail(failure: { status: number; code: string | null; message: string | null }): void {
    this.hasFailed = true;
    const message = failure.message ?? 'The provider reported an error inside its stream.';
    this.events.push({ type: 'error', status: failure.status, code: failure.code, message });
  }

  private choice(choice: JsonObject): void {
    const index = indexOf(choice['index']);
    const state = this.stateOf(index);
    // Some servers repeat the whole `message` in the last chunk: only deltas count.
    const delta = objectOf(choice['delta']) ?? {};
    this.words(index, state, delta, choice);
    for (const signature of signaturesOf(delta, this.target.provider)) {
      this.events.push({ type: 'reasoning', index, text: '', signature });
    }
    const refusal = textOf(delta['refusal']);
    if (refusal !== null && refusal !== '') this.events.push({ type: 'refusal', index, text: refusal });
    for (const call of listOf(delta['tool_calls'])) if (isObject(call)) this.tool(index, state, call);
    const legacy = objectOf(delta['function_call']);
    if (legacy !== null) this.tool(index, state, { function: legacy });
    const reason = finishReasonOf(choice['finish_reason']);
    if (reason === null || state.isFinished) return;
    this.flushThinking(index, state);
    state.isFinished = true;
    this.events.push({ type: 'finish', index, reason });
  }

  private words(index: number, state: ChoiceState, delta: JsonObject, choice: JsonObject): void {
    const images: string[] = [];
    const words = contentWords(delta['content'] ?? choice['text'], images);
    const split = state.think === null || words.text === '' ? words : state.think.push(words.text);
    const reasoning =
      reasoningText(delta) + (split === words ? words.reasoning : words.reasoning + split.reasoning);
    if (reasoning !== '') this.events.push({ type: 'reasoning', index, text: reasoning });
    const logprobs = choice['logprobs'] ?? undefined;
    if (split.text !== '' || logprobs !== undefined) {
      this.events.push({
        type: 'text',
        index,
        text: split.text,
        ...(logprobs === undefined ? {} : { logprobs }),
      });
    }
    readImages(delta, images);
    for (const url of images) this.events.push({ type: 'image', index, url });
  }

  private tool(index: number, state: ChoiceState, delta: JsonObject): void {
    const called = objectOf(delta['function']) ?? objectOf(delta['custom']) ?? {};
    const id = textOf(delta['id']);
    const name = textOf(called['name']);
    const place = indexOf(delta['index']);
    let open = state.calls.get(place);
    // Servers that number every parallel call 0 are told apart by the id.
    const isNew =
      open === undefined || (id !== null && id !== '' && open.id !== null && id !== open.id && name !== null);
    if (isNew || open === undefined) {
      open = { id: id === '' ? null : id, call: state.callCount++ };
      state.calls.set(place, open);
    }
    const extra = objectOf(delta['extra_content']);
    this.events.push({
      type: 'tool',
      index,
      call: open.call,
      ...(isNew ? { id: open.id ?? `call_${index}_${open.call}`, name: name ?? '' } : {}),
      arguments: argumentsText(called['arguments'] ?? called['input']),
      ...(extra === null ? {} : { extra }),
    });
  }

  private stateOf(index: number): ChoiceState {
    let state = this.choices.get(index);
    if (state === undefined) {
      const think = this.quirks.thinkTags ? new ThinkSplitter() : null;
      state = { think, calls: new Map(), callCount: 0, isFinished: false };
      this.choices.set(index, state);
    }
    return state;
  }

  private flushThinking(index: number, state: ChoiceState): void {
    const rest = state.think?.end();
    if (rest === undefined) return;
    if (rest.reasoning !== '') this.events.push({ type: 'reasoning', index, text: rest.reasoning });
    if (rest.text !== '') this.events.push({ type: 'text', index, text: rest.text });
  }
}
