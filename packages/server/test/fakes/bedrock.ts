/** Amazon Bedrock: answers of Converse, whole and as AWS's event stream; the prompt can ask for other ends. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Script, SeenCall } from '../upstream.ts';
import { png } from './images.ts';

/** One message of `application/vnd.amazon.eventstream`: prelude, headers, payload, two checksums. */
function message(type: string, body: object): Buffer {
  const text = (value: string): Buffer => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const header = (name: string, value: string): Buffer =>
    Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), text(value)]);
  const headers = Buffer.concat([
    header(':message-type', 'event'),
    header(':event-type', type),
    header(':content-type', 'application/json'),
  ]);
  const payload = Buffer.from(JSON.stringify(body));
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(16 + headers.length + payload.length, 0);
  prelude.writeUInt32BE(headers.length, 4);
  const check = (bytes: Buffer): Buffer => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(bytes));
    return sum;
  };
  const start = Buffer.concat([prelude, check(prelude), headers, payload]);
  return Buffer.concat([start, check(start)]);
}

export const usage = { inputTokens: 20, outputTokens: 7, totalTokens: 32, cacheReadInputTokens: 5 };
const tool = { toolUseId: 'tooluse_1', name: 'weather' };

const promptOf = ({ body }: SeenCall): string => JSON.stringify(body['messages'] ?? body);

function refuse(call: SeenCall, response: ServerResponse): boolean {
  const status = /\[status (\d+)\]/.exec(promptOf(call))?.[1];
  if (status === undefined) return false;
  const key = String(call.headers.authorization).replace('Bearer ', '');
  response
    .writeHead(Number(status), { 'content-type': 'application/json', 'retry-after': '7' })
    .end(JSON.stringify({ message: `The vendor says ${status} to ${key}`, type: 'x' }));
  return true;
}

async function streamed(call: SeenCall, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  response.write(message('messageStart', { role: 'assistant' }));
  const delta = (contentBlockIndex: number, part: object): void => {
    response.write(message('contentBlockDelta', { contentBlockIndex, delta: part }));
  };
  delta(0, { text: 'Hello ' });
  if (promptOf(call).includes('[forever]'))
    for (let sent = 0; sent < 2_000 && !response.destroyed; sent++) {
      delta(0, { text: 'more ' });
      await sleep(5);
    }
  delta(0, { text: 'there' });
  if (promptOf(call).includes('[cut]')) {
    await sleep(20);
    return void response.destroy();
  }
  response.write(message('contentBlockStop', { contentBlockIndex: 0 }));
  const isTool = call.body['toolConfig'] !== undefined;
  if (isTool) {
    response.write(message('contentBlockStart', { contentBlockIndex: 1, start: { toolUse: tool } }));
    delta(1, { toolUse: { input: '{"city":' } });
    delta(1, { toolUse: { input: '"Ulm"}' } });
    response.write(message('contentBlockStop', { contentBlockIndex: 1 }));
  }
  response.write(message('messageStop', { stopReason: isTool ? 'tool_use' : 'end_turn' }));
  response.end(message('metadata', { usage, metrics: { latencyMs: 1 } }));
}

export const bedrock: Script = async (call, response) => {
  if (refuse(call, response)) return;
  if (call.path.endsWith('/converse-stream')) return streamed(call, response);
  const json = (body: object): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (call.path.includes('titan-embed'))
    return json({ embedding: [String(call.body['inputText']).length, 0.5], inputTextTokenCount: 3 });
  if (call.path.includes('canvas')) return json({ images: [png.toString('base64')] });
  if (promptOf(call).includes('[forever]')) return;
  const isTool = call.body['toolConfig'] !== undefined;
  const content = [
    { reasoningContent: { reasoningText: { text: 'Thinking.', signature: 's' } } },
    { text: 'Hello there' },
    ...(isTool ? [{ toolUse: { ...tool, input: { city: 'Ulm' } } }] : []),
  ];
  json({
    output: { message: { role: 'assistant', content } },
    stopReason: isTool ? 'tool_use' : 'end_turn',
    usage,
    metrics: { latencyMs: 1 },
  });
};
