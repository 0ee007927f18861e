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

const huge = Buffer.alloc(9 * 1024 * 1024, 7);

/** Uploads in parts, in memory; the first answer to the last step is lost. */
function forgetful(kept: Map<string, number>, lengthOf: (bytes: number) => number): RequestListener {
  let uploaded = 0;
  let asked = 0;
  return (incoming, response) => {
    const url = new URL(incoming.url ?? '', 'http://x');
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
    incoming.on('end', () => {
      if (url.searchParams.has('uploads')) return response.end('<UploadId>u&amp;1</UploadId>');
      if (incoming.method === 'HEAD')
        return response.writeHead(200, { 'content-length': lengthOf(kept.get(url.pathname) ?? 0) }).end();
      if (incoming.method === 'DELETE') return response.writeHead(204).end();
      if (url.searchParams.get('uploadId') !== 'u&1') return response.writeHead(400).end();
      if (incoming.method === 'PUT') {
        uploaded += bytes;
        return response.writeHead(200, { etag: '"e"' }).end();
      }
      asked++;
      kept.set(url.pathname, uploaded);
      return asked === 1
        ? response.writeHead(500).end('<Error><Code>InternalError</Code></Error>')
        : response.writeHead(404).end('<Error><Code>NoSuchUpload</Code></Error>');
    });
  };
}

test('an upload that was completed although its answer was lost is no failure', async () => {
  const kept = new Map<string, number>();
  await serving(
    forgetful(kept, (bytes) => bytes),
    async (bucket) => {
      expect((await mediaBucket(bucket).write(randomUUID(), huge, 1e9)).bytes).toBe(huge.length);
      expect([...kept.values()]).toEqual([huge.length]);
    },
  );
  await serving(
    forgetful(kept, (bytes) => bytes - 1),
    async (bucket) => {
      await expect(mediaBucket(bucket).write(randomUUID(), huge, 1e9)).rejects.toThrow('NoSuchUpload');
    },
  );
});

test('uploads that a crash left are aborted: old ones of our own names, on every page', async () => {
  const [old, young, later] = [randomUUID(), randomUUID(), randomUUID()];
  const upload = (key: string, id: string, at: string): string =>
    `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${at}</Initiated></Upload>`;
  const longAgo = '2020-01-01T00:00:00.000Z';
  const more = '<IsTruncated>true</IsTruncated><NextKeyMarker>k&amp;k</NextKeyMarker>';
  const pages = [
    `${upload(`made/${old}`, 'a&amp;b', longAgo)}${upload('made/film.mp4', 'f', longAgo)}${more}`,
    `${upload(`made/${young}`, 'y', new Date().toISOString())}${upload(`made/${later}`, 'l', longAgo)}`,
  ];
  const aborted: string[] = [];
  const asked: (string | null)[] = [];
  const listener: RequestListener = (incoming, response): unknown => {
    const url = new URL(incoming.url ?? '', 'http://x');
    if (incoming.method === 'DELETE') aborted.push(`${url.pathname} ${url.searchParams.get('uploadId')}`);
    if (!url.searchParams.has('uploads')) return response.end('<ListBucketResult></ListBucketResult>');
    asked.push(url.searchParams.get('key-marker'));
    return response.end(pages[asked.length - 1]);
  };
  await serving(listener, async (bucket) => {
    for await (const id of mediaBucket(bucket).list(Date.now() - 3_600_000)) throw new Error(id);
  });
  expect(aborted).toEqual([`/media/made/${old} a&b`, `/media/made/${later} l`]);
  expect(asked).toEqual([null, 'k&k']);
});
