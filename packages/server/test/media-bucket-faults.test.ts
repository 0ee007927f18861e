/** A bucket whose network or server misbehaves, played by a server of our own. */
import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { mediaBucket, type Bucket } from '../src/storage/media-bucket.ts';

async function serving(listener: RequestListener, work: (bucket: Bucket) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await work({
      endpoint: `http://127.0.0.1:${port}`,
      bucket: 'media',
      region: 'us-east-1',
      accessKeyId: 'id',
      secretAccessKey: 'secret',
      prefix: 'made/',
      pathStyle: true,
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
const all = async (source: AsyncIterable<Buffer> | null): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of source ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

test('a download may last longer than the patience, as long as bytes come', async () => {
  const slow: RequestListener = (_, response) => {
    response.writeHead(200, { 'content-length': '10' });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(String(sent++));
      if (sent === 10) {
        clearInterval(timer);
        response.end();
      }
    }, 60);
  };
  await serving(slow, async (bucket) => {
    expect(await all(await mediaBucket(bucket, 400).read(randomUUID(), 0, 9))).toBe('0123456789');
  });
});

test('a download that stalls is given up, and so is an answer that never begins', async () => {
  const stalling: RequestListener = (incoming, response) => {
    if (incoming.method === 'DELETE') return;
    response.writeHead(200, { 'content-length': '10' });
    response.write('0');
  };
  await serving(stalling, async (bucket) => {
    const files = mediaBucket(bucket, 50);
    await expect(files.read(randomUUID(), 0, 9).then(all)).rejects.toThrow('stopped answering');
    await expect(files.remove(randomUUID())).rejects.toThrow('cannot be reached');
  });
});
