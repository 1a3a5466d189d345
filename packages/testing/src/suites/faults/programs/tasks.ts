import { defineTask, type GroupResults } from "@taskferry/core";

/** What a handler knows of one execution. */
export interface Execution {
  readonly pid: number;
  readonly attempt: number;
  readonly deliveryCount: number | undefined;
}

/** Takes so many milliseconds. */
export const work = defineTask<number, Execution>("faults.work");

/** The same, whatever its signal says. */
export const deaf = defineTask<number, Execution>("faults.deaf");

/** As `work`, after two failures. */
export const unsteady = defineTask<number, Execution>("faults.unsteady", {
  retry: { attempts: 3, backoff: { from: "200ms", to: "400ms" } },
});

/** Steps of workflows. The queue is that of every fault test, since a step has no other. */
const ofFaults = { queue: "faults" } as const;
const patiently = { retry: { attempts: 5, backoff: { from: "20ms", to: "50ms" } } } as const;

/** Adds one; about a third of them fail at first. */
export const increase = defineTask<number, number>("faults.increase", { ...ofFaults, ...patiently });
/** Fails for good. */
export const broken = defineTask<number, number>("faults.broken", ofFaults);
export const sum = defineTask<readonly number[], number>("faults.sum", ofFaults);
export const addUp = defineTask<GroupResults<readonly number[]>, number>("faults.add-up", ofFaults);

/** What a schedule fires. */
export const tick = defineTask("faults.tick");

/** In milliseconds, for who checks it. */
export const limitOfLimited = { concurrency: 2, rate: { limit: 20, per: 1_000 } } as const;

/** Takes so many milliseconds, and has limits for each key. */
export const limited = defineTask<{ readonly id: string; readonly key: string; readonly milliseconds: number }>(
  "faults.limited",
  { limit: { key: ({ key }) => key, ...limitOfLimited } },
);

/** Kills its worker's process. */
export const crash = defineTask("faults.crash");
