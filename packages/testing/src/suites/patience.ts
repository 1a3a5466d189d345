import { performance } from "node:perf_hooks";
import { monotonicNow } from "@taskferry/core";

/** Rejects when the promise has not settled after `limit` ms; `what` says what was waited for. */
export function within<T>(promise: PromiseLike<T>, limit: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Waited ${limit} ms for ${what}.`)), limit);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Lets time pass, for rules that are about time. Never a means to wait for something to happen. */
export function elapse(milliseconds: number): Promise<void> {
  const end = monotonicNow() + milliseconds;
  return new Promise<void>((resolve) => {
    const look = (): void => {
      const left = end - monotonicNow();
      if (left <= 0) resolve();
      else setTimeout(look, Math.ceil(left));
    };
    look();
  });
}

/**
 * Asks again until the answer fits, for facts that nothing announces, such as a depth that follows a crash.
 * Rejects after `limit` ms with the last answer.
 */
export async function eventually<T>(ask: () => Promise<T>, fits: (answer: T) => boolean, limit: number): Promise<T> {
  const end = monotonicNow() + limit;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (monotonicNow() > end) throw new Error(`Waited ${limit} ms for another answer than ${JSON.stringify(answer)}.`);
    await elapse(10);
  }
}

/** Waits until the two promises' race is decided and says whether the first was settled by then. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const immediately = new Promise((resolve) => setImmediate(resolve, pending));
  const first = await Promise.race([
    promise.then(
      () => undefined,
      () => undefined,
    ),
    immediately,
  ]);
  return first !== pending;
}

/**
 * Which share of its time this process is busy while `wait` lasts: that of its event loop, or of a processor, whichever
 * is more. The best of three, since others may be at work in the process too.
 */
export async function busyShare(wait: () => Promise<unknown>): Promise<number> {
  const shares: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const [start, used, loop] = [monotonicNow(), process.cpuUsage(), performance.eventLoopUtilization()];
    await wait();
    const { user, system } = process.cpuUsage(used);
    const processor = (user + system) / 1_000 / (monotonicNow() - start);
    shares.push(Math.max(processor, performance.eventLoopUtilization(loop).utilization));
  }
  return Math.min(...shares);
}
