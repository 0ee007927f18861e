/**
 * Which addresses a URL given by a caller may reach: public unicast ones only. Checked as the connection is made, on the
 * address actually dialled, so neither another spelling of 127.0.0.1 nor a name that changes its mind gets through.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { GatewayError } from '../contract/errors.ts';

/** `networks`: apart by spaces. */
function blockList(family: 'ipv4' | 'ipv6', networks: string): BlockList {
  const list = new BlockList();
  for (const network of networks.split(' ')) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** IANA's special-purpose registry, multicast and what is reserved. */
const specialIpv4 = blockList(
  'ipv4',
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 ' +
    '192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 ' +
    '203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
);
const globalIpv6 = blockList('ipv6', '2000::/3');
/** Within that: protocol assignments (Teredo among them), documentation, 6to4, AS112. */
const specialIpv6 = blockList('ipv6', '2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20');
const mappedIpv4 = blockList('ipv6', '::ffff:0:0/96');

/**
 * True for addresses of the public internet: of IPv6 only the global block 2000::/3, and of that not what embeds an IPv4
 * address (6to4, Teredo). ::127.0.0.1 and NAT64 lie outside it; a mapped IPv4 address is looked at as IPv4.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialIpv4.check(address, 'ipv4');
  // With a zone it is of this link.
  if (family === 0 || address.includes('%')) return false;
  if (mappedIpv4.check(address, 'ipv6')) return !specialIpv4.check(address, 'ipv6');
  return globalIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6');
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
