/**
 * The canonical request → an OpenAI-shaped body. Members the caller wrote and nobody must change are spliced from the
 * bytes they came in, because parsing and rebuilding a long prompt costs more than the rest of the call.
 */
import type { ChatRequest, JsonObject, RawBody } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { noHeaders, type CallTarget, type EncodedRequest } from '../provider.ts';
import { outgoingMessages, messagesMustChange } from './messages.ts';
import type { Quirks } from './quirks.ts';
import { isObject } from './shape.ts';

/** A spliced member shorter than this joins the text around it; a longer one stays bytes and is copied once. */
const inlineBytes = 4096;
const stringifyBelow = 48;

const reasoningModel = /^(?:o\d|gpt-[5-9]|codex|computer-use)/;

export function encodeRequest(request: ChatRequest, target: CallTarget, quirks: Quirks): EncodedRequest {
  if (!quirks.manyChoices && request.choices > 1) {
    throw badField('n', `Invalid value for 'n': ${target.provider} gives one answer per call`);
  }
  const body = new BodyWriter(request.raw);
  body.value('model', target.model);
  const path = request.kind === 'chat' ? quirks.chatPath : quirks.completionPath;
  for (const name in request.params) {
    if (isLeftOut(name, target, quirks)) continue;
    const value = request.params[name];
    if (name === 'messages') writeMessages(body, request, quirks);
    else if (name === 'seed' && quirks.seed !== 'seed') body.value(quirks.seed, value);
    else if (name === 'tool_choice' && value === 'required') body.value(name, quirks.toolChoice);
    else body.member(name, value);
  }
  if (target.maxTokens !== null) body.value(boundField(request, target, quirks), target.maxTokens);
  if (request.stream) {
    body.value('stream', true);
    if (quirks.streamOptions) body.value('stream_options', streamOptions(request.raw));
  }
  return { path: withApiVersion(path, target, quirks), headers: noHeaders, body: body.end() };
}

function isLeftOut(name: string, target: CallTarget, quirks: Quirks): boolean {
  if (name === 'max_tokens' || name === 'max_completion_tokens') return true;
  if (name === 'temperature') return target.info?.temperature === false;
  return quirks.dropped.includes(name);
}

function boundField(request: ChatRequest, target: CallTarget, quirks: Quirks): string {
  if (request.kind === 'completion') return 'max_tokens';
  if (quirks.bound !== 'by-model') return quirks.bound;
  const thinks = target.info?.reasoning === true || reasoningModel.test(target.model);
  return thinks || 'max_completion_tokens' in request.params ? 'max_completion_tokens' : 'max_tokens';
}

function writeMessages(body: BodyWriter, request: ChatRequest, quirks: Quirks): void {
  const messages = request.params['messages'];
  if (messagesMustChange(messages, quirks)) body.value('messages', outgoingMessages(messages, quirks));
  else body.member('messages', messages);
}

/** The caller's other stream options (`include_obfuscation`) with usage asked for, which settling the call needs. */
function streamOptions(raw: RawBody | null): JsonObject {
  const range = raw?.members.get('stream_options');
  if (raw === null || range === undefined) return { include_usage: true };
  const given: unknown = JSON.parse(raw.bytes.toString('utf8', range[0], range[1]));
  return isObject(given) ? { ...given, include_usage: true } : { include_usage: true };
}

function withApiVersion(path: string, target: CallTarget, quirks: Quirks): string {
  const version = quirks.apiVersion ? target.options['api_version'] : undefined;
  return version === undefined ? path : `${path}?api-version=${encodeURIComponent(version)}`;
}

/** Writes one JSON object, from values or from the caller's bytes. */
class BodyWriter {
  private readonly raw: RawBody | null;
  private readonly parts: Buffer[] = [];
  private text = '{';
  private separator = '';

  constructor(raw: RawBody | null) {
    this.raw = raw;
  }

  value(name: string, value: unknown): void {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) return;
    this.name(name);
    this.text += json;
  }

  /** The value as the caller's bytes have it, where that is cheaper. */
  member(name: string, value: unknown): void {
    const range = this.raw?.members.get(name);
    // `temperature` is the one top-level member that additional_params may overrule.
    const length = range === undefined || name === 'temperature' ? 0 : range[1] - range[0];
    if (this.raw === null || range === undefined || length < stringifyBelow) {
      this.value(name, value);
      return;
    }
    this.name(name);
    if (length < inlineBytes) {
      this.text += this.raw.bytes.toString('utf8', range[0], range[1]);
    } else {
      this.parts.push(Buffer.from(this.text), this.raw.bytes.subarray(range[0], range[1]));
      this.text = '';
    }
  }

  end(): Buffer | string {
    this.text += '}';
    return this.parts.length === 0 ? this.text : Buffer.concat([...this.parts, Buffer.from(this.text)]);
  }

  private name(name: string): void {
    this.text += `${this.separator}${JSON.stringify(name)}:`;
    this.separator = ',';
  }
}
