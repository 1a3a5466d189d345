import { FileFault, unanswered } from "./file-fault.ts";
import type { Call, WatchNews } from "./protocol.ts";

/** A call on its way. */
export interface PendingCall {
  readonly call: Call;
  readonly transfer: readonly ArrayBuffer[];
  /** Milliseconds; `undefined` for one that waits for as long as it takes. */
  readonly timeout: number | undefined;
  readonly onChanges: ((news: WatchNews) => void) | undefined;
  resolve(output: unknown): void;
  reject(fault: FileFault): void;
}

/** Calls that a thread has and has not answered. None waits for ever, though the thread hangs. */
export interface SentCalls {
  add(pending: PendingCall): void;
  /** Gives a call that is answered now; `undefined` for one that is not there any more. */
  settle(number: number): PendingCall | undefined;
  /** Gives all that are left; they are there no more. */
  drain(): readonly PendingCall[];
  /** Begins to look for calls that took too long. */
  start(): void;
  stop(): void;
}

/** Milliseconds that a thread gets beyond a call's timeout, which it observes itself. */
const grace = 1_000;
const lookInterval = 500;

export function createSentCalls(): SentCalls {
  const calls = new Map<number, { readonly pending: PendingCall; readonly deadline: number }>();
  let timer: NodeJS.Timeout | undefined;

  const failLate = (): void => {
    const now = performance.now();
    for (const [number, { pending, deadline }] of calls) {
      if (deadline < now && calls.delete(number)) pending.reject(new FileFault(unanswered));
    }
  };
  return {
    add: (pending) => {
      const timeout = pending.timeout ?? Number.POSITIVE_INFINITY;
      calls.set(pending.call[0], { pending, deadline: performance.now() + timeout + grace });
    },
    settle: (number) => {
      const found = calls.get(number);
      calls.delete(number);
      return found?.pending;
    },
    drain: () => {
      const all = [...calls.values()].map(({ pending }) => pending);
      calls.clear();
      return all;
    },
    start: () => {
      timer = setInterval(failLate, lookInterval).unref();
    },
    stop: () => clearInterval(timer),
  };
}
