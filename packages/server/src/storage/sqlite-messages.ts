/** What the store and its worker thread say to each other. */
import type { Rows, Statement } from './executor.ts';
import type { PackedOperations, PackedResults } from './sqlite-packing.ts';

export type WorkerRequest =
  | { readonly kind: 'open' | 'close'; readonly id: number }
  | { readonly kind: 'commit'; readonly id: number; readonly operations: PackedOperations }
  | { readonly kind: 'read'; readonly id: number; readonly statements: readonly Statement[] }
  | { readonly kind: 'transaction'; readonly id: number; readonly statements: readonly Statement[] }
  | {
      readonly kind: 'query';
      readonly id: number;
      readonly sql: string;
      readonly parameters: readonly unknown[];
    };

export interface WorkerResponse {
  readonly id: number;
  readonly results?: PackedResults;
  readonly rows?: Rows;
  /** The rows of each statement of a `read`. */
  readonly sets?: readonly Rows[];
  readonly changes?: bigint;
  readonly error?: string;
  /** SQLite's primary result code; 5 = another process holds the file. */
  readonly code?: number;
  readonly unavailable?: boolean;
}
