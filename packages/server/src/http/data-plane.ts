/** All data routes: those that callers spend money on. */
import type { Gateway } from '../core/gateway.ts';
import { mountDoors } from './door.ts';
import { Spool } from './multipart.ts';
import type { RawRoutes } from './route.ts';
import { rawChatRoutes } from './routes/chat.ts';
import { embeddingDoors } from './routes/embeddings.ts';
import { imageDoors } from './routes/images.ts';
import { speechDoors } from './routes/speech.ts';
import { transcriptionDoors } from './routes/transcriptions.ts';
import { videoDoors } from './routes/videos.ts';

export function dataRoutes(gateway: Gateway): RawRoutes {
  const spool = new Spool(gateway.settings.dataDir);
  spool.clear();
  const routes = rawChatRoutes(gateway);
  mountDoors(routes, gateway, [
    ...embeddingDoors(gateway),
    ...imageDoors(gateway, spool),
    ...speechDoors(gateway),
    ...transcriptionDoors(gateway, spool),
    ...videoDoors(gateway, spool),
  ]);
  return routes;
}
