/** Text to speech: by the character, or by the token where a model counts so. */
import { hash } from 'node:crypto';
import type { SettledFacts } from '../contract/answer.ts';
import { GatewayError } from '../contract/errors.ts';
import type { SpeechAnswer, SpeechRequest } from '../contract/media.ts';
import { characters, noUsage } from '../contract/usage.ts';
import type { SpokenFile } from '../dialects/dialect.ts';
import type { Incoming, Reply } from './call-types.ts';
import { countedTokens } from './count.ts';
import type { Gateway } from './gateway.ts';
import { serveModality, type Job, type Used } from './modality.ts';
import type { Resolved } from './models.ts';

/** The largest sound that travels inside JSON where nothing is stored. */
const maxInlineBytes = 32 * 1024 * 1024;
/**
 * Tokens of sound a character becomes, where the vendor does not say: speech runs at some 15 characters a second, and
 * models that bill sound by the token make 20 to 25 tokens of a second.
 */
const audioTokensPerCharacter = 1.5;

function audioTokens({ input, speed }: SpeechRequest): number {
  return Math.ceil((characters(input) * audioTokensPerCharacter) / Math.min(1, speed));
}

function used(request: SpeechRequest, answer: SpeechAnswer, resolved: Resolved): Used {
  const units = { unit: 'characters', quantity: characters(request.input) } as const;
  const told = answer.usage();
  if (told !== null) return { usage: told, source: 'provider', units, traits: {} };
  // What is billed by the character is exact; tokens that nobody counted are an estimate.
  if (resolved.prices === null || resolved.prices.units !== null)
    return { usage: noUsage, source: 'provider', units, traits: {} };
  const input = countedTokens(request.input.length + (request.instructions?.length ?? 0));
  return {
    usage: { ...noUsage, input, audioOutput: audioTokens(request) },
    source: 'counted',
    units,
    traits: {},
  };
}

function jobOf(
  call: Incoming,
  request: SpeechRequest,
  body: Buffer,
): Omit<Job<SpeechRequest, SpeechAnswer>, 'write'> {
  return {
    request,
    capability: 'tts',
    codecOf: (vendor) => vendor.speech,
    fingerprint: () => hash('sha256', Buffer.concat([Buffer.from(`${call.route}\n`), body])),
    demand: (resolved) => ({
      inputTokens: resolved.prices?.units === null ? Buffer.byteLength(request.input) + 64 : 0,
      // Twice the likely length: an odd voice is slow.
      outputTokens: resolved.prices?.units === null ? 2 * audioTokens(request) : 0,
      units: { unit: 'characters', quantity: characters(request.input) },
      traits: {},
    }),
    used: (answer, resolved) => used(request, answer, resolved),
  };
}

/** Bytes of the sound on the caller's connection as they come. Null: they were written there. Throws GatewayError. */
export function streamSpeech(
  gateway: Gateway,
  call: Incoming,
  request: SpeechRequest,
  body: Buffer,
): Promise<Reply | null> {
  return serveModality(gateway, call, {
    ...jobOf(call, request, body),
    relay: ({ contentType, audio }) => ({ contentType, bytes: audio }),
  });
}

/** The sound stored, and an answer that says where. Throws GatewayError. */
export async function storeSpeech(
  gateway: Gateway,
  call: Incoming,
  request: SpeechRequest,
  body: Buffer,
  encode: (spoken: SpokenFile, facts: SettledFacts) => string,
): Promise<Reply | null> {
  return serveModality(gateway, call, {
    ...jobOf(call, request, body),
    async write(answer, facts) {
      const spoken = await store(gateway, call, answer);
      if (spoken.bytes === 0) throw new GatewayError('upstream_malformed', 'The provider sent no sound.');
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: encode(spoken, facts),
      };
    },
  });
}

async function store(
  gateway: Gateway,
  call: Incoming,
  { contentType, audio }: SpeechAnswer,
): Promise<SpokenFile> {
  if (gateway.media.isConfigured) {
    const accountId = call.credential.account.id;
    const media = await gateway.media.put({ accountId, kind: 'audio', contentType, source: audio });
    if (media.bytes === 0) await gateway.media.remove(media.id);
    const { bytes, expiresAtMs } = media;
    return { url: gateway.media.link(media, call.origin), contentType, bytes, content: null, expiresAtMs };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of audio) {
    bytes += chunk.length;
    if (bytes > maxInlineBytes)
      throw new GatewayError(
        'media_store_unavailable',
        'The sound is too large to be sent without a media store.',
      );
    chunks.push(chunk);
  }
  const content = Buffer.concat(chunks).toString('base64');
  return { url: `data:${contentType};base64,${content}`, contentType, bytes, content, expiresAtMs: null };
}
