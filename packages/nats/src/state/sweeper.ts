import { isTaskferryError } from "@taskferry/core";
import type { Bucket } from "../bucket/bucket.ts";
import { scan } from "../bucket/scan.ts";
import type { ServerClock } from "../clock.ts";
import type { Connection } from "../connection.ts";
import { isLive } from "./values.ts";

export interface SweeperParts {
  readonly connection: Connection;
  readonly bucket: Bucket;
  readonly clock: ServerClock;
  readonly interval: number;
}

/** Removals under way at once. */
const lanes = 32;
const turnKey = "m.sweep";

/**
 * Removes what has expired: servers before 2.11 know no time to live of a single value, and ignore one in silence. Of
 * all stores of a namespace one sweeps at a time.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    const { interval } = this.#parts;
    this.#timer = setInterval(() => void this.#sweepInTurn(), interval * (0.9 + Math.random() / 5));
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sweepInTurn(): Promise<void> {
    try {
      if (await this.#takeTurn()) await this.sweep();
    } catch (error) {
      // Out of reach: somebody sweeps later.
      if (!isTaskferryError(error)) throw error;
    }
  }

  /** Whether nobody else has swept of late: the turn is a value that is replaced once it is old. */
  async #takeTurn(): Promise<boolean> {
    const { bucket, clock, interval } = this.#parts;
    await clock.read();
    const [last] = await bucket.read([turnKey]);
    if (last !== undefined && last.storedAt + interval / 2 > clock.now()) return false;
    const [written] = await bucket.write([{ key: turnKey, value: Buffer.alloc(0), expected: last?.sequence ?? 0 }]);
    return written !== "conflict";
  }

  /** Removes what has expired, and marks of what was deleted. */
  async sweep(): Promise<void> {
    const { bucket, connection, clock } = this.#parts;
    const all = await scan(bucket, connection, ">");
    const now = clock.now();
    const over = all.filter((found) => !isLive(found, now));
    const waiting = over[Symbol.iterator]();
    const lane = async (): Promise<void> => {
      // By its number: what was written in its place meanwhile stays.
      for (const { sequence } of waiting) await bucket.remove(sequence);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }
}
