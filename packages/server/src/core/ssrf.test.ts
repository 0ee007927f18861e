/** The ranges that are not public, against the tables of ipaddr.js, which others keep. */
import { assert, property, array, constantFrom, integer, oneof, tuple } from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, test } from 'vitest';
import { isPublicAddress } from './ssrf.ts';

/** What ipaddr.js says, with the one rule that is stricter: of IPv6 only 2000::/3. */
function isUnicast(address: string): boolean {
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || /^[23][0-9a-f]{3}:/.test(parsed.toNormalizedString());
}

const octet = oneof(
  integer({ min: 0, max: 255 }),
  constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255),
);
const ipv4 = tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const group = oneof(
  integer({ min: 0, max: 0xffff }),
  constantFrom(0, 1, 2, 3, 4, 0x112, 0x1ff, 0x200, 0xdb8, 0x2000, 0x2001, 0x2002, 0x2620, 0x4f, 0x8000),
  constantFrom(0x64, 0xff9b, 0xffff, 0x3fff, 0xfff, 0x1000, 0xfe80, 0xfc00, 0xff02, 0x4000, 0x7f00),
);
const ipv6 = array(group, { minLength: 8, maxLength: 8 }).map((groups) =>
  groups.map((each) => each.toString(16)).join(':'),
);
const mapped = ipv4.map((address) => `::ffff:${address}`);

test('agrees with ipaddr.js', () => {
  const addresses = oneof(ipv4, ipv6, mapped);
  assert(
    property(addresses, (address) => {
      expect(isPublicAddress(address), address).toBe(isUnicast(address));
    }),
    { numRuns: 20_000 },
  );
});

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];
/** A range is one network or a list of them. */
const networksOf = (range: Network | Network[]): Network[] =>
  Array.isArray(range[0]) ? (range as Network[]) : [range as Network];

/** The first and last address of every network, and their neighbours. */
test('agrees at every border', () => {
  const step = (bytes: readonly number[], by: 1 | -1): number[] => {
    const next = [...bytes];
    for (let at = next.length - 1; at >= 0; at--) {
      next[at] = ((next[at] ?? 0) + by + 256) % 256;
      if (next[at] !== (by === 1 ? 0 : 255)) break;
    }
    return next;
  };
  let tried = 0;
  for (const kind of [ipaddr.IPv4, ipaddr.IPv6]) {
    const { SpecialRanges: ranges } = kind.parse(kind === ipaddr.IPv4 ? '1.1.1.1' : '2600::1') as unknown as {
      SpecialRanges: Record<string, Network | Network[]>;
    };
    for (const [network, bits] of Object.values(ranges).flatMap(networksOf)) {
      const first = network.toByteArray();
      const last = first.map((byte, at) => byte | (255 >> Math.max(0, Math.min(8, bits - at * 8))));
      for (const bytes of [first, last, step(first, -1), step(last, 1)]) {
        const address = ipaddr.fromByteArray(bytes).toString();
        expect(isPublicAddress(address), address).toBe(isUnicast(address));
        tried++;
      }
    }
  }
  expect(tried).toBeGreaterThan(150);
});

test('what is no address is not public', () => {
  for (const text of [
    '',
    'localhost',
    '127.1',
    '0x7f.1',
    '1.2.3',
    '8.8.8.8 ',
    '::g',
    '2600::1%eth0',
    'fe80::1%lo',
    '[2600::1]',
  ])
    expect(isPublicAddress(text), text).toBe(false);
  for (const text of ['8.8.8.8', '2600::1', '::ffff:8.8.8.8', '2A00:1450:4001::200E'])
    expect(isPublicAddress(text), text).toBe(true);
});
