/** `/v1/chat/completions` and `/v1/completions`: OpenAI's exact shapes, with the cost inside `usage`. */
import { usdNumber, type CallIdentity, type SettledFacts } from '../../contract/answer.ts';
import { openaiChatBody, openaiCompletionBody } from '../../contract/bodies.ts';
import type { ChatAnswer, ChatEvent, ChatRequest, FinishReason, JsonObject } from '../../contract/chat.ts';
import { errorTable } from '../../contract/errors.ts';
import { validator } from '../../contract/validate.ts';
import { decodeChat } from '../decode-chat.ts';
import type { ChatDialect, StreamEncoder } from '../dialect.ts';
import { scanJson } from '../json-scan.ts';
import { messageJson, openaiUsage, reasoningDetail, toolDelta } from '../message.ts';
import { done } from '../sse.ts';
import { encodeOpenaiError, openaiErrorJson } from './errors.ts';

type Kind = 'chat' | 'completion';

const answerId = (kind: Kind, requestId: string): string =>
  `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${requestId}`;

function encodeAnswer(kind: Kind, answer: ChatAnswer, facts: SettledFacts): string {
  return JSON.stringify({
    id: answer.id ?? answerId(kind, facts.requestId),
    object: kind === 'chat' ? 'chat.completion' : 'text_completion',
    created: answer.created ?? Math.floor(facts.startedAtMs / 1000),
    model: answer.model ?? facts.model,
    choices: answer.choices.map((choice) => ({
      index: choice.index,
      ...(kind === 'chat' ? { message: messageJson(choice) } : { text: choice.text }),
      logprobs: choice.logprobs ?? null,
      finish_reason: choice.finishReason ?? 'stop',
    })),
    usage: openaiUsage(facts),
    ...answer.extra,
    provider: facts.provider,
  });
}

const colon = 58;
const openBrace = 123;
const closeBrace = 125;
const usageKey = Buffer.from('"usage"');

/** Where the answer's usage stands; none in an answer too odd to look into. */
function usagePlace(body: Buffer): readonly [number, number] | undefined {
  try {
    return scanJson(body.toString('latin1')).get('usage');
  } catch {
    return undefined;
  }
}

/**
 * Behind the opening brace of the answer's usage, or -1. A quote inside a text is always escaped, so `"usage"` is never part
 * of one; where it stands once, it is the member that is known to be there.
 */
function placeInUsage(body: Buffer): number {
  let at = body.indexOf(usageKey);
  if (at < 0 || body.indexOf(usageKey, at + usageKey.length) >= 0) return -1;
  for (at += usageKey.length; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === openBrace) return at + 1;
    if (byte > 32 && byte !== colon) return -1;
  }
  return -1;
}

/** The body with texts of ASCII put into it, at places in order. */
function spliced(body: Buffer, end: number, inserts: readonly (readonly [number, string])[]): Buffer {
  let size = end;
  for (const [, text] of inserts) size += text.length;
  const result = Buffer.allocUnsafe(size);
  let from = 0;
  let at = 0;
  for (const [place, text] of inserts) {
    at += body.copy(result, at, from, place);
    at += result.write(text, at, 'latin1');
    from = place;
  }
  body.copy(result, at, from, end);
  return result;
}

/** Puts cost and provider into the provider's own bytes: everything else stays as it came. */
function amendAnswer(body: Buffer, facts: SettledFacts, plainUsage: boolean): Buffer {
  const end = body.lastIndexOf(closeBrace);
  if (end < 0) return body;
  const provider = `,"provider":${JSON.stringify(facts.provider)}}`;
  const isTold = facts.source === 'provider';
  const cost = isTold ? `"cost":${JSON.stringify(usdNumber(facts.costNano))}` : '';
  const inside = isTold && plainUsage ? placeInUsage(body) : -1;
  if (inside >= 0)
    return spliced(body, end, [
      [inside, `${cost},`],
      [end, provider],
    ]);
  const usage = isTold ? usagePlace(body) : undefined;
  if (usage === undefined || body[usage[1] - 1] !== closeBrace)
    return spliced(body, end, [[end, `,"usage":${JSON.stringify(openaiUsage(facts))}${provider}`]]);
  const close = usage[1] - 1;
  const comma = /^\{\s*$/.test(body.toString('latin1', usage[0], close)) ? '' : ',';
  return spliced(body, end, [
    [close, comma + cost],
    [end, provider],
  ]);
}

class OpenaiEncoder implements StreamEncoder {
  private readonly kind: Kind;
  private readonly identity: CallIdentity;
  private readonly showUsage: boolean;
  private readonly head: string;
  private readonly finished = new Map<number, FinishReason>();
  private readonly begun = new Set<number>();
  private images = 0;

  constructor(kind: Kind, identity: CallIdentity, showUsage: boolean) {
    this.kind = kind;
    this.identity = identity;
    this.showUsage = showUsage;
    const object = kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
    const created = Math.floor(identity.startedAtMs / 1000);
    const id = answerId(kind, identity.requestId);
    this.head = `data: ${JSON.stringify({ id, object, created, model: identity.model, provider: identity.provider }).slice(0, -1)}`;
  }

  start(): string {
    return '';
  }

  event(event: ChatEvent): string {
    switch (event.type) {
      case 'text': {
        const text = JSON.stringify(event.text);
        const logprobs = event.logprobs === undefined ? 'null' : JSON.stringify(event.logprobs);
        const member =
          this.kind === 'chat' ? `"delta":{${this.role(event.index)}"content":${text}}` : `"text":${text}`;
        return `${this.head},"choices":[{"index":${event.index},${member},"logprobs":${logprobs},"finish_reason":null}]}\n\n`;
      }
      case 'reasoning': {
        const details =
          event.signature === undefined ? {} : { reasoning_details: [reasoningDetail(event.signature)] };
        return this.delta(event.index, { reasoning_content: event.text, ...details });
      }
      case 'tool':
        return this.delta(event.index, { tool_calls: [toolDelta(event)] });
      case 'image':
        return this.delta(event.index, {
          images: [{ type: 'image_url', image_url: { url: event.url }, index: this.images++ }],
        });
      case 'refusal':
        return this.delta(event.index, { refusal: event.text });
      case 'finish':
        this.finished.set(event.index, event.reason);
        return '';
      default:
        return '';
    }
  }

  finish(facts: SettledFacts, reason: FinishReason): string {
    const cancelled = reason === 'cancelled';
    if (this.finished.size === 0 || cancelled) this.finished.set(0, reason);
    const usage = openaiUsage(facts);
    let frames = '';
    for (const [index, why] of this.finished) {
      // Of a choice that said nothing this is the first delta.
      const delta = this.role(index) === '' ? {} : { role: 'assistant' };
      const member = this.kind === 'chat' ? { delta } : { text: '' };
      frames += this.chunk(
        [{ index, ...member, logprobs: null, finish_reason: why }],
        cancelled ? { usage } : {},
      );
    }
    if (this.showUsage) frames += this.chunk([], { usage });
    return frames + done;
  }

  relayedEnd(facts: SettledFacts): string {
    return this.showUsage ? this.chunk([], { usage: openaiUsage(facts) }) : '';
  }

  failure(failure: { code: keyof typeof errorTable; message: string }): string {
    const { code, message } = failure;
    return `data: ${openaiErrorJson({ code, message, type: errorTable[code].type })}\n\n`;
  }

  /** The first delta of a choice carries the role. */
  private role(index: number): string {
    if (this.begun.has(index)) return '';
    this.begun.add(index);
    return '"role":"assistant",';
  }

  private delta(index: number, delta: JsonObject): string {
    const role = this.role(index) === '' ? {} : { role: 'assistant' };
    const member = this.kind === 'chat' ? { delta: { ...role, ...delta } } : { text: '' };
    return this.chunk([{ index, ...member, finish_reason: null }]);
  }

  private chunk(choices: readonly JsonObject[], more: JsonObject = {}): string {
    const rest = JSON.stringify({ choices, ...more }).slice(1);
    return `${this.head},${rest}\n\n`;
  }
}

function dialect(kind: Kind): ChatDialect {
  const validate = validator(kind === 'chat' ? openaiChatBody : openaiCompletionBody);
  return {
    wire: kind === 'chat' ? 'openai-chat' : 'openai-completion',
    decode: (body) => decodeChat(kind, body, validate),
    encodeAnswer: (answer, facts) => encodeAnswer(kind, answer, facts),
    amendAnswer,
    createEncoder: (identity: CallIdentity, request: ChatRequest) =>
      new OpenaiEncoder(kind, identity, request.includeUsage),
    encodeError: (error) => encodeOpenaiError(error),
  };
}

export const openaiChat = dialect('chat');
export const openaiCompletion = dialect('completion');
