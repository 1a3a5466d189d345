import type { Ended, Job } from "./job.ts";

/** Decides, before a handler starts, whether it may; such as a cancellation, a limit or a claim. */
export interface Gate {
  /**
   * `undefined`: it may start. Else how it ends instead. A promise only where somebody must be asked: a task that the
   * gate does not concern pays nothing.
   */
  enter(job: Job): Ended | undefined | Promise<Ended | undefined>;
  /** Gives back what `enter` took: called once for each job that all gates let in, when it is settled or lost. */
  leave?(job: Job): void;
  /** Told of each job that has ended and is settled, whether it was let in or not. */
  ended?(job: Job, ended: Ended): void;
  /** Called at each heartbeat, a third of a lease apart, with what runs. A rejection is logged; the next beat tries again. */
  beat?(jobs: readonly Job[]): Promise<void>;
}

/** Asks gates in order; the first that refuses decides, and those before it get back what they gave. */
export function enterAll(gates: readonly Gate[], job: Job): Ended | undefined | Promise<Ended | undefined> {
  return enterFrom(gates, 0, job);
}

export function leaveAll(gates: readonly Gate[], job: Job): void {
  for (const gate of gates) gate.leave?.(job);
}

function enterFrom(gates: readonly Gate[], first: number, job: Job): Ended | undefined | Promise<Ended | undefined> {
  for (let index = first; index < gates.length; index += 1) {
    const answer = gates[index]?.enter(job);
    if (answer instanceof Promise) {
      return answer.then((ended) =>
        ended === undefined ? enterFrom(gates, index + 1, job) : refused(gates.slice(0, index), job, ended),
      );
    }
    if (answer !== undefined) return refused(gates.slice(0, index), job, answer);
  }
  return undefined;
}

function refused(passed: readonly Gate[], job: Job, ended: Ended): Ended {
  leaveAll(passed, job);
  return ended;
}
