/**
 * API keys: `indox-` and 32 characters, the last 6 of which are a checksum over the rest, so that a typo or a made-up
 * key is refused without asking the store. Only the SHA-256 of a key is ever kept; the hash itself opens nothing.
 */
import { hash, randomBytes } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const shape = /^indox-[0-9A-Za-z]{32}$/;
const randomLength = 26;

/** 26 characters carry 154 bits; bytes above 247 are drawn again so that each character is equally likely. */
function randomCharacters(): string {
  let text = '';
  while (text.length < randomLength) {
    for (const byte of randomBytes(40)) {
      if (byte < 248 && text.length < randomLength) text += alphabet.charAt(byte % 62);
    }
  }
  return text;
}

function checksum(random: string): string {
  let value = BigInt(`0x${hash('sha256', `indoxhub-key:${random}`, 'hex').slice(0, 12)}`);
  let text = '';
  for (let i = 0; i < 6; i++) {
    text += alphabet.charAt(Number(value % 62n));
    value /= 62n;
  }
  return text;
}

/** A new key: the secret is shown once, the hash and the prefix are stored. */
export interface GeneratedKey {
  readonly secret: string;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  /** `indox-` and 6 characters, to recognise the key by. */
  readonly prefix: string;
}

export function generateApiKey(): GeneratedKey {
  const random = randomCharacters();
  const secret = `indox-${random}${checksum(random)}`;
  return { secret, hash: hashApiKey(secret), prefix: secret.slice(0, 12) };
}

/** True for a string that could be a key of ours; no store is asked. */
export function isApiKey(text: string): boolean {
  if (!shape.test(text)) return false;
  const random = text.slice(6, 6 + randomLength);
  return checksum(random) === text.slice(6 + randomLength);
}

export function hashApiKey(secret: string): string {
  return hash('sha256', secret, 'hex');
}
