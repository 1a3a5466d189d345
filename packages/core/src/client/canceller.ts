import type { Broker, QueueEntry } from "../broker.ts";
import {
  type Cancellation,
  type CancelMode,
  cancellationKey,
  cancellationTtl,
  childrenKey,
  defaultForceGrace,
  encodeRecord,
  endedCancellationTtl,
  runningKey,
} from "../cancellation.ts";
import { type Duration, parseDuration } from "../duration.ts";
import { ConfigurationError, OptionError } from "../errors.ts";
import { canInspect, openSections } from "../inspection.ts";
import { checkId, type Message } from "../message.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { StateStore } from "../state-store.ts";
import { defaultTaskOptions } from "../task-options.ts";
import { inLanes } from "./lanes.ts";

export interface CancelOptions {
  /** `"graceful"` (default): a running handler ends by itself. `"force"`: the outcome stands at once. */
  readonly mode?: CancelMode;
  /**
   * How long a running handler may go on after its signal aborted; then it is given up, and what runs in a thread or a
   * process of its own is ended. Default: as long as it takes, and `"5s"` with `"force"`.
   */
  readonly grace?: Duration;
}

/**
 * What is known of a task that was cancelled. `finished`: it has ended, before, or now that its message was taken back.
 * `running`: a worker has been at it for at least a heartbeat. `requested`: neither is known; it is cancelled as soon as
 * a worker meets it. `await handle.outcome()` tells the rest.
 */
export type CancelStatus = "finished" | "running" | "requested";

export interface CancelTarget {
  readonly id: string;
  /** Where it waits; `undefined`: looked for in every queue. */
  readonly queue: string | undefined;
}

export interface Canceller {
  /** Answers by target, in order. @throws ConfigurationError `STATE_REQUIRED`; OptionError; BrokerError. */
  cancel(
    targets: readonly CancelTarget[],
    reason: string,
    options: CancelOptions | undefined,
  ): Promise<readonly CancelStatus[]>;
}

export interface CancellerParts {
  readonly broker: Broker;
  readonly results: ResultBackend | undefined;
  readonly state: StateStore | undefined;
  /** Called first: throws where what would be written could not be signed. */
  readonly check: () => void;
  /** Tells the workflow of a task that was taken back. */
  readonly advance?: (message: Message, outcome: StoredOutcome) => Promise<void>;
}

export const defaultReason = "cancelled";
const longestReason = 1_000;

export function createCanceller({ state, check, ...parts }: CancellerParts): Canceller {
  return {
    cancel: async (targets, reason, options = {}) => {
      check();
      const store = requireState(state);
      for (const { id } of targets) checkId(id);
      const record = toRecord(reason, options);
      const round = new CancelRound({ ...parts, state: store }, record);
      return round.cancel(targets);
    },
  };
}

/** One call of `cancel`, step by step: record, take back, force, look. */
class CancelRound {
  readonly #parts: Omit<CancellerParts, "state" | "check"> & { readonly state: StateStore };
  readonly #record: Omit<Cancellation, "run">;

  constructor(
    parts: Omit<CancellerParts, "state" | "check"> & { readonly state: StateStore },
    record: Omit<Cancellation, "run">,
  ) {
    this.#parts = parts;
    this.#record = record;
  }

  async cancel(targets: readonly CancelTarget[]): Promise<readonly CancelStatus[]> {
    const [found, outcomes] = await Promise.all([
      inLanes(targets, (target) => this.#find(target)),
      this.#outcomes(targets),
    ]);
    const runs = targets.map((_, index) => openRun(outcomes[index], found[index]?.entry));
    const open = targets.flatMap((target, index) => {
      const run = runs[index];
      return run === undefined ? [] : [{ ...target, run, found: found[index] }];
    });
    // The record comes first: from here on no worker starts any of them.
    await this.#parts.state.put(
      open.map(({ id, run }) => ({
        key: cancellationKey(id),
        value: encodeRecord({ ...this.#record, run }),
        ttl: cancellationTtl,
      })),
    );
    await this.#cancelChildren(open.map(({ id }) => id));
    const ended = new Set(await this.#takeBack(open));
    const left = open.filter(({ id }) => !ended.has(id));
    for (const id of await this.#force(left)) ended.add(id);
    const later = await this.#running(left.filter(({ id }) => !ended.has(id)).map(({ id }) => id));
    return targets.map(({ id }, index) =>
      runs[index] === undefined || ended.has(id) ? "finished" : (later.get(id) ?? "requested"),
    );
  }

  /** Where its message waits, if the broker can be looked into. */
  async #find({ id, queue }: CancelTarget): Promise<FoundMessage | undefined> {
    const { broker } = this.#parts;
    const { admin } = broker;
    if (admin === undefined || (queue === undefined && !canInspect(broker, "queues"))) return undefined;
    for (const name of queue === undefined ? await admin.queues() : [queue]) {
      const sections = openSections.filter((section) => canInspect(broker, section));
      // At once: what runs does not hear of its cancellation before the answers are here.
      const entries = await Promise.all(sections.map((section) => admin.read(name, section, id)));
      for (const [index, section] of sections.entries()) {
        const entry = entries[index];
        if (entry !== undefined) return { entry, queue: name, section };
      }
    }
    return undefined;
  }

  async #outcomes(targets: readonly { readonly id: string }[]): Promise<readonly (StoredOutcome | undefined)[]> {
    const { results } = this.#parts;
    return results === undefined ? targets.map(() => undefined) : results.get(targets.map(({ id }) => id));
  }

  /** A broker that removes a message from those that wait proves that no worker has it. */
  async #takeBack(open: readonly OpenTarget[]): Promise<readonly string[]> {
    const { admin } = this.#parts.broker;
    if (admin === undefined) return [];
    const taken = await inLanes(open, async ({ id, found }) => {
      if (found === undefined || found.section === "running") return undefined;
      const removed = await admin.remove(found.queue, found.section, [found.entry.key]);
      return removed > 0 ? { id, entry: found.entry } : undefined;
    });
    const outcomes = taken.flatMap((item) => (item === undefined ? [] : [this.#outcomeOf(item.id, item.entry)]));
    await this.#parts.results?.store(outcomes);
    await this.#advance(taken, outcomes);
    await this.#shortenRecords(outcomes);
    return outcomes.map(({ id }) => id);
  }

  /** What follows a step of a workflow must know that it does not come. */
  async #advance(
    taken: readonly ({ readonly entry: QueueEntry } | undefined)[],
    outcomes: readonly StoredOutcome[],
  ): Promise<void> {
    const messages = taken.flatMap((item) => (item?.entry.message === undefined ? [] : [item.entry.message]));
    await inLanes(messages, async (message) => {
      const outcome = outcomes.find(({ id }) => id === message.id);
      if (message.plan !== undefined && outcome !== undefined) await this.#parts.advance?.(message, outcome);
    });
  }

  /** The outcome stands at once; the first-wins rule of the result backend decides against whatever still runs. */
  async #force(open: readonly OpenTarget[]): Promise<readonly string[]> {
    if (this.#record.mode !== "force" || this.#parts.results === undefined) return [];
    await this.#parts.results.store(open.map(({ id, run, found }) => ({ ...this.#outcomeOf(id, found?.entry), run })));
    return open.map(({ id }) => id);
  }

  /** Nothing of them is left but, perhaps, copies of their messages. */
  async #shortenRecords(outcomes: readonly StoredOutcome[]): Promise<void> {
    await this.#parts.state.put(
      outcomes.map(({ id, run }) => ({
        key: cancellationKey(id),
        value: encodeRecord({ ...this.#record, run }),
        ttl: endedCancellationTtl,
      })),
    );
  }

  async #cancelChildren(ids: readonly string[]): Promise<void> {
    const sets = await inLanes(ids, (id) => this.#parts.state.members(childrenKey(id)));
    const children = sets.flat().map((id) => ({ id, queue: undefined }));
    if (children.length > 0) await new CancelRound(this.#parts, this.#record).cancel(children);
  }

  async #running(ids: readonly string[]): Promise<ReadonlyMap<string, CancelStatus>> {
    if (ids.length === 0) return new Map();
    const [records, outcomes] = await Promise.all([
      this.#parts.state.get(ids.map(runningKey)),
      this.#outcomes(ids.map((id) => ({ id }))),
    ]);
    return new Map(
      ids.map((id, index) => {
        if (outcomes[index] !== undefined) return [id, "finished"];
        return [id, records[index] === undefined ? "requested" : "running"];
      }),
    );
  }

  #outcomeOf(id: string, entry: QueueEntry | undefined): StoredOutcome {
    const message = entry?.message;
    const now = Date.now();
    return {
      id,
      run: message?.run ?? 0,
      task: message?.task ?? "",
      attempt: message?.attempt ?? 0,
      status: "cancelled",
      code: "TASK_CANCELLED",
      reason: this.#record.reason,
      enqueuedAt: message?.enqueuedAt ?? now,
      finishedAt: now,
      worker: "",
      ttl: message?.policy?.resultTtl ?? defaultTaskOptions.resultTtl,
    };
  }
}

interface FoundMessage {
  readonly entry: QueueEntry;
  readonly queue: string;
  readonly section: "ready" | "delayed" | "running";
}

interface OpenTarget extends CancelTarget {
  readonly run: number;
  readonly found: FoundMessage | undefined;
}

/** The run to cancel; `undefined` when the task has ended and is not on its way again by a replay. */
function openRun(outcome: StoredOutcome | undefined, entry: QueueEntry | undefined): number | undefined {
  const waiting = entry?.message?.run;
  if (outcome === undefined) return waiting ?? 0;
  return waiting !== undefined && waiting > outcome.run ? waiting : undefined;
}

function requireState(state: StateStore | undefined): StateStore {
  if (state !== undefined) return state;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    "Cancelling needs a state store. Set `state`, or a broker or result backend that offers one.",
  );
}

function toRecord(reason: string, { mode = "graceful", grace }: CancelOptions): Omit<Cancellation, "run"> {
  if (mode !== "graceful" && mode !== "force")
    throw new OptionError(
      "OPTION_INVALID",
      `cancel, mode: expected "graceful" or "force", got ${JSON.stringify(mode)}.`,
    );
  const milliseconds =
    grace === undefined ? (mode === "force" ? defaultForceGrace : undefined) : parseDuration(grace, "cancel, grace");
  return {
    reason: String(reason).slice(0, longestReason),
    mode,
    ...(milliseconds !== undefined && { grace: milliseconds }),
    at: Date.now(),
  };
}
