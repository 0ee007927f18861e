/** All data routes: those that callers spend money on. */
import type { Gateway } from '../core/gateway.ts';
import { mountDoors } from './door.ts';
import type { RawRoutes } from './route.ts';
import { rawChatRoutes } from './routes/chat.ts';
import { embeddingDoors } from './routes/embeddings.ts';
import { speechDoors } from './routes/speech.ts';

export function dataRoutes(gateway: Gateway): RawRoutes {
  const routes = rawChatRoutes(gateway);
  mountDoors(routes, gateway, [...embeddingDoors(gateway), ...speechDoors(gateway)]);
  return routes;
}
