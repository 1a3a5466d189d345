import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { createGate, isInside, passThrough, shutGate, waitOutside } from "../src/gate.ts";

test("a call goes through, also one that fails", () => {
  const gate = createGate();
  expect(passThrough(gate, () => isInside(gate))).toBe(true);
  expect(() =>
    passThrough(gate, () => {
      throw new Error("on purpose");
    }),
  ).toThrow("on purpose");
  expect(isInside(gate)).toBe(false);
});

/** Is inside until it is told, then comes out, and tries to go in again. */
const thread = `
  const { parentPort, workerData: { gate, told } } = require("node:worker_threads");
  const leave = () => { Atomics.store(gate, 1, 0); Atomics.notify(gate, 1); };
  Atomics.store(gate, 1, 1);
  parentPort.postMessage("inside");
  Atomics.wait(told, 0, 0);
  leave();
`;

test("whoever has shut it waits until the thread is outside, and not for ever", async () => {
  const gate = createGate();
  const told = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(thread, { eval: true, workerData: { gate, told } });
  await new Promise((resolve) => worker.once("message", resolve));
  shutGate(gate);
  waitOutside(gate, 20);
  expect(isInside(gate)).toBe(true);
  Atomics.store(told, 0, 1);
  Atomics.notify(told, 0);
  waitOutside(gate, 60_000);
  expect(isInside(gate)).toBe(false);
  await worker.terminate();
});
