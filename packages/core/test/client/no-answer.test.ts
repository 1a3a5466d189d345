import { describe, expect, test } from "vitest";
import {
  type Broker,
  BrokerError,
  memory,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
} from "../../src/index.ts";
import { gate, stage } from "../worker/setup.ts";
import { clientOf, echo, echoes } from "./setup.ts";

describe("a broker that does not answer", () => {
  type Publish = Broker["publish"];

  /** A memory broker whose publishes go through `wrap`. */
  function wrapped(wrap: (publish: Publish, call: number) => Publish): {
    readonly broker: Broker;
    readonly calls: (readonly OutgoingMessage[])[];
  } {
    const real = memory();
    const calls: (readonly OutgoingMessage[])[] = [];
    const publish: Publish = (messages, options) => {
      calls.push(messages);
      return wrap(real.publish, calls.length)(messages, options);
    };
    return { broker: { ...real, publish }, calls };
  }

  const away = new BrokerError("BROKER_UNAVAILABLE", "No reply came.");
  const unknown: PublishResult = { status: "unknown", error: away };

  test.each([
    ["was carried out all the same", true],
    ["was never carried out", false],
  ] as const)("what it cannot tell of is published again under the same hop: a publish that %s", async (_, isDone) => {
    const { broker, calls } = wrapped((publish, call) => async (messages, options) => {
      if (call > 2) return publish(messages, options);
      if (isDone) await publish(messages, options);
      return messages.map(() => unknown);
    });
    const { client, events } = await stage([echoes], { broker });
    const handle = await client.enqueue(echo, "text");
    expect(await handle.result()).toBe("text");
    expect(calls.map((messages) => messages.map(({ message: { id, run, hop } }) => ({ id, run, hop })))).toEqual(
      [1, 2, 3].map(() => [{ id: handle.id, run: 0, hop: 0 }]),
    );
    expect(events.filter(({ type }) => type === "task.started")).toHaveLength(1);
  });

  test("only what it cannot tell of is published again", async () => {
    const { broker, calls } = wrapped((publish, call) => async (messages, options) => {
      const results = await publish(messages, options);
      return call > 1 ? results : results.map((result, index) => (index === 1 ? unknown : result));
    });
    const { client } = await stage([echoes], { broker });
    const answers = await client.enqueueMany(echo, ["a", "b", "c"], { id: (text) => `id-${String(text)}` });
    expect(answers.map(({ status }) => status)).toEqual(["accepted", "accepted", "accepted"]);
    expect(calls.map((messages) => messages.map(({ message }) => message.id))).toEqual([
      ["id-a", "id-b", "id-c"],
      ["id-b"],
    ]);
  });

  test("an enqueue rejects with its error when the publish timeout is over", async () => {
    const { broker, calls } = wrapped(() => async (messages) => messages.map(() => unknown));
    const client = await clientOf({ broker, publishTimeout: 300 });
    const begun = monotonicNow();
    await expect(client.enqueue(echo, 1)).rejects.toBe(away);
    expect(monotonicNow() - begun).toBeGreaterThanOrEqual(290);
    expect(calls.length).toBeGreaterThan(1);
  });

  test("however many wait, none waits much longer than the publish timeout, and none gives up before it", async () => {
    const real = memory();
    const midway = gate();
    const broker: Broker = {
      ...real,
      publish: (_, { timeout }) =>
        new Promise((_resolve, reject) => {
          setTimeout(midway.open, timeout / 2);
          setTimeout(() => reject(away), timeout);
        }),
    };
    const client = await clientOf({ broker, publishTimeout: 1_000 });
    const waits: number[] = [];
    const errors: string[] = [];
    const enqueue = async (): Promise<void> => {
      const begun = monotonicNow();
      errors.push(await client.enqueue(echo, 1).then(String, (error: { readonly code: string }) => error.code));
      waits.push(monotonicNow() - begun);
    };
    const early = Array.from({ length: 4_000 }, enqueue);
    await midway.promise;
    const late = Array.from({ length: 4_000 }, enqueue);
    await Promise.all([...early, ...late]);
    expect(new Set(errors)).toEqual(new Set(["BROKER_UNAVAILABLE"]));
    expect(Math.max(...waits)).toBeLessThan(2_500);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(990);
  });
});
