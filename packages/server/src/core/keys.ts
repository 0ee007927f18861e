/**
 * Stage 1, authorise: from the presented credential to the account it speaks for. Warm: no I/O. Cold: one read, shared
 * by all that wait for it. A store that does not answer is 503, never 401.
 */
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../contract/errors.ts';
import { StorageUnavailable, type Credential, type Storage } from '../storage/storage.ts';
import { hashApiKey, isApiKey } from './api-key.ts';

const cacheSize = 20_000;
/** A known key is read anew after this long even if nothing said it changed. */
const freshMs = 60_000;

export interface Keys {
  /** Throws invalid_api_key, key_revoked, key_expired or store_unavailable. */
  byKey(apiKey: string): Promise<Credential>;
  /** For a token that was exchanged for the key. */
  byId(keyId: string): Promise<Credential>;
  /** Something about keys or accounts changed: read them anew. */
  forget(): void;
  /** Keys used since the last call, to be recorded as last used. */
  takeUsed(): { keyId: string; atMs: number }[];
}

export function createKeys(storage: Pick<Storage, 'findCredential'>): Keys {
  const cache = new LRUCache<string, Credential>({ max: cacheSize, ttl: freshMs, ttlResolution: 1000 });
  const unknown = new LRUCache<string, true>({ max: cacheSize, ttl: 5_000 });
  const reading = new Map<string, Promise<Credential | null>>();
  let used = new Map<string, number>();
  let generation = 0;

  const read = (name: string, by: { hash: string } | { keyId: string }): Promise<Credential | null> => {
    const running = reading.get(name);
    if (running !== undefined) return running;
    const startedIn = generation;
    const promise = storage
      .findCredential(by)
      .then((credential) => {
        if (generation === startedIn) {
          if (credential === null) unknown.set(name, true);
          else cache.set(name, credential);
        }
        return credential;
      })
      .finally(() => reading.delete(name));
    reading.set(name, promise);
    return promise;
  };

  const find = async (name: string, by: { hash: string } | { keyId: string }): Promise<Credential> => {
    let credential: Credential | null | undefined = cache.get(name);
    if (credential === undefined) {
      if (unknown.has(name)) throw new GatewayError('invalid_api_key');
      try {
        credential = await read(name, by);
      } catch (error) {
        if (!(error instanceof StorageUnavailable)) throw error;
        throw new GatewayError('store_unavailable', undefined, { retryAfterMs: 1000, cause: error });
      }
      if (credential === null) throw new GatewayError('invalid_api_key');
    }
    const { key } = credential;
    const now = Date.now();
    if (key.revokedAtMs !== null) throw new GatewayError('key_revoked');
    if (key.expiresAtMs !== null && key.expiresAtMs <= now) throw new GatewayError('key_expired');
    used.set(key.id, now);
    return credential;
  };

  /** Raw key → hash of the keys seen lately, so that a warm call hashes nothing. Cleared with everything else. */
  const hashes = new LRUCache<string, string>({ max: cacheSize });

  return {
    byKey(apiKey) {
      let hash = hashes.get(apiKey);
      if (hash === undefined) {
        if (!isApiKey(apiKey)) return Promise.reject(new GatewayError('invalid_api_key'));
        hash = hashApiKey(apiKey);
        hashes.set(apiKey, hash);
      }
      return find(hash, { hash });
    },
    byId: (keyId) => find(`id:${keyId}`, { keyId }),
    forget() {
      generation++;
      cache.clear();
      unknown.clear();
      hashes.clear();
    },
    takeUsed() {
      const taken = [...used].map(([keyId, atMs]) => ({ keyId, atMs }));
      used = new Map();
      return taken;
    },
  };
}
