/** Text completion. */
// prints: once upon a time
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.completions.create({ model: 'local/sandbox', prompt: 'echo once upon a time' });
console.log(data);
