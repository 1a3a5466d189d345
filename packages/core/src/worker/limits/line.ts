import type { StateKey, StateStore } from "../../state-store.ts";

/** What waits for a limit, and how fast the limit lets it through. */
export interface LineMember {
  /** Starts in a millisecond that the limit is likely to allow, over all workers. */
  readonly pace: number;
  /** Milliseconds for which what waits in this worker will do. */
  readonly stocked: number;
  /** Milliseconds to wait at most. */
  readonly longest: number;
}

/** Milliseconds of a slot of the line: at least this, and always a power of two of it, so that workers agree. */
const shortestSlot = 1_000;
/** Starts that a slot should hold. */
const fullSlot = 10;
/** Slots looked at for one member, at most. */
const maxLooks = 20;
/** More are called to each slot than it has starts, so that no start is lost for want of somebody. */
const surplus = 1.1;

/**
 * Tells those for whom a limit has no room when to come back, so that they come one after the other and not all at once.
 * It promises nothing: what counts is the limit. Counted in the state store, slot of time by slot of time.
 */
export class Line {
  readonly #state: StateStore;
  readonly #key: StateKey;
  /** The first slot that is not known to be full, and the length that slots have. */
  #open = { slot: 0, index: 0 };

  constructor(state: StateStore, key: StateKey) {
    this.#state = state;
    this.#key = key;
  }

  /** Milliseconds after which to come back. */
  async join({ pace, stocked, longest }: LineMember): Promise<number> {
    const slot = slotLength(pace);
    if (slot !== this.#open.slot) this.#open = { slot, index: 0 };
    const ceiling = Math.ceil(Math.max(1, pace * slot) * surplus);
    const now = Date.now();
    const soonest = 0.5 / pace + stocked;
    let index = Math.max(Math.floor((now + soonest) / slot), this.#open.index);
    for (let look = 0; look < maxLooks && index * slot - now <= longest; look += 1, index += 1) {
      const key = [...this.#key, "line", `${slot}`, `${index}`];
      const { value, added } = await this.#state.increment(key, 1, { ttl: (index + 2) * slot - now, ceiling });
      if (!added) continue;
      this.#open.index = Math.max(index, this.#open.index);
      return Math.min(longest, Math.max((index + value / (ceiling + 1)) * slot - now, soonest));
    }
    this.#open.index = Math.max(index, this.#open.index);
    return Math.min(longest, index * slot - now) * (0.5 + Math.random() / 2);
  }
}

function slotLength(pace: number): number {
  let length = shortestSlot;
  while (length * pace < fullSlot && length < 2 ** 31) length *= 2;
  return length;
}
