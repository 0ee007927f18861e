/**
 * An S3-compatible server in memory that is strict about who asks: every request must carry a signature of version 4 that
 * AWS's own signer (@smithy/signature-v4) makes from the same request and secret, and a body of the hash it names.
 */
import { createHash, createHmac, randomUUID, type Hash, type Hmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Bucket } from '../src/storage/media-bucket.ts';

/** The hash that the signer wants to be given. */
class Sha256 {
  private readonly hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }
  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof chunk === 'string' ? chunk : bytesOf(chunk));
  }
  digest = async (): Promise<Uint8Array> => new Uint8Array(this.hash.digest());
  reset(): void {}
}
const bytesOf = (source: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);

export interface BucketCall {
  readonly method: string;
  readonly url: URL;
  readonly body: Buffer;
}

export interface TestBucket {
  readonly bucket: Bucket;
  /** The settings that send a gateway here. */
  readonly env: Record<string, string>;
  readonly objects: Map<string, Buffer>;
  /** Begun and not completed: upload id → key. */
  readonly uploads: Map<string, string>;
  /** Requests whose signature held. */
  readonly signed: BucketCall[];
  /** Why others were refused. */
  readonly refused: string[];
  /** Sees a request before it is served; what it gives back is answered instead. */
  hook: (call: BucketCall) => { status: number; body: string } | 'never' | null;
  /** Makes everything there older. */
  age(byMs: number): void;
  close(): Promise<void>;
}

const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const accessKeyId = 'AKIDEXAMPLE';

/** null, or the code of the refusal. */
async function refusalOf(incoming: IncomingMessage, url: URL, body: Buffer): Promise<string | null> {
  const { authorization = '' } = incoming.headers;
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([\da-f]{64})$/.exec(
      authorization,
    );
  if (match === null) return 'AccessDenied';
  const [, id, region = '', names = '', signature] = match;
  if (id !== accessKeyId) return 'InvalidAccessKeyId';
  const date = String(incoming.headers['x-amz-date']);
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const signingDate = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(signingDate.getTime() - Date.now()) < 900_000)) return 'RequestTimeTooSkewed';
  const hash = String(incoming.headers['x-amz-content-sha256']);
  if (hash !== 'UNSIGNED-PAYLOAD' && hash !== createHash('sha256').update(body).digest('hex'))
    return 'XAmzContentSHA256Mismatch';
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: { accessKeyId, secretAccessKey: secret },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const headers = Object.fromEntries(names.split(';').map((name) => [name, String(incoming.headers[name])]));
  const query: Record<string, string> = Object.fromEntries(url.searchParams);
  const { pathname: path, hostname, protocol } = url;
  const wanted = await signer.sign(
    { method: incoming.method ?? '', path, query, headers, hostname, protocol, body },
    { signingDate },
  );
  return wanted.headers['authorization']?.endsWith(`Signature=${signature}`) === true
    ? null
    : 'SignatureDoesNotMatch';
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Starts one with a bucket `media`; `pathStyle` false: the bucket is the first part of the host. */
export async function startBucket(pathStyle = true): Promise<TestBucket> {
  const parts = new Map<string, Map<number, Buffer>>();
  const dates = new Map<string, string>();

  const serve = ({ method, url, body }: BucketCall, range: string | undefined, key: string): Reply => {
    const { objects, uploads } = made;
    const upload = url.searchParams.get('uploadId') ?? '';
    if (key === '') return listing(made, url, dates);
    if (url.searchParams.has('uploads')) {
      const id = `${randomUUID()}+/=&~ <é>`;
      uploads.set(id, key);
      dates.set(id, new Date().toISOString());
      parts.set(id, new Map());
      return [200, `<R><UploadId>${escaped(id)}</UploadId></R>`];
    }
    if (upload !== '') {
      const pieces = parts.get(upload);
      if (pieces === undefined || uploads.get(upload) !== key)
        return [404, '<Error><Code>NoSuchUpload</Code></Error>'];
      if (method === 'PUT') {
        pieces.set(Number(url.searchParams.get('partNumber')), body);
        return [200, '', { etag: `"${createHash('md5').update(body).digest('hex')}"` }];
      }
      if (method === 'POST') {
        objects.set(key, Buffer.concat([...pieces].toSorted(([a], [b]) => a - b).map(([, piece]) => piece)));
        dates.set(key, new Date().toISOString());
      }
      uploads.delete(upload);
      parts.delete(upload);
      return [method === 'POST' ? 200 : 204, ''];
    }
    if (method === 'PUT') {
      objects.set(key, body);
      dates.set(key, new Date().toISOString());
      return [200, '', { etag: '"e"' }];
    }
    if (method === 'DELETE') {
      objects.delete(key);
      return [204, ''];
    }
    const found = objects.get(key);
    if (found === undefined) return [404, '<Error><Code>NoSuchKey</Code></Error>'];
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (first === undefined) return [200, found];
    return [206, found.subarray(Number(first), Number(last) + 1)];
  };

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(incoming.url ?? '', `http://${incoming.headers.host}`);
    const call = { method: incoming.method ?? '', url, body };
    const refusal = await refusalOf(incoming, url, body);
    if (refusal !== null) {
      made.refused.push(refusal);
      return void response.writeHead(403).end(`<Error><Code>${refusal}</Code></Error>`);
    }
    made.signed.push(call);
    const instead = made.hook(call);
    if (instead === 'never') return;
    if (instead !== null) return void response.writeHead(instead.status).end(instead.body);
    const path = decodeURIComponent(url.pathname);
    const root = pathStyle ? '/media/' : '/';
    if (!path.startsWith(root) || (!pathStyle && !url.hostname.startsWith('media.')))
      return void response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
    const [status, text, headers = {}] = serve(call, incoming.headers.range, path.slice(root.length));
    response.writeHead(status, headers).end(text);
  };

  const server = createServer(
    (incoming, response) => void answer(incoming, response).catch(() => response.destroy()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://${pathStyle ? '127.0.0.1' : 's3.test'}:${(server.address() as AddressInfo).port}`;
  const bucket = { bucket: 'media', endpoint, region: 'eu-central-1', prefix: 'made/', pathStyle };
  const made: TestBucket = {
    bucket: { ...bucket, accessKeyId, secretAccessKey: secret },
    env: {
      INDOXHUB_S3_BUCKET: 'media',
      INDOXHUB_S3_ENDPOINT: endpoint,
      INDOXHUB_S3_REGION: bucket.region,
      INDOXHUB_S3_PREFIX: bucket.prefix,
      INDOXHUB_S3_ACCESS_KEY_ID: accessKeyId,
      INDOXHUB_S3_SECRET_ACCESS_KEY: secret,
    },
    objects: new Map(),
    uploads: new Map(),
    signed: [],
    refused: [],
    hook: () => null,
    age(byMs) {
      for (const [id, date] of dates) dates.set(id, new Date(Date.parse(date) - byMs).toISOString());
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return made;
}

type Reply = readonly [status: number, body: string | Buffer, headers?: Record<string, string>];

function listing({ objects, uploads }: TestBucket, url: URL, dates: ReadonlyMap<string, string>): Reply {
  const prefix = url.searchParams.get('prefix') ?? '';
  if (url.searchParams.has('uploads')) {
    const rows = [...uploads]
      .filter(([, key]) => key.startsWith(prefix))
      .map(
        ([id, key]) =>
          `<Upload><Key>${escaped(key)}</Key><UploadId>${escaped(id)}</UploadId><Initiated>${dates.get(id)}</Initiated></Upload>`,
      );
    return [200, `<R>${rows.join('')}<IsTruncated>false</IsTruncated></R>`];
  }
  // Two a page, so that pages are turned.
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  const from = Number(url.searchParams.get('continuation-token')?.slice('+/='.length) ?? 0);
  const page = keys.slice(from, from + 2);
  const rows = page.map(
    (key) => `<Contents><Key>${escaped(key)}</Key><LastModified>${dates.get(key)}</LastModified></Contents>`,
  );
  const next = from + 2 < keys.length ? `<NextContinuationToken>+/=${from + 2}</NextContinuationToken>` : '';
  return [200, `<R>${rows.join('')}${next}</R>`];
}
