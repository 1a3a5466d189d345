import type { StateChange, StateKey, StateStore } from "@taskferry/core";
import { within } from "../patience.ts";
import { textOf } from "./state-scene.ts";

/** Reads a watch one change at a time, and keeps what the changes amount to. */
export class WatchReader {
  readonly #changes: AsyncIterator<StateChange>;
  readonly #limit: number;
  readonly #entries = new Map<string, string>();
  readonly #controller = new AbortController();
  snapshots = 0;

  constructor(store: StateStore, prefix: StateKey, limit: number) {
    this.#changes = store.watch(prefix, this.#controller.signal)[Symbol.asyncIterator]();
    this.#limit = limit;
  }

  /** What is there by all changes so far: the last segment of each key, and its value. */
  get entries(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The next change; `undefined` when the watch has ended. */
  async next(): Promise<StateChange | undefined> {
    const { done, value } = await within(this.#changes.next(), this.#limit, "the watch to go on");
    if (done === true) return undefined;
    this.#apply(value);
    return value;
  }

  /** Reads on until the entries fit. */
  async until(fits: (entries: Readonly<Record<string, string>>) => boolean): Promise<void> {
    while (!fits(this.entries)) {
      if ((await this.next()) === undefined) throw new Error("Expected the watch to go on, it has ended.");
    }
  }

  /** Aborts, and reads to the end. */
  async end(): Promise<void> {
    this.#controller.abort();
    while ((await this.next()) !== undefined);
  }

  /** Ends as `break` in a loop would. */
  async leave(): Promise<void> {
    await within(Promise.resolve(this.#changes.return?.()), this.#limit, "the watch to be left");
  }

  #apply(change: StateChange): void {
    if (change.type === "snapshot") {
      this.snapshots += 1;
      this.#entries.clear();
      for (const entry of change.entries) this.#entries.set(nameOf(entry.key), textOf(entry) ?? "");
    } else if (change.type === "put") {
      this.#entries.set(nameOf(change.entry.key), textOf(change.entry) ?? "");
    } else if (change.type === "delete") {
      this.#entries.delete(nameOf(change.key));
    }
  }
}

function nameOf(key: StateKey): string {
  return key.at(-1) ?? "";
}
