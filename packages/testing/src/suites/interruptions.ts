import { isTaskferryError, monotonicNow } from "@taskferry/core";
import type { Interruption } from "./harness.ts";
import { elapse, within } from "./patience.ts";

/** How long an interruption lasts where it only has to be noticed, in milliseconds. */
export const briefly = 300;

/** How these steps see a scene. */
export interface InterruptedScene {
  readonly timing: { readonly callTimeout: number };
  readonly harness: { readonly outage?: Interruption; readonly freeze?: Interruption };
  defer(cleanup: () => Promise<unknown>): void;
}

/** An interruption that can be ended twice, and ends with the test. */
export function interruption(scene: InterruptedScene, kind: "outage" | "freeze"): Interruption {
  const given = scene.harness[kind];
  if (given === undefined) throw new Error(`Expected the harness to offer ${kind}.`);
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ended ??= given.end();
    return ended;
  };
  return {
    begin: async () => {
      scene.defer(end);
      await given.begin();
    },
    end,
  };
}

export function isUnavailable(error: unknown): boolean {
  return isTaskferryError(error, "BROKER_UNAVAILABLE");
}

/** The first answers after an outage may still be that of the outage. */
export async function eventuallyServed<T>(call: () => Promise<T>, scene: InterruptedScene): Promise<T> {
  const end = monotonicNow() + scene.timing.callTimeout;
  for (;;) {
    const [answer] = await Promise.allSettled([within(call(), scene.timing.callTimeout, "a call to end")]);
    if (answer.status === "fulfilled") return answer.value;
    if (monotonicNow() > end) throw answer.reason;
    await elapse(20);
  }
}
