/** What the journeys share: a gateway before the fake vendor, and small readings of its answers. */
import { startGateway, type GatewayOptions, type TestGateway } from '../gateway.ts';
import { startUpstream, type Upstream } from '../upstream.ts';
import { vendor } from '../clients/vendor.ts';

export const model = 'openai/gpt-4o-mini';
/** Its failures must not make the gateway leave `model` alone. */
export const failing = 'openai/gpt-4o';

export type Json = Record<string, unknown>;

export interface Scene {
  readonly gateway: TestGateway;
  readonly upstream: Upstream;
  close(): Promise<void>;
}

/** A gateway whose OpenAI is the fake vendor. */
export async function openScene(options: GatewayOptions = {}): Promise<Scene> {
  const upstream = await startUpstream(vendor);
  const env = {
    OPENAI_API_KEY: 'sk-of-the-gateway',
    OPENAI_BASE_URL: upstream.url,
    INDOXHUB_MAX_RETRIES: '0',
    ...options.env,
  };
  const gateway = await startGateway({ ...options, env });
  return {
    gateway,
    upstream,
    async close() {
      await gateway.close();
      await upstream.close();
    },
  };
}

export const say = (content: unknown): { role: string; content: unknown }[] => [{ role: 'user', content }];

export async function jsonOf(answer: Response): Promise<Json> {
  return (await answer.json()) as Json;
}

/** Reads a body until it holds `needle`; the reader stays open. */
export async function readUntil(
  answer: Response,
  needle: string,
): Promise<{ text: string; rest: () => Promise<string> }> {
  if (answer.body === null) throw new Error('no body');
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes(needle)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended before ${needle}: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  return {
    text,
    async rest() {
      let more = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return more;
        more += decoder.decode(value, { stream: true });
      }
    },
  };
}
