/**
 * One thing that is measured: a library at its best documented settings, or a raw client. Each phase runs in a process
 * of its own, so that no subject warms up, or litters the heap, for another. A phase that a subject lacks is left out.
 */
export interface Subject {
  /** Enqueues `count` no-op tasks, `inFlight` at once, each with a call of its own. */
  readonly enqueueOne?: Phase;
  /** Enqueues `count` no-op tasks in calls of many. */
  readonly enqueueMany?: Phase;
  /** Processes `count` tasks that wait, `concurrency` at once, and keeps their results. */
  readonly process?: Phase;
  /** `count` times, one after the other: enqueues a task that a worker of this process runs, and awaits its result. */
  readonly roundTrip?: RoundTripPhase;
}

/** Prepares untimed, then resolves to the timed part, which resolves when all is done. */
export type Phase = (setting: Setting) => Promise<TimedPart>;

export interface TimedPart {
  readonly run: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export type RoundTripPhase = (
  setting: Setting,
) => Promise<{ readonly once: () => Promise<void>; readonly close: () => Promise<void> }>;

export interface Setting {
  readonly url: string;
  readonly count: number;
  readonly inFlight: number;
  readonly concurrency: number;
  readonly payload: Payload;
  /** To be called once the first third is done: the clock starts then. The rest is this share of the whole. */
  readonly onWarm: (rest: number) => void;
}

/** What is done so many times. */
export interface Course {
  readonly count: number;
  readonly onWarm?: (rest: number) => void;
}

/**
 * Of what is done, the share that only warms up: connections, and the compiler, which is at work for the first 50,000 tasks
 * or so of what has more code than a raw client. Workers run for days.
 */
const warmUp = 1 / 3;

export interface Payload {
  readonly text: string;
}

/** Runs `start` for 0 to `count` - 1, `inFlight` at once. */
export async function pump(
  { inFlight, ...course }: Course & { readonly inFlight: number },
  start: (index: number) => Promise<unknown>,
): Promise<void> {
  const { count } = course;
  const { tick } = countdown(course);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await start(index);
      tick();
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
}

/** A promise that resolves at the `count`th call of `tick`. */
export function countdown({ count, onWarm }: Course): { readonly done: Promise<void>; readonly tick: () => void } {
  const cold = Math.floor(count * warmUp);
  let left = count;
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  if (cold === 0) onWarm?.(1);
  const tick = (): void => {
    left -= 1;
    if (left === count - cold && cold > 0) onWarm?.(left / count);
    if (left === 0) finish();
  };
  return { done, tick };
}
