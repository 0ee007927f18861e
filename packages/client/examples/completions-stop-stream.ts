/** Stopping a stream by its id. */
// prints: { success: true }
// prints: cancelled
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const prompt = '[[sandbox:slow 200]] echo a b c d e f g h';
const stream = await client.completions.create({ model: 'local/sandbox', prompt, stream: true });
setTimeout(() => void client.completions.stopStream(stream.id ?? '').then(console.log), 100);
const { finishReason } = await stream.final();
console.log(finishReason);
