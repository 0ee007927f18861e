/** `@indoxhub/client` of this repository. */
import assert from 'node:assert/strict';
import {
  AuthenticationError,
  BadRequestError,
  IndoxHub,
  NotFoundError,
  toFile,
} from '../packages/client/src/index.ts';
import { png } from '../packages/server/test/fakes/images.ts';
import { soundOf } from '../packages/server/test/fakes/speech.ts';
import { wavOf } from '../packages/server/test/fakes/transcriptions.ts';
import { mp4 } from '../packages/server/test/fakes/videos.ts';
import { installed, type Scene, type Suite } from './checks.ts';

const clientOf = ({ gateway }: Scene, apiKey = gateway.apiKey): IndoxHub =>
  new IndoxHub({ apiKey, baseURL: gateway.url, maxRetries: 0 });
const saying = (content: string): { role: string; content: string }[] => [{ role: 'user', content }];
const opened = async (url: string | null | undefined): Promise<Buffer> =>
  Buffer.from(await (await fetch(url ?? '')).arrayBuffer());
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];

export const indoxhubClient: Suite = {
  client: installed('@indoxhub/client'),
  checks: [
    {
      capability: 'chat',
      name: 'chat()',
      async run(scene) {
        assert.equal(
          (await clientOf(scene).chat(saying('Hello'), { model: scene.model })).data,
          'You said: Hello',
        );
      },
    },
    {
      capability: 'stream',
      name: 'textStream',
      async run(scene) {
        const stream = await clientOf(scene).chat(saying('a b c'), { model: scene.model, stream: true });
        let text = '';
        for await (const part of stream.textStream) text += part;
        assert.equal(text, 'You said: a b c');
      },
    },
    {
      capability: 'stop',
      name: 'stream.stop() ends the stream with its usage',
      async run(scene) {
        const before = scene.upstream.calls.length;
        const stream = await clientOf(scene).chat(saying('[slow]'), { model: scene.model, stream: true });
        const kinds: string[] = [];
        for await (const event of stream) {
          if (!kinds.includes(event.type)) kinds.push(event.type);
          if (event.type === 'content' && kinds.length > 0) await stream.stop();
        }
        assert.ok(kinds.includes('usage_final'));
        assert.ok(((await scene.upstream.calls[before]?.closed) ?? 0) > 0);
      },
    },
    {
      capability: 'tools',
      name: 'a tool call, streamed and put together',
      async run(scene) {
        const stream = await clientOf(scene).chat(saying('?'), { model: scene.model, stream: true, tools });
        const { toolCalls } = await stream.final();
        assert.equal(toolCalls[0]?.function.arguments, '{"city":"Oslo"}');
      },
    },
    {
      capability: 'schema',
      name: 'response_format',
      async run(scene) {
        const schema = { type: 'object', properties: { city: { type: 'string' } } };
        const { data } = await clientOf(scene).chat(saying('Which city?'), {
          model: scene.model,
          response_format: { type: 'json_schema', json_schema: { name: 'place', schema } },
        });
        assert.deepEqual(JSON.parse(typeof data === 'string' ? data : ''), { city: 'Oslo' });
      },
    },
    {
      capability: 'completion',
      name: 'completion()',
      async run(scene) {
        const { data } = await clientOf(scene).completion('Once upon', { model: scene.model });
        assert.equal(data, 'You said: Once upon');
      },
    },
    {
      capability: 'embed',
      name: 'embeddings',
      async run(scene) {
        const { data, dimensions } = await clientOf(scene).embeddings.create({
          text: ['a', 'abc'],
          model: 'openai/text-embedding-3-small',
        });
        assert.deepEqual([data.map(([length]) => length), dimensions], [[1, 3], 4]);
      },
    },
    {
      capability: 'image',
      name: 'images.generate: a link that opens',
      async run(scene) {
        const { data } = await clientOf(scene).images.generate({ prompt: 'A fox', model: 'openai/dall-e-3' });
        assert.ok((await opened(data[0]?.url)).equals(png));
      },
    },
    {
      capability: 'speech',
      name: 'audio.speech: a link that opens, and bytes',
      async run(scene) {
        const { speech } = clientOf(scene).audio;
        const given = { input: 'Hello', model: 'openai/tts-1' } as const;
        assert.ok((await opened((await speech.create(given)).data.audio_url)).equals(soundOf('Hello')));
        const bytes = await speech.bytes(given);
        assert.ok(Buffer.from(await bytes.arrayBuffer()).equals(soundOf('Hello')));
      },
    },
    {
      capability: 'transcribe',
      name: 'audio.transcriptions and translations',
      async run(scene) {
        const { transcriptions, translations } = clientOf(scene).audio;
        const file = await toFile(wavOf(3), 'clip.wav');
        const said = 'Hello there. General Kenobi.';
        assert.equal((await transcriptions.create({ file, model: 'openai/whisper-1' })).text, said);
        assert.equal((await translations.create({ file, model: 'openai/whisper-1' })).text, said);
      },
    },
    {
      capability: 'video',
      name: 'videos.createAndWait',
      async run(scene) {
        const job = await clientOf(scene).videos.createAndWait({
          prompt: 'A fox',
          model: 'openai/sora-2',
          duration: 4,
        });
        assert.ok((await opened(job.result?.url)).equals(mp4));
      },
    },
    {
      capability: 'models',
      name: 'models.list, retrieve, trending',
      async run(scene) {
        const { models } = clientOf(scene);
        assert.ok((await models.list()).some(({ id }) => id === 'openai'));
        assert.equal((await models.retrieve('openai/gpt-4o-mini')).provider, 'openai');
        await models.trending();
      },
    },
    {
      capability: 'cost',
      name: 'in usage',
      async run(scene) {
        const { usage } = await clientOf(scene).chat(saying('x'), { model: scene.model });
        assert.equal(usage.cost, 0.0000066);
      },
    },
    {
      capability: 'errors',
      name: 'a class for each status',
      async run(scene) {
        const client = clientOf(scene);
        await assert.rejects(Promise.resolve(client.chat(saying('x'), { temperature: 9 })), BadRequestError);
        await assert.rejects(Promise.resolve(client.chat(saying('x'), { model: 'nobody/x' })), NotFoundError);
        const stranger = clientOf(scene, `indox-${'f'.repeat(32)}`);
        await assert.rejects(Promise.resolve(stranger.chat(saying('x'))), AuthenticationError);
      },
    },
    {
      capability: 'retry',
      name: 'every attempt under one idempotency key',
      async run(scene) {
        const keys: (string | null)[] = [];
        const client = new IndoxHub({
          apiKey: scene.gateway.apiKey,
          baseURL: scene.gateway.url,
          fetch: async (input, init) => {
            keys.push(new Request(input, init).headers.get('idempotency-key'));
            const answer = await fetch(input, init);
            // The first answer is lost on its way.
            if (keys.length === 1) throw new TypeError('the connection broke');
            return answer;
          },
        });
        const { data } = await client.chat(saying('Hello'), { model: scene.model });
        assert.equal(data, 'You said: Hello');
        assert.ok(keys.length === 2 && keys[0] !== null && keys[0] === keys[1]);
      },
    },
    {
      capability: 'account',
      name: 'usage.retrieve',
      async run(scene) {
        const report = await clientOf(scene).usage.retrieve();
        assert.ok(report.total_requests > 0);
      },
    },
  ],
};
