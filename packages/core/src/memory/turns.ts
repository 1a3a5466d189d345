import { monotonicNow } from "../lifecycle.ts";

const longestTurn = 5;

/**
 * Nothing here waits for a socket, so a busy loop of publishes or takes would never let timers and sockets have their
 * turn. Callers await the answer where there is one: every 5 ms.
 */
export function createTurns(): () => Promise<void> | undefined {
  let begun = monotonicNow();
  return () => {
    if (monotonicNow() - begun < longestTurn) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        begun = monotonicNow();
        resolve();
      });
    });
  };
}
