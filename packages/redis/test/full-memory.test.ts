import { startRedis } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import { redisResults } from "../src/index.ts";
import { messageOf, opened, operator, outcomeOf, patience, queueBrokers } from "./fixtures/values.ts";

test.each(queueBrokers)(
  "%s: when memory is full nothing new comes in, and all that is there goes on",
  async (_, create) => {
    const server = await startRedis({ maxMemory: { bytes: "100mb", policy: "noeviction" } });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const broker = await opened(create({ url: server.url }));
    const results = await opened(redisResults({ url: server.url }));
    const consumer = await broker.consume("q", { window: 20, lease: 10_000 });
    const publish = (...ids: string[]) =>
      broker.publish(
        ids.map((id) => ({ message: messageOf(id, "q") })),
        { timeout: patience },
      );
    await publish("acked", "retried", "rejected", "released", "abandoned");
    const held = await consumer.take(4, AbortSignal.timeout(patience));
    const [ack, retry, reject, release] = held;
    if (!ack || !retry?.message || !reject || !release) throw new Error("four deliveries were expected");
    const gone = await broker.consume("q", { window: 1, lease: 1 });
    await gone.take(1, AbortSignal.timeout(patience));
    await broker.publish(
      [
        { message: messageOf("due", "q"), delay: 1 },
        { message: messageOf("low", "q", { priority: 0 }) },
        { message: messageOf("high", "q", { priority: 9 }) },
      ],
      { timeout: patience },
    );
    // Less than it has: every command that needs memory is refused.
    const other = operator(server.url);
    await other.config("SET", "maxmemory", "1000000");

    expect(await publish("new")).toMatchObject([{ status: "refused", error: { code: "BROKER_FULL" } }]);
    await expect(results.store([outcomeOf("new")])).rejects.toMatchObject({ code: "BROKER_FULL" });
    expect(await consumer.extend(held)).toEqual([]);
    expect(
      await consumer.settle([
        { kind: "ack", delivery: ack },
        { kind: "retry", delivery: retry, next: { ...retry.message, hop: 1 }, delay: 0 },
        { kind: "reject", delivery: reject, reason: { code: "TASK_FAILED", message: "x", at: 1 } },
        { kind: "release", delivery: release },
      ]),
    ).toEqual(held.map(() => "settled"));
    const taken: string[] = [];
    while (taken.length < 6) {
      const deliveries = await consumer.take(2, AbortSignal.timeout(patience));
      taken.push(...deliveries.map(({ message }) => message?.id ?? "malformed"));
    }
    expect(taken.sort()).toEqual(["abandoned", "due", "high", "low", "released", "retried"]);
    expect(await broker.admin?.purge("q", "dead")).toBe(1);

    await other.config("SET", "maxmemory", "100mb");
    expect(await publish("new")).toEqual([{ status: "accepted" }]);
  },
);
