/** A provider that speaks: `[status N]` in the text answers that error, `[empty]` nothing, `[words]` JSON, `[break]` half. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Script } from '../upstream.ts';

/** The sound of a text: recognisable, and longer than one chunk. */
export const soundOf = (text: string): Buffer => Buffer.from(`ID3${text}`.repeat(2_000));

export const speaking: Script = async (call, response) => {
  const text = String(call.body['input'] ?? call.body['text']);
  const status = /\[status (\d+)\]/.exec(text)?.[1];
  if (status !== undefined) {
    response.writeHead(Number(status), { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ error: { message: `The vendor says ${status}` } }));
  }
  if (text.includes('[words]')) {
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end('{"error":"no"}');
  }
  response.writeHead(200, { 'content-type': 'audio/mpeg' });
  if (text.includes('[empty]')) return void response.end();
  const sound = soundOf(text);
  response.write(sound.subarray(0, 1_000));
  await sleep(30);
  if (text.includes('[break]')) return void response.destroy();
  if (text.includes('[forever]')) {
    while (!response.destroyed) {
      if (!response.write(Buffer.alloc(65_536))) await sleep(5);
      await sleep(1);
    }
    return;
  }
  response.write(sound.subarray(1_000, 5_000));
  await sleep(10);
  response.end(sound.subarray(5_000));
};
