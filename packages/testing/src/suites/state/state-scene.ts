import { randomUUID } from "node:crypto";
import { monotonicNow, type StateEntry, type StateKey, type StatePut, type StateStore } from "@taskferry/core";
import { expect } from "vitest";
import type { ConnectableScene } from "../connectable.ts";
import { expectOffered, type Fault, type Harness } from "../harness.ts";
import { eventually } from "../patience.ts";
import { Processes } from "../processes.ts";
import type { Topic } from "../rulebook.ts";

export type StateOperation = "put" | "delete" | "increment" | "add" | "remove";

export type StateHarness = Harness<StateStore, StateOperation>;

/** Times of the suite in milliseconds. */
export interface StateTiming {
  /** The time to live of what is to expire. Default 300. */
  readonly ttl: number;
  /** How much later than promised something may come on a busy machine. Default 5,000. */
  readonly slack: number;
  /** The longest that any call may last while the server is out of reach. Default 15,000. */
  readonly callTimeout: number;
}

export type StateTopic = Topic<StateScene, Fault>;

/** Throws when the harness should offer what a rule needs and does not. */
export function lackOfState(scene: StateScene, need: Fault): undefined {
  expectOffered(scene.harness, need);
}

/** One harness, one connected store and a prefix of its own, with the steps that rules are made of. */
export class StateScene implements ConnectableScene<StateStore> {
  readonly harness: StateHarness;
  readonly store: StateStore;
  readonly timing: StateTiming;
  readonly prefix: string;
  readonly #processes: Processes<StateStore>;

  constructor(harness: StateHarness, store: StateStore, timing: StateTiming) {
    this.harness = harness;
    this.store = store;
    this.timing = timing;
    this.prefix = `suite-${randomUUID()}`;
    this.#processes = new Processes(harness, store);
  }

  defer(cleanup: () => Promise<unknown>): void {
    this.#processes.defer(cleanup);
  }

  close(): Promise<void> {
    return this.#processes.close();
  }

  anotherProcess(): Promise<StateStore> {
    return this.#processes.another();
  }

  fresh(): Promise<StateStore> {
    return this.#processes.fresh();
  }

  callAll(store: StateStore): Readonly<Record<string, Promise<unknown>>> {
    const key = this.key("call-all");
    return {
      get: store.get([key]),
      put: store.put([{ key, value: Buffer.from("value") }]),
      delete: store.delete([{ key: this.key("unknown") }]),
      list: store.list(key, { limit: 1 }),
      increment: store.increment(key, 1, { ttl: 60_000 }),
      add: store.add(key, ["member"], { ttl: 60_000 }),
      remove: store.remove(key, ["another"]),
      members: store.members(key),
    };
  }

  /** A key of this test alone. */
  key(...segments: readonly string[]): StateKey {
    return [this.prefix, ...segments];
  }

  async get(key: StateKey, store = this.store): Promise<StateEntry | undefined> {
    const [entry] = await store.get([key]);
    return entry;
  }

  /** The value that stands under a key, as text. */
  async text(key: StateKey, store = this.store): Promise<string | undefined> {
    return textOf(await this.get(key, store));
  }

  /** Writes one entry and expects it to be written; answers its revision. */
  async write(key: StateKey, text: string, options: Omit<StatePut, "key" | "value"> = {}): Promise<string> {
    const [result] = await this.store.put([{ key, value: Buffer.from(text), ...options }]);
    if (result?.status !== "written") throw new Error(`Expected ${text} to be written, got ${JSON.stringify(result)}.`);
    expect(result.revision, "revision").toBeTypeOf("string");
    return result.revision;
  }

  /** Waits until something that was made after `start` has expired, and expects it not to have done so before its time. */
  async expectExpired(isThere: () => Promise<boolean>, start: number, ttl = this.timing.ttl): Promise<void> {
    await eventually(isThere, (there) => !there, ttl + this.timing.slack);
    // The clock of a server may count whole milliseconds.
    expect(monotonicNow() - start, "ms until it had expired").toBeGreaterThanOrEqual(ttl - 2);
  }
}

export function textOf(entry: StateEntry | undefined): string | undefined {
  return entry === undefined ? undefined : Buffer.from(entry.value).toString();
}
