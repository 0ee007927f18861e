/** Finds model servers on this machine (Ollama, LM Studio, vLLM, llama.cpp, Speaches): loopback only, 300 ms each. */
import type { Provider } from '../providers/provider.ts';
import type { FoundModels } from './found.ts';
import type { Transport } from './transport.ts';

const probeTimeouts = { connectMs: 300, firstByteMs: 300, idleMs: 300, totalMs: 1000 };

async function modelsAt(
  transport: Transport,
  baseUrl: string,
  owns: Provider['owns'],
): Promise<string[] | null> {
  const url = new URL(`${baseUrl}/models`);
  const headers = { accept: 'application/json' };
  try {
    const answer = await transport.fetch(
      { method: 'GET', origin: url.origin, path: url.pathname, headers, body: null, timeouts: probeTimeouts },
      1_000_000,
    );
    if (answer.status !== 200) return null;
    const { data } = JSON.parse(answer.body.toString('utf8')) as { data?: Record<string, unknown>[] };
    const own = owns === undefined ? data : data?.filter(owns);
    if (owns !== undefined && own?.length === 0) return null;
    return (own ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  } catch {
    return null;
  }
}

/** Asks every loopback vendor once; what answers is in `found` afterwards. */
export async function discover(
  transport: Transport,
  vendors: readonly Provider[],
  found: FoundModels,
): Promise<void> {
  await Promise.all(
    vendors.map(async (vendor) => {
      if (vendor.loopback !== true || vendor.baseUrl === null) return;
      found.set(vendor.id, await modelsAt(transport, vendor.baseUrl, vendor.owns));
    }),
  );
}
