/**
 * One call made twice against a recorder, by the vendor's own SDK and through the gateway: both must reach the vendor
 * alike, and its answer must mean the same to both.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../gateway.ts';
import { startRecorder, type RecordedRequest, type Recorder, type Script } from './recorder.ts';

export const key = 'test-key-0123456789';

/** A request without what is the library's own business: its user agent, its boundary, the order of fields. */
export interface Seen {
  readonly method: string;
  path: string;
  readonly query: Record<string, string[]>;
  readonly key: string | undefined;
  /** JSON, `{field: values}` of a form, or bytes in base64. */
  body: unknown;
}

export interface Proof<Answer> {
  readonly title: string;
  /** The header the key travels in. */
  readonly header: string;
  /** Other headers that must agree. */
  readonly headers?: readonly string[];
  /** A documented answer of the vendor to each request. */
  readonly answer: (request: RecordedRequest, origin: string) => Script;
  /** The call by the SDK: what it read of the answer. */
  readonly sdk: (origin: string) => Promise<Answer>;
  /** The same by a caller of the gateway, for what it must have read as well. */
  readonly ours: (gateway: TestGateway, requests: readonly RecordedRequest[]) => Promise<Answer>;
  /** Calls that may be repeated; GETs unless it says otherwise. */
  readonly polls?: (seen: Seen) => boolean;
  /** Calls that count, where not all do. */
  readonly counts?: (seen: Seen) => boolean;
  /** Brings both to one form where a difference is the SDK's habit; says which. */
  readonly alike?: (seen: Seen) => unknown;
}

/** Files of a form as `name, type, bytes`, its fields as text. */
function formOf({ bytes, headers }: RecordedRequest): Record<string, string[]> {
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? '';
  const form: Record<string, string[]> = {};
  for (const part of bytes.toString('latin1').split(`--${boundary}`).slice(1, -1)) {
    const end = part.indexOf('\r\n\r\n');
    const head = part.slice(0, end);
    const body = Buffer.from(part.slice(end + 4, -2), 'latin1');
    const name = /name="([^"]*)"/.exec(head)?.[1] ?? '';
    const file = /filename="([^"]*)"/.exec(head)?.[1];
    const type = /content-type: *([^\r;]*)/i.exec(head)?.[1];
    (form[name] ??= []).push(
      file === undefined ? body.toString('utf8') : `${file}, ${type}, ${body.toString('base64')}`,
    );
  }
  return form;
}

function bodyOf(request: RecordedRequest): unknown {
  if (request.bytes.length === 0) return null;
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/form-data')) return formOf(request);
  return /json/.test(type) ? JSON.parse(request.body) : request.bytes.toString('base64');
}

const seenOf = (request: RecordedRequest, names: readonly string[]): Seen => {
  const url = new URL(request.path, 'http://vendor');
  const { headers } = request;
  return {
    method: request.method,
    path: url.pathname,
    query: Object.fromEntries(
      [...url.searchParams.keys()].map((name) => [name, url.searchParams.getAll(name)]),
    ),
    key: names.map((name) => `${name}: ${String(headers[name])}`).join('\n'),
    body: bodyOf(request),
  };
};

/** Paths of results that a vendor points at; how often they are fetched is nobody's business. */
export const resultPath = '/result';

/** What was asked of the API, repeated polls once. */
function apiCalls(requests: readonly RecordedRequest[], proof: Proof<unknown>): Seen[] {
  const names = [proof.header, ...(proof.headers ?? [])];
  const seen = requests.filter(({ path }) => !path.startsWith(resultPath)).map((each) => seenOf(each, names));
  for (const each of seen) proof.alike?.(each);
  const isPoll = proof.polls ?? (({ method }: Seen) => method === 'GET');
  const text = seen.map((each) => JSON.stringify(each));
  return seen
    .filter((each, at) => !isPoll(each) || text.indexOf(JSON.stringify(each)) === at)
    .filter((each) => proof.counts?.(each) ?? true);
}

/** Declares the tests of a file. `env` is told the recorder's origin. */
export function prove<Answer>(
  env: (origin: string) => Record<string, string>,
  proofs: readonly Proof<Answer>[],
): void {
  let recorder: Recorder;
  let gateway: TestGateway;
  beforeAll(async () => {
    recorder = await startRecorder({});
    gateway = await startGateway({ env: env(recorder.origin) });
  });
  afterAll(async () => {
    await gateway.close();
    await recorder.close();
  });

  test.each(proofs)('$title', async (proof) => {
    recorder.answer((request) => proof.answer(request, recorder.origin));
    recorder.requests.length = 0;
    const theirs = await proof.sdk(recorder.origin);
    const sent = recorder.requests.splice(0);
    const ours = await proof.ours(gateway, recorder.requests);
    expect(apiCalls(recorder.requests, proof)).toEqual(apiCalls(sent, proof));
    expect(apiCalls(sent, proof).length).toBeGreaterThan(0);
    expect(ours).toEqual(theirs);
    await gateway.verify();
  });
}
