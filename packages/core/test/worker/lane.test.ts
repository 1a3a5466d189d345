import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { Consumer, Delivery } from "../../src/index.ts";
import { Lane } from "../../src/worker/lane.ts";

/** Deliveries that start before the test looks: the buffer is never empty meanwhile. */
const started = 200;

test("a lane that is never idle forgets what has started", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const refs: WeakRef<Delivery>[] = [];
  const running: (() => void)[] = [];
  let begun = 0;
  let onEnough: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => {
    onEnough = resolve;
  });
  const create = (): Delivery => {
    const delivery = { token: refs.length, deliveryCount: 1, leaseUntil: undefined } as unknown as Delivery;
    refs.push(new WeakRef(delivery));
    return delivery;
  };
  const consumer = {
    take: async (max: number) => Array.from({ length: Math.min(max, 2) }, create),
    stop: async () => undefined,
  } as unknown as Consumer;
  const lane = new Lane({
    consumer,
    concurrency: 2,
    sendsAhead: false,
    isSuspect: () => false,
    screen: (deliveries) => deliveries,
    release: () => undefined,
    start: (delivery, onFree) => {
      begun += 1;
      if (begun === started) onEnough();
      running.push(() => {
        lane.forget(delivery);
        onFree();
      });
      // One ends for each that starts, and the next waits already.
      if (running.length === 2) setImmediate(() => running.shift()?.());
    },
  });
  void lane.run();
  await enough;
  // What a WeakRef was made of stays until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const alive = refs.slice(0, started / 2).filter((ref) => ref.deref() !== undefined);
  expect(alive).toHaveLength(0);
  await lane.stop();
});
