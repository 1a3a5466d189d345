import type { Gate } from "./gate.ts";
import type { Job } from "./job.ts";

export interface HeartbeatParts {
  readonly gates: readonly Gate[];
  /** Milliseconds of a whole lease; a heart beats three times in it. */
  readonly lease: number;
  /** What runs now. */
  readonly jobs: () => readonly Job[];
  readonly onError: (error: unknown) => void;
}

/** Tells the gates what runs, again and again. A beat that takes longer than the time between two is not doubled. */
export function startHeartbeat({ gates, lease, jobs, onError }: HeartbeatParts): { readonly stop: () => void } {
  const beating = gates.filter((gate) => gate.beat !== undefined);
  if (beating.length === 0) return { stop: () => undefined };
  let isBeating = false;
  const beat = async (): Promise<void> => {
    if (isBeating) return;
    isBeating = true;
    const running = jobs();
    const beats = running.length === 0 ? [] : beating.map((gate) => gate.beat?.(running));
    for (const result of await Promise.allSettled(beats)) if (result.status === "rejected") onError(result.reason);
    isBeating = false;
  };
  const timer = setInterval(() => void beat(), Math.max(10, Math.floor(lease / 3)));
  return { stop: () => clearInterval(timer) };
}
