/** Options of one call, and a client that differs. */
// prints: hi
// prints: stopped: APIUserAbortError
// prints: request id:
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub({ maxRetries: 3, defaultHeaders: { 'x-team': 'search' } });
const messages = [{ role: 'user', content: 'echo hi' }];
const options = { timeout: 5_000, idempotencyKey: `order-${Date.now()}`, headers: { 'x-team': null } };
console.log((await client.chat(messages, {}, options)).data);

const patient = client.withOptions({ timeout: 1_200_000 });
const slow = [{ role: 'user', content: '[[sandbox:delay 5000]] echo late' }];
const signal = AbortSignal.timeout(50);
await patient
  .chat(slow, {}, { signal })
  .catch((error: unknown) => console.log('stopped:', (error as Error).name));

const { requestId } = await client.chat(messages).withResponse();
console.log('request id:', requestId);
