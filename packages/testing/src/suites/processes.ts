import type { Connectable } from "@taskferry/core";
import type { Harness } from "./harness.ts";

/** The values of one test, one for each process that it plays, and what is to be undone after it. */
export class Processes<TValue extends Connectable> {
  readonly harness: Harness<TValue, never>;
  readonly first: TValue;
  readonly #cleanups: (() => Promise<unknown>)[] = [];

  constructor(harness: Harness<TValue, never>, first: TValue) {
    this.harness = harness;
    this.first = first;
    this.defer(() => harness.dispose());
    this.defer(() => first.close());
  }

  /** Another process: a value of its own, connected. */
  async another(): Promise<TValue> {
    const value = await this.harness.connect();
    await value.connect();
    this.defer(() => value.close());
    return value;
  }

  /** A value that is not open. The first is closed before, since a harness may give one value to all. */
  async fresh(): Promise<TValue> {
    await this.first.close();
    const value = await this.harness.connect();
    this.defer(() => value.close());
    return value;
  }

  /** Runs when the test is over, last deferred first. */
  defer(cleanup: () => Promise<unknown>): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.reverse()) await cleanup().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
