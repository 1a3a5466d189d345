import type { AbortedError } from "../errors.ts";

/** What of a conveyor a stop needs. */
export interface Stoppable {
  stopTaking(): Promise<void>;
  idle(): Promise<void>;
  abort(reason: AbortedError): void;
  abandon(): void;
  close(): Promise<void>;
}

export interface StopParts {
  /** Milliseconds for running handlers to finish, and after that for those whose signal aborted. */
  readonly timeout: number;
  readonly grace: number;
  readonly reason: AbortedError;
  /** Gives a function that shortens both from then on. */
  readonly onHurry: (hurry: (timeout: number) => void) => void;
  readonly onStage: (
    stage: "taking no more" | "waiting for handlers" | "aborting handlers" | "handing back" | "closing",
  ) => void;
}

/** Milliseconds for the last settlements once nothing runs any more. */
const lastSettlements = 5_000;

/** Takes no more, hands back what has not started, lets the rest finish, aborts it, hands it back, closes. */
export async function stopInStages(
  conveyors: readonly Stoppable[],
  { timeout, grace, reason, onHurry, onStage }: StopParts,
): Promise<void> {
  let shorten: ((milliseconds: number) => void) | undefined;
  let hurried: number | undefined;
  onHurry((milliseconds) => {
    hurried = Math.min(hurried ?? milliseconds, milliseconds);
    shorten?.(hurried);
  });
  /** Whether everything was idle before the time was over. */
  const idleWithin = async (milliseconds: number): Promise<boolean> => {
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<false>((resolve) => {
      const arm = (limit: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve(false), limit);
      };
      arm(Math.min(milliseconds, hurried ?? milliseconds));
      shorten = arm;
    });
    const isIdle = await Promise.race([
      Promise.all(conveyors.map((conveyor) => conveyor.idle())).then(() => true as const),
      timedOut,
    ]);
    clearTimeout(timer);
    shorten = undefined;
    return isIdle;
  };

  onStage("taking no more");
  await Promise.all(conveyors.map((conveyor) => conveyor.stopTaking()));
  onStage("waiting for handlers");
  if (!(await idleWithin(timeout))) {
    onStage("aborting handlers");
    for (const conveyor of conveyors) conveyor.abort(reason);
    if (!(await idleWithin(grace))) {
      onStage("handing back");
      for (const conveyor of conveyors) conveyor.abandon();
      hurried = undefined;
      await idleWithin(lastSettlements);
    }
  }
  onStage("closing");
  await Promise.all(conveyors.map((conveyor) => conveyor.close()));
}
