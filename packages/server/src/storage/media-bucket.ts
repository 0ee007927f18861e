/** Media in an S3-compatible bucket. Requests are signed by aws4fetch; no more than one part is in memory at a time. */
import { createHash } from 'node:crypto';
import type { AwsClient } from 'aws4fetch';
import {
  MediaStoreFull,
  MediaTooLarge,
  mediaId,
  newProbe,
  probeName,
  probeText,
  type MediaFiles,
} from './media-files.ts';
import { StorageUnavailable } from './storage.ts';

export interface Bucket {
  /** Without trailing slash: `https://s3.eu-central-1.amazonaws.com`, or a server of one's own. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Before every key; may be empty. */
  readonly prefix: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
}

/** The least that S3 takes as a part that is not the last. */
const partBytes = 8 * 1024 * 1024;
const attempts = 3;

/** `patienceMs`: until an answer begins, and between two pieces of it; how long all of it takes is its own affair. */
export function mediaBucket(bucket: Bucket, patienceMs = 60_000): MediaFiles {
  const store = new S3(bucket, patienceMs);
  return {
    isConfigured: true,
    where: `bucket ${bucket.bucket} at ${bucket.endpoint}`,
    write: (id, source, maxBytes) => store.write(id, source, maxBytes),
    async read(id, start, end) {
      const answer = await store.send('GET', id, '', null, { range: `bytes=${start}-${end}` });
      if (answer.status === 404) return null;
      if (answer.body === null || !answer.ok) throw await store.refusal(answer);
      return chunksOf(answer.body);
    },
    async remove(id) {
      const answer = await store.send('DELETE', id);
      if (!answer.ok && answer.status !== 404) throw await store.refusal(answer);
    },
    list: (beforeMs) => store.list(beforeMs),
    async check() {
      const probe = newProbe();
      await store.put(probe, Buffer.from(probeText));
      const answer = await store.send('GET', probe);
      if (!answer.ok) throw await store.refusal(answer);
      if ((await answer.text()) !== probeText)
        throw new StorageUnavailable(`the bucket ${bucket.bucket} does not read as it was written`);
      const gone = await store.send('DELETE', probe);
      if (!gone.ok) throw await store.refusal(gone);
    },
  };
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) yield Buffer.from(chunk);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** What stands in the first element of that name; '' when there is none. */
function textIn(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return text.replaceAll(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w+));/gi, (whole, hex, decimal, named) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(String(hex), 16);
    if (named === undefined) return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
    return entities[String(named)] ?? whole;
  });
}

/** A key as a path: what a URL leaves as it is, the signature would read in another way. */
const pathOf = (key: string): string =>
  key
    .split('/')
    .map(encodeURIComponent)
    .join('/')
    .replaceAll(/[!'()*]/g, percentOf);
const percentOf = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

class S3 {
  private readonly bucket: Bucket;
  private readonly base: string;
  private readonly patienceMs: number;
  private client: Promise<AwsClient> | null = null;

  constructor(bucket: Bucket, patienceMs: number) {
    this.bucket = bucket;
    this.patienceMs = patienceMs;
    const { origin, host, protocol } = new URL(bucket.endpoint);
    this.base = bucket.pathStyle ? `${origin}/${bucket.bucket}` : `${protocol}//${bucket.bucket}.${host}`;
  }

  /** Any answer but a 5xx, which is tried again. Throws StorageUnavailable when there is none. */
  async send(
    method: string,
    id: string,
    query = '',
    body: Buffer | string | null = null,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const { accessKeyId, secretAccessKey, region, prefix } = this.bucket;
    // Loaded with the first file: most gateways have no bucket.
    this.client ??= import('aws4fetch').then(
      (library) => new library.AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 }),
    );
    const url = `${this.base}/${id === '' ? '' : pathOf(prefix + id)}${query}`;
    for (let attempt = 1; ; attempt++) {
      try {
        const signed = await (
          await this.client
        ).sign(url, {
          method,
          headers,
          ...(body === null ? {} : { body: new Uint8Array(Buffer.from(body)) }),
        });
        const answer = await this.fetch(signed);
        if (answer.status < 500 || attempt === attempts) return answer;
        await answer.arrayBuffer();
      } catch (cause) {
        if (attempt === attempts)
          throw new StorageUnavailable(`the bucket ${this.bucket.bucket} cannot be reached`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }

  private async fetch(request: Request): Promise<Response> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.patienceMs);
    try {
      const answer = await fetch(request, { signal: controller.signal, redirect: 'error' });
      const { body, status, headers } = answer;
      if (body === null) return answer;
      const watched = ReadableStream.from(this.watched(body, controller)) as ReadableStream<Uint8Array>;
      return new Response(watched, { status, headers });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Only waiting for the bucket counts, not waiting for whoever reads. */
  private async *watched(
    body: ReadableStream<Uint8Array>,
    controller: AbortController,
  ): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    try {
      for (;;) {
        const timer = setTimeout(() => controller.abort(), this.patienceMs);
        const { done, value } = await reader.read().finally(() => clearTimeout(timer));
        if (done) return;
        yield value;
      }
    } catch (cause) {
      throw new StorageUnavailable(`the bucket ${this.bucket.bucket} stopped answering`, { cause });
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  async refusal(answer: Response): Promise<StorageUnavailable> {
    const code = /<Code>(\w+)<\/Code>/.exec(await answer.text().catch(() => ''))?.[1] ?? '';
    const sentence = `the bucket ${this.bucket.bucket} answered ${answer.status} ${code}`.trim();
    const isFull = answer.status === 507 || /quota|full/i.test(code);
    return isFull ? new MediaStoreFull(sentence) : new StorageUnavailable(sentence);
  }

  async put(id: string, body: Buffer): Promise<void> {
    const answer = await this.send('PUT', id, '', body);
    if (!answer.ok) throw await this.refusal(answer);
    await answer.arrayBuffer();
  }

  async write(
    id: string,
    source: Buffer | AsyncIterable<Buffer>,
    maxBytes: number,
  ): Promise<{ bytes: number; sha256: string }> {
    const hash = createHash('sha256');
    const tags: string[] = [];
    let bytes = 0;
    let upload: string | null = null;
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    const flush = async (): Promise<void> => {
      upload ??= await this.begin(id);
      tags.push(await this.part(id, upload, tags.length + 1, Buffer.concat(pending)));
      pending = [];
      pendingBytes = 0;
    };
    try {
      for await (const chunk of source instanceof Uint8Array ? [source] : source) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new MediaTooLarge(`more than ${maxBytes} bytes`);
        hash.update(chunk);
        pending.push(chunk);
        pendingBytes += chunk.length;
        if (pendingBytes >= partBytes) await flush();
      }
      // What fits into one part needs no ceremony.
      if (upload === null) await this.put(id, Buffer.concat(pending));
      else {
        if (pendingBytes > 0) await flush();
        await this.complete(id, upload, tags, bytes);
      }
    } catch (error) {
      if (upload !== null)
        await this.send('DELETE', id, `?uploadId=${encodeURIComponent(upload)}`).catch(() => {});
      throw error;
    }
    return { bytes, sha256: hash.digest('hex') };
  }

  private async begin(id: string): Promise<string> {
    const answer = await this.send('POST', id, '?uploads=');
    const upload = answer.ok ? textIn(await answer.clone().text(), 'UploadId') : '';
    if (upload === '') throw await this.refusal(answer);
    return upload;
  }

  private async part(id: string, upload: string, number: number, body: Buffer): Promise<string> {
    const query = `?partNumber=${number}&uploadId=${encodeURIComponent(upload)}`;
    const answer = await this.send('PUT', id, query, body);
    const tag = answer.headers.get('etag');
    if (!answer.ok || tag === null) throw await this.refusal(answer);
    await answer.arrayBuffer();
    return tag;
  }

  private async complete(id: string, upload: string, tags: readonly string[], bytes: number): Promise<void> {
    const parts = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const answer = await this.send('POST', id, `?uploadId=${encodeURIComponent(upload)}`, body);
    // A failure may come inside a 200, because the answer begins before the work is done.
    const text = await answer.clone().text();
    if (answer.ok && !text.includes('<Error>')) return;
    // Asked again after a 5xx, it may have been done the first time: then the upload is gone and the file is there.
    if (text.includes('<Code>NoSuchUpload</Code>')) {
      const { status, headers } = await this.send('HEAD', id);
      if (status === 200 && Number(headers.get('content-length')) === bytes) return;
    }
    throw await this.refusal(answer);
  }

  /** Parts that a crash left cost storage and are shown by no listing of files. Not every server can tell them. */
  private async abortUploads(beforeMs: number): Promise<void> {
    const { prefix } = this.bucket;
    let after = '';
    do {
      const answer = await this.send('GET', '', `?uploads=&prefix=${encodeURIComponent(prefix)}${after}`);
      const text = await answer.text();
      if (!answer.ok) return;
      for (const [, entry = ''] of text.matchAll(/<Upload>([\s\S]*?)<\/Upload>/g)) {
        const key = textIn(entry, 'Key');
        const isOurs = key.startsWith(prefix) && mediaId.test(key.slice(prefix.length));
        if (!isOurs || !(Date.parse(textIn(entry, 'Initiated')) < beforeMs)) continue;
        const upload = encodeURIComponent(textIn(entry, 'UploadId'));
        await this.send('DELETE', key.slice(prefix.length), `?uploadId=${upload}`);
      }
      const [key, upload] = [textIn(text, 'NextKeyMarker'), textIn(text, 'NextUploadIdMarker')];
      const isMore = textIn(text, 'IsTruncated') === 'true' && key !== '';
      after = isMore
        ? `&key-marker=${encodeURIComponent(key)}&upload-id-marker=${encodeURIComponent(upload)}`
        : '';
    } while (after !== '');
  }

  async *list(beforeMs: number): AsyncGenerator<string> {
    await this.abortUploads(beforeMs);
    const { prefix } = this.bucket;
    let token = '';
    do {
      const more = token === '' ? '' : `&continuation-token=${encodeURIComponent(token)}`;
      const answer = await this.send('GET', '', `?list-type=2&prefix=${encodeURIComponent(prefix)}${more}`);
      if (!answer.ok) throw await this.refusal(answer);
      const text = await answer.text();
      for (const [, entry = ''] of text.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
        const key = textIn(entry, 'Key');
        const modified = Date.parse(textIn(entry, 'LastModified'));
        if (!key.startsWith(prefix) || !(modified < beforeMs)) continue;
        const id = key.slice(prefix.length);
        if (mediaId.test(id)) yield id;
        else if (probeName.test(id)) await this.send('DELETE', id);
      }
      token = textIn(text, 'NextContinuationToken');
    } while (token !== '');
  }
}
