/** Fetching a URL that a caller gave: each hop is checked anew, and nothing of a failure is told but that it failed. */
import { GatewayError } from '../contract/errors.ts';
import type { Timeouts } from '../contract/settings.ts';
import { checkedUrl } from './ssrf.ts';
import type { UpstreamAnswer, UpstreamRequest } from './transport.ts';

const maxRedirects = 3;
const patienceMs = 10_000;

/** Throws a 400 naming `param`. */
export async function fetchUrl(
  text: string,
  param: string,
  allowPrivate: boolean,
  timeouts: Timeouts,
  fetch: (url: URL, request: UpstreamRequest) => Promise<UpstreamAnswer>,
): Promise<{ contentType: string; body: Buffer }> {
  const limits = { ...timeouts, firstByteMs: patienceMs, idleMs: patienceMs, totalMs: patienceMs };
  const refuse = (message: string): GatewayError => new GatewayError('bad_request', message, { param });
  let target = text;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const url = checkedUrl(target, param, allowPrivate);
    const request: UpstreamRequest = {
      method: 'GET',
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'indoxhub' },
      body: null,
      timeouts: limits,
    };
    const answer = await fetch(url, request).catch((error: GatewayError) => {
      if (error.code !== 'url_not_allowed') throw refuse(`The URL in '${param}' could not be fetched.`);
      throw new GatewayError('url_not_allowed', error.message, { param });
    });
    const { location, 'content-type': type } = answer.headers;
    if (answer.status >= 300 && answer.status < 400 && typeof location === 'string') {
      if (!URL.canParse(location, url)) throw refuse(`The URL in '${param}' redirects nowhere.`);
      target = new URL(location, url).href;
      continue;
    }
    if (answer.status !== 200) throw refuse(`The URL in '${param}' answered ${answer.status}.`);
    return { contentType: typeof type === 'string' ? type : 'application/octet-stream', body: answer.body };
  }
  throw refuse(`The URL in '${param}' redirects too often.`);
}
