import type { Fault, TakenMessage, TakeRequest } from "../protocol.ts";
import { createBandTurns } from "./band-turns.ts";
import { hasReady, nextDue, take } from "./queue.ts";
import type { Session } from "./session.ts";
import type { Companion } from "./writer.ts";

/** A take that waits for messages. */
export interface Taker extends TakeRequest {
  succeed(messages: readonly TakenMessage[]): void;
  fail(fault: Fault): void;
}

/** Those of this process who wait to take. They are served in the order in which they came, along with other writes. */
export interface Takers extends Companion {
  add(number: number, taker: Taker): void;
  /** Ends such a take, if it waits: answers with nothing. */
  cancel(number: number): void;
  /** Something may have come into the queue; absent: into any. */
  notice(queue?: string): void;
  count(): number;
  stop(): void;
}

const longestTimer = 60_000;

/** @param wake - asks for a transaction, if `isWanted` then says so. */
export function createTakers(reader: Session, wake: () => void): Takers {
  const waiting = new Map<number, Taker>();
  const noticed = new Set<string>();
  const turns = createBandTurns();
  let timer: NodeJS.Timeout | undefined;

  const notice = (queue?: string): void => {
    if (queue !== undefined) noticed.add(queue);
    else for (const taker of waiting.values()) noticed.add(taker.queue);
    if (waiting.size > 0) wake();
  };
  const candidates = (): (readonly [number, Taker])[] => [...waiting].filter(([, taker]) => noticed.has(taker.queue));
  /** Wakes when the next delayed message is due or the next lease is over. */
  const setAlarm = (): void => {
    clearTimeout(timer);
    const queues = new Set([...waiting.values()].map((taker) => taker.queue));
    const times = [...queues].map((queue) => nextDue(reader, queue)).filter((at) => at !== undefined);
    if (times.length === 0) return;
    const pause = Math.min(longestTimer, Math.max(1, Math.min(...times) - Date.now()));
    timer = setTimeout(notice, pause);
  };
  const handOut = (served: readonly (readonly [Taker, readonly TakenMessage[]])[]): void => {
    for (const [taker, messages] of served) taker.succeed(messages);
    noticed.clear();
    setAlarm();
  };

  return {
    add: (number, taker) => {
      waiting.set(number, taker);
      notice(taker.queue);
    },
    cancel: (number) => {
      const taker = waiting.get(number);
      waiting.delete(number);
      taker?.succeed([]);
    },
    notice,
    count: () => waiting.size,
    stop: () => clearTimeout(timer),
    isWanted: () => {
      const isReady = [...new Set(candidates().map(([, taker]) => taker.queue))].some((queue) =>
        hasReady(reader, queue),
      );
      if (!isReady) handOut([]);
      return isReady;
    },
    execute: (transaction) => {
      const empty = new Set<string>();
      const served = candidates().flatMap(([number, taker]) => {
        if (empty.has(taker.queue)) return [];
        const messages = take(transaction, taker, turns);
        if (messages.length < taker.max) empty.add(taker.queue);
        return messages.length === 0 ? [] : [[number, taker, messages] as const];
      });
      return () => {
        for (const [number] of served) waiting.delete(number);
        handOut(served.map(([, taker, messages]) => [taker, messages]));
      };
    },
    fail: (fault) => {
      const failed = candidates();
      noticed.clear();
      for (const [number, taker] of failed) {
        waiting.delete(number);
        taker.fail(fault);
      }
    },
  };
}
