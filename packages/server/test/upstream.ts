/**
 * A provider on a real socket that does what a test tells it: each call is handed to a script, which sees what arrived
 * and decides what goes back, byte by byte. It records what it saw, and when its own side of a socket was closed.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  /** The JSON body, or {} when there is none. */
  readonly body: Record<string, unknown>;
  /** Resolves when the socket closed before the answer was complete; Unix milliseconds. */
  readonly closed: Promise<number>;
  /** Set once `closed` did. */
  closedAt: number | null;
}

export type Script = (call: SeenCall, response: ServerResponse) => void | Promise<void>;

export interface Upstream {
  /** Base URL as providers have it: `http://127.0.0.1:port/v1`. */
  readonly url: string;
  readonly calls: SeenCall[];
  /** What the next calls get; replaceable at any time. */
  script: Script;
  close(): Promise<void>;
}

/** Starts an upstream on a free port. */
export async function startUpstream(script: Script): Promise<Upstream> {
  const calls: SeenCall[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString('utf8');
      const isJson = text !== '' && /json/.test(request.headers['content-type'] ?? 'json');
      const gone = Promise.withResolvers<number>();
      const call: SeenCall = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        text,
        bytes,
        body: isJson ? JSON.parse(text) : {},
        closed: gone.promise,
        closedAt: null,
      };
      response.on('close', () => {
        if (response.writableFinished) return;
        call.closedAt = Date.now();
        gone.resolve(call.closedAt);
      });
      response.on('error', () => {});
      calls.push(call);
      void Promise.resolve(upstream.script(call, response)).catch(() => response.destroy());
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream: Upstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    script,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return upstream;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** OpenAI's answer to a chat, with the usage told. */
export function chatAnswer(
  text: string,
  usage: Usage | null = { prompt_tokens: 10, completion_tokens: 5 },
): string {
  return JSON.stringify({
    id: 'chatcmpl-upstream',
    object: 'chat.completion',
    created: 1_760_000_000,
    model: 'gpt-4o-mini-2024-07-18',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    ...(usage === null
      ? {}
      : { usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens } }),
  });
}

/** Answers every call with one JSON body. */
export function answering(status: number, body: string, headers: Record<string, string> = {}): Script {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  };
}

const chunkOf = (member: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_760_000_000, model: 'gpt-4o-mini-2024-07-18', ...member })}\n\n`;

/** One content event of an OpenAI stream. */
export function contentEvent(text: string): string {
  return chunkOf({ choices: [{ index: 0, delta: { content: text }, logprobs: null, finish_reason: null }] });
}

export function finishEvent(reason = 'stop'): string {
  return chunkOf({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: reason }] });
}

export function usageEvent(usage: Usage): string {
  return chunkOf({
    choices: [],
    usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens },
  });
}

export interface StreamPlan {
  readonly parts: readonly string[];
  readonly usage?: Usage | null;
  /** Milliseconds between events. */
  readonly every?: number;
  /** After the parts: finish properly, keep silent, cut the socket, end without a terminal, or report an error. */
  readonly ending?: 'finish' | 'hang' | 'reset' | 'end' | 'error';
}

/** Answers every call with an OpenAI stream. */
export function streaming(plan: StreamPlan): Script {
  const {
    parts,
    usage = { prompt_tokens: 10, completion_tokens: parts.length },
    every = 0,
    ending = 'finish',
  } = plan;
  return async (call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    for (const part of parts) {
      if (response.destroyed) return;
      response.write(contentEvent(part));
      if (every > 0) await sleep(every);
    }
    if (ending === 'hang') return;
    // A moment, so that what was written is on its way before the socket is torn down.
    if (ending === 'reset') return void sleep(20).then(() => response.destroy());
    if (ending === 'end') return void response.end();
    if (ending === 'error')
      return void response.end(
        `data: {"error":{"message":"the model fell over","type":"server_error","code":null}}\n\n`,
      );
    response.write(finishEvent());
    const asked =
      (call.body['stream_options'] as { include_usage?: boolean } | undefined)?.include_usage === true;
    if (usage !== null && asked) response.write(usageEvent(usage));
    response.end('data: [DONE]\n\n');
  };
}
