/** What every runtime must do with the client; nothing here belongs to one of them. Answers the names of the checks that held. */
import { APIUserAbortError, IndoxHub, NotFoundError, toFile, unwrapWebhook } from '@indoxhub/client';

const ask = (content) => [{ role: 'user', content }];

function must(holds, what) {
  if (!holds) throw new Error(`${what} does not hold`);
}

const checks = {
  async 'a whole answer'(client) {
    const answer = await client.chat(ask('What is 2 + 3 * 4?'), { model: 'local/sandbox' });
    must(answer.data === '2 + 3 * 4 = 14', `data: ${answer.data}`);
    must(answer.usage.cost === 0, 'cost 0');
  },
  async 'a stream'(client) {
    const stream = await client.chat.completions.create({ messages: ask('echo ü 🦊 three'), stream: true });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    must(text === 'ü 🦊 three', `text: ${text}`);
  },
  async 'stopping a stream'(client) {
    const messages = ask('[[sandbox:slow 100]] echo a b c d e f g h i j k l m n o p');
    const stream = await client.chat.completions.create({ messages, stream: true });
    let isStopped = false;
    const seen = [];
    for await (const event of stream) {
      seen.push(event.type === 'finish' ? event.finish_reason : event.type);
      if (event.type === 'content' && !isStopped) isStopped = await stream.stop();
    }
    must(seen.includes('cancelled') && seen.includes('usage_final'), seen.join());
  },
  async 'leaving a stream'(client) {
    const messages = ask('[[sandbox:slow 100]] echo a b c d e f g h');
    const stream = await client.chat.completions.create({ messages, stream: true });
    for await (const event of stream) if (event.type === 'content') break;
    must(stream.controller.signal.aborted, 'aborted');
  },
  async 'a signal'(client) {
    const stopper = new AbortController();
    setTimeout(() => stopper.abort(), 50);
    const options = { signal: stopper.signal };
    const error = await client.chat(ask('[[sandbox:delay 3000]] hi'), {}, options).catch((error) => error);
    must(error instanceof APIUserAbortError, String(error));
  },
  async 'an error of its class'(client) {
    const error = await client.models.retrieve('local/none').catch((error) => error);
    must(error instanceof NotFoundError && error.requestId !== null, String(error));
  },
  async 'an upload'(client) {
    const sound = await client.audio.speech.bytes({ input: 'hello world', response_format: 'wav' });
    const file = await toFile(sound, 'hello.wav');
    const { text } = await client.audio.transcriptions.create({ file });
    must(/hello/i.test(text), text);
  },
  async 'a list'(client) {
    for await (const job of client.videos.list()) must(job.job_id, 'job');
    must((await client.videos.list()).total === 0, 'no jobs');
  },
  async 'a webhook'() {
    const secret = new Uint8Array(32).fill(7);
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
    ]);
    const time = String(Math.floor(Date.now() / 1000));
    const body = '{"type":"video.completed"}';
    const signed = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`id.${time}.${body}`));
    const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
    const headers = new Headers({
      'webhook-id': 'id',
      'webhook-timestamp': time,
      'webhook-signature': `v1,${base64(signed)}`,
    });
    const event = await unwrapWebhook(body, headers, `whsec_${base64(secret)}`);
    must(event.type === 'video.completed', event.type);
  },
};

export async function smoke(baseURL, apiKey) {
  const client = new IndoxHub({ baseURL, apiKey });
  const held = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(client);
    } catch (error) {
      throw new Error(`${name}: ${error?.stack ?? error}`, { cause: error });
    }
    held.push(name);
  }
  return held;
}
