/** AssemblyAI: the sound is uploaded, then worked on until it is done. */
import { badField, GatewayError } from '../contract/errors.ts';
import type { TranscriptionAnswer, TranscriptWord } from '../contract/media.ts';
import { isObject, parseUpstream, tryParse } from './exact-json.ts';
import type { Provider, TranscriptionCodec, UpstreamFailure } from './provider.ts';
import { segmentsOf } from './transcripts.ts';

const firstPollMs = 500;
const longestPollMs = 5_000;

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const seconds = (ms: unknown): number => (typeof ms === 'number' && ms >= 0 ? ms / 1000 : 0);

const takesPrompt = /^(slam|universal-3)/;

/** Fields of a form are text; the vendor wants JSON's types. */
const typed = (params: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const isJson = typeof value === 'string' && /^(true|false|-?\d+(\.\d+)?|[[{][^]*[\]}])$/.test(value);
      return [name, isJson ? (tryParse(Buffer.from(value)) ?? value) : value];
    }),
  );

const transcription: TranscriptionCodec = {
  async run(request, target, exchange) {
    if (request.prompt !== null && !takesPrompt.test(target.model))
      throw badField('prompt', "Invalid value for 'prompt': this model takes none; use keyterms_prompt");
    const upload = await exchange.send({
      path: '/v2/upload',
      headers: { 'content-type': 'application/octet-stream' },
      body: { bytes: request.file.bytes, chunks: () => request.file.read() },
    });
    const url = text(parseUpstream(upload.body)['upload_url']);
    if (url === null) throw new GatewayError('upstream_malformed');
    const created = await exchange.send({
      path: '/v2/transcript',
      body: JSON.stringify({
        ...typed(request.params),
        audio_url: url,
        speech_model: target.model,
        ...(request.prompt === null ? {} : { prompt: request.prompt }),
        ...(request.language === null
          ? { language_detection: true }
          : { language_code: request.language.toLowerCase().replace('-', '_') }),
      }),
    });
    let job = parseUpstream(created.body);
    const id = text(job['id']);
    if (id === null || !/^[\w-]{1,100}$/.test(id)) throw new GatewayError('upstream_malformed');
    for (let pause = firstPollMs; ; pause = Math.min(pause * 1.5, longestPollMs)) {
      if (job['status'] === 'completed') return decode(job);
      if (job['status'] === 'error')
        throw new GatewayError('upstream_bad_request', text(job['error']) ?? undefined, { param: 'file' });
      await exchange.wait(pause);
      job = parseUpstream((await exchange.send({ method: 'GET', path: `/v2/transcript/${id}` })).body);
    }
  },
  decodeError,
};

function decode(job: Record<string, unknown>): TranscriptionAnswer {
  const said = text(job['text']);
  if (said === null) throw new GatewayError('upstream_malformed');
  const list: unknown[] = Array.isArray(job['words']) ? job['words'] : [];
  const words = list.filter(isObject).map((word): TranscriptWord => ({
    word: text(word['text']) ?? '',
    start: seconds(word['start']),
    end: seconds(word['end']),
  }));
  const duration = job['audio_duration'];
  return {
    text: said,
    language: text(job['language_code']),
    duration: typeof duration === 'number' ? duration : null,
    words,
    segments: segmentsOf(words),
    usage: null,
  };
}

function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const message = isObject(parsed) ? text(parsed['error'] ?? parsed['message']) : null;
  return { status, code: null, message: message?.slice(0, 1000) ?? null, param: null };
}

export const assemblyai: Provider = {
  id: 'assemblyai',
  name: 'AssemblyAI',
  keyNames: ['ASSEMBLYAI_API_KEY'],
  baseUrlNames: ['ASSEMBLYAI_BASE_URL'],
  baseUrl: 'https://api.assemblyai.com',
  auth: { header: 'authorization', prefix: '' },
  transcription,
  proof: {
    transcription: {
      sdk: 'assemblyai 4.41.5',
      covers: ['upload', 'request', 'polling', 'answers with words'],
    },
  },
};
