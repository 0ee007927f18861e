/** A server that is told when a video is done, and believes only the gateway. */
// prints: video.completed
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { IndoxHub, WebhookVerificationError } from '@indoxhub/client';

const client = new IndoxHub();
const { secret } = await client.webhooks.secret();

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const event = await client.webhooks.unwrap(await text(request), request.headers, secret);
    console.log(event.type, event.data.job_id);
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(error instanceof WebhookVerificationError ? 401 : 500).end();
  }
  server.close();
}
const server = createServer((request, response) => void receive(request, response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
await client.videos.create({
  model: 'openai/sora-2',
  prompt: 'A fox runs',
  duration: 4,
  webhook_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
});
