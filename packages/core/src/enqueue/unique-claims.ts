import { createBatcher } from "../batcher.ts";
import type { PublishResult } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { ConfigurationError, OptionError, TaskNotUniqueError } from "../errors.ts";
import type { Message } from "../message.ts";
import type { StateDelete, StateEntry, StatePut, StatePutResult, StateStore } from "../state-store.ts";
import {
  decodeUniqueRecord,
  encodeUniqueRecord,
  type ResolvedUnique,
  type UniqueRecord,
  uniqueKey,
  uniqueSegment,
} from "../unique.ts";

export interface UniqueClaimParts {
  readonly state: StateStore | undefined;
  /** Which of these tasks have an outcome; absent where outcomes are not kept. */
  readonly findFinished?: (ids: readonly string[]) => Promise<readonly boolean[]>;
  /** Milliseconds that a publish may take. */
  readonly publishTimeout: number;
}

/** What of an enqueue decides whether it is another. */
export interface UniqueSubject {
  readonly task: CallableTask;
  readonly input: unknown;
  readonly body: Uint8Array;
}

/** Lets a message of a task with `unique` be published only if there is none of its key. */
export interface UniqueClaims {
  /** The header of the message, where its task is unique. @throws ConfigurationError `STATE_REQUIRED`. */
  segmentOf(subject: UniqueSubject): string | undefined;
  /**
   * Publishes `message` if its key is free. Else answers with the task that has it.
   *
   * @throws TaskNotUniqueError where the task says so.
   */
  publish(
    message: Message,
    unique: ResolvedUnique,
    publish: () => Promise<PublishResult>,
  ): Promise<PublishResult | UniqueRecord>;
}

/** Milliseconds that a claim outlives the time of its publish, should nobody confirm it. */
const margin = 10_000;
/** Times that a claim is tried while the key changes hands. */
const maxTries = 5;

export function createUniqueClaims(parts: UniqueClaimParts): UniqueClaims {
  const { state, publishTimeout } = parts;
  if (state === undefined) return { segmentOf: refuseWithoutState, publish: (_, __, publish) => publish() };
  const puts = createBatcher<StatePut, StatePutResult>({
    run: (items) => state.put(items),
    maxItems: 500,
    maxInFlight: 4,
  });
  const deletes = createBatcher<StateDelete, boolean>({
    run: (items) => state.delete(items),
    maxItems: 500,
    maxInFlight: 4,
  });
  const findFinished =
    parts.findFinished &&
    createBatcher<string, boolean>({ run: parts.findFinished, maxItems: 500, maxInFlight: 4 }).add;

  /** The revision of the claim; or which task has the key. */
  const claim = async (put: StatePut, unique: ResolvedUnique, id: string): Promise<string | UniqueRecord> => {
    let expect: StatePut["expect"] = "absent";
    let standing: UniqueRecord | undefined;
    for (let tries = 0; tries < maxTries; tries += 1) {
      const result: StatePutResult = await puts.add({ ...put, expect });
      if (result.status === "written") return result.revision;
      expect = "absent";
      if (result.current === undefined) continue;
      standing = decodeUniqueRecord(result.current.value);
      // The same enqueue once more: whether it is a duplicate is for the broker to say.
      const isFree = standing.id === id || (unique.until !== "window" && (await findFinished?.(standing.id)));
      if (!isFree) return standing;
      expect = { revision: result.current.revision };
    }
    return standing ?? claimInVain(put);
  };

  return {
    segmentOf: ({ task, input, body }) => segmentOf(task, input, body),
    publish: async (message, unique, publish) => {
      const key = uniqueKey(message.task, message.unique ?? "");
      const { id, queue, enqueuedAt } = message;
      const value = encodeUniqueRecord({ id, queue, at: enqueuedAt });
      const firstTtl = Math.min(unique.ttl, publishTimeout + margin);
      const claimed = await claim({ key, value, ttl: firstTtl }, unique, id);
      if (typeof claimed !== "string") {
        if (unique.onConflict === "return") return claimed;
        throw new TaskNotUniqueError(message.task, claimed.id);
      }
      const expect = { revision: claimed };
      const giveBack = (): Promise<unknown> => deletes.add({ key, expect });
      const result = await publish().catch(async (error: unknown) => {
        await giveBack();
        throw error;
      });
      // What the broker remembers may have ended long ago.
      const isOver = result.status === "duplicate" && (await findFinished?.(id));
      if (result.status === "refused" || isOver) await giveBack();
      // A client that dies before this blocks the key for no longer than a publish may take.
      else if (unique.ttl > firstTtl) await puts.add({ key, value, ttl: unique.ttl, expect });
      return result;
    },
  };
}

function segmentOf({ name, options: { unique } }: CallableTask, input: unknown, body: Uint8Array): string | undefined {
  if (unique === undefined) return undefined;
  if (unique.key === undefined) return uniqueSegment(undefined, body);
  const key: unknown = unique.key(input);
  if (typeof key === "string") return uniqueSegment(key, body);
  throw new OptionError(
    "OPTION_INVALID",
    `task ${name}, unique.key: expected it to return a string, got ${typeof key}.`,
  );
}

function refuseWithoutState({ task }: UniqueSubject): undefined {
  if (task.options.unique === undefined) return undefined;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    `The task ${task.name} is defined with \`unique\`, which needs a state store. Set \`state\`, or a broker or result backend that offers one.`,
  );
}

function claimInVain({ key }: Pick<StateEntry, "key">): never {
  throw new OptionError("OPTION_INVALID", `Expected to find who has ${key.join(" ")}, and it changed hands each time.`);
}
