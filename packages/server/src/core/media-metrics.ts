/** What the media store does, for /metrics. Names and labels are those of docs/api/operations.md. */
import { Counter, type Registry } from 'prom-client';
import type { MediaKind } from '../storage/media-records.ts';

export type MediaOperation = 'write' | 'read' | 'delete';

/**
 * `refused`: too large or empty. `missing`: the row is there, its file is not. `broken`: the source of a write, or the
 * reader of a read, broke off.
 */
export type MediaOutcome = 'ok' | 'full' | 'unavailable' | 'refused' | 'missing' | 'broken';

export interface MediaMetrics {
  operation(operation: MediaOperation, outcome: MediaOutcome): void;
  written(kind: MediaKind, bytes: number): void;
  read(kind: MediaKind, bytes: number): void;
  swept(reason: 'expired' | 'orphan'): void;
}

export function createMediaMetrics(registry: Registry): MediaMetrics {
  const registers = [registry];
  const operations = new Counter({
    name: 'indoxhub_media_operations_total',
    help: 'Operations of the media store',
    labelNames: ['operation', 'outcome'],
    registers,
  });
  const written = new Counter({
    name: 'indoxhub_media_written_bytes_total',
    help: 'Bytes of generated media that were stored',
    labelNames: ['kind'],
    registers,
  });
  const read = new Counter({
    name: 'indoxhub_media_read_bytes_total',
    help: 'Bytes of generated media that were read for links',
    labelNames: ['kind'],
    registers,
  });
  const swept = new Counter({
    name: 'indoxhub_media_swept_total',
    help: 'Files the sweep deleted',
    labelNames: ['reason'],
    registers,
  });
  return {
    operation: (operation, outcome) => operations.inc({ operation, outcome }),
    written: (kind, bytes) => written.inc({ kind }, bytes),
    read: (kind, bytes) => read.inc({ kind }, bytes),
    swept: (reason) => swept.inc({ reason }),
  };
}
