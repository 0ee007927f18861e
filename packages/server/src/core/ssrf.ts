/**
 * Which addresses a URL given by a caller may reach: public unicast ones only. Checked as the connection is made, on the
 * address actually dialled, so neither another spelling of 127.0.0.1 nor a name that changes its mind gets through.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { GatewayError } from '../contract/errors.ts';

/**
 * True for addresses of the public internet: of IPv6 only the global block 2000::/3, and of that not what embeds an IPv4
 * address (6to4, Teredo). ::127.0.0.1 and NAT64 lie outside it; a mapped IPv4 address is looked at as IPv4.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || /^[23](?!002:|001:0:)[0-9a-f]{3}:/.test(parsed.toNormalizedString());
}

const refused = (): GatewayError =>
  new GatewayError(
    'url_not_allowed',
    'This URL is not allowed: it must be https and lead to a public address.',
  );

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, []);
    if (addresses.length === 0 || addresses.some(({ address }) => !isPublicAddress(address))) {
      return callback(refused(), []);
    }
    const first = addresses[0];
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family ?? 4);
  });
};

/** How to dial public addresses only. A literal address is not looked up, so it is checked here. Throws `url_not_allowed`. */
export function publicLookup(url: URL): LookupFunction {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw refused();
  return guardedLookup;
}

/** The URL parsed, or a 400 naming the field. Only https; the port must be 443 and no credentials may be in it. */
export function checkedUrl(text: string, param: string, allowPrivate: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const fine =
    url !== null &&
    url.username === '' &&
    url.password === '' &&
    (allowPrivate ? /^https?:$/.test(url.protocol) : url.protocol === 'https:' && url.port === '');
  if (url === null || !fine) throw new GatewayError('url_not_allowed', refused().message, { param });
  return url;
}
