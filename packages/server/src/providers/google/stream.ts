/** Gemini's stream (`alt=sse`): every event is a GenerateContentResponse with the next parts. */
import type { ChatEvent, JsonObject } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import { inputTokens, type TokenUsage } from '../../contract/usage.ts';
import { isObject, parseUpstream, tryParse } from '../exact-json.ts';
import type { CallTarget, StreamDecoder } from '../provider.ts';
import { createSseParser, type SseParser } from '../sse.ts';
import { partsOf } from './answer.ts';
import { failureOf } from './errors.ts';
import { blockedPrompt, decodeLogprobs, decodeUsage, finishReason, partEvents, searchesOf } from './parts.ts';

/** A drawn image comes as one event. */
const maxEventBytes = 64 * 1024 * 1024;
const maxBareChars = 64 * 1024;

interface Choice {
  calls: number;
  searches: number;
  /** Some models repeat STOP in every chunk: the last one counts, when the stream ends. */
  reason: unknown;
}

class GenerateStream implements StreamDecoder {
  /** Google writes none: only the end of the connection tells. */
  readonly ended = false;
  private readonly model: string;
  private readonly parser: SseParser;
  private readonly choices = new Map<number, Choice>();
  private events: ChatEvent[] = [];
  private started = false;
  private blocked = false;
  private failed = false;
  /** Cumulative; held back, because a stream that is cut has delivered more than it says. */
  private usage: unknown = null;
  /** Some errors come as JSON that is no event. */
  private bare = '';

  constructor(model: string) {
    this.model = model;
    this.parser = createSseParser((data) => this.chunk(data), {
      maxEventBytes,
      stray: (line) => {
        if (this.bare.length < maxBareChars) this.bare += line;
      },
    });
  }

  push(chunk: Buffer, events: ChatEvent[]): void {
    this.events = events;
    this.parser.push(chunk);
  }

  end(events: ChatEvent[]): boolean {
    this.events = events;
    this.parser.end();
    this.readBare();
    const choices = [...this.choices];
    const ended = !this.failed && choices.every(([, { reason }]) => reason !== undefined);
    if (!ended || (choices.length === 0 && !this.blocked)) return false;
    if (choices.length === 0) events.push({ type: 'finish', index: 0, reason: 'content_filter' });
    for (const [index, { reason, calls }] of choices) {
      const word = finishReason(reason, calls > 0);
      if (word !== null) events.push({ type: 'finish', index, reason: word });
    }
    const usage = this.count();
    if (usage !== null) events.push({ type: 'usage', usage });
    return true;
  }

  private count(): TokenUsage | null {
    let searches = 0;
    for (const choice of this.choices.values()) searches += choice.searches;
    return decodeUsage(this.usage, searches);
  }

  private chunk(data: string): void {
    const answer = parseUpstream(data);
    if (answer['error'] !== undefined) return this.fail(answer['error']);
    if (isObject(answer['usageMetadata'])) this.usage = answer['usageMetadata'];
    if (!this.started) this.start(answer);
    const sentence = blockedPrompt(answer);
    if (sentence !== null) {
      this.blocked = true;
      this.events.push({ type: 'refusal', index: 0, text: sentence });
    }
    const candidates: unknown = answer['candidates'] ?? [];
    if (!Array.isArray(candidates) || !candidates.every(isObject))
      throw new GatewayError('upstream_malformed');
    for (const candidate of candidates) this.candidate(candidate, answer);
  }

  private start(answer: JsonObject): void {
    this.started = true;
    const usage = this.count();
    this.events.push({
      type: 'start',
      id: typeof answer['responseId'] === 'string' ? answer['responseId'] : null,
      model: typeof answer['modelVersion'] === 'string' ? answer['modelVersion'] : null,
      inputTokens: usage === null ? 0 : inputTokens(usage),
    });
  }

  private candidate(candidate: JsonObject, answer: JsonObject): void {
    const index = typeof candidate['index'] === 'number' ? candidate['index'] : 0;
    const choice = this.choices.get(index) ?? { calls: 0, searches: 0, reason: undefined };
    this.choices.set(index, choice);
    const first = this.events.length;
    for (const part of partsOf(candidate)) {
      choice.calls = partEvents(part, answer, index, choice.calls, this.events);
    }
    this.attach(decodeLogprobs(candidate), first);
    choice.searches = Math.max(choice.searches, searchesOf(candidate, this.model));
    choice.reason = candidate['finishReason'] ?? choice.reason;
  }

  /** Log probabilities of a chunk go with its first text. */
  private attach(logprobs: JsonObject | undefined, first: number): void {
    if (logprobs === undefined) return;
    for (let at = first; at < this.events.length; at++) {
      const event = this.events[at];
      if (event?.type !== 'text') continue;
      this.events[at] = { ...event, logprobs };
      return;
    }
  }

  private readBare(): void {
    const parsed = this.bare === '' ? null : tryParse(Buffer.from(this.bare));
    const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    if (isObject(first) && first['error'] !== undefined) this.fail(first['error']);
  }

  private fail(error: unknown): void {
    this.failed = true;
    const { status, code, message } = failureOf(error, null);
    this.events.push({ type: 'error', status, code, message: message ?? 'The provider failed.' });
  }
}

export const createStreamDecoder = (target: CallTarget): StreamDecoder => new GenerateStream(target.model);
