/** Callers that keep calling whatever happens to the gateway, and write down what they saw. */
import { randomUUID } from 'node:crypto';
import {
  answering,
  chatAnswer,
  contentEvent,
  finishEvent,
  startUpstream,
  usageEvent,
  type Upstream,
} from '../upstream.ts';

const model = 'openai/gpt-4o-mini';
const paths = ['/v1/chat/completions', '/api/v1/chat/completions'] as const;
const promptTokens = 10;
const maxTokens = 40;

/** Nano-USD of a call whose answer had this many tokens: 0.15 and 0.60 US dollars per million. */
export const costOf = (outputTokens: number): bigint => BigInt(promptTokens * 150 + outputTokens * 600);

/** What one caller saw of one request. */
export interface ClientEntry {
  readonly keyId: string;
  readonly accountId: string;
  /** Marks the call; retries under one Idempotency-Key share it. */
  readonly tag: string;
  readonly idempotent: boolean;
  readonly stream: boolean;
  readonly sentAt: number;
  readonly endedAt: number;
  /** From the response's headers; null when none came. */
  readonly requestId: string | null;
  readonly status: number | null;
  /** complete: the last byte came ([DONE], or the whole JSON). cut: the connection was lost. failed: a typed error. */
  readonly outcome: 'complete' | 'failed' | 'cut' | 'left';
  readonly replayed: boolean;
  readonly error: string | null;
}

export interface UpstreamEntry {
  readonly tag: string;
  readonly at: number;
  readonly outputTokens: number;
}

export interface Caller {
  readonly keyId: string;
  readonly accountId: string;
  readonly apiKey: string;
  /** Gives the account more when it has run out. */
  readonly topUp: (() => Promise<void>) | null;
}

export interface Logs {
  readonly client: ClientEntry[];
  readonly upstream: UpstreamEntry[];
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const below = (limit: number): number => Math.floor(Math.random() * limit);

/** A provider that takes its time and knows how many tokens each tag got. */
export function startProvider(log: UpstreamEntry[]): Promise<Upstream> {
  return startUpstream(async (call, response) => {
    const [message] = call.body['messages'] as { content: string }[];
    const outputTokens = 3 + below(maxTokens - 3);
    log.push({ tag: message?.content ?? '', at: Date.now(), outputTokens });
    const usage = { prompt_tokens: promptTokens, completion_tokens: outputTokens };
    await pause(5 + below(60));
    if (call.body['stream'] !== true) return answering(200, chatAnswer('hello', usage))(call, response);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let part = 0; part < outputTokens; part++) {
      if (response.destroyed) return;
      response.write(contentEvent('word '));
      await pause(below(12));
    }
    response.write(finishEvent());
    response.write(usageEvent(usage));
    response.end('data: [DONE]\n\n');
  });
}

interface Wish {
  readonly tag: string;
  readonly path: string;
  readonly stream: boolean;
  readonly idempotencyKey: string | null;
  /** Leaves after the first bytes. */
  readonly leaves: boolean;
}

function newWish(): Wish {
  const tag = randomUUID();
  const stream = Math.random() < 0.5;
  const isIdempotent = Math.random() < 0.3;
  return {
    tag,
    path: paths[below(2)] ?? paths[0],
    stream,
    idempotencyKey: isIdempotent ? `key-${tag}` : null,
    leaves: stream && !isIdempotent && Math.random() < 0.1,
  };
}

function isComplete(stream: boolean, text: string): boolean {
  if (stream) return text.trimEnd().endsWith('data: [DONE]');
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function errorOf(text: string): string | null {
  return /"(?:code|error)":"([a-z_]+)"/.exec(text)?.[1] ?? null;
}

/** Sends it once. null: nothing listened, so nothing happened. */
async function send(url: string, caller: Caller, wish: Wish): Promise<ClientEntry | null> {
  const { tag, path, stream, idempotencyKey } = wish;
  const sentAt = Date.now();
  const abort = new AbortController();
  const seen = { requestId: null as string | null, status: null as number | null, replayed: false, text: '' };
  const entry = (outcome: ClientEntry['outcome'], error: string | null): ClientEntry => ({
    keyId: caller.keyId,
    accountId: caller.accountId,
    tag,
    idempotent: idempotencyKey !== null,
    stream,
    sentAt,
    endedAt: Date.now(),
    requestId: seen.requestId,
    status: seen.status,
    outcome,
    replayed: seen.replayed,
    error,
  });
  try {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${caller.apiKey}`,
        'content-type': 'application/json',
        ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content: tag }],
        stream,
        max_tokens: maxTokens,
      }),
      signal: abort.signal,
    });
    seen.requestId = answer.headers.get('x-request-id');
    seen.status = answer.status;
    seen.replayed = answer.headers.get('idempotent-replayed') === 'true';
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      seen.text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (!wish.leaves || answer.status !== 200) continue;
      abort.abort();
      return entry('left', null);
    }
    if (answer.status !== 200) return entry('failed', errorOf(seen.text));
    if (isComplete(stream, seen.text)) return entry('complete', null);
    return entry('failed', errorOf(seen.text));
  } catch (error) {
    if (abort.signal.aborted) return entry('left', null);
    const { code } = (error as { cause?: { code?: string } }).cause ?? {};
    return code === 'ECONNREFUSED' ? null : entry('cut', null);
  }
}

export interface Load {
  /** Lets every caller end its call and go. */
  stop(): Promise<void>;
  /** Asks once more for every idempotent call whose outcome its caller does not know. */
  askAgain(): Promise<number>;
}

const isUnclear = (entry: ClientEntry): boolean => entry.outcome !== 'complete' && entry.status !== 402;

/** Starts one loop a caller; each sends one request at a time. */
export function startLoad(url: string, callers: readonly Caller[], log: ClientEntry[]): Load {
  const state = { stopping: false };
  const unclear: { caller: Caller; wish: Wish }[] = [];

  const call = async (caller: Caller, wish: Wish): Promise<ClientEntry | null> => {
    const entry = await send(url, caller, wish);
    if (entry !== null) log.push(entry);
    return entry;
  };
  const loop = async (caller: Caller): Promise<void> => {
    while (!state.stopping) {
      const wish = newWish();
      let entry = await call(caller, wish);
      if (entry !== null && isUnclear(entry) && wish.idempotencyKey !== null) {
        await pause(100);
        entry = await call(caller, wish);
        if (entry === null || isUnclear(entry)) unclear.push({ caller, wish });
      }
      if (entry === null || entry.outcome === 'cut') await pause(50);
      else if (entry.status === 402) {
        await caller.topUp?.();
        await pause(300);
      }
    }
  };
  const loops = callers.map(loop);
  return {
    async stop() {
      state.stopping = true;
      await Promise.all(loops);
    },
    async askAgain() {
      for (const { caller, wish } of unclear) await call(caller, wish);
      return unclear.length;
    },
  };
}
