import { defineTask } from "@taskferry/core";

/** What a handler knows of one execution. */
export interface Execution {
  readonly pid: number;
  readonly attempt: number;
  readonly deliveryCount: number | undefined;
}

/** Takes so many milliseconds. */
export const work = defineTask<number, Execution>("faults.work");

/** The same, after two failures. */
export const unsteady = defineTask<number, Execution>("faults.unsteady", {
  retry: { attempts: 3, backoff: { from: "200ms", to: "400ms" } },
});

/** Kills its worker's process. */
export const crash = defineTask("faults.crash");
