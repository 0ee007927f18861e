/** What the media store does, for /metrics. Names and labels are those of docs/api/operations.md. */
import type { Metric } from 'prom-client';
import type { MediaKind } from '../storage/media-records.ts';
import { counterFamily, Counts } from './metric-families.ts';

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
  families(): Metric[];
}

export function createMediaMetrics(): MediaMetrics {
  const operations = new Counts('operation', 'outcome');
  const written = new Counts('kind');
  const read = new Counts('kind');
  const swept = new Counts('reason');
  return {
    operation: (operation, outcome) => operations.add([operation, outcome]),
    written: (kind, bytes) => written.add([kind], bytes),
    read: (kind, bytes) => read.add([kind], bytes),
    swept: (reason) => swept.add([reason]),
    families: () => [
      counterFamily('indoxhub_media_operations_total', 'Operations of the media store', () =>
        operations.rows(),
      ),
      counterFamily('indoxhub_media_written_bytes_total', 'Bytes of generated media that were stored', () =>
        written.rows(),
      ),
      counterFamily(
        'indoxhub_media_read_bytes_total',
        'Bytes of generated media that were read for links',
        () => read.rows(),
      ),
      counterFamily('indoxhub_media_swept_total', 'Files the sweep deleted', () => swept.rows()),
    ],
  };
}
