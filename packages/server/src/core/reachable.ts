import { GatewayError } from '../contract/errors.ts';
import { StorageUnavailable } from '../storage/storage.ts';

/** A store that does not answer is a 503 for the caller, on every route. */
export async function reachable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    throw new GatewayError('store_unavailable', undefined, { retryAfterMs: 1000, cause: error });
  }
}
