import { randomUUID } from "node:crypto";
import type { ResultBackend, StoredOutcome } from "@taskferry/core";
import type { ConnectableScene } from "../connectable.ts";
import { expectOffered, type Fault, type Harness } from "../harness.ts";
import { within } from "../patience.ts";
import { Processes } from "../processes.ts";
import type { Topic } from "../rulebook.ts";
import { createOutcome } from "./outcomes.ts";

export type ResultOperation = "store" | "get" | "delete";

export type ResultHarness = Harness<ResultBackend, ResultOperation>;

/** Times of the suite in milliseconds. */
export interface ResultTiming {
  /** The time to live of an outcome where its end is tested. Default 300. */
  readonly ttl: number;
  /** How much later than promised something may come on a busy machine. Default 5,000. */
  readonly slack: number;
  /** The longest that any call but `wait` may last while the server is out of reach. Default 15,000. */
  readonly callTimeout: number;
}

/** What a rule cannot do without: a capability, or a fault. */
export type ResultNeed = "durable" | "kept" | "not kept" | Fault;

export type ResultTopic = Topic<ResultScene, ResultNeed>;

/** Why a rule with this need does not apply to the backend; throws when the harness should offer it and does not. */
export function lackOfResults(scene: ResultScene, need: ResultNeed): string | undefined {
  if (need === "durable") return scene.backend.capabilities.durable ? undefined : "outcomes end with the process";
  const isKept = scene.backend.capabilities.kept ?? true;
  if (need === "kept") return isKept ? undefined : "outcomes are not kept";
  if (need === "not kept") return isKept ? "outcomes are kept" : undefined;
  expectOffered(scene.harness, need);
  return undefined;
}

/** One harness and two connected backends, as two processes would hold them. */
export class ResultScene implements ConnectableScene<ResultBackend> {
  readonly harness: ResultHarness;
  readonly backend: ResultBackend;
  readonly timing: ResultTiming;
  readonly #processes: Processes<ResultBackend>;

  constructor(harness: ResultHarness, backend: ResultBackend, timing: ResultTiming) {
    this.harness = harness;
    this.backend = backend;
    this.timing = timing;
    this.#processes = new Processes(harness, backend);
  }

  defer(cleanup: () => Promise<unknown>): void {
    this.#processes.defer(cleanup);
  }

  close(): Promise<void> {
    return this.#processes.close();
  }

  anotherProcess(): Promise<ResultBackend> {
    return this.#processes.another();
  }

  fresh(): Promise<ResultBackend> {
    return this.#processes.fresh();
  }

  callAll(backend: ResultBackend): Readonly<Record<string, Promise<unknown>>> {
    const outcome = this.outcomeFor(backend, { id: "call-all" });
    return {
      store: backend.store([outcome]),
      get: backend.get(["unknown"]),
      wait: backend.wait(outcome.id, { signal: AbortSignal.timeout(this.timing.slack) }),
      delete: backend.delete(["unknown"]),
    };
  }

  /** An outcome that this value will hear of, whether outcomes are kept or sent. */
  outcomeFor({ replyTo }: ResultBackend, fields: Partial<StoredOutcome> = {}): StoredOutcome {
    return createOutcome(replyTo === undefined ? fields : { replyTo, ...fields });
  }

  newId(): string {
    return randomUUID();
  }

  async get(id: string, backend = this.backend): Promise<StoredOutcome | undefined> {
    const [outcome] = await backend.get([id]);
    return outcome;
  }

  /** Waits with a limit, whatever the backend does with its signal. */
  wait(id: string, options: { readonly backend?: ResultBackend; readonly run?: number } = {}): Promise<StoredOutcome> {
    const { backend = this.backend, run } = options;
    const signal = AbortSignal.timeout(this.timing.slack);
    const waiting = backend.wait(id, run === undefined ? { signal } : { signal, run });
    return within(waiting, 2 * this.timing.slack, `the wait for ${id} to end`);
  }
}
