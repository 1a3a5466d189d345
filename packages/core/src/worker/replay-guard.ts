import { createBatcher } from "../batcher.ts";
import { MessageError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { StoredOutcome } from "../outcome.ts";
import { signedUntil } from "../protection/signed-message.ts";
import type { StateEntry, StateKey, StateStore } from "../state-store.ts";
import { decodeValue, encodeValue } from "../state-value.ts";
import { TurnoverMap } from "../turnover.ts";
import type { Gate } from "./gate.ts";
import { type Ended, type Job, runKey } from "./job.ts";
import { persist } from "./persist.ts";
import type { Recorder } from "./recorder.ts";

/** Knows which signed tasks have ended, for as long as a copy of their message could be run. */
export interface ReplayGuard extends Gate {
  /** Notes that a task has ended; it must be known before the broker forgets its message. */
  remember(outcome: StoredOutcome): Promise<void>;
}

export interface ReplayGuardParts {
  /** `undefined`: every worker notes for itself what it has run. */
  readonly state: StateStore | undefined;
  /** Milliseconds for which reads and writes are repeated. */
  readonly limit: number;
  readonly isWanted: () => boolean;
  readonly logger: Logger;
}

export function createReplayGuard({ state, ...parts }: ReplayGuardParts): ReplayGuard {
  return state === undefined ? createLocalGuard() : createSharedGuard({ state, ...parts });
}

/** A recorder that notes what has ended as well; the same one without a guard. */
export function noteEndings(recorder: Recorder | undefined, guard: ReplayGuard | undefined): Recorder | undefined {
  if (guard === undefined) return recorder;
  return {
    storeThen: (outcome, onStored) => {
      const remembering = guard.remember(outcome);
      if (recorder === undefined) void remembering.then(() => onStored(outcome));
      else recorder.storeThen(outcome, (standing) => void remembering.then(() => onStored(standing)));
    },
    drain: async () => recorder?.drain(),
  };
}

interface Ending {
  readonly run: number;
  readonly status: StoredOutcome["status"];
}

function createSharedGuard({
  state,
  logger,
  ...patience
}: ReplayGuardParts & { readonly state: StateStore }): ReplayGuard {
  /** Until when copies of what runs here could be run. */
  const untils = new TurnoverMap<string, number>();
  const reads = createBatcher<StateKey, StateEntry | undefined>({
    run: (keys) => persist(() => state.get(keys), patience),
    maxItems: 500,
    maxInFlight: 4,
  });
  const look = async (job: Job): Promise<Ended | undefined> => {
    const key = endingKey(job.message.id);
    try {
      const entry = await reads.add(key);
      const ending = entry === undefined ? undefined : decodeValue<Ending>(entry.value);
      if (ending === undefined || ending.run < job.message.run) return undefined;
      untils.delete(job.key);
      return endAgain(job, ending);
    } catch (error) {
      untils.delete(job.key);
      logger.warn({ error }, "could not look whether signed tasks have ended: they are handed back");
      return { kind: "stopping" };
    }
  };
  return {
    enter: (job) => {
      const { signature } = job.message;
      if (signature === undefined) return undefined;
      untils.set(job.key, signedUntil(signature));
      return look(job);
    },
    leave: (job) => void untils.delete(job.key),
    remember: async ({ id, run, status }) => {
      const until = untils.get(runKey({ id, run }));
      if (until === undefined || until <= Date.now()) return;
      const key = endingKey(id);
      const value = encodeValue({ run, status });
      try {
        await persist(() => state.put([{ key, value, ttl: until - Date.now() }]), patience);
      } catch (error) {
        logger.error({ error, id }, "could not note that a signed task has ended: a copy of its message would run");
      }
    },
  };
}

/** How many runs a worker notes at most: the oldest are forgotten first. */
const mostNoted = 100_000;

function createLocalGuard(): ReplayGuard {
  const noted = new Map<string, number>();
  const forgetOld = (): void => {
    for (const [key, until] of noted) {
      if (until > Date.now() && noted.size <= mostNoted) return;
      noted.delete(key);
    }
  };
  return {
    enter: (job) => {
      const { signature } = job.message;
      if (signature === undefined) return undefined;
      if (noted.has(job.key)) return refuse(job);
      noted.set(job.key, signedUntil(signature));
      forgetOld();
      return undefined;
    },
    remember: async () => undefined,
  };
}

function endingKey(id: string): StateKey {
  return ["ended", id];
}

/** A message that the broker hands out again is no copy: its worker crashed between the note and the settlement. */
function endAgain(job: Job, { run, status }: Ending): Ended {
  const { deliveryCount } = job.delivery;
  if (deliveryCount === 1 || run > job.message.run) return refuse(job);
  const { id, task, attempt, enqueuedAt } = job.message;
  const error = { name: "Error", message: "It failed before its worker could say so to the broker." };
  const outcome = { id, task, run, attempt, enqueuedAt, finishedAt: Date.now(), worker: "", ttl: 0, status };
  return { kind: "repeated", outcome: status === "failed" ? { ...outcome, error } : outcome };
}

function refuse({ message: { id, run } }: Job): Ended {
  const text = `Task ${id} of run ${run} has ended already: this message is a copy of its own. It was not run.`;
  return { kind: "refused", error: new MessageError("MESSAGE_REPLAYED", text, { id }) };
}
