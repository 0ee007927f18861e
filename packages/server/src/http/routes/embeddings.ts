/** Embeddings on both surfaces. */
import { endpoints } from '../../contract/endpoints.ts';
import { serveEmbeddings } from '../../core/embeddings.ts';
import type { Gateway } from '../../core/gateway.ts';
import type { EmbeddingDialect } from '../../dialects/dialect.ts';
import { nativeEmbeddings } from '../../dialects/native/embeddings.ts';
import { openaiEmbeddings } from '../../dialects/openai/embeddings.ts';
import { readBody } from '../body.ts';
import type { Door } from '../door.ts';

export function embeddingDoors(gateway: Gateway): Door[] {
  const door = (endpoint: Door['endpoint'], dialect: EmbeddingDialect): Door => ({
    endpoint,
    kind: 'embedding',
    async serve(call, incoming) {
      const body = await readBody(incoming, gateway.settings.maxBodyBytes);
      return serveEmbeddings(gateway, call, dialect.decode(body), body, dialect);
    },
  });
  return [
    door(endpoints.embeddings, nativeEmbeddings),
    door(endpoints.openaiEmbeddings, openaiEmbeddings),
    door(endpoints.rootEmbeddings, openaiEmbeddings),
  ];
}
