/** Embeddings: what they can use at most, and what they used. */
import { hash } from 'node:crypto';
import type { SettledFacts } from '../contract/answer.ts';
import type { EmbeddingAnswer, EmbeddingInput, EmbeddingRequest } from '../contract/media.ts';
import type { Incoming, Reply } from './call-types.ts';
import { countedTokens } from './count.ts';
import type { Gateway } from './gateway.ts';
import { serveModality, tokensUsed } from './modality.ts';

interface Encoder {
  encode(answer: EmbeddingAnswer, request: EmbeddingRequest, facts: SettledFacts): string;
}

/** Never fewer than the vendor will count: at most one token a byte, and two around each text. */
function mostTokens(input: EmbeddingInput): number {
  let tokens = 0;
  for (const each of input) tokens += 2 + (typeof each === 'string' ? Buffer.byteLength(each) : each.length);
  return tokens;
}

function likelyTokens(input: EmbeddingInput): number {
  let tokens = 0;
  for (const each of input)
    tokens += typeof each === 'string' ? Math.max(1, countedTokens(each.length)) : each.length;
  return tokens;
}

/** Throws GatewayError. */
export function serveEmbeddings(
  gateway: Gateway,
  call: Incoming,
  request: EmbeddingRequest,
  body: Buffer,
  dialect: Encoder,
): Promise<Reply | null> {
  return serveModality(gateway, call, {
    request,
    capability: 'embedding',
    codecOf: (vendor) => vendor.embedding,
    fingerprint: () => hash('sha256', Buffer.concat([Buffer.from(`${call.route}\n`), body])),
    demand: () => ({ inputTokens: mostTokens(request.input), outputTokens: 0, units: null, traits: {} }),
    used: ({ usage }: EmbeddingAnswer) => ({
      ...tokensUsed(usage, likelyTokens(request.input)),
      units: null,
      traits: {},
    }),
    write: (answer, facts) =>
      Promise.resolve({
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: dialect.encode(answer, request, facts),
      }),
  });
}
