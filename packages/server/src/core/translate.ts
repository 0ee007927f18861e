/** A transcript put into English by a chat model: a call of its own, with its own usage row and price. */
import { randomUUID } from 'node:crypto';
import { GatewayError } from '../contract/errors.ts';
import type { TranscriptionAnswer } from '../contract/media.ts';
import type { CallRequest } from '../contract/request.ts';
import { openaiChat } from '../dialects/openai/chat.ts';
import { serveCall } from './call.ts';
import type { Incoming } from './call-types.ts';
import type { Gateway } from './gateway.ts';
import { resolve } from './resolve.ts';

export interface Translated {
  readonly answer: TranscriptionAnswer;
  /** `provider/model` that translated. */
  readonly model: string;
  /** Id of its usage row. */
  readonly requestId: string;
  /** US dollars. */
  readonly cost: number | null;
}

const instruction =
  'Translate each numbered line into English. Answer with the same numbers, one line each, and nothing else.';

interface ChatJson {
  readonly model: string;
  readonly provider: string;
  readonly choices: readonly { readonly message: { readonly content: string | null } }[];
  readonly usage: { readonly cost: number | null };
}

/** Throws, before any sound is heard, where the chat model is none, has no key, or is not allowed to the caller. */
export function requireTranslator(gateway: Gateway, call: Incoming, request: CallRequest): void {
  const model = gateway.settings.translationModel;
  resolve(gateway, call, { ...request, kind: 'chat', model, providerField: null, byokKey: null }, 'chat');
}

/** A model that drops lines is asked once more; what it leaves out is never passed off as English. */
const tries = 2;

/** Line by line, so that every segment keeps its time. Throws what the chat call throws, 502 where lines are missing. */
export async function translateToEnglish(
  gateway: Gateway,
  call: Incoming,
  answer: TranscriptionAnswer,
): Promise<Translated> {
  const lines = answer.segments === null ? [answer.text] : answer.segments.map(({ text }) => text);
  const numbered = lines.map((line, at) => `${at + 1}. ${line.trim().replaceAll('\n', ' ')}`).join('\n');
  let cost: number | null = 0;
  for (let attempt = 1; attempt <= tries; attempt++) {
    const { json, requestId } = await ask(gateway, call, numbered);
    cost = cost === null || json.usage.cost === null ? null : cost + json.usage.cost;
    const english = linesOf(json.choices[0]?.message.content ?? '', lines);
    if (english === null) continue;
    const segments = answer.segments?.map((segment, at) => ({ ...segment, text: english[at] ?? '' })) ?? null;
    return {
      answer: { ...answer, text: english.join(' '), language: 'english', words: null, segments },
      model: `${json.provider}/${json.model}`,
      requestId,
      cost,
    };
  }
  throw new GatewayError('upstream_malformed', 'The chat model that translates left lines out.');
}

async function ask(
  gateway: Gateway,
  call: Incoming,
  numbered: string,
): Promise<{ readonly json: ChatJson; readonly requestId: string }> {
  const requestId = randomUUID();
  const { translationModel } = gateway.settings;
  const model = translationModel === null ? {} : { model: translationModel };
  const messages = [
    { role: 'system', content: instruction },
    { role: 'user', content: numbered },
  ];
  const reply = await serveCall(gateway, {
    ...call,
    requestId,
    kind: 'chat',
    dialect: openaiChat,
    body: Buffer.from(JSON.stringify({ ...model, messages, session_id: call.requestId })),
    idempotencyKey: null,
    startedAtMs: Date.now(),
  });
  if (reply === null) throw new GatewayError('internal');
  return { json: JSON.parse(reply.body.toString()) as ChatJson, requestId };
}

/** Null when a line is missing that has something to say. */
function linesOf(said: string, lines: readonly string[]): string[] | null {
  const english: string[] = [];
  for (const [at, line] of lines.entries()) {
    const found = lineOf(said, at + 1) ?? (lines.length === 1 ? said.trim() : '');
    if (found === '' && line.trim() !== '') return null;
    english.push(found);
  }
  return english;
}

function lineOf(text: string, number: number): string | null {
  return new RegExp(`^[ \\t]*${number}[.)][ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? null;
}
