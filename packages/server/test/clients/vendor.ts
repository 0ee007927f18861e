/**
 * A fake OpenAI for journeys of real clients: it answers by what the last message asks for, so that a client in another
 * process can choose without a control channel.
 *
 * `[status N words]` answers that error, `[params]` the body it got (without messages), `[key]` the credential it got,
 * `[slow]` streams a word every 20 ms without end, `[break]` fails inside a stream, `[late]` waits 400 ms first, `[silence]` never answers; anything
 * else is repeated, or is `{"city":"Oslo"}` where a schema is asked for. When tools are offered it calls the first, and repeats what the tool said.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { embedding } from '../fakes/embeddings.ts';
import { fakeVideos } from '../fakes/videos.ts';
import { drawing } from '../fakes/images.ts';
import { speaking } from '../fakes/speech.ts';
import { transcribing } from '../fakes/transcriptions.ts';
import { chatAnswer, finishEvent, usageEvent, type Script, type SeenCall } from '../upstream.ts';

const usage = { prompt_tokens: 12, completion_tokens: 8 };
const head = { id: 'chatcmpl-upstream', created: 1_760_000_000, model: 'gpt-4o-mini-2024-07-18' };
const total = { ...usage, total_tokens: 20 };

interface Message {
  readonly role: string;
  readonly content: unknown;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: string }) => part.text ?? '').join('');
}

const event = (body: object): string => `data: ${JSON.stringify({ ...head, ...body })}\n\n`;
const chunk = (delta: object): string =>
  event({
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null }],
  });

function toolCall(
  call: SeenCall,
): { id: string; type: string; function: { name: string; arguments: string } } | null {
  const messages = (call.body['messages'] ?? []) as Message[];
  const tools = call.body['tools'] as { function: { name: string } }[] | undefined;
  const first = tools?.[0];
  if (first === undefined || messages.at(-1)?.role === 'tool') return null;
  return {
    id: 'call_1',
    type: 'function',
    function: { name: first.function.name, arguments: '{"city":"Oslo"}' },
  };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function error(response: ServerResponse, status: number, words: string): void {
  json(response, status, {
    error: {
      message: `The vendor says ${status}${words}.`,
      type: 'vendor_error',
      param: null,
      code: 'vendor',
    },
  });
}

async function stream(call: SeenCall, response: ServerResponse, text: string, asked: string): Promise<void> {
  const isChat = call.path.endsWith('/chat/completions');
  const delta = (part: string): string =>
    isChat
      ? chunk({ content: part })
      : event({
          object: 'text_completion',
          choices: [{ index: 0, text: part, logprobs: null, finish_reason: null }],
        });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  if (asked.includes('[slow]')) {
    while (!response.destroyed) {
      response.write(delta('word '));
      await sleep(20);
    }
    return;
  }
  const tool = toolCall(call);
  if (isChat) response.write(chunk({ role: 'assistant', content: tool === null ? '' : null, refusal: null }));
  if (tool !== null) {
    const { name, arguments: words } = tool.function;
    response.write(
      chunk({ tool_calls: [{ index: 0, id: tool.id, type: 'function', function: { name, arguments: '' } }] }),
    );
    for (const part of [words.slice(0, 4), words.slice(4)])
      response.write(chunk({ tool_calls: [{ index: 0, function: { arguments: part } }] }));
    response.write(finishEvent('tool_calls'));
  } else {
    for (const part of text.split(/(?<= )/)) response.write(delta(part));
    if (asked.includes('[break]')) {
      await sleep(20);
      return void response.end(
        'data: {"error":{"message":"the model fell over","type":"server_error","code":null}}\n\n',
      );
    }
    if (isChat) response.write(finishEvent());
    else
      response.write(
        event({
          object: 'text_completion',
          choices: [{ index: 0, text: '', logprobs: null, finish_reason: 'stop' }],
        }),
      );
  }
  const options = call.body['stream_options'] as { include_usage?: boolean } | undefined;
  if (options?.include_usage === true) response.write(usageEvent(usage));
  response.end('data: [DONE]\n\n');
}

const isSchemaAsked = (call: SeenCall): boolean =>
  (call.body['response_format'] as { type?: string } | undefined)?.type === 'json_schema';

const videos = fakeVideos();

/** The script of the fake vendor. */
export const vendor: Script = async (call, response) => {
  if (call.path.endsWith('/embeddings')) return embedding(call, response);
  if (call.path.startsWith('/v1/videos')) return videos.script(call, response);
  if (call.path.includes('/images/') || call.path === '/result.png') return drawing(call, response);
  if (call.path.endsWith('/audio/speech')) return speaking(call, response);
  if (/\/audio\/trans/.test(call.path)) return transcribing(call, response);
  const { messages, ...params } = call.body as { messages?: Message[]; prompt?: unknown; stream?: boolean };
  const last = messages?.at(-1);
  const asked = last === undefined ? textOf(params.prompt) : textOf(last.content);
  if (asked.includes('[late]')) await sleep(400);
  const status = /\[status (\d+)(.*?)\]/.exec(asked);
  if (status !== null) return error(response, Number(status[1]), status[2] ?? '');
  if (asked.includes('[silence]')) return undefined;
  let text = `You said: ${asked}`;
  if (asked.includes('[params]')) text = JSON.stringify(params);
  if (asked.includes('[key]')) text = call.headers.authorization ?? 'none';
  if (last?.role === 'tool') text = `The tool said: ${asked}`;
  else if (isSchemaAsked(call) && !asked.includes('[')) text = '{"city":"Oslo"}';
  if (params.stream === true) return stream(call, response, text, asked);
  const tool = toolCall(call);
  if (tool !== null) {
    const message = { role: 'assistant', content: null, tool_calls: [tool], refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'tool_calls' }];
    return json(response, 200, { ...head, object: 'chat.completion', choices, usage: total });
  }
  if (messages === undefined) {
    const choices = [{ index: 0, text, logprobs: null, finish_reason: 'stop' }];
    return json(response, 200, { ...head, object: 'text_completion', choices, usage: total });
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(chatAnswer(text, usage));
  return undefined;
};
