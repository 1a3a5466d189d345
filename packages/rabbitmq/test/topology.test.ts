import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { inspect } from "node:util";
import type { BrokerEvent, Delivery, OutgoingMessage } from "@taskferry/core";
import { connect } from "amqplib";
import { describe, expect, onTestFinished, test } from "vitest";
import { rabbitmq, rabbitmqFanout, rabbitmqResults, schemes } from "../src/index.ts";
import { messageOf, opened, outcomeOf, patience } from "./fixtures/values.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq();

function place(): { readonly url: string; readonly namespace: string } {
  return { url: rabbit.current().url, namespace: `t${randomUUID()}` };
}

async function operator() {
  const model = await connect(rabbit.current().url, { noDelay: true });
  onTestFinished(() => model.close());
  return model.createChannel();
}

describe("a queue that is declared otherwise", () => {
  test("is explained with what differs", async () => {
    const here = place();
    const first = await opened(rabbitmq({ ...here, deliveryLimit: 20 }));
    await first.publish([{ message: messageOf("a", "q") }], { timeout: patience });
    const other = await opened(rabbitmq({ ...here, deliveryLimit: 30 }));
    const expected = {
      code: "CONFIGURATION_INVALID",
      message: expect.stringMatching(
        /"t[^"]*:q" of virtual host "\/".*expected x-delivery-limit to be '?30'?, found '?20'?.*`deliveryLimit`/,
      ),
    };
    await expect(other.consume("q", { window: 1, lease: 1_000 })).rejects.toMatchObject(expected);
    const [result] = await other.publish([{ message: messageOf("b", "q") }], { timeout: patience });
    expect(result).toMatchObject({ status: "refused", error: expected });
  });

  test("is taken as it is without declaring", async () => {
    const here = place();
    const first = await opened(rabbitmq(here));
    await (await first.consume("q", { window: 1, lease: 1_000 })).close();
    const other = await opened(rabbitmq({ ...here, deliveryLimit: 30, declare: false }));
    await other.publish([{ message: messageOf("b", "q") }], { timeout: patience });
    const consumer = await other.consume("q", { window: 1, lease: 1_000 });
    expect(await consumer.take(1, AbortSignal.timeout(patience))).toHaveLength(1);
  });
});

describe("without declaring", () => {
  test("what is not there is an error that says so", async () => {
    const broker = await opened(rabbitmq({ ...place(), declare: false }));
    const expected = { code: "CONFIGURATION_INVALID", message: expect.stringContaining("`declare` is false") };
    await expect(broker.consume("q", { window: 1, lease: 1_000 })).rejects.toMatchObject(expected);
    const [result] = await broker.publish([{ message: messageOf("a", "q") }], { timeout: patience });
    expect(result).toMatchObject({ status: "refused", error: expected });
  });

  test("no permission to configure is needed, and with it the lack of one is told", async () => {
    const here = place();
    const server = rabbit.current();
    const first = await opened(rabbitmq(here));
    await (await first.consume("q", { window: 1, lease: 1_000 })).close();
    await first.publish([{ message: messageOf("late", "q"), delay: 1 }], { timeout: patience });
    await server.control("add_user", "worker", "canary");
    await server.control("set_permissions", "worker", "^$", ".*", ".*");
    const limited = { ...here, url: server.url.replace("guest:guest", "worker:canary") };

    const refused = await opened(rabbitmq(limited));
    const error = await refused.consume("q", { window: 1, lease: 1_000 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "BROKER_UNAVAILABLE", retryable: false });
    expect(inspect(error)).not.toContain("canary");

    const worker = await opened(rabbitmq({ ...limited, declare: false }));
    await worker.publish([{ message: messageOf("a", "q") }], { timeout: patience });
    const consumer = await worker.consume("q", { window: 10, lease: 1_000 });
    const taken: Delivery[] = [];
    while (taken.length < 2) taken.push(...(await consumer.take(10, AbortSignal.timeout(2 * patience))));
    const [one, other] = taken;
    if (!one?.message || !other) throw new Error("two deliveries were expected");
    const results = await consumer.settle([
      { kind: "retry", delivery: one, next: { ...one.message, hop: 1 }, delay: 1_000 },
      { kind: "reject", delivery: other, reason: { code: "TASK_FAILED", message: "x", at: 1 } },
    ]);
    expect(results).toEqual(["settled", "settled"]);
    expect(await worker.admin?.depth("q")).toMatchObject({ ready: 0, dead: 1 });
  });
});

test("the permissions that the README names are enough, for everything", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const rowOf = (who: string): readonly string[] => {
    const row = readme.split("\n").find((line) => line.startsWith(`| ${who} |`)) ?? "";
    return [...row.matchAll(/`([^`]+)`/g)].map(([, pattern = ""]) => pattern.replaceAll("\\|", "|"));
  };
  const everything = rowOf("everything");
  const besides = rowOf("`rabbitmqFanout`, besides").slice(1);
  const patterns = everything.map((pattern, index) => `${pattern}|${besides[index] ?? ""}`);
  expect(patterns).toHaveLength(3);
  const server = rabbit.current();
  await server.control("add_user", "app", "secret");
  await server.control("set_permissions", "app", ...patterns);
  const url = server.url.replace("guest:guest", "app:secret");
  const broker = await opened(rabbitmq({ url }));
  const queue = randomUUID();
  const outgoing = [{ message: messageOf("a", queue, { priority: 9 }) }, { message: messageOf("b", queue), delay: 1 }];
  const accepted = outgoing.map(() => ({ status: "accepted" }));
  expect(await broker.publish(outgoing, { timeout: patience })).toEqual(accepted);
  const consumer = await broker.consume(queue, { window: 10, lease: 1_000 });
  const [delivery] = await consumer.take(1, AbortSignal.timeout(patience));
  if (delivery === undefined) throw new Error("nothing was taken");
  const reason = { code: "TASK_FAILED", message: "x", at: 1 } as const;
  expect(await consumer.settle([{ kind: "reject", delivery, reason }])).toEqual(["settled"]);
  expect(await broker.admin?.purge(queue, "dead")).toBe(1);
  const fanout = await opened(rabbitmqFanout({ url }));
  const listener = await fanout.consume("q", { window: 1, lease: 1_000 });
  await fanout.publish([{ message: messageOf("a", "q") }], { timeout: patience });
  expect(await listener.take(1, AbortSignal.timeout(patience))).toHaveLength(1);
  const results = await opened(rabbitmqResults({ url }));
  const waiting = results.wait("a", { signal: AbortSignal.timeout(patience) });
  await results.store([outcomeOf("a", results.replyTo ?? "")]);
  expect(await waiting).toMatchObject({ id: "a" });
});

describe("credentials that are refused", () => {
  test("reject at once, without the password", async () => {
    const url = rabbit.current().url.replace("guest:guest", "nobody:canary");
    for (const value of [rabbitmq({ url }), rabbitmqResults({ url }), schemes.brokers?.["amqp:"]?.(url)]) {
      const error = await value?.connect().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "BROKER_UNAVAILABLE", retryable: false });
      expect(String((error as Error).message)).toContain("refuses this user");
      expect(inspect(error, { depth: 10 })).not.toContain("canary");
    }
  });

  test("a user that is deleted meanwhile ends a take that waits", async () => {
    const server = rabbit.current();
    await server.control("add_user", "leaver", "canary");
    await server.control("set_permissions", "leaver", ".*", ".*", ".*");
    const broker = await opened(rabbitmq({ ...place(), url: server.url.replace("guest:guest", "leaver:canary") }));
    const consumer = await broker.consume("q", { window: 1, lease: 1_000 });
    const taking = consumer.take(1, AbortSignal.timeout(6 * patience)).catch((reason: unknown) => reason);
    await server.control("delete_user", "leaver");
    await server.control("close_all_user_connections", "leaver", "the user is gone");
    const error = await taking;
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining("refuses") });
    expect(inspect(error, { depth: 10 })).not.toContain("canary");
  });

  test.each(["amqp://user:canary@[bad", "amqp://:canary@host:99999999", "http://user:canary@host"])(
    "the broken URL %s keeps its password",
    (url) => {
      for (const make of [
        () => rabbitmq({ url }),
        () => rabbitmqResults({ url }),
        () => schemes.brokers?.["amqp:"]?.(url),
      ]) {
        const error = (() => {
          try {
            return make();
          } catch (reason) {
            return reason;
          }
        })();
        expect(error).toMatchObject({ code: "URL_INVALID" });
        expect(inspect(error)).not.toContain("canary");
      }
    },
  );
});

test("queues that are deleted are declared again, and consumed again", async () => {
  const here = place();
  const broker = await opened(rabbitmq(here));
  const consumer = await broker.consume("q", { window: 10, lease: 1_000 });
  await broker.publish([{ message: messageOf("before", "q") }], { timeout: patience });
  const [held] = await consumer.take(1, AbortSignal.timeout(patience));
  if (held === undefined) throw new Error("nothing was taken");
  const taking = consumer.take(10, AbortSignal.timeout(2 * patience));
  const channel = await operator();
  for (const name of ["q", "q:high", "q:low", "q:dead"]) await channel.deleteQueue(`${here.namespace}:${name}`);
  // A moment later its channels know: what is published before goes with the deleted queue, confirmed as if it had been in it.
  await wait(500);
  const [result] = await broker.publish([{ message: messageOf("after", "q") }], { timeout: patience });
  expect(result).toEqual({ status: "accepted" });
  expect((await taking).map(({ message }) => message?.id)).toEqual(["after"]);
  const [answer] = await consumer.settle([{ kind: "ack", delivery: held }]);
  expect(answer).toMatch(/^(settled|lost)$/);
});

test("what the server itself gave up is a dead letter with a reason", async () => {
  const here = place();
  const broker = await opened(rabbitmq({ ...here, deliveryLimit: 2 }));
  await broker.publish([{ message: messageOf("a", "q") }], { timeout: patience });
  const channel = await operator();
  const name = `${here.namespace}:q`;
  for (let count = 0; count < 3; count += 1) {
    let message = await channel.get(name);
    while (message === false) message = await channel.get(name);
    channel.nack(message, false, true);
  }
  const { admin } = broker;
  let entries: readonly unknown[] = [];
  const limit = AbortSignal.timeout(patience);
  while (entries.length === 0 && !limit.aborted)
    entries = (await admin?.list("q", { section: "dead", limit: 10 }))?.entries ?? [];
  expect(entries).toMatchObject([{ message: { id: "a" }, reason: { code: "TOO_MANY_DELIVERIES" } }]);
});

test("a queue that is full refuses, and its neighbours are accepted", async () => {
  const broker = await opened(rabbitmq({ ...place(), maxLength: 3 }));
  const offer = (queue: string) =>
    broker.publish(
      Array.from({ length: 12 }, (_, index) => ({ message: messageOf(`m${index}`, queue) })),
      { timeout: patience },
    );
  const results = [...(await offer("full")), ...(await offer("full"))];
  expect(results.filter(({ status }) => status === "refused").length).toBeGreaterThan(0);
  for (const result of results) if (result.status === "refused") expect(result.error.code).toBe("BROKER_FULL");
  const [other] = await broker.publish([{ message: messageOf("a", "empty") }], { timeout: patience });
  expect(other).toEqual({ status: "accepted" });
});

test("delays of mixed length never end early, and the longest is kept", async () => {
  const broker = await opened(rabbitmq(place()));
  const years = 8 * 365 * 24 * 3_600_000;
  const delays = Array.from({ length: 60 }, (_, index) => 200 + ((index * 137) % 70) * 100);
  const outgoing = delays.map((delay, index): OutgoingMessage => ({ message: messageOf(`m${index}`, "q"), delay }));
  const start = performance.now();
  const results = await broker.publish([...outgoing, { message: messageOf("late", "q"), delay: years }], {
    timeout: patience,
  });
  expect(results.every(({ status }) => status === "accepted")).toBe(true);
  const consumer = await broker.consume("q", { window: 100, lease: 1_000 });
  const arrived = new Map<string, number>();
  const signal = AbortSignal.timeout(20_000);
  while (arrived.size < delays.length && !signal.aborted) {
    const deliveries = await consumer.take(100, signal);
    for (const { message } of deliveries) arrived.set(message?.id ?? "", performance.now() - start);
    await consumer.settle(deliveries.map((delivery) => ({ kind: "ack", delivery })));
  }
  const early = delays.filter((delay, index) => (arrived.get(`m${index}`) ?? 0) < delay - 1);
  expect(early).toEqual([]);
  expect(arrived.size).toBe(delays.length);
  const [tooLong] = await broker.publish([{ message: messageOf("never", "q"), delay: 2 * years }], {
    timeout: patience,
  });
  expect(tooLong).toMatchObject({ status: "refused", error: { code: "UNSUPPORTED_CAPABILITY" } });
});

test("an outage of one connection is told once", async () => {
  const broker = await opened(rabbitmq(place()));
  const events: BrokerEvent["type"][] = [];
  const back = new Promise<void>((resolve) => {
    broker.on(({ type }) => {
      events.push(type);
      if (type === "connected") resolve();
    });
  });
  await rabbit.current().control("close_all_connections", "test");
  await back;
  expect(events).toEqual(["disconnected", "connected"]);
});
