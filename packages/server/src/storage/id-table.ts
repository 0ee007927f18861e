/**
 * Values by their id, for ids that come once and go. V8 makes a unique string of every text a Map or Set takes or is
 * asked to delete, and keeps it until the next full collection: a Map of calls leaves behind the id of every call that
 * ever was in it. Here the Map's keys are hashes, which are numbers.
 */

interface Entry<T> {
  readonly value: T;
  /** Another id of the same hash. */
  readonly next: Entry<T> | null;
}

function hashOf(id: string): number {
  let hash = 0;
  for (let at = 0; at < id.length; at++) hash = (Math.imul(hash, 31) + id.charCodeAt(at)) | 0;
  return hash;
}

export class IdTable<T extends { readonly id: string }> {
  private readonly byHash = new Map<number, Entry<T>>();

  get(id: string): T | null {
    let entry = this.byHash.get(hashOf(id)) ?? null;
    while (entry !== null && entry.value.id !== id) entry = entry.next;
    return entry?.value ?? null;
  }

  /** Its id must not be in the table. */
  add(value: T): void {
    const hash = hashOf(value.id);
    this.byHash.set(hash, { value, next: this.byHash.get(hash) ?? null });
  }

  delete(id: string): void {
    const hash = hashOf(id);
    let left: Entry<T> | null = null;
    for (let entry = this.byHash.get(hash) ?? null; entry !== null; entry = entry.next)
      if (entry.value.id !== id) left = { value: entry.value, next: left };
    if (left === null) this.byHash.delete(hash);
    else this.byHash.set(hash, left);
  }

  *values(): Generator<T> {
    for (const first of this.byHash.values())
      for (let each: Entry<T> | null = first; each !== null; each = each.next) yield each.value;
  }
}
