/** Fetching a URL that a caller gave, or a provider points at: each hop is checked anew, and of a failure only that is told. */
import { GatewayError } from '../contract/errors.ts';
import type { Timeouts } from '../contract/settings.ts';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { ByteQueue } from './byte-queue.ts';
import { checkedUrl } from './ssrf.ts';
import type { UpstreamAnswer, UpstreamRequest } from './transport.ts';

const maxRedirects = 3;
const patienceMs = 10_000;

/** A file as it comes. Whoever does not read it to its end must `abort`. */
export interface OpenedUrl {
  readonly contentType: string;
  /** Pauses the sender where it is not read. Ends with a GatewayError when the sender breaks off. */
  readonly body: AsyncIterable<Buffer>;
  abort(): void;
}

/** A request on a connection of its own. */
type Dial = (request: UpstreamRequest, handler: UpstreamHandler) => UpstreamCall;

interface Visit {
  readonly text: string;
  readonly param: string;
  readonly allowPrivate: boolean;
  readonly timeouts: Timeouts;
}

/** One hop's answer, as far as its headers. */
interface Hop {
  readonly status: number;
  readonly headers: UpstreamAnswer['headers'];
}

const typeOf = ({ headers }: Hop): string => {
  const type = headers['content-type'];
  return typeof type === 'string' ? type : 'application/octet-stream';
};

/** Throws a 400 naming `param`. `leave`: a hop is not the last. */
async function follow<H extends Hop>(
  { text, param, allowPrivate, timeouts }: Visit,
  get: (request: UpstreamRequest) => Promise<H>,
  leave: (hop: H) => void,
): Promise<H> {
  const refuse = (message: string): GatewayError => new GatewayError('bad_request', message, { param });
  let target = text;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const url = checkedUrl(target, param, allowPrivate);
    const answer = await get({
      method: 'GET',
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'indoxhub' },
      body: null,
      timeouts,
    }).catch((error: GatewayError) => {
      if (error.code !== 'url_not_allowed') throw refuse(`The URL in '${param}' could not be fetched.`);
      throw new GatewayError('url_not_allowed', error.message, { param });
    });
    if (answer.status === 200) return answer;
    leave(answer);
    const { location } = answer.headers;
    if (answer.status < 300 || answer.status >= 400 || typeof location !== 'string')
      throw refuse(`The URL in '${param}' answered ${answer.status}.`);
    if (!URL.canParse(location, url)) throw refuse(`The URL in '${param}' redirects nowhere.`);
    target = new URL(location, url).href;
  }
  throw refuse(`The URL in '${param}' redirects too often.`);
}

/** The whole of it, soon. Throws a 400 naming `param`. */
export async function fetchUrl(
  visit: Visit,
  fetch: (request: UpstreamRequest) => Promise<UpstreamAnswer>,
): Promise<{ contentType: string; body: Buffer }> {
  const limits = { firstByteMs: patienceMs, idleMs: patienceMs, totalMs: patienceMs };
  const timeouts = { ...visit.timeouts, ...limits };
  const answer = await follow({ ...visit, timeouts }, fetch, () => {});
  return { contentType: typeOf(answer), body: answer.body };
}

/** As it comes, in the time that a provider's answer may take. Throws a 400 naming `param`. */
export async function openUrl(visit: Visit, dial: Dial): Promise<OpenedUrl> {
  const timeouts = { ...visit.timeouts, firstByteMs: patienceMs };
  const opened = await follow(
    { ...visit, timeouts },
    (request) => open(request, dial),
    ({ abort }) => abort(),
  );
  return { contentType: typeOf(opened), body: opened.body, abort: opened.abort };
}

function open(request: UpstreamRequest, dial: Dial): Promise<Hop & Omit<OpenedUrl, 'contentType'>> {
  return new Promise((resolve, reject) => {
    let call: UpstreamCall | null = null;
    const body = new ByteQueue(
      () => call?.pause(),
      () => call?.resume(),
      () => call?.abort(),
    );
    const abort = (): void => {
      call?.abort();
      body.fail(new GatewayError('upstream_error', 'The call was cancelled.'));
    };
    call = dial(request, {
      onHeaders: (status, headers) => resolve({ status, headers, body, abort }),
      onData: (chunk) => body.push(chunk),
      onEnd: () => body.end(),
      onError: (error) => {
        reject(error);
        body.fail(error);
      },
    });
  });
}
