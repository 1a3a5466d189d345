import type { StateKey } from "../state-store.ts";
import { Expiries } from "./expiries.ts";
import type { HeapItem } from "./heap.ts";

interface Member extends HeapItem {
  readonly set: string;
  readonly name: string;
}

/** Sets of names, each of which expires by itself. An empty set is gone. */
export class ExpiringSets {
  readonly #sets = new Map<string, Map<string, Member>>();
  readonly #expiries = new Expiries<Member>((member) => this.#drop(member));

  add(key: StateKey, names: readonly string[], options: { readonly ttl: number; readonly max: number }) {
    const set = this.#open(key);
    const id = JSON.stringify(key);
    const added: string[] = [];
    for (const name of names) {
      const known = set.get(name);
      if (known === undefined && set.size >= options.max) continue;
      const member = known ?? { set: id, name, due: 0, heapIndex: -1 };
      if (known === undefined) added.push(name);
      set.set(name, member);
      this.#expiries.set(member, options.ttl);
    }
    if (set.size > 0) this.#sets.set(id, set);
    return { added, size: set.size };
  }

  remove(key: StateKey, names: readonly string[]) {
    const set = this.#open(key);
    const there = [...new Set(names)].flatMap((name) => set.get(name) ?? []);
    for (const member of there) {
      this.#expiries.remove(member);
      this.#drop(member);
    }
    return { removed: there.length, size: set.size };
  }

  names(key: StateKey): string[] {
    return [...this.#open(key).keys()];
  }

  #open(key: StateKey): Map<string, Member> {
    this.#expiries.sweep();
    return this.#sets.get(JSON.stringify(key)) ?? new Map();
  }

  #drop(member: Member): void {
    const set = this.#sets.get(member.set);
    set?.delete(member.name);
    if (set?.size === 0) this.#sets.delete(member.set);
  }
}
