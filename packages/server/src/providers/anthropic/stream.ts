/** Anthropic's event stream → canonical events. */
import type { ChatEvent, JsonObject } from '../../contract/chat.ts';
import { GatewayError } from '../../contract/errors.ts';
import { inputTokens } from '../../contract/usage.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import type { StreamDecoder } from '../provider.ts';
import { createSseParser, type SseParser } from '../sse.ts';
import { decodeUsage, finishReason, refusalText } from './answer.ts';
import { errorWords, statusOf } from './errors.ts';

/** A content block between its start and its stop. */
interface OpenBlock {
  readonly type: string;
  /** Which tool call it is. */
  readonly call: number;
  /** Thinking so far: its signature covers the whole. */
  text: string;
  signature: string;
  /** Tool input given with the start, used when no piece of it follows. */
  readonly input: unknown;
  hasInput: boolean;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const reasoning = (data: string, kind: 'signature' | 'redacted', whole?: string): ChatEvent => ({
  type: 'reasoning',
  index: 0,
  text: '',
  signature: { vendor: 'anthropic', kind, data, ...(whole === undefined ? {} : { text: whole }) },
});

class MessageStream implements StreamDecoder {
  private readonly parser: SseParser;
  private readonly blocks = new Map<unknown, OpenBlock>();
  private events: ChatEvent[] = [];
  private usage: JsonObject = {};
  private calls = 0;
  ended = false;

  constructor() {
    this.parser = createSseParser((data) => this.event(data));
  }

  push(chunk: Buffer, events: ChatEvent[]): void {
    this.events = events;
    this.parser.push(chunk);
  }

  end(events: ChatEvent[]): boolean {
    this.events = events;
    this.parser.end();
    return this.ended;
  }

  private event(data: string): void {
    const event = parseUpstream(data);
    switch (event['type']) {
      case 'message_start':
        return this.start(event['message']);
      case 'content_block_start':
        return this.open(event);
      case 'content_block_delta':
        return this.delta(this.blocks.get(event['index']), event['delta']);
      case 'content_block_stop':
        return this.close(event['index']);
      case 'message_delta':
        return this.finish(event);
      case 'message_stop':
        this.ended = true;
        return;
      case 'error':
        return this.fail(event['error']);
      default:
      // `ping`, and events of the future.
    }
  }

  private start(message: unknown): void {
    if (!isObject(message)) throw new GatewayError('upstream_malformed');
    this.usage = isObject(message['usage']) ? message['usage'] : {};
    const usage = decodeUsage(this.usage);
    this.events.push({
      type: 'start',
      id: typeof message['id'] === 'string' ? message['id'] : null,
      model: typeof message['model'] === 'string' ? message['model'] : null,
      inputTokens: usage === null ? 0 : inputTokens(usage),
    });
  }

  private open(event: JsonObject): void {
    const block = event['content_block'];
    if (!isObject(block)) throw new GatewayError('upstream_malformed');
    const type = text(block['type']);
    const call = type === 'tool_use' ? this.calls++ : 0;
    const open: OpenBlock = { type, call, text: '', signature: '', input: block['input'], hasInput: false };
    this.blocks.set(event['index'], open);
    if (type === 'text') this.say(text(block['text']));
    if (type === 'thinking') this.think(open, text(block['thinking']), text(block['signature']));
    if (type === 'redacted_thinking') this.events.push(reasoning(text(block['data']), 'redacted'));
    if (type === 'tool_use') {
      const [id, name] = [text(block['id']), text(block['name'])];
      this.events.push({ type: 'tool', index: 0, call, id, name, arguments: '' });
    }
  }

  private say(piece: string): void {
    if (piece !== '') this.events.push({ type: 'text', index: 0, text: piece });
  }

  private think(block: OpenBlock, piece: string, signature: string): void {
    block.text += piece;
    block.signature += signature;
    if (piece !== '') this.events.push({ type: 'reasoning', index: 0, text: piece });
  }

  private delta(block: OpenBlock | undefined, delta: unknown): void {
    if (block === undefined || !isObject(delta)) throw new GatewayError('upstream_malformed');
    switch (delta['type']) {
      case 'text_delta':
        return this.say(text(delta['text']));
      case 'thinking_delta':
        return this.think(block, text(delta['thinking']), '');
      case 'signature_delta':
        return this.think(block, '', text(delta['signature']));
      case 'input_json_delta': {
        const piece = text(delta['partial_json']);
        if (piece === '' || block.type !== 'tool_use') return;
        block.hasInput = true;
        this.events.push({ type: 'tool', index: 0, call: block.call, arguments: piece });
        return;
      }
      default:
      // Citations and deltas of the future.
    }
  }

  private close(index: unknown): void {
    const block = this.blocks.get(index);
    if (block === undefined) throw new GatewayError('upstream_malformed');
    this.blocks.delete(index);
    if (block.signature !== '') this.events.push(reasoning(block.signature, 'signature', block.text));
    if (block.type === 'tool_use' && !block.hasInput) {
      // A tool without parameters: its arguments must still be JSON.
      const whole = JSON.stringify(isObject(block.input) ? block.input : {});
      this.events.push({ type: 'tool', index: 0, call: block.call, arguments: whole });
    }
  }

  private finish(event: JsonObject): void {
    const delta = isObject(event['delta']) ? event['delta'] : {};
    const refusal = refusalText(delta['stop_details']);
    if (refusal !== null) this.events.push({ type: 'refusal', index: 0, text: refusal });
    const reason = finishReason(delta['stop_reason']);
    if (reason !== null) this.events.push({ type: 'finish', index: 0, reason });
    if (!isObject(event['usage'])) return;
    // Cumulative; members it leaves out or null stand as they were at the start.
    for (const [name, value] of Object.entries(event['usage'])) {
      if (value !== null) this.usage = { ...this.usage, [name]: value };
    }
    const usage = decodeUsage(this.usage);
    if (usage !== null) this.events.push({ type: 'usage', usage });
  }

  private fail(error: unknown): void {
    const { code, message } = errorWords(error);
    const status = statusOf(isObject(error) ? error['type'] : null);
    this.events.push({ type: 'error', status, code, message: message ?? 'The provider failed.' });
  }
}

export const createStreamDecoder = (): StreamDecoder => new MessageStream();
