/** Access tokens: what an API key is exchanged for. Signed with a key that lives in the store, so any replica reads them. */
import { randomBytes } from 'node:crypto';
import { GatewayError } from '../contract/errors.ts';
import type { Storage } from '../storage/storage.ts';

/** Loaded by the first token: most callers come with their key. */
const jose = () => import('jose');

/** Seconds. */
export const tokenLifetime = 1800;

export interface Tokens {
  issue(keyId: string): Promise<string>;
  /** The key's id. Throws token_expired or invalid_api_key. */
  verify(token: string): Promise<string>;
}

/** True for text that looks like a token rather than an API key. */
export function isToken(text: string): boolean {
  return text.startsWith('eyJ') && text.length < 4096;
}

export async function createTokens(storage: Pick<Storage, 'settleSetting'>): Promise<Tokens> {
  const secret = Buffer.from(
    await storage.settleSetting('jwt_secret', randomBytes(32).toString('base64')),
    'base64',
  );
  return {
    async issue(keyId) {
      const { SignJWT } = await jose();
      return new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(keyId)
        .setIssuer('indoxhub')
        .setIssuedAt()
        .setExpirationTime(`${tokenLifetime}s`)
        .sign(secret);
    },
    async verify(token) {
      const { errors, jwtVerify } = await jose();
      try {
        const { payload } = await jwtVerify(token, secret, { algorithms: ['HS256'], issuer: 'indoxhub' });
        if (payload.sub === undefined)
          throw new GatewayError('invalid_api_key', 'Invalid token - missing user ID');
        return payload.sub;
      } catch (error) {
        if (error instanceof errors.JWTExpired) throw new GatewayError('token_expired');
        throw new GatewayError('invalid_api_key', 'Invalid token.');
      }
    },
  };
}
