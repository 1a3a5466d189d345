import type { Delivery } from "../broker.ts";
import { monotonicNow } from "../lifecycle.ts";

/** Milliseconds that a suspect waits for others to leave the worker, before it starts beside them. */
const longestCompany = 3_000;
/** Milliseconds for which a suspect has the worker for itself: what kills a process mostly does so soon. */
const longestSolitude = 10_000;

/**
 * Keeps a delivery apart that may have killed the processes of workers before. A crash counts as a delivery for all that
 * the worker held, so without this a task that kills its worker each time would take its neighbours to the dead letters.
 */
export class Quarantine {
  readonly #onChange: () => void;
  #suspect: Delivery | undefined;
  #since = 0;
  #alone: Delivery | undefined;
  #isCautious = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange - called when `next` has something to say that it had not before. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether a suspect waits or runs, so that nothing else may start. */
  get isActive(): boolean {
    return this.#suspect !== undefined || this.#alone !== undefined;
  }

  get isWaiting(): boolean {
    return this.#suspect !== undefined;
  }

  /** How many deliveries may be taken at most: one suspect seldom comes alone, so after it they are taken one by one. */
  get limit(): number {
    if (this.isActive) return 0;
    return this.#isCautious ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Takes a suspect into its care, unless it has one. */
  keep(delivery: Delivery): boolean {
    if (this.isActive) return false;
    this.#suspect = delivery;
    this.#since = monotonicNow();
    return true;
  }

  /** To be told that what comes in is above suspicion. */
  relax(): void {
    if (!this.isActive) this.#isCautious = false;
  }

  /** The suspect, when its time has come. `companions`: how many deliveries the worker holds, or may get, beside it. */
  next(companions: number): Delivery | undefined {
    const suspect = this.#suspect;
    if (suspect === undefined) return undefined;
    const patience = longestCompany - (monotonicNow() - this.#since);
    if (companions > 0 && patience > 0) {
      this.#arm(this.#onChange, patience);
      return undefined;
    }
    this.#suspect = undefined;
    this.#alone = suspect;
    this.#isCautious = true;
    this.#arm(() => {
      this.end(suspect);
      this.#onChange();
    }, longestSolitude);
    return suspect;
  }

  /** To be told that a suspect has run. */
  end(suspect: Delivery): void {
    if (this.#alone !== suspect) return;
    this.#alone = undefined;
    clearTimeout(this.#timer);
  }

  /** Gives the waiting suspect away, because it is lost or the worker stops. */
  giveUp(): Delivery | undefined {
    const suspect = this.#suspect;
    this.#suspect = undefined;
    clearTimeout(this.#timer);
    return suspect;
  }

  isKeeping(delivery: Delivery): boolean {
    return this.#suspect === delivery;
  }

  #arm(run: () => void, milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, milliseconds);
  }
}

/** From which delivery on a message is suspected to kill its worker: two have had it before and did not settle it. */
export function firstSuspectDelivery(maxDeliveries: number): number {
  return Math.max(2, Math.min(3, maxDeliveries));
}
