/** Model servers on this machine are found, listed under what they do, and served, with no key and no configuration. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { jsonOf, type Json } from './journeys/client.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { chatAnswer } from './upstream.ts';

/** What a server answers, by path: JSON, or a page as text. Anything else is a 404. */
type Pages = Readonly<Record<string, unknown>>;

const running: Server[] = [];
const asked: string[] = [];
let gateway: TestGateway;

function answer(pages: Pages, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString('latin1');
    asked.push(`${request.method} ${request.url} ${text}`);
    const page = pages[request.url ?? ''];
    const value: unknown = typeof page === 'function' ? page(text) : page;
    if (value === undefined) return void response.writeHead(404).end('not here');
    const isPage = typeof value === 'string';
    response.setHeader('content-type', isPage ? 'text/html' : 'application/json');
    response.end(isPage ? value : JSON.stringify(value));
  });
}

/** Where such servers listen; no other port would be looked at. */
async function serve(port: number, pages: Pages): Promise<void> {
  const server = createServer((request, response) => answer(pages, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  running.push(server);
}

async function stop(): Promise<void> {
  asked.length = 0;
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const list = (...models: object[]): object => ({ object: 'list', data: models });
/** What is listed of a provider, once it was found: capabilities by model. */
async function found(id: string): Promise<Record<string, unknown>> {
  let provider: Json = {};
  await expect
    .poll(async () => {
      provider = await jsonOf(await gateway.get(`/api/v1/models/${id}`));
      return provider['available'];
    })
    .toBe(true);
  const models = provider['models'] as { id: string; capabilities: string[] }[];
  return Object.fromEntries(models.map((model) => [model.id, model.capabilities]));
}
const open = async (): Promise<void> => {
  gateway = await startGateway({ env: { INDOXHUB_LOCAL_DISCOVERY: 'on' } });
};

describe('Ollama', () => {
  const capabilities: Readonly<Record<string, readonly string[]>> = {
    'tiny:latest': ['completion', 'tools'],
    'mxbai:latest': ['embedding'],
    'eyes:7b': ['completion', 'vision'],
  };
  beforeAll(async () => {
    await serve(11_434, {
      '/v1/models': list(
        ...[...Object.keys(capabilities), 'nomic-embed-old:latest'].map((id) => ({ id, created: 1 })),
      ),
      '/api/show': (text: string) => {
        const { model } = JSON.parse(text) as { model: string };
        const told = capabilities[model];
        return told === undefined
          ? {}
          : { capabilities: told, model_info: { 'llama.context_length': 8_192 } };
      },
      '/v1/chat/completions': () => JSON.parse(chatAnswer('from this machine')) as object,
      '/v1/embeddings': list({ object: 'embedding', index: 0, embedding: [1, 0] }),
    });
    await open();
  });
  afterAll(async () => {
    await gateway.close();
    await stop();
  });

  test('is listed with its own model names, each under what it says it does, else what its name says', async () => {
    expect(await found('ollama')).toEqual({
      'tiny:latest': ['chat', 'completion'],
      'mxbai:latest': ['embedding'],
      'eyes:7b': ['chat', 'completion', 'vision'],
      'nomic-embed-old:latest': ['embedding'],
    });
    const embeddings = (await (await gateway.get('/api/v1/models/ollama/embeddings')).json()) as Json[];
    expect(embeddings.map(({ id }) => id)).toEqual(['mxbai:latest', 'nomic-embed-old:latest']);
    expect(embeddings[0]).toMatchObject({ type: 'Embedding', context_window: 8_192 });
  });

  test('serves by name, and by default before the sandbox', async () => {
    const messages = [{ role: 'user', content: 'hi' }];
    const named = await gateway.post('/api/v1/chat/completions', { model: 'ollama/tiny', messages });
    expect(await named.json()).toMatchObject({
      provider: 'ollama',
      data: 'from this machine',
      usage: { cost: null },
    });
    const unnamed = await gateway.post('/api/v1/chat/completions', { messages });
    expect(await unnamed.json()).toMatchObject({ provider: 'ollama', model: expect.stringMatching(/^tiny/) });
  });

  test('its embedding model is the default of embeddings', async () => {
    const answered = await jsonOf(await gateway.post('/api/v1/embeddings', { text: 'hi' }));
    expect(answered).toMatchObject({ provider: 'ollama', model: 'mxbai:latest', data: [[1, 0]] });
  });

  test('what a model says it does not do is a 400; a guess refuses nothing', async () => {
    const ask = (model: string): Promise<Response> =>
      gateway.post('/api/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hi' }] });
    const refused = await ask('ollama/mxbai');
    expect([refused.status, String((await jsonOf(refused))['detail'])]).toEqual([
      400,
      expect.stringContaining('does not do chat; it does embedding'),
    ]);
    expect((await ask('ollama/nomic-embed-old')).status).toBe(200);
  });
});

describe('others', () => {
  afterEach(async () => {
    await gateway?.close();
    await stop();
  });

  test('LM Studio tells by its own list', async () => {
    await serve(1234, {
      '/api/v0/models': list(
        { id: 'qwen3', type: 'llm', max_context_length: 32_768 },
        { id: 'sees', type: 'vlm' },
        { id: 'plain', type: 'embeddings' },
        { id: 'whisper-of-tomorrow', type: 'something new' },
      ),
    });
    await open();
    // The last one only has a name, and LM Studio transcribes nothing.
    expect(await found('lmstudio')).toEqual({
      qwen3: ['chat', 'completion'],
      sees: ['chat', 'completion', 'vision'],
      plain: ['embedding'],
      'whisper-of-tomorrow': [],
    });
  });

  test('an LM Studio without that list, and vLLM, by names', async () => {
    await serve(1234, { '/v1/models': list({ id: 'text-embedding-nomic' }, { id: 'phi-4' }) });
    await serve(8000, {
      '/v1/models': list(
        { id: 'openai/whisper-large-v3', owned_by: 'vllm' },
        { id: 'BAAI/bge-m3', owned_by: 'vllm', max_model_len: 8_192 },
        { id: 'BAAI/bge-reranker-v2', owned_by: 'vllm' },
        { id: 'meta-llama/Llama-3.1-8B', owned_by: 'vllm' },
      ),
    });
    await open();
    expect(await found('lmstudio')).toEqual({
      'text-embedding-nomic': ['embedding'],
      'phi-4': ['chat', 'completion'],
    });
    expect(await found('vllm')).toEqual({
      'openai/whisper-large-v3': ['stt'],
      'BAAI/bge-m3': ['embedding'],
      'BAAI/bge-reranker-v2': [],
      'meta-llama/Llama-3.1-8B': ['chat', 'completion'],
    });
    expect(await jsonOf(await gateway.get('/api/v1/models/speaches'))).not.toMatchObject({ available: true });
  });

  test('Speaches at vLLM’s port is told by its tasks, and speaks and hears by default', async () => {
    await serve(8000, {
      '/v1/models': list(
        { id: 'Systran/faster-whisper-small', task: 'automatic-speech-recognition' },
        { id: 'speaches-ai/Kokoro-82M-v1.0-ONNX', task: 'text-to-speech' },
      ),
      '/v1/audio/transcriptions': { text: 'good morning' },
    });
    await open();
    expect(await found('speaches')).toEqual({
      'Systran/faster-whisper-small': ['stt'],
      'speaches-ai/Kokoro-82M-v1.0-ONNX': ['tts'],
    });
    expect(await jsonOf(await gateway.get('/api/v1/models/vllm'))).not.toMatchObject({ available: true });
    expect(await transcribed()).toMatchObject({ provider: 'speaches', text: 'good morning' });
    // None of its models is the default for chat.
    const chat = await gateway.post('/api/v1/chat/completions', {
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(await jsonOf(chat)).toMatchObject({ error: 'bad_request', details: { param: 'model' } });
  });

  test('llama.cpp', async () => {
    await serve(8080, {
      '/v1/models': {
        ...list({ id: 'gemma-3-4b.gguf', owned_by: 'llamacpp', meta: { n_ctx_train: 131_072 } }),
        models: [{ name: 'gemma-3-4b.gguf', capabilities: ['completion', 'multimodal'] }],
      },
    });
    await open();
    expect(await found('llamacpp')).toEqual({ 'gemma-3-4b.gguf': ['chat', 'completion', 'vision'] });
    expect(await jsonOf(await gateway.get('/api/v1/models/whispercpp'))).not.toMatchObject({
      available: true,
    });
  });

  test('whisper.cpp at llama.cpp’s port is known by its page, and hears at its own path', async () => {
    await serve(8080, {
      '/': '<!doctype html><html><head>\n<title>Whisper.cpp Server</title></head></html>',
      '/inference': { text: ' good morning\n' },
    });
    await open();
    expect(await found('whispercpp')).toEqual({ whisper: ['stt'] });
    expect(await jsonOf(await gateway.get('/api/v1/models/llamacpp'))).not.toMatchObject({ available: true });
    expect(await transcribed()).toMatchObject({
      provider: 'whispercpp',
      text: expect.stringContaining('good morning'),
    });
    expect(asked.find((each) => each.startsWith('POST /inference'))).toMatch(
      /name="response_format"\r\n\r\njson/,
    );
  });
});

async function transcribed(): Promise<Json> {
  const form = new FormData();
  const sound = Buffer.alloc(44 + 16_000);
  sound.write('RIFF');
  sound.writeUInt32LE(sound.length - 8, 4);
  sound.write('WAVEfmt ', 8);
  sound.writeUInt32LE(16, 16);
  sound.writeUInt16LE(1, 20);
  sound.writeUInt16LE(1, 22);
  sound.writeUInt32LE(8_000, 24);
  sound.writeUInt32LE(16_000, 28);
  sound.writeUInt16LE(2, 32);
  sound.writeUInt16LE(16, 34);
  sound.write('data', 36);
  sound.writeUInt32LE(16_000, 40);
  form.append('file', new File([sound], 'a.wav'));
  return jsonOf(
    await fetch(`${gateway.url}/api/v1/audio/stt/transcriptions`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${gateway.apiKey}` },
    }),
  );
}
