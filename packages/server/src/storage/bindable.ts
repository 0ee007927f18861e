/** What may be bound to a statement, on either engine. */
export type Bindable = bigint | string | null | Uint8Array;

/**
 * The value itself, if a database keeps it as it is. node:sqlite stores NULL for a Date or undefined without a word and
 * pg turns them into text, so everything else throws a TypeError.
 */
export function bindable(value: unknown): Bindable {
  if (
    typeof value === 'bigint' ||
    typeof value === 'string' ||
    value === null ||
    value instanceof Uint8Array
  ) {
    return value;
  }
  throw new TypeError(
    `cannot bind a ${value instanceof Date ? 'Date' : typeof value}: use bigint, string, null or bytes`,
  );
}
