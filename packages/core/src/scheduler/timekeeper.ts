import type { Clock } from "../clock.ts";
import type { Made } from "./fire-maker.ts";
import type { Mirrored, ScheduleMirror } from "./schedule-mirror.ts";

export interface TimekeeperParts {
  readonly mirror: Pick<ScheduleMirror, "all">;
  readonly clock: Clock;
  readonly make: (mirrored: Mirrored) => Promise<Made>;
  /** Keeps from being forgotten what is in code. */
  readonly refresh: (mirrored: Mirrored) => Promise<void>;
  /** Whether this scheduler fires it. */
  readonly isOurs: (mirrored: Mirrored) => boolean;
  readonly onError: (error: unknown, schedule: string) => void;
}

/** Milliseconds of a sleep at most: a wall clock that jumps meanwhile is noticed then. */
const longestSleep = 30_000;
/** Milliseconds until a fire that could not be made is tried again. */
const pause = 1_000;

/** Sleeps until something is due, and has it made. Schedules do not wait for each other. */
export class Timekeeper {
  readonly #parts: TimekeeperParts;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #pauses = new Set<() => void>();
  #callOff: () => void = () => undefined;
  #isStopped = false;

  constructor(parts: TimekeeperParts) {
    this.#parts = parts;
  }

  /** Looks at what is due now, and when to look again. */
  wake(): void {
    this.#callOff();
    if (this.#isStopped) return;
    const { mirror, clock, isOurs } = this.#parts;
    const now = clock.now();
    let sleep = longestSleep;
    for (const mirrored of mirror.all()) {
      const { stored, due } = mirrored;
      if (due === undefined || stored.record.isPaused || this.#busy.has(stored.id) || !isOurs(mirrored)) continue;
      if (due <= now) this.#start(mirrored);
      else sleep = Math.min(sleep, due - now);
    }
    this.#callOff = clock.after(Math.max(1, sleep), () => this.wake());
  }

  /** Resolves once nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#callOff();
    for (const end of this.#pauses) end();
    await Promise.all(this.#busy.values());
  }

  #start(mirrored: Mirrored): void {
    const { id } = mirrored.stored;
    const making = this.#make(mirrored).then(() => {
      this.#busy.delete(id);
      this.wake();
    });
    this.#busy.set(id, making);
  }

  async #make(mirrored: Mirrored): Promise<void> {
    const { make, refresh, onError } = this.#parts;
    try {
      await refresh(mirrored);
      if ((await make(mirrored)) === "later") await this.#rest();
    } catch (error) {
      if (this.#isStopped) return;
      onError(error, mirrored.stored.id);
      await this.#rest();
    }
  }

  #rest(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        callOff();
        this.#pauses.delete(end);
        resolve();
      };
      const callOff = this.#parts.clock.after(pause, end);
      this.#pauses.add(end);
    });
  }
}
