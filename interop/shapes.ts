/**
 * Applications that are no library: what Open WebUI, LibreChat and Continue put on the wire, replayed as they send it and read
 * as they read it.
 */
import assert from 'node:assert/strict';
import { png } from '../packages/server/test/fakes/images.ts';
import { soundOf } from '../packages/server/test/fakes/speech.ts';
import { wavOf } from '../packages/server/test/fakes/transcriptions.ts';
import type { Scene, Suite } from './checks.ts';

type Json = Record<string, unknown>;

async function request(
  scene: Scene,
  path: string,
  headers: Record<string, string>,
  body?: object | FormData,
): Promise<Response> {
  const isForm = body instanceof FormData;
  return fetch(scene.gateway.url + path, {
    redirect: 'error',
    headers: { ...headers, ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body: isForm ? body : JSON.stringify(body) }),
  });
}
async function json(answer: Response): Promise<Json> {
  assert.equal(answer.status, 200);
  return (await answer.json()) as Json;
}
/** Server-sent events as these applications read them: lines that begin with `data:`, until [DONE]. */
async function chunks(answer: Response): Promise<Json[]> {
  assert.equal(answer.status, 200);
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('data:'));
  assert.equal(lines.at(-1)?.slice(5).trim(), '[DONE]');
  return lines.slice(0, -1).map((line) => JSON.parse(line.slice(5)) as Json);
}
const deltas = (all: readonly Json[], field = 'delta'): string =>
  all
    .flatMap(({ choices }) => choices as Json[])
    .map(
      (choice) =>
        (field === 'text' ? choice['text'] : (choice['delta'] as Json)['content']) as
          | string
          | null
          | undefined,
    )
    .join('');

const tokens = (all: readonly Json[]): unknown =>
  (all.at(-1)?.['usage'] as Json | undefined)?.['total_tokens'];
const said = (choices: unknown): string | undefined =>
  (choices as { message: { content: string } }[])[0]?.message.content;

/** With ENABLE_FORWARD_USER_INFO_HEADERS. */
const webui = ({ gateway }: Scene): Record<string, string> => ({
  authorization: `Bearer ${gateway.apiKey}`,
  'x-openwebui-user-name': 'Ada%20Lovelace',
  'x-openwebui-user-id': '6f1e6f0e-6a4c-4a5b-9b69-7c1e7a0a1f11',
  'x-openwebui-user-email': 'ada@example.com',
  'x-openwebui-user-role': 'user',
  'x-openwebui-chat-id': 'b1a2c3d4-0000-4000-8000-000000000001',
});
const webuiError = async (answer: Response): Promise<string> => {
  const { error } = (await answer.json()) as { error: { message: string } };
  return error.message;
};

export const openWebui: Suite = {
  client: 'Open WebUI (replayed)',
  checks: [
    {
      capability: 'models',
      name: 'the list at its start and on “verify connection”',
      async run(scene) {
        const { data } = await json(await request(scene, '/v1/models', webui(scene)));
        assert.ok((data as Json[]).some(({ id }) => id === scene.model));
      },
    },
    {
      capability: 'stream',
      name: 'a chat, streamed, with the usage it asks for',
      async run(scene) {
        const all = await chunks(
          await request(scene, '/v1/chat/completions', webui(scene), {
            stream: true,
            model: scene.model,
            messages: [
              { role: 'system', content: 'Be brief.' },
              { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
            ],
            stream_options: { include_usage: true },
          }),
        );
        assert.equal(deltas(all), 'You said: Hello');
        assert.equal(tokens(all), 20);
      },
    },
    {
      capability: 'chat',
      name: 'the title of a chat, not streamed',
      async run(scene) {
        const { choices } = await json(
          await request(scene, '/v1/chat/completions', webui(scene), {
            model: scene.model,
            messages: [{ role: 'user', content: 'Title' }],
            stream: false,
            max_completion_tokens: 1000,
          }),
        );
        assert.equal(said(choices), 'You said: Title');
      },
    },
    {
      capability: 'tools',
      name: 'native function calling',
      async run(scene) {
        const tools = [
          {
            type: 'function',
            function: { name: 'get_time', description: '', parameters: { type: 'object', properties: {} } },
          },
        ];
        const all = await chunks(
          await request(scene, '/v1/chat/completions', webui(scene), {
            stream: true,
            model: scene.model,
            messages: [{ role: 'user', content: 'The time?' }],
            tools,
          }),
        );
        const calls = all
          .flatMap(({ choices }) => choices as Json[])
          .flatMap(({ delta }) => ((delta as Json)['tool_calls'] ?? []) as Json[]);
        assert.ok(JSON.stringify(calls[0]).includes('"get_time"'));
        assert.ok(calls.every((call) => typeof call['index'] === 'number'));
      },
    },
    {
      capability: 'embed',
      name: 'documents for its retrieval',
      async run(scene) {
        const { data } = await json(
          await request(scene, '/v1/embeddings', webui(scene), {
            input: ['a', 'abc'],
            model: 'openai/text-embedding-3-small',
          }),
        );
        assert.deepEqual(
          (data as { embedding: number[] }[]).map(({ embedding }) => embedding[0]),
          [1, 3],
        );
      },
    },
    {
      capability: 'speech',
      name: 'reading aloud',
      async run(scene) {
        const answer = await request(scene, '/v1/audio/speech', webui(scene), {
          input: 'Hello',
          voice: 'alloy',
          model: 'openai/tts-1',
        });
        assert.ok(Buffer.from(await answer.arrayBuffer()).equals(soundOf('Hello')));
      },
    },
    {
      capability: 'transcribe',
      name: 'dictation',
      async run(scene) {
        const form = new FormData();
        form.append('model', 'openai/whisper-1');
        form.append('language', 'en');
        form.append('file', new Blob([new Uint8Array(wavOf(1))]), '0b54.wav');
        const { text } = await json(await request(scene, '/v1/audio/transcriptions', webui(scene), form));
        assert.equal(text, 'Hello there. General Kenobi.');
      },
    },
    {
      capability: 'image',
      name: 'its picture tool',
      async run(scene) {
        const body = {
          model: 'openai/dall-e-2',
          prompt: 'A fox',
          n: 1,
          size: '512x512',
          response_format: 'b64_json',
        };
        const { data } = await json(await request(scene, '/v1/images/generations', webui(scene), body));
        assert.equal((data as Json[])[0]?.['b64_json'], png.toString('base64'));
      },
    },
    {
      capability: 'errors',
      name: 'what it shows: error.message',
      async run(scene) {
        const wrong = { ...webui(scene), authorization: `Bearer indox-${'a'.repeat(32)}` };
        const answer = await request(scene, '/v1/chat/completions', wrong, {
          model: scene.model,
          messages: [{ role: 'user', content: 'x' }],
        });
        assert.equal(answer.status, 401);
        assert.match(await webuiError(answer), /API key/);
        // It looks for voices where they may be: a 404 it can read.
        assert.equal((await request(scene, '/v1/audio/voices', webui(scene))).status, 404);
      },
    },
  ],
};

/** LibreChat: models by axios, chats by LangChain's client on openai-node. */
const libre = ({ gateway }: Scene): Record<string, string> => ({
  authorization: `Bearer ${gateway.apiKey}`,
  accept: 'application/json, text/plain, */*',
  'user-agent': 'axios/1.13.5',
});
const libreChatBody = (scene: Scene, more: Json): Json => ({
  model: scene.model,
  temperature: 1,
  top_p: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  user: '66f0c0ffee0c0ffee0c0ffee',
  messages: [{ role: 'user', content: 'Hello' }],
  ...more,
});
const langchain = (scene: Scene): Record<string, string> => ({
  authorization: `Bearer ${scene.gateway.apiKey}`,
  'user-agent': 'langchainjs-openai/1.0.0 (node/22)',
  'x-stainless-lang': 'js',
  'x-stainless-retry-count': '0',
});

export const libreChat: Suite = {
  client: 'LibreChat (replayed)',
  checks: [
    {
      capability: 'models',
      name: 'models.fetch: true, with and without its user',
      async run(scene) {
        for (const path of ['/v1/models', '/v1/models?user=66f0c0ffee0c0ffee0c0ffee']) {
          const { data } = await json(await request(scene, path, libre(scene)));
          assert.ok((data as Json[]).some(({ id }) => id === scene.model));
        }
      },
    },
    {
      capability: 'stream',
      name: 'a chat with all its sliders',
      async run(scene) {
        const body = libreChatBody(scene, { stream: true, stream_options: { include_usage: true } });
        const all = await chunks(await request(scene, '/v1/chat/completions', langchain(scene), body));
        assert.equal(deltas(all), 'You said: Hello');
        assert.equal(tokens(all), 20);
        assert.equal(scene.upstream.calls.at(-1)?.body['user'], body['user']);
      },
    },
    {
      capability: 'chat',
      name: 'the title',
      async run(scene) {
        const { choices } = await json(
          await request(
            scene,
            '/v1/chat/completions',
            langchain(scene),
            libreChatBody(scene, { stream: false, max_tokens: 75 }),
          ),
        );
        assert.equal(said(choices), 'You said: Hello');
      },
    },
    {
      capability: 'tools',
      name: 'an agent’s turn: a call, its result',
      async run(scene) {
        const tools = [
          {
            type: 'function',
            function: { name: 'web_search', description: '', parameters: { type: 'object', properties: {} } },
          },
        ];
        const call = { id: 'call_1', type: 'function', function: { name: 'web_search', arguments: '{}' } };
        const messages = [
          { role: 'user', content: 'Search' },
          { role: 'assistant', content: '', tool_calls: [call] },
          { role: 'tool', tool_call_id: 'call_1', name: 'web_search', content: 'found' },
        ];
        const all = await chunks(
          await request(
            scene,
            '/v1/chat/completions',
            langchain(scene),
            libreChatBody(scene, { stream: true, tools, messages }),
          ),
        );
        assert.equal(deltas(all), 'The tool said: found');
      },
    },
  ],
};

/** Continue: `provider: openai` with apiBase. It sends the key twice. */
const continueHeaders = ({ gateway }: Scene): Record<string, string> => ({
  authorization: `Bearer ${gateway.apiKey}`,
  'api-key': gateway.apiKey,
});

export const continueDev: Suite = {
  client: 'Continue (replayed)',
  checks: [
    {
      capability: 'models',
      name: 'AUTODETECT',
      async run(scene) {
        const { data } = await json(await request(scene, '/v1/models', continueHeaders(scene)));
        assert.ok((data as Json[]).some(({ id }) => id === scene.model));
      },
    },
    {
      capability: 'stream',
      name: 'a chat with stop words and a prediction',
      async run(scene) {
        const all = await chunks(
          await request(scene, '/v1/chat/completions', continueHeaders(scene), {
            messages: [
              { role: 'system', content: ' ' },
              { role: 'user', content: 'Hello' },
            ],
            model: scene.model,
            max_tokens: 4096,
            temperature: 0.5,
            stream: true,
            stop: ['\n\n', '```'],
            prediction: { type: 'content', content: 'x' },
          }),
        );
        assert.equal(deltas(all), 'You said: Hello');
      },
    },
    {
      capability: 'completion',
      name: 'autocomplete on the completions endpoint',
      async run(scene) {
        const all = await chunks(
          await request(scene, '/v1/completions', continueHeaders(scene), {
            model: scene.model,
            max_tokens: 256,
            temperature: 0.01,
            stream: true,
            stop: ['<fim_prefix>', '\n\n'],
            prompt: 'def add(a, b):',
            suffix: '\n',
          }),
        );
        assert.equal(deltas(all, 'text'), 'You said: def add(a, b):');
        assert.equal(scene.upstream.calls.at(-1)?.body['suffix'], '\n');
      },
    },
    {
      capability: 'embed',
      name: 'its index of the code',
      async run(scene) {
        const { data } = await json(
          await request(scene, '/v1/embeddings', continueHeaders(scene), {
            input: ['a', 'abc'],
            model: 'openai/text-embedding-3-small',
          }),
        );
        assert.equal((data as Json[]).length, 2);
      },
    },
    {
      capability: 'tools',
      name: 'agent mode: one call at a time',
      async run(scene) {
        const tools = [
          {
            type: 'function',
            function: {
              name: 'read_file',
              description: '',
              parameters: { type: 'object', properties: {} },
              strict: false,
            },
          },
        ];
        const all = await chunks(
          await request(scene, '/v1/chat/completions', continueHeaders(scene), {
            messages: [{ role: 'user', content: 'Read' }],
            model: scene.model,
            stream: true,
            stream_options: { include_usage: true },
            tools,
            parallel_tool_calls: false,
          }),
        );
        assert.ok(JSON.stringify(all).includes('"read_file"'));
      },
    },
  ],
};
