import { monotonicNow } from "../../lifecycle.ts";

const shortest = 100;
const longest = 10_000;

/** Spaces out restarts of what keeps ending: at once after the first end, then with doubling pauses. */
export interface RestartPause {
  /** Whether it may start now; if not, `onOver` is called when it may. */
  isOver(onOver: () => void): boolean;
  fail(): void;
  succeed(): void;
}

export function createRestartPause(): RestartPause {
  let failures = 0;
  let until = 0;
  let isWaiting = false;
  return {
    isOver: (onOver) => {
      const left = until - monotonicNow();
      if (left <= 0) return true;
      if (!isWaiting) {
        isWaiting = true;
        setTimeout(() => {
          isWaiting = false;
          onOver();
        }, left);
      }
      return false;
    },
    fail: () => {
      failures += 1;
      until = failures === 1 ? 0 : monotonicNow() + Math.min(longest, shortest * 2 ** (failures - 2));
    },
    succeed: () => {
      failures = 0;
      until = 0;
    },
  };
}
