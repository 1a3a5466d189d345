import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { aesKey, chain, claimCheck, defineTask, encryption, group, map, step } from "../../src/index.ts";
import { inject, oneSecret, scene } from "./setup.ts";

const list = defineTask<number, string[]>("list");
const double = defineTask<string, string>("double");
const join = defineTask<readonly string[], string>("join");
const fail = defineTask<string, string>("fail");
const rescue = defineTask<string, string>("rescue");
const handlers = [
  list.handler((count) => Array.from({ length: count }, (_, index) => `${index}`.repeat(2_000))),
  double.handler((text) => text + text),
  join.handler((texts) => texts.join("-")),
  fail.handler(() => {
    throw new Error("no");
  }),
  rescue.handler((text) => `rescued ${text}`),
];

const protection = {
  signatures: oneSecret(),
  encryption: encryption({ keys: [aesKey("e", randomBytes(32))] }),
  claimCheck: claimCheck({ above: 1_000 }),
};

test("a protected workflow hands results from step to step", async () => {
  const { client, worker, state } = await scene(protection);
  const from = await client();
  const running = await worker(handlers);
  const handle = await from.enqueue(chain(list, map(double), join), 3);
  const expected = ["0", "1", "2"].map((digit) => digit.repeat(4_000)).join("-");
  expect(await handle.result({ timeout: "10s" })).toBe(expected);
  const both = await from.enqueue(chain(group([double, double]), join), "x".repeat(2_000));
  expect(await both.result({ timeout: "10s" })).toBe(`${"x".repeat(4_000)}-${"x".repeat(4_000)}`);
  await running.close();
  expect((await state.list(["body", "task"], { limit: 10 })).entries).toEqual([]);
});

test("a fallback gets the input that the failed step had got", async () => {
  const { client, worker } = await scene(protection);
  await worker(handlers);
  const text = "y".repeat(3_000);
  const handle = await (await client()).enqueue(step(fail, { fallback: rescue }), text);
  expect(await handle.result({ timeout: "10s" })).toBe(`rescued ${text}`);
});

test("what follows a step is signed: a plan that was put on a message runs nothing", async () => {
  const { broker, client, worker, captured } = await scene({ signatures: oneSecret() });
  const from = await client();
  const ordinary = await captured(from, () => from.enqueue(double, "a"));
  const planned = await captured(from, () => from.enqueue(chain(double, double), "b"));
  const running = await worker(handlers);
  await inject(broker, { ...ordinary, hop: 1, ...(planned.plan !== undefined && { plan: planned.plan }) });
  expect(planned.plan).toBeDefined();
  expect((await running.next("task.rejected")).reason.code).toBe("SIGNATURE_INVALID");
});
