import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Meters } from "./meters.ts";

const quantiles = [0.5, 0.9, 0.99] as const;
/** Milliseconds between two looks. */
const resolution = 10;

/** How late timers are: here, and where handlers run in a process of their own. */
export class EventLoops {
  readonly #own: IntervalHistogram = monitorEventLoopDelay({ resolution });
  #handlers: number | undefined;

  constructor() {
    this.#own.enable();
  }

  /** @param milliseconds - by which timers of handlers were late. */
  noteHandlers(milliseconds: number): void {
    this.#handlers = Math.max(this.#handlers ?? 0, milliseconds);
  }

  /** Since the last time. */
  read({ eventLoopDelay }: Meters): void {
    for (const quantile of quantiles) {
      eventLoopDelay.set({ loop: "worker", quantile: String(quantile) }, late(this.#own.percentile(100 * quantile)));
    }
    eventLoopDelay.set({ loop: "worker", quantile: "1" }, late(this.#own.max));
    this.#own.reset();
    if (this.#handlers === undefined) return;
    eventLoopDelay.set({ loop: "handlers", quantile: "1" }, this.#handlers / 1_000);
    this.#handlers = 0;
  }

  close(): void {
    this.#own.disable();
  }
}

/** What is measured is the time from one look to the next. */
function late(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolution) / 1_000;
}
