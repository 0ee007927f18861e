/** Every vendor the gateway can call. */
import { assemblyai } from './assemblyai.ts';
import { deepgram } from './deepgram.ts';
import { elevenlabs } from './elevenlabs.ts';
import { blackForestLabs } from './black-forest-labs.ts';
import { fal } from './fal.ts';
import { luma } from './luma.ts';
import { runway } from './runway.ts';
import { replicate } from './replicate.ts';
import { stability } from './stability.ts';
import { longTail } from './ai-sdk/index.ts';
import { anthropic } from './anthropic/index.ts';
import { google } from './google/index.ts';
import { vertex } from './google/vertex.ts';
import { local } from './local/sandbox.ts';
import { generic, openaiCompatible, ownServers } from './openai-compatible/vendors.ts';
import type { Provider } from './provider.ts';

/** In the order the documentation lists them; the one inside the process is last. */
export const vendors: readonly Provider[] = [
  ...openaiCompatible.slice(0, 1),
  anthropic,
  google,
  vertex,
  ...openaiCompatible.slice(1),
  elevenlabs,
  deepgram,
  assemblyai,
  blackForestLabs,
  fal,
  replicate,
  stability,
  luma,
  runway,
  ...longTail,
  generic,
  ...ownServers,
  local,
];

const byId: ReadonlyMap<string, Provider> = new Map(vendors.map((vendor) => [vendor.id, vendor]));

/** null for an id nobody has. */
export function vendorById(id: string): Provider | null {
  return byId.get(id) ?? null;
}
