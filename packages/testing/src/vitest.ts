// Importing this once, such as in a setup file, gives vitest's `expect` the matchers of taskferry.
import type { CallableTask } from "@taskferry/core";
import { expect } from "vitest";
import { taskferryMatchers } from "./users/matchers.ts";

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: the parameter must be that of the interface that is extended
  interface Matchers<T = any> {
    /** That a test application, or a recorder, has seen an enqueue of `task`, with `input` where given. */
    toHaveEnqueued(task: Pick<CallableTask, "name">, input?: unknown): T;
  }
}

expect.extend(taskferryMatchers);

export { taskferryMatchers };
