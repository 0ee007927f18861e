/** The npm `openai` SDK: every endpoint it and the gateway both have. */
import assert from 'node:assert/strict';
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  toFile,
} from 'openai';
import { png } from '../packages/server/test/fakes/images.ts';
import { soundOf } from '../packages/server/test/fakes/speech.ts';
import { wavOf } from '../packages/server/test/fakes/transcriptions.ts';
import { mp4 } from '../packages/server/test/fakes/videos.ts';
import { installed, type Check, type Scene, type Suite } from './checks.ts';

const clientOf = (scene: Scene, apiKey = scene.gateway.apiKey, maxRetries = 0): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${scene.gateway.url}/v1`, maxRetries });
const saying = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: 'user', content }];
const cost = 0.0000066;
const weather: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const schema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const wav = (): Promise<File> => toFile(wavOf(3), 'clip.wav');

const chats: Check[] = [
  {
    capability: 'chat',
    name: 'chat.completions.create, with the request id',
    async run(scene) {
      const { data, request_id } = await clientOf(scene)
        .chat.completions.create({ model: scene.model, messages: saying('Hello') })
        .withResponse();
      assert.equal(data.choices[0]?.message.content, 'You said: Hello');
      assert.match(request_id ?? '', /^[0-9a-f-]{36}$/);
    },
  },
  {
    capability: 'chat',
    name: 'parameters arrive as they were given',
    async run(scene) {
      const answer = await clientOf(scene).chat.completions.create({
        model: scene.model,
        messages: saying('[params]'),
        temperature: 0,
        logprobs: true,
        seed: 3,
        max_completion_tokens: 9,
      });
      assert.deepEqual(JSON.parse(answer.choices[0]?.message.content ?? ''), {
        model: 'gpt-4o-mini',
        temperature: 0,
        logprobs: true,
        seed: 3,
        max_completion_tokens: 9,
      });
    },
  },
  {
    capability: 'stream',
    name: 'chunks in order; the stream helper puts them together',
    async run(scene) {
      const { completions } = clientOf(scene).chat;
      let text = '';
      const stream = await completions.create({
        model: scene.model,
        messages: saying('a b c'),
        stream: true,
      });
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      assert.equal(text, 'You said: a b c');
      const helper = completions.stream({ model: scene.model, messages: saying('a b c') });
      assert.equal(await helper.finalContent(), text);
    },
  },
  {
    capability: 'stop',
    name: 'leaving the loop closes the connection to the provider',
    async run(scene) {
      const before = scene.upstream.calls.length;
      const stream = await clientOf(scene).chat.completions.create({
        model: scene.model,
        messages: saying('[slow]'),
        stream: true,
      });
      for await (const _ of stream) break;
      assert.ok(((await scene.upstream.calls[before]?.closed) ?? 0) > 0);
    },
  },
  {
    capability: 'tools',
    name: 'runTools calls the function and comes back, whole and streamed',
    async run(scene) {
      const { completions } = clientOf(scene).chat;
      const tools = [
        {
          type: 'function' as const,
          function: {
            name: 'weather',
            description: 'The weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
            parse: (text: string) => JSON.parse(text) as { city: string },
            function: ({ city }: { city: string }) => `rain in ${city}`,
          },
        },
      ];
      const given = { model: scene.model, messages: saying('The weather?'), tools };
      const whole = completions.runTools(given);
      const streamed = completions.runTools({ ...given, stream: true });
      assert.equal(await whole.finalContent(), 'The tool said: rain in Oslo');
      assert.equal(await streamed.finalContent(), 'The tool said: rain in Oslo');
    },
  },
  {
    capability: 'tools',
    name: 'the call of a tool, whole',
    async run(scene) {
      const { choices } = await clientOf(scene).chat.completions.create({
        model: scene.model,
        messages: saying('The weather?'),
        tools: [weather],
      });
      assert.equal(choices[0]?.finish_reason, 'tool_calls');
      assert.equal(choices[0]?.message.tool_calls?.[0]?.id, 'call_1');
    },
  },
  {
    capability: 'schema',
    name: 'chat.completions.parse with a strict schema',
    async run(scene) {
      const { choices } = await clientOf(scene).chat.completions.parse({
        model: scene.model,
        messages: saying('Which city?'),
        response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema } },
      });
      assert.deepEqual(JSON.parse(choices[0]?.message.content ?? ''), { city: 'Oslo' });
      const sent = scene.upstream.calls.at(-1)?.body['response_format'] as { json_schema: object };
      assert.deepEqual(sent.json_schema, { name: 'place', strict: true, schema });
    },
  },
  {
    capability: 'cost',
    name: 'in usage, whole and as the last chunk of a stream',
    async run(scene) {
      const { completions } = clientOf(scene).chat;
      const whole = await completions.create({ model: scene.model, messages: saying('x') });
      assert.equal((whole.usage as { cost?: number } | undefined)?.cost, cost);
      const stream = await completions.create({
        model: scene.model,
        messages: saying('x'),
        stream: true,
        stream_options: { include_usage: true },
      });
      let told: unknown;
      for await (const { usage } of stream)
        told = (usage as { cost?: number } | null | undefined)?.cost ?? told;
      assert.equal(told, cost);
    },
  },
  {
    capability: 'completion',
    name: 'completions.create, whole and streamed',
    async run(scene) {
      const { completions } = clientOf(scene);
      const whole = await completions.create({ model: scene.model, prompt: 'Once upon' });
      assert.equal(whole.choices[0]?.text, 'You said: Once upon');
      let text = '';
      for await (const { choices } of await completions.create({
        model: scene.model,
        prompt: 'Once upon',
        stream: true,
      }))
        text += choices[0]?.text ?? '';
      assert.equal(text, 'You said: Once upon');
    },
  },
];

const media: Check[] = [
  {
    capability: 'embed',
    name: 'embeddings.create: base64 by itself, floats when asked',
    async run(scene) {
      const { embeddings } = clientOf(scene);
      const model = 'openai/text-embedding-3-small';
      const plain = await embeddings.create({ model, input: ['ab', 'abcd'] });
      assert.deepEqual(
        plain.data.map(({ embedding }) => [embedding.length, embedding[0]]),
        [
          [4, 2],
          [4, 4],
        ],
      );
      const floats = await embeddings.create({
        model,
        input: 'abc',
        encoding_format: 'float',
        dimensions: 8,
      });
      assert.equal(floats.data[0]?.embedding.length, 8);
    },
  },
  {
    capability: 'image',
    name: 'images.generate and images.edit',
    async run(scene) {
      const { images } = clientOf(scene);
      const made = await images.generate({
        model: 'openai/dall-e-2',
        prompt: 'A fox',
        n: 2,
        size: '256x256',
        response_format: 'b64_json',
      });
      assert.deepEqual(
        made.data?.map((each) => each.b64_json),
        [png.toString('base64'), png.toString('base64')],
      );
      const image = await toFile(png, 'a.png', { type: 'image/png' });
      const edited = await images.edit({ model: 'openai/gpt-image-1', prompt: 'A hat', image });
      assert.equal(edited.data?.[0]?.b64_json, png.toString('base64'));
    },
  },
  {
    capability: 'image',
    name: 'a link that a plain GET opens',
    async run(scene) {
      const made = await clientOf(scene).images.generate({ model: 'openai/dall-e-3', prompt: 'A fox' });
      const answer = await fetch(made.data?.[0]?.url ?? '');
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(png));
    },
  },
  {
    capability: 'speech',
    name: 'audio.speech.create',
    async run(scene) {
      const sound = await clientOf(scene).audio.speech.create({
        model: 'openai/tts-1',
        voice: 'alloy',
        input: 'Hello',
      });
      assert.ok(Buffer.from(await sound.arrayBuffer()).equals(soundOf('Hello')));
    },
  },
  {
    capability: 'transcribe',
    name: 'audio.transcriptions: json, words, subtitles, events; audio.translations',
    async run(scene) {
      const { transcriptions, translations } = clientOf(scene).audio;
      const model = 'openai/whisper-1';
      const said = 'Hello there. General Kenobi.';
      assert.equal((await transcriptions.create({ model, file: await wav() })).text, said);
      const verbose = await transcriptions.create({
        model,
        file: await wav(),
        response_format: 'verbose_json',
        timestamp_granularities: ['word'],
      });
      assert.equal(verbose.words?.length, 4);
      const subtitles: unknown = await transcriptions.create({
        model,
        file: await wav(),
        response_format: 'vtt',
      });
      assert.match(String(subtitles), /^WEBVTT/);
      let streamed = '';
      for await (const event of await transcriptions.create({
        model: 'openai/gpt-4o-mini-transcribe',
        file: await wav(),
        stream: true,
      }))
        if (event.type === 'transcript.text.done') streamed = event.text;
      assert.equal(streamed, said);
      assert.equal((await translations.create({ model, file: await wav() })).text, said);
    },
  },
  {
    capability: 'video',
    name: 'videos.create, retrieve, downloadContent, list, delete',
    async run(scene) {
      const { videos } = clientOf(scene);
      let video = await videos.create({ model: 'openai/sora-2', prompt: 'A fox', seconds: '4' });
      while (video.status !== 'completed') {
        await new Promise((resolve) => setTimeout(resolve, 20));
        video = await videos.retrieve(video.id);
      }
      const content = await videos.downloadContent(video.id);
      assert.ok(Buffer.from(await content.arrayBuffer()).equals(mp4));
      const ids: string[] = [];
      for await (const each of videos.list({ limit: 1 })) ids.push(each.id);
      assert.ok(ids.includes(video.id));
      assert.equal((await videos.delete(video.id)).deleted, true);
    },
  },
  {
    capability: 'models',
    name: 'models.list and models.retrieve, an id with a slash',
    async run(scene) {
      const client = clientOf(scene);
      const ids: string[] = [];
      for await (const { id } of client.models.list()) ids.push(id);
      assert.ok(ids.includes(scene.model) && ids.includes('local/sandbox'));
      assert.equal((await client.models.retrieve(scene.model)).owned_by, 'openai');
    },
  },
];

const refusals: Check[] = [
  {
    capability: 'errors',
    name: 'each status is the SDK’s class; the field, the code and no key in it',
    async run(scene) {
      const call = (client: OpenAI, more: object = {}): Promise<unknown> =>
        Promise.resolve(
          client.chat.completions.create({ model: scene.model, messages: saying('x'), ...more }),
        );
      const client = clientOf(scene);
      await assert.rejects(call(client, { temperature: 9 }), {
        status: 400,
        param: 'temperature',
        code: 'bad_request',
      });
      await assert.rejects(call(client, { temperature: 9 }), BadRequestError);
      const bad = `indox-${'d'.repeat(32)}`;
      await assert.rejects(call(clientOf(scene, bad)), (error: unknown) => {
        assert.ok(error instanceof AuthenticationError);
        assert.ok(!`${String(error)}${JSON.stringify(error)}`.includes(bad));
        return true;
      });
      await assert.rejects(call(client, { model: 'nobody/x' }), NotFoundError);
      const narrow = await scene.gateway.account(null, { allowed_models: ['local/*'] });
      await assert.rejects(call(clientOf(scene, narrow.apiKey)), PermissionDeniedError);
      const failing = { model: scene.failing, messages: saying('[status 500]') };
      await assert.rejects(call(client, failing), InternalServerError);
    },
  },
  {
    capability: 'errors',
    name: 'inside a stream: thrown after the text',
    async run(scene) {
      let text = '';
      const read = async (): Promise<void> => {
        const stream = await clientOf(scene).chat.completions.create({
          model: scene.model,
          messages: saying('[break]'),
          stream: true,
        });
        for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      };
      await assert.rejects(read, APIError);
      assert.equal(text, 'You said: [break]');
    },
  },
  {
    capability: 'errors',
    name: 'responses.create: a 404 that names chat.completions',
    async run(scene) {
      await assert.rejects(clientOf(scene).responses.create({ model: scene.model, input: 'x' }), {
        status: 404,
        message: /client\.chat\.completions/,
      });
    },
  },
  {
    capability: 'retry',
    name: 'a 429 is tried again after the pause asked for; a 402 is not',
    async run(scene) {
      const { apiKey } = await scene.gateway.account(null, { rpm: 1 });
      const counted: number[] = [];
      const client = new OpenAI({
        apiKey,
        baseURL: `${scene.gateway.url}/v1`,
        maxRetries: 1,
        // The limit's window is a minute: what is waited for is told, not waited out.
        fetch: async (url, init) => {
          const answer = await fetch(url, init);
          const ms = Number(answer.headers.get('retry-after-ms'));
          counted.push(answer.status);
          if (answer.status !== 429) return answer;
          assert.ok(ms > 0);
          const headers = new Headers(answer.headers);
          headers.set('retry-after-ms', '1');
          return new Response(answer.body, { status: answer.status, headers });
        },
      });
      await client.chat.completions.create({ model: scene.model, messages: saying('x') });
      await assert.rejects(
        Promise.resolve(client.chat.completions.create({ model: scene.model, messages: saying('x') })),
        RateLimitError,
      );
      assert.deepEqual(counted, [200, 429, 429]);
      const poor = await scene.gateway.account('0.000001');
      const before = scene.upstream.calls.length;
      await assert.rejects(
        Promise.resolve(
          clientOf(scene, poor.apiKey, 2).chat.completions.create({
            model: scene.model,
            messages: saying('x'),
            max_tokens: 1000,
          }),
        ),
        { status: 402 },
      );
      assert.equal(scene.upstream.calls.length, before);
    },
  },
  {
    capability: 'retry',
    name: 'an idempotency key: the same answer, paid once',
    async run(scene) {
      const client = clientOf(scene);
      const once = () =>
        client.chat.completions.create(
          { model: scene.model, messages: saying('x') },
          { headers: { 'Idempotency-Key': 'openai-npm-1' } },
        );
      const first = await once();
      const again = await once().withResponse();
      assert.equal(again.response.headers.get('idempotent-replayed'), 'true');
      assert.deepEqual(again.data, first);
    },
  },
];

export const openaiNpm: Suite = {
  client: `${installed('openai')} (npm)`,
  checks: [...chats, ...media, ...refusals],
};
