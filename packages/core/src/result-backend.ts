import type { Connectable } from "./lifecycle.ts";
import type { StoredOutcome } from "./outcome.ts";
import type { StateStore } from "./state-store.ts";

/**
 * The contract of a result backend, version 1: keeps outcomes and tells those who wait. `testResultBackend` of
 * @taskferry/testing holds an implementation to every sentence below.
 *
 * An id has at most one outcome at a time: the first one stored of the highest run. This rule is what gives every task
 * exactly one terminal state, so it must hold however many processes store at once.
 */
export interface ResultBackend extends Connectable {
  readonly name: string;
  readonly contract: 1;
  readonly capabilities: ResultCapabilities;

  /**
   * Stores outcomes, in batches. For each id the first of a run wins, and a higher run replaces a lower one. Resolves to
   * the winners, per item and in order: the given object itself where it won, else the one that stands. Idempotent.
   * An outcome is kept for its `ttl`, counted from when it was stored. Who waits is told at once, with the outcome.
   *
   * @throws BrokerError `BROKER_UNAVAILABLE` when the server is out of reach for `timeout`, `BROKER_FULL` when it has no room.
   */
  store(outcomes: readonly StoredOutcome[]): Promise<readonly StoredOutcome[]>;

  /** The outcomes that stand, per id and in order; `undefined` for none, or none any more. Errors as of `store`. */
  get(ids: readonly string[]): Promise<readonly (StoredOutcome | undefined)[]>;

  /**
   * Resolves with the outcome of `id` as soon as there is one, of at least run `options.run`. Pushed, not polled: it
   * subscribes first, then reads, then waits; a slow poll (seconds) is the backstop. It waits through outages and
   * rejects only with `signal.reason`, or `CLOSED`. Many waits share one subscription connection, and a finished wait
   * leaves nothing behind.
   */
  wait(id: string, options: WaitOptions): Promise<StoredOutcome>;

  /** Removes outcomes and says how many there were. */
  delete(ids: readonly string[]): Promise<number>;

  /** A state store on the same server, for those who configure none. */
  readonly state?: () => StateStore;

  /**
   * Where this value hears of outcomes, for backends that do not keep them. It travels with each message (header
   * `replyTo`), comes back in the outcome, and `store` sends the outcome there. At most 255 bytes; the same for as long
   * as the value lives.
   */
  readonly replyTo?: string;
}

export interface WaitOptions {
  readonly signal: AbortSignal;
  /** An outcome of a lower run does not count. Default 0. */
  readonly run?: number;
}

/** What a result backend can do, as data. */
export interface ResultCapabilities {
  /** Whether outcomes outlive a crash of the server (of all processes, for backends without a server). */
  readonly durable: boolean;
  /** Whether a process that did not enqueue the task can read and await its outcome. */
  readonly shared: boolean;
  /**
   * Whether outcomes are kept. Absent: true. `false`: `store` only sends an outcome to the `replyTo` it carries, drops one
   * without, and answers with what it was given. `get`, `wait` and `delete` know what has come to this very value: an
   * outcome that came before its wait is held in memory for its `ttl`, and of one run the first stands. Nobody else can
   * read it, and a redelivered task cannot be looked up: it runs again.
   */
  readonly kept?: boolean;
  /** Bytes of an encoded outcome that it takes at most. */
  readonly maxOutcomeBytes: number;
}
