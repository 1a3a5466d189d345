import { randomUUID } from "node:crypto";
import type { BrokerEvent } from "@taskferry/core";
import { expect, test } from "vitest";
import { rabbitmq } from "../src/index.ts";
import { messageOf, opened, patience } from "./fixtures/values.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq();

test("while memory is short, acks go on and publishes wait; then all goes on", { timeout: 90_000 }, async () => {
  const server = rabbit.current();
  const broker = await opened(rabbitmq({ url: server.url, namespace: `t${randomUUID()}`, commandTimeout: "2s" }));
  const events: BrokerEvent["type"][] = [];
  const told = (type: BrokerEvent["type"]) =>
    new Promise<void>((resolve) => {
      broker.on((event) => {
        if (event.type === type) resolve();
      });
    });
  broker.on(({ type }) => events.push(type));
  const publish = (id: string, timeout = patience) => broker.publish([{ message: messageOf(id, "q") }], { timeout });
  const consumer = await broker.consume("q", { window: 10, lease: 1_000 });
  for (const id of ["a", "b", "c", "d"]) await publish(id);
  const held: string[] = [];
  const deliveries = [];
  while (held.length < 4) {
    const taken = await consumer.take(4 - held.length, AbortSignal.timeout(patience));
    deliveries.push(...taken);
    held.push(...taken.map(({ message }) => message?.id ?? ""));
  }
  const [first, second, third, fourth] = deliveries;
  if (!first || !second?.message || !third || !fourth) throw new Error("four deliveries were expected");

  const blocked = told("blocked");
  await server.control("set_vm_memory_high_watermark", "0.0001");
  // The server says so to a connection that publishes, and reads nothing from it any more.
  const [unanswered] = await publish("e", 1_000);
  expect(unanswered).toMatchObject({ status: "unknown", error: { code: "BROKER_UNAVAILABLE" } });
  await blocked;
  await expect(publish("f", 500)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", message: /alarm/ });
  expect(await consumer.settle([{ kind: "ack", delivery: first }])).toEqual(["settled"]);
  expect(
    await consumer.settle([
      { kind: "retry", delivery: second, next: { ...second.message, hop: 1 }, delay: 0 },
      { kind: "ack", delivery: third },
      { kind: "release", delivery: fourth },
    ]),
  ).toEqual(["unknown", "settled", "settled"]);

  const waiting = publish("g", 60_000);
  const unblocked = told("unblocked");
  await server.control("set_vm_memory_high_watermark", "0.4");
  await unblocked;
  expect(await waiting).toEqual([{ status: "accepted" }]);
  expect(
    await consumer.settle([{ kind: "retry", delivery: second, next: { ...second.message, hop: 1 }, delay: 0 }]),
  ).toEqual(["settled"]);
  // What had no answer was in the pipe, and has arrived.
  const left = new Set<string>();
  while (left.size < 4) {
    const taken = await consumer.take(10, AbortSignal.timeout(patience));
    for (const { message } of taken) left.add(`${message?.id}:${message?.hop}`);
    await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery })));
  }
  expect([...left].sort()).toEqual([`${second.message.id}:1`, `${fourth.message?.id}:0`, "e:0", "g:0"].sort());
  expect(events).toEqual(["blocked", "unblocked"]);
});
