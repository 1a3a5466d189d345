import { createBatcher } from "../batcher.ts";
import type { Message } from "../message.ts";
import type { StateStore } from "../state-store.ts";
import { decodeUniqueRecord, uniqueKey } from "../unique.ts";
import type { Gate } from "./gate.ts";
import { isFinal } from "./is-final.ts";
import type { Ended, Job } from "./job.ts";

/** Gives the keys of tasks with `unique` back, in batches, once they have started or finished. */
export class UniqueKeys implements Gate {
  readonly #frees: { add(message: Message): Promise<void>; drain(): Promise<void> };
  readonly #onError: (error: unknown) => void;

  constructor(state: StateStore, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.#frees = createBatcher<Message, void>({
      run: (messages) => freeAll(state, messages),
      maxItems: 500,
      maxInFlight: 4,
    });
  }

  enter(): undefined {
    return undefined;
  }

  starting(job: Job): void {
    if (job.handler.task.options.unique?.until === "started") this.#free(job);
  }

  ended(job: Job, ended: Ended): void {
    const until = job.handler.task.options.unique?.until;
    if (until === undefined || until === "window") return;
    if (isFinal(job, ended)) this.#free(job);
  }

  drain(): Promise<void> {
    return this.#frees.drain();
  }

  #free({ message }: Job): void {
    if (message.unique !== undefined) this.#frees.add(message).catch(this.#onError);
  }
}

/** Only what still has its key gives it back. */
async function freeAll(state: StateStore, messages: readonly Message[]): Promise<readonly undefined[]> {
  const entries = await state.get(messages.map(({ task, unique = "" }) => uniqueKey(task, unique)));
  const own = entries.flatMap((entry, index) =>
    entry !== undefined && decodeUniqueRecord(entry.value).id === messages[index]?.id ? [entry] : [],
  );
  if (own.length > 0) await state.delete(own.map(({ key, revision }) => ({ key, expect: { revision } })));
  return messages.map(() => undefined);
}
