/** Keeps its place in a `SlotList`; 0 until it is in one. */
export interface Slotted {
  slot: number;
}

/**
 * What runs now, where every call comes and goes. A Map or Set that is added to and deleted from at that pace leaves its
 * outgrown tables behind, each holding what was in it then and the table after it: once one of them is old, the young
 * collector takes all that follow for living, and no call dies before the next full collection.
 */
export class SlotList<T extends Slotted> {
  readonly #all: T[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(member: T): void {
    member.slot = this.#all.length;
    this.#all.push(member);
  }

  /** False when it was not in the list. */
  remove(member: T): boolean {
    const all = this.#all;
    if (all[member.slot] !== member) return false;
    const last = all.pop();
    if (last !== undefined && last !== member) {
      all[member.slot] = last;
      last.slot = member.slot;
    }
    return true;
  }

  find(is: (member: T) => boolean): T | undefined {
    return this.#all.find(is);
  }

  /** A copy: who is ended by it leaves the list. */
  values(): T[] {
    return this.#all.slice();
  }
}
