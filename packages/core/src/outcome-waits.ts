import type { StoredOutcome } from "./outcome.ts";
import type { WaitOptions } from "./result-backend.ts";
import { TurnoverMap } from "./turnover.ts";

interface Waiter {
  readonly offer: (outcome: StoredOutcome) => void;
  readonly fail: (reason: unknown) => void;
}

/** Those who wait in one process for outcomes, by the id of the task. For result backends. */
export class OutcomeWaits {
  readonly #byId = new TurnoverMap<string, Set<Waiter>>();
  readonly #onLast: (id: string) => void;

  /** @param onLast - told of an id that nobody waits for any more. */
  constructor(onLast: (id: string) => void = () => undefined) {
    this.#onLast = onLast;
  }

  /** Of how many ids. */
  get size(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  /** Resolves with the first outcome that is offered of that run or a later one; rejects with the signal's reason. */
  add(id: string, { signal, run = 0 }: WaitOptions): Promise<StoredOutcome> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.fail(signal.reason);
      const leave = (): void => {
        signal.removeEventListener("abort", onAbort);
        this.#leave(id, waiter);
      };
      const waiter: Waiter = {
        offer: (outcome) => {
          if (outcome.run < run) return;
          leave();
          resolve(outcome);
        },
        fail: (reason) => {
          leave();
          reject(reason);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const others = this.#byId.get(id);
      if (others === undefined) this.#byId.set(id, new Set([waiter]));
      else others.add(waiter);
    });
  }

  offer(id: string, outcome: StoredOutcome): void {
    const waiters = this.#byId.get(id);
    if (waiters !== undefined) for (const waiter of [...waiters]) waiter.offer(outcome);
  }

  /** Ends all waits. */
  fail(reason: unknown): void {
    for (const waiter of [...this.#byId.values()].flatMap((waiters) => [...waiters])) waiter.fail(reason);
  }

  #leave(id: string, waiter: Waiter): void {
    const waiters = this.#byId.get(id);
    waiters?.delete(waiter);
    if (waiters?.size !== 0) return;
    this.#byId.delete(id);
    this.#onLast(id);
  }
}
