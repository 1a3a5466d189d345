import type { Ended, Job } from "./job.ts";
import type { Verdict } from "./settle.ts";

/** Decides, before a handler starts, whether it may; such as a cancellation, a limit or a claim. */
export interface Gate {
  /**
   * `undefined`: it may start. Else how it ends instead, or that it waits. A promise only where somebody must be asked:
   * a task that the gate does not concern pays nothing.
   */
  enter(job: Job): Admission | Promise<Admission>;
  /** Told of a job whose execution begins now: middlewares and providers come before the handler, see `Job.onBegin`. */
  starting?(job: Job): void;
  /** Told of a job whose handler has ended, before anything is stored or settled. */
  executed?(job: Job): void;
  /**
   * Asked once a job that was let in has ended, before anything is stored or settled: how it ends instead, if so.
   * `undefined` for what the gate does not concern.
   */
  confirm?(job: Job): Promise<Ended | undefined> | undefined;
  /** Gives back what `enter` took: called once for each job that all gates let in, when it is settled or lost. */
  leave?(job: Job): void;
  /** Told of each job that has ended and is settled, whether it was let in or not. */
  ended?(job: Job, ended: Ended, verdict: Verdict): void;
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

/** `undefined` where no gate has anything to say of it. */
export function confirmAll(gates: readonly Gate[], job: Job): Promise<Ended | undefined> | undefined {
  let confirming: Promise<Ended | undefined> | undefined;
  for (const gate of gates) {
    const answer = gate.confirm?.(job);
    if (answer !== undefined)
      confirming = confirming === undefined ? answer : confirming.then((ended) => ended ?? answer);
  }
  return confirming;
}

function enterFrom(gates: readonly Gate[], first: number, job: Job): Admission | Promise<Admission> {
  for (let index = first; index < gates.length; index += 1) {
    const answer = gates[index]?.enter(job);
    if (answer instanceof Promise) {
      return answer.then((admission) =>
        admission === undefined ? enterFrom(gates, index + 1, job) : heldAt(gates, index, { job, admission }),
      );
    }
    if (answer !== undefined) return heldAt(gates, index, { job, admission: answer });
  }
  return undefined;
}

interface HeldUp {
  readonly job: Job;
  readonly admission: Ended | Parked;
}

/** What is let in after a wait goes on to the gates behind. */
function heldAt(gates: readonly Gate[], index: number, { job, admission }: HeldUp): Ended | Parked {
  const passed = gates.slice(0, index);
  if (admission.kind !== "parked") {
    leaveAll(passed, job);
    return admission;
  }
  let current: Parked = admission;
  let isWithdrawn = false;
  return {
    kind: "parked",
    wait: async (room) => {
      const ended = await admission.wait(room);
      if (ended !== undefined) {
        leaveAll(passed, job);
        return ended;
      }
      const next = await enterFrom(gates, index + 1, job);
      if (isWithdrawn) {
        if (next?.kind === "parked") next.withdraw();
        else if (next === undefined) leaveAll(gates.slice(index + 1), job);
        return new Promise(() => undefined);
      }
      if (next?.kind !== "parked") return next;
      current = next;
      return next.wait(room);
    },
    withdraw: () => {
      isWithdrawn = true;
      if (current === admission) leaveAll(passed, job);
      current.withdraw();
    },
  };
}
