/** Finds model servers on this machine: loopback only, 300 ms a question. What each says of itself is providers/own-servers.ts. */
import type { Capability } from '../contract/catalogue.ts';
import { plainFinder, type FoundModel, type Look } from '../providers/own-servers.ts';
import type { Provider } from '../providers/provider.ts';
import type { FoundModels } from './found.ts';
import type { Transport } from './transport.ts';

const probeTimeouts = { connectMs: 300, firstByteMs: 300, idleMs: 300, totalMs: 1000 };
const maxBytes = 1_000_000;

function lookAt(transport: Transport, origin: string): Look {
  return async (path, body) => {
    const headers = { accept: 'application/json, text/html', 'content-type': 'application/json' };
    const request = {
      method: body === undefined ? 'GET' : 'POST',
      origin,
      path,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      timeouts: probeTimeouts,
    } as const;
    const answer = await transport.fetch(request, maxBytes).catch(() => null);
    if (answer?.status !== 200) return null;
    const text = answer.body.toString('utf8');
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  };
}

/** What the gateway can ask this vendor for; `vision` is a kind of chat. */
function serves(vendor: Provider, capability: Capability): boolean {
  const codecs: Readonly<Record<Capability, unknown>> = {
    chat: vendor.chat,
    completion: vendor.completion,
    vision: vendor.chat,
    embedding: vendor.embedding,
    image: vendor.image,
    tts: vendor.speech,
    stt: vendor.transcription,
    video: vendor.video,
  };
  return codecs[capability] !== undefined;
}

async function modelsOf(transport: Transport, vendor: Provider): Promise<FoundModel[] | null> {
  const { baseUrl, finder = plainFinder } = vendor;
  if (baseUrl === null) return null;
  const models = await finder(lookAt(transport, new URL(baseUrl).origin)).catch(() => null);
  return (
    models?.map((model) => ({
      ...model,
      capabilities: model.capabilities.filter((each) => serves(vendor, each)),
    })) ?? null
  );
}

/** Asks every loopback vendor once; what answers is in `found` afterwards. */
export async function discover(
  transport: Transport,
  vendors: readonly Provider[],
  found: FoundModels,
): Promise<void> {
  await Promise.all(
    vendors.map(async (vendor) => {
      if (vendor.loopback === true) found.set(vendor.id, await modelsOf(transport, vendor));
    }),
  );
}
