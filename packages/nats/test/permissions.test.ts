import { inspect } from "node:util";
import { type PrivateServer, startNats } from "@taskferry/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nats, natsCore, natsFanout, natsResults, natsState } from "../src/index.ts";
import { idsOf, messageOf, opened, outcomeOf, patience, takeAll } from "./fixtures/values.ts";

const publishing = { timeout: patience };
/** What the README tells an operator to allow. */
const permissions = {
  publish: [
    "taskferry.>",
    "$KV.taskferry_results.>",
    "$KV.taskferry_state.>",
    "$JS.API.STREAM.*.taskferry",
    "$JS.API.STREAM.*.taskferry_dead",
    "$JS.API.STREAM.*.KV_taskferry_results",
    "$JS.API.STREAM.*.KV_taskferry_state",
    "$JS.API.STREAM.MSG.*.taskferry",
    "$JS.API.STREAM.MSG.*.taskferry_dead",
    "$JS.API.STREAM.MSG.*.KV_taskferry_results",
    "$JS.API.STREAM.MSG.*.KV_taskferry_state",
    "$JS.API.DIRECT.GET.KV_taskferry_results.>",
    "$JS.API.DIRECT.GET.KV_taskferry_state.>",
    "$JS.API.CONSUMER.>",
    "$JS.ACK.taskferry.>",
    "_INBOX.>",
  ],
  subscribe: [
    "_INBOX.>",
    "taskferry.note.*",
    "taskferry.core.*",
    "taskferry.fanout.*",
    "taskferry.outcome.>",
    "taskferry.state.>",
  ],
};

let server: PrivateServer;
beforeAll(async () => {
  server = await startNats({
    users: [
      { user: "admin", password: "admin-canary" },
      { user: "worker", password: "worker-canary", permissions },
      { user: "nobody", password: "nobody-canary", permissions: { publish: ["none"], subscribe: ["_INBOX.>"] } },
    ],
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function urlOf(user: string, password: string): string {
  return `nats://${user}:${password}@${server.host}:${server.port}`;
}

test("the permissions that the README lists suffice for all that the package does", async () => {
  const url = urlOf("worker", "worker-canary");
  const broker = await opened(nats({ url }));
  const consumer = await broker.consume("q.x", { window: 10, lease: 30_000 });
  const outgoing = [
    { message: messageOf("a", "q.x") },
    { message: messageOf("b", "q.x", { priority: 9 }) },
    { message: messageOf("c", "q.x"), delay: 100 },
  ];
  expect(await broker.publish(outgoing, publishing)).toEqual(outgoing.map(() => ({ status: "accepted" })));
  const taken = await takeAll(consumer, 3);
  expect(idsOf(taken).sort()).toEqual(["a", "b", "c"]);
  expect(await consumer.extend(taken)).toEqual([]);
  const [first, ...rest] = taken;
  if (first === undefined) throw new Error("Expected three deliveries.");
  const reason = { code: "TASK_FAILED", message: "x", at: 1 } as const;
  expect(await consumer.settle([{ kind: "reject", delivery: first, reason }])).toEqual(["settled"]);
  expect(await consumer.settle(rest.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled", "settled"]);
  expect(await broker.admin?.queues()).toEqual(["q.x"]);
  expect(await broker.admin?.purge("q.x", "dead")).toBe(1);

  const results = await opened(natsResults({ url }));
  const waiting = results.wait("id", { signal: AbortSignal.timeout(patience) });
  await results.store([outcomeOf("id", 100 * 3_600_000)]);
  expect((await waiting).id).toBe("id");
  const state = await opened(natsState({ url }));
  const changes = state.watch(["a"], AbortSignal.timeout(patience))[Symbol.asyncIterator]();
  await changes.next();
  await state.put([{ key: ["a"], value: Buffer.from("v") }]);
  expect((await changes.next()).value).toMatchObject({ type: "put" });
  await changes.return?.();
  expect(await state.delete([{ key: ["a"] }])).toEqual([true]);
  expect(await state.increment(["n"], 2, { ttl: 1_000 })).toEqual({ value: 2, added: true });

  for (const broadcast of [natsCore({ url }), natsFanout({ url })]) {
    const value = await opened(broadcast);
    const listener = await value.consume("q", { window: 1, lease: 1_000 });
    expect(await value.publish([{ message: messageOf("d", "q") }], publishing)).toEqual([{ status: "accepted" }]);
    expect(idsOf(await takeAll(listener, 1))).toEqual(["d"]);
  }
});

test("wrong credentials are told at once, and no password with them", async () => {
  for (const make of [nats, natsCore, natsFanout, natsResults, natsState]) {
    const value = make({ url: urlOf("worker", "wrong-canary") });
    const start = performance.now();
    const error: unknown = await value.connect().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "BROKER_UNAVAILABLE", retryable: false });
    expect(inspect(error, { depth: 10 })).not.toContain("canary");
    expect(performance.now() - start).toBeLessThan(patience);
  }
});

test("what a user may not do is refused for good, and says which subject", async () => {
  const broker = nats({ url: urlOf("nobody", "nobody-canary") });
  await expect(broker.connect()).rejects.toMatchObject({
    code: "BROKER_UNAVAILABLE",
    retryable: false,
    message: expect.stringContaining("$JS.API.STREAM.INFO.taskferry"),
  });
});

test("a URL that cannot be read is refused without its password", () => {
  const failure = (() => {
    try {
      return nats({ url: "nats://user:secret-canary@" }).connect();
    } catch (error) {
      return error;
    }
  })();
  return expect(failure).rejects.toSatisfy((error) => !inspect(error).includes("canary"));
});
