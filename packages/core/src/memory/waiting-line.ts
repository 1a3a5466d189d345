import type { Delivery } from "../broker.ts";
import { monotonicNow } from "../lifecycle.ts";
import type { KeepAlive } from "./keep-alive.ts";
import type { MemoryQueue } from "./queue.ts";

/** Somebody who waits for deliveries. */
export interface Waiter {
  readonly max: number;
  readonly take: (max: number) => readonly Delivery[];
  /** Each of them ends the wait with nothing. */
  readonly signals: readonly AbortSignal[];
}

/** Those who wait for one queue, served in turn. */
export interface WaitingLine {
  wait(waiter: Waiter): Promise<readonly Delivery[]>;
}

interface Place extends Waiter {
  readonly leave: (deliveries: readonly Delivery[]) => void;
}

const longestTimeout = 2 ** 31 - 1;

/** One timer for the whole line, and none while nobody waits: then nobody is kept from what is due. */
export function createWaitingLine(queue: MemoryQueue, keepAlive: KeepAlive): WaitingLine {
  const places = new Set<Place>();
  let timer: NodeJS.Timeout | undefined;
  let timerDue = Number.POSITIVE_INFINITY;
  let isServing = false;

  const stopTimer = (): void => {
    clearTimeout(timer);
    timer = undefined;
    timerDue = Number.POSITIVE_INFINITY;
  };
  const startTimer = (): void => {
    const due = queue.nextDue;
    if (due >= timerDue) return;
    stopTimer();
    timerDue = due;
    timer = setTimeout(onTimer, Math.min(Math.ceil(due - monotonicNow()), longestTimeout)).unref();
  };
  const onTimer = (): void => {
    stopTimer();
    serve();
  };
  const serve = (): void => {
    isServing = false;
    queue.passTime();
    for (const place of places) {
      if (queue.readyCount === 0) break;
      const share = Math.ceil(queue.readyCount / places.size);
      place.leave(place.take(Math.min(place.max, share)));
    }
    if (places.size > 0) startTimer();
  };
  queue.onArrival = () => {
    if (places.size === 0 || isServing) return;
    isServing = true;
    // Whatever else arrives in this moment goes out in the same batch.
    queueMicrotask(serve);
  };

  const wait = (waiter: Waiter): Promise<readonly Delivery[]> =>
    new Promise((resolve) => {
      const giveUp = (): void => place.leave([]);
      const place: Place = {
        ...waiter,
        leave: (deliveries) => {
          places.delete(place);
          for (const signal of waiter.signals) signal.removeEventListener("abort", giveUp);
          keepAlive.end();
          if (places.size === 0) stopTimer();
          resolve(deliveries);
        },
      };
      for (const signal of waiter.signals) signal.addEventListener("abort", giveUp);
      keepAlive.begin();
      places.add(place);
      startTimer();
    });
  return { wait };
}
