/** A path this client has no method for, and whether the gateway is there. */
// prints: ok
// prints: default
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
console.log((await client.testConnection()).status);
const me = await client.request<{ username: string }>({ method: 'GET', path: '/api/v1/user/me' });
console.log(me.username);
