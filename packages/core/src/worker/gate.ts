import type { Ended, Job } from "./job.ts";

/** Decides, before a handler starts, whether it may; such as a cancellation, a limit or a claim. */
export interface Gate {
  /**
   * `undefined`: it may start. Else how it ends instead, or that it waits. A promise only where somebody must be asked:
   * a task that the gate does not concern pays nothing. Only the last gate may let a job wait.
   */
  enter(job: Job): Admission | Promise<Admission>;
  /** Told of a job whose handler begins now. */
  starting?(job: Job): void;
  /** Told of a job whose handler has ended, before anything is stored or settled. */
  executed?(job: Job): void;
  /** Gives back what `enter` took: called once for each job that all gates let in, when it is settled or lost. */
  leave?(job: Job): void;
  /** Told of each job that has ended and is settled, whether it was let in or not. */
  ended?(job: Job, ended: Ended): void;
  /**
   * Called at each heartbeat, a third of a lease apart, with what runs or waits. A rejection is logged; the next beat
   * tries again.
   */
  beat?(jobs: readonly Job[]): Promise<void>;
  /** Called when a queue is worked on no longer: whatever waited is withdrawn, whatever ran has left. */
  drain?(): Promise<void>;
}

export type Admission = undefined | Ended | Parked;

/** A job that waits to be let in, without a slot. */
export interface Parked {
  readonly kind: "parked";
  /**
   * Begins the wait. Resolves as `enter` does, and never once it is withdrawn.
   *
   * @param room - how many slots are free: whoever is let in should find one.
   */
  wait(room: () => number): Promise<Ended | undefined>;
  /** Ends the wait without an answer. */
  withdraw(): void;
}

/** Asks gates in order; the first that refuses decides, and those before it get back what they gave. */
export function enterAll(gates: readonly Gate[], job: Job): Admission | Promise<Admission> {
  return enterFrom(gates, 0, job);
}

export function leaveAll(gates: readonly Gate[], job: Job): void {
  for (const gate of gates) gate.leave?.(job);
}

function enterFrom(gates: readonly Gate[], first: number, job: Job): Admission | Promise<Admission> {
  for (let index = first; index < gates.length; index += 1) {
    const answer = gates[index]?.enter(job);
    if (answer instanceof Promise) {
      return answer.then((admission) =>
        admission === undefined ? enterFrom(gates, index + 1, job) : held(gates.slice(0, index), job, admission),
      );
    }
    if (answer !== undefined) return held(gates.slice(0, index), job, answer);
  }
  return undefined;
}

function held(passed: readonly Gate[], job: Job, admission: Ended | Parked): Ended | Parked {
  if (passed.length === 0) return admission;
  if (admission.kind !== "parked") {
    leaveAll(passed, job);
    return admission;
  }
  return {
    kind: "parked",
    wait: async (room) => {
      const ended = await admission.wait(room);
      if (ended !== undefined) leaveAll(passed, job);
      return ended;
    },
    withdraw: () => {
      leaveAll(passed, job);
      admission.withdraw();
    },
  };
}
