import { inspect } from "node:util";
import type { CallableTask } from "@taskferry/core";
import type { EnqueuedTask } from "./record-enqueues.ts";

/** What vitest and jest give their matchers. */
export interface MatcherState {
  equals(one: unknown, other: unknown): boolean;
}

export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** For `expect.extend(taskferryMatchers)` of vitest or jest. `@taskferry/testing/vitest` does so itself. */
export const taskferryMatchers = {
  /** `received`: a test application, or a recorder. Without an input, any will do; it may hold asymmetric matchers. */
  toHaveEnqueued(
    this: MatcherState,
    received: { readonly enqueued: readonly EnqueuedTask[] },
    ...[task, ...rest]: readonly [task: Pick<CallableTask, "name">, input?: unknown]
  ): MatcherResult {
    const ofTask = received.enqueued.filter((enqueued) => enqueued.task === task.name);
    const pass = ofTask.some(({ input }) => rest.length === 0 || this.equals(input, rest[0]));
    const wanted = rest.length === 0 ? task.name : `${task.name} with ${inspect(rest[0])}`;
    const found = ofTask.length === 0 ? "nothing" : ofTask.map(({ input }) => inspect(input)).join(", ");
    return {
      pass,
      message: () =>
        pass
          ? `Expected no enqueue of ${wanted}.`
          : `Expected an enqueue of ${wanted}. Of this task there was: ${found}.`,
    };
  },
};
