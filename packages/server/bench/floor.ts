/**
 * The bare floor: what any gateway on Node must pay. node:http on one side, undici's dispatch on the other, bytes
 * relayed, nothing looked at.
 *
 *     node floor.ts <port> <upstream origin>
 */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port = '0', origin = ''] = process.argv.slice(2);
const pool = new Pool(origin, { connections: null, pipelining: 1 });

const server = createServer({ noDelay: true }, (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] ?? null) : Buffer.concat(chunks);
    const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-upstream' };
    pool.dispatch(
      { path: incoming.url ?? '/', method: 'POST', headers, body },
      {
        onRequestStart: (controller) => {
          outgoing.on('close', () => {
            if (!outgoing.writableFinished) controller.abort(new Error('gone'));
          });
          outgoing.on('drain', () => controller.resume());
        },
        onResponseStart: (_, status, fields) => {
          const kept: Record<string, string> = { 'content-type': String(fields['content-type']) };
          if (fields['content-length'] !== undefined)
            kept['content-length'] = String(fields['content-length']);
          outgoing.writeHead(status, kept);
        },
        onResponseData: (controller, chunk) => {
          if (!outgoing.write(chunk)) controller.pause();
        },
        onResponseEnd: () => void outgoing.end(),
        onResponseError: () => void outgoing.destroy(),
      },
    );
  });
});
server.keepAliveTimeout = 65_000;
server.listen(Number(port), '127.0.0.1');
process.on('disconnect', () => process.exit(0));
