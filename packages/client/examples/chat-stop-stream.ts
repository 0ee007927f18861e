/** Stopping a stream from elsewhere, by a name of our own. */
// prints: { success: true }
// prints: cancelled
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: '[[sandbox:slow 200]] echo a b c d e f g h' }],
  stream: true,
  stream_id: 'job-42',
});
setTimeout(() => void client.chat.stopStream('job-42').then(console.log), 100);
const { finishReason } = await stream.final();
console.log(finishReason);
