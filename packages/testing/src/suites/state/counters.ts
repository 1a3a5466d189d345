import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { elapse } from "../patience.ts";
import type { StateScene, StateTopic } from "./state-scene.ts";

const minute = { ttl: 60_000 };

export const countersTopic: StateTopic = {
  name: "counters",
  rules: [
    { name: "begin at 0 and answer their value", check: beginAtZero },
    { name: "add nothing that would pass the ceiling, all that reaches it", check: ceiling },
    { name: "count over processes, without losing a step", check: countTogether },
    { name: "keep the ceiling under 100 increments at the same moment", check: ceilingUnderLoad },
    { name: "live for ttl from the first increment, then begin at 0", check: livesFromFirst },
  ],
};

async function beginAtZero(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  expect(await scene.store.increment(key, 3, minute)).toEqual({ value: 3, added: true });
  expect(await scene.store.increment(key, 4, minute)).toEqual({ value: 7, added: true });
  expect(await (await scene.anotherProcess()).increment(key, 1, minute)).toEqual({ value: 8, added: true });
}

async function ceiling(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  const options = { ...minute, ceiling: 10 };
  expect(await scene.store.increment(key, 11, options)).toEqual({ value: 0, added: false });
  expect(await scene.store.increment(key, 8, options)).toEqual({ value: 8, added: true });
  expect(await scene.store.increment(key, 3, options)).toEqual({ value: 8, added: false });
  expect(await scene.store.increment(key, 2, options)).toEqual({ value: 10, added: true });
  expect(await scene.store.increment(key, 1, options)).toEqual({ value: 10, added: false });
  expect(await scene.store.increment(key, 1, minute)).toEqual({ value: 11, added: true });
}

async function countTogether(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  const stores = [scene.store, await scene.anotherProcess()];
  const calls = Array.from({ length: 100 }, (_, index) => (stores[index % 2] ?? scene.store).increment(key, 2, minute));
  const values = (await Promise.all(calls)).map(({ value }) => value);
  expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => 2 * (index + 1)));
}

async function ceilingUnderLoad(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  const stores = [scene.store, await scene.anotherProcess()];
  const options = { ...minute, ceiling: 40 };
  const calls = Array.from({ length: 100 }, (_, index) =>
    (stores[index % 2] ?? scene.store).increment(key, 1, options),
  );
  const results = await Promise.all(calls);
  expect(results.filter(({ added }) => added)).toHaveLength(40);
  expect(Math.max(...results.map(({ value }) => value))).toBe(40);
}

/** Increments on and on: a counter that renews its ttl at each would never begin anew. */
async function livesFromFirst(scene: StateScene): Promise<void> {
  const { ttl, slack } = scene.timing;
  const key = scene.key("count");
  const start = monotonicNow();
  let last = (await scene.store.increment(key, 1, { ttl })).value;
  for (;;) {
    await elapse(ttl / 6);
    const { value } = await scene.store.increment(key, 1, { ttl });
    const age = monotonicNow() - start;
    if (value === 1) {
      expect(age, "ms until it began anew").toBeGreaterThanOrEqual(ttl - 2);
      return;
    }
    expect(value).toBe(last + 1);
    expect(age, "ms for which the counter lives").toBeLessThan(ttl + slack);
    last = value;
  }
}
