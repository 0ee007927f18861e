/** Columns as the SQLite ledger reads them, and amounts compared. */

export const int = (value: unknown): bigint => {
  if (typeof value !== 'bigint') throw new TypeError(`expected an integer column, got ${typeof value}`);
  return value;
};
export const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new TypeError(`expected a text column, got ${typeof value}`);
  return value;
};
export const textOrNull = (value: unknown): string | null => (value === null ? null : text(value));
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
