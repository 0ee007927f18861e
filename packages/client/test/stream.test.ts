/** Streams against the running gateway, and against servers that break off. */
import { describe, expect, test } from 'vitest';
import {
  APIConnectionError,
  APIUserAbortError,
  BadGatewayError,
  Stream,
  type ChatStream,
  type ChatStreamEvent,
} from '../src/index.ts';
import { failure, question, useGateway, withServer } from './server.ts';

const its = useGateway();
const open = (content: string): Promise<ChatStream> =>
  Promise.resolve(its.client.chat.completions.create({ messages: question(content), stream: true }));

async function read<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

describe('reading', () => {
  test('typed events in their order, with usage and cost', async () => {
    const stream = await open('echo one two');
    const events = await read(stream);
    expect(events.map(({ type }) => type)).toEqual([
      'usage_start',
      'content',
      'content',
      'finish',
      'usage_final',
      'response.done',
    ]);
    const [start] = events;
    expect(start?.type === 'usage_start' && start.request_id).toBe(stream.id);
    expect(events.find((event) => event.type === 'usage_final')).toMatchObject({
      cost_usd: 0,
      output_tokens: 2,
    });
  });

  test('only text, by every name', async () => {
    expect((await read((await open('echo one two')).textStream)).join('')).toBe('one two');
    const chat = await its.client.chat(question('echo one two'), { stream: true });
    expect((await read(chat.textStream)).join('')).toBe('one two');
    const completion = await its.client.completion('echo one two', { stream: true });
    expect((await read(completion.textStream)).join('')).toBe('one two');
    const other = await its.client.completions.create({ prompt: 'echo one two', stream: true });
    expect((await other.final()).text).toBe('one two');
  });

  test('put together: text, reasoning, tool calls, usage', async () => {
    const thought = await (await open('[[sandbox:think]] echo one two')).final();
    expect(thought).toMatchObject({ text: 'one two', finishReason: 'stop', usage: { cost_usd: 0 } });
    expect(thought.reasoning).not.toBe('');
    const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }];
    const stream = await its.client.chat(question('weather in Paris'), { stream: true, tools });
    const { toolCalls, finishReason } = await stream.final();
    expect(finishReason).toBe('tool_calls');
    expect(toolCalls).toMatchObject([{ type: 'function', function: { name: 'weather' } }]);
    expect(toolCalls[0]?.id).not.toBe('');
    expect(Object.keys(JSON.parse(toolCalls[0]?.function.arguments ?? '') as object)).toEqual(['city']);
  });

  test('twice is refused; tee reads twice, at different speeds', async () => {
    const stream = await open('echo one two');
    const [left, right] = stream.tee();
    const first = await read(left);
    expect(await read(right)).toEqual(first);
    await expect(read(stream)).rejects.toThrow('can be read once');
  });

  test('leaving one branch of a tee does not end the other', async () => {
    const [left, right] = (await open('[[sandbox:slow 5]] echo a b c d e')).tee();
    for await (const event of left) if (event.type === 'content') break;
    expect((await read(right)).at(-1)?.type).toBe('response.done');
  });

  test('leaving both, or aborting one, aborts the request', async () => {
    const slow = '[[sandbox:slow 50]] echo a b c d e f g h i j';
    const stream = await open(slow);
    for (const branch of stream.tee()) for await (const event of branch) if (event.type === 'content') break;
    expect(await its.gateway.row(stream.id ?? '')).toMatchObject({ ending: 'client_cancelled' });
    const other = await open(slow);
    const [left] = other.tee();
    const reading = (async () => {
      for await (const event of left) if (event.type === 'content') left.abort();
    })();
    await failure(APIUserAbortError, reading);
  });

  test('as lines of JSON and back', async () => {
    const lines = (await open('echo one two')).toReadableStream();
    const events = await read(Stream.fromReadableStream<ChatStreamEvent>(lines));
    expect(events.at(-1)?.type).toBe('response.done');
    expect(events).toHaveLength(6);
  });

  test('withResponse gives the stream and its headers', async () => {
    const call = its.client.chat(question('echo hi'), { stream: true });
    const { data, requestId, response } = await call.withResponse();
    expect(requestId).toBe(data.id);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect((await data.final()).text).toBe('hi');
  });
});

describe('ending early', () => {
  test('stop() ends at the provider and still yields the usage', async () => {
    const stream = await open('[[sandbox:slow 100]] echo a b c d e f g h i j k l m n o p');
    const seen: ChatStreamEvent[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === 'content' && event.data.trim() === 'b') expect(await stream.stop()).toBe(true);
    }
    expect(seen.find((event) => event.type === 'finish')).toMatchObject({ finish_reason: 'cancelled' });
    expect(seen.some((event) => event.type === 'usage_final')).toBe(true);
    expect(await its.gateway.row(stream.id ?? '')).toMatchObject({ ending: 'stopped' });
    expect(await stream.stop()).toBe(false);
  });

  test('by the other names of stopping', async () => {
    const { client } = its;
    const { success } = await client.completions.stopStream('no-such-stream');
    expect(success).toBe(false);
    expect(await client.stopCompletionStream('none')).toEqual({ success: false });
    expect(await client.stopChatStream('none')).toEqual({ success: false });
    const stream = await client.chat(question('[[sandbox:slow 100]] echo a b c d e f g h'), {
      stream: true,
      stream_id: 'mine',
    });
    for await (const event of stream)
      if (event.type === 'content')
        expect((await client.chat.stopStream('mine')).success).toBeTypeOf('boolean');
    expect(await its.gateway.row(stream.id ?? '')).toMatchObject({ ending: 'stopped' });
  });

  test('leaving the loop aborts the request', async () => {
    const stream = await open('[[sandbox:slow 100]] echo a b c d e f g h i j');
    for await (const event of stream) if (event.type === 'content') break;
    expect(stream.controller.signal.aborted).toBe(true);
    expect(await its.gateway.row(stream.id ?? '')).toMatchObject({ ending: 'client_cancelled' });
  });

  test('a signal ends the loop with an APIUserAbortError', async () => {
    const stopper = new AbortController();
    const messages = question('[[sandbox:slow 100]] echo a b c d e f g h i j');
    const stream = await its.client.chat.completions.create(
      { messages, stream: true },
      { signal: stopper.signal },
    );
    const reading = (async () => {
      for await (const event of stream) if (event.type === 'content') stopper.abort(new Error('enough'));
    })();
    await failure(APIUserAbortError, reading);
    expect(await its.gateway.row(stream.id ?? '')).toMatchObject({ ending: 'client_cancelled' });
  });
});

test('of several answers the first is put together', async () => {
  const one = await (await open('echo one two')).final();
  const stream = await its.client.chat(question('echo one two'), { stream: true, n: 3 });
  const both = await stream.final();
  expect(both.text).toBe(one.text);
  const again = await its.client.chat(question('echo one two'), { stream: true, n: 3 });
  expect((await read(again.textStream)).join('')).toBe(one.text);
});

describe('breaking off', () => {
  test('an error frame is the error of its status', async () => {
    const stream = await open('[[sandbox:break 2]] echo a b c d e');
    const error = await failure(BadGatewayError, stream.final());
    expect(error).toMatchObject({ status: 502, code: 'upstream_error', requestId: stream.id });
    expect(error.message).not.toContain('Status 502: ');
  });

  const body = (text: string) => async (use: (client: ChatStream) => Promise<void>) =>
    withServer(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text),
      async (_, client) => use(await client().chat(question('hi'), { stream: true })),
    );

  test('an end without its terminal is no end', async () => {
    await body('data: {"type":"content","data":"a","choices":[]}\n\n')(async (stream) => {
      const seen: string[] = [];
      const reading = (async () => {
        for await (const text of stream.textStream) seen.push(text);
      })();
      await failure(APIConnectionError, reading);
      expect(seen).toEqual(['a']);
    });
  });

  test('what is no JSON is an APIConnectionError', async () => {
    await body('data: <html>\n\n')(async (stream) => {
      await failure(APIConnectionError, stream.final());
    });
  });

  test('a cut connection is an APIConnectionError', async () => {
    await withServer(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: {"type":"content","data":"a","choices":[]}\n\n', () => response.destroy());
      },
      async (_, client) => {
        const stream = await client().chat(question('hi'), { stream: true });
        await failure(APIConnectionError, stream.final());
      },
    );
  });
});
