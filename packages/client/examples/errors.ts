/** Errors: a class for each status, with the field at fault and the id of the call. */
// prints: BadRequestError bad_request max_tokens
// prints: RateLimitError 429 after 7 s
import { BadRequestError, IndoxHub, RateLimitError } from '@indoxhub/client';

const client = new IndoxHub();
const messages = [{ role: 'user', content: '[[sandbox:error 429 retry-after=7]]' }];
try {
  await client.chat.completions.create({ messages, max_tokens: 0 });
} catch (error) {
  if (error instanceof BadRequestError) console.log(error.name, error.code, error.param, error.requestId);
}
try {
  await client.chat.completions.create({ messages }, { maxRetries: 0 });
} catch (error) {
  if (error instanceof RateLimitError) console.log(error.name, error.status, 'after', error.retryAfter, 's');
}
