import { type BrokerEvent, isTaskferryError } from "@taskferry/core";
import { startNats, testBroker, testStateStore } from "@taskferry/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { type NatsOptions, nats } from "../src/index.ts";
import { ask, idsOf, messageOf, opened, operator, patience, takeAll } from "./fixtures/values.ts";
import { createBrokerHarness, createStateHarness, laterNats, privateNats } from "./harness.ts";
import skips from "./skip.json" with { type: "json" };

const publishing = { timeout: patience };
const options = { window: 100, lease: 30_000 };

describe.skipIf(laterNats === undefined)("NATS from 2.12 on", () => {
  const program = { program: laterNats ?? "" };
  const server = privateNats(program);

  testBroker({
    name: "nats (from 2.12 on)",
    create: (request) => createBrokerHarness(server.current(), request),
    skip: skips,
  });
  testStateStore({
    name: "natsState (from 2.12 on)",
    create: (request) => createStateHarness(server.current(), request),
  });

  describe("what is delayed", () => {
    const open = (namespace: string, more: NatsOptions = {}) =>
      opened(nats({ url: server.current().url, namespace, ...more }));

    test("is published by the server itself, with nobody there", async () => {
      const broker = nats({ url: server.current().url, namespace: "alone" });
      await broker.connect();
      await broker.publish([{ message: messageOf("a", "q"), delay: 600 }], publishing);
      expect(await subjectsOf("alone")).toEqual([expect.stringMatching(/^alone\.at\.q\.1\.\d+\.[\w-]{24}$/)]);
      await broker.close();
      await expect.poll(() => subjectsOf("alone"), { timeout: patience }).toEqual(["alone.q.q.1.0"]);
    });

    test("is parked where the stream has limits of its own, or where it is wanted", async () => {
      for (const [namespace, more] of [
        ["limited", { maxBytes: 100_000 }],
        ["unwanted", { nativeDelay: false }],
      ] as const) {
        const broker = await open(namespace, more);
        await broker.publish([{ message: messageOf("a", "q"), delay: 60_000 }], publishing);
        expect(await subjectsOf(namespace)).toEqual([`${namespace}.delay.q.1`]);
      }
    });

    test("and was parked before comes all the same", async () => {
      const former = await open("grown", { nativeDelay: false });
      await former.publish([{ message: messageOf("parked", "q"), delay: 800 }], publishing);
      const broker = await open("grown");
      await broker.publish([{ message: messageOf("kept", "q"), delay: 800 }], publishing);
      expect(await broker.admin?.depth("q")).toMatchObject({ delayed: 2 });
      const consumer = await broker.consume("q", options);
      expect(idsOf(await takeAll(consumer, 2)).sort()).toEqual(["kept", "parked"]);
    });

    test("keeps limits from a stream that would throw away what was not done", async () => {
      await open("unlimited");
      const limited = nats({ url: server.current().url, namespace: "unlimited", maxBytes: 1_000 });
      await expect(limited.connect()).rejects.toSatisfy(
        (error) => isTaskferryError(error, "CONFIGURATION_INVALID") && /maxBytes/.test(error.message),
      );
    });

    test("is parked, with a warning, for a user who may not change the stream", async () => {
      const publish = ["$JS.API.STREAM.CREATE.>", "$JS.API.STREAM.INFO.>", "$JS.API.CONSUMER.>", "taskferry.>"];
      const permissions = { publish: [...publish, "$JS.ACK.>", "_INBOX.>"], subscribe: [">"] };
      const own = await startNats({ ...program, users: [{ user: "u", password: "p", permissions }] });
      onTestFinished(() => own[Symbol.asyncDispose]());
      const broker = nats({ url: own.url });
      const events: BrokerEvent[] = [];
      broker.on((event) => events.push(event));
      await opened(broker);
      expect(events).toContainEqual({ type: "warning", message: expect.stringMatching(/parked.*STREAM\.UPDATE/) });
      await broker.publish([{ message: messageOf("a", "q"), delay: 300 }], publishing);
      expect(idsOf(await takeAll(await broker.consume("q", options), 1))).toEqual(["a"]);
    });

    test("and was let pass by a server without room comes once there is room", async () => {
      const own = await startNats({ ...program, jetStream: { maxStore: "1MB" } });
      onTestFinished(() => own[Symbol.asyncDispose]());
      const broker = await opened(nats({ url: own.url }));
      const large = Buffer.alloc(150_000, 1);
      await broker.publish([{ message: messageOf("late", "q", { body: large }), delay: 1_500 }], publishing);
      const filler = Buffer.alloc(30_000, 1);
      const fill = async (index: number): Promise<string | undefined> => {
        const message = messageOf(`m${index}`, "other", { body: filler });
        return (await broker.publish([{ message }], publishing))[0]?.status;
      };
      for (let index = 0; (await fill(index)) === "accepted"; ) index += 1;
      const connection = await operator(own.url);
      const dueAt = Date.now() + 1_500;
      await expect.poll(() => Date.now(), { timeout: patience }).toBeGreaterThan(dueAt + 1_000);
      expect(await broker.admin?.depth("q")).toMatchObject({ ready: 0, delayed: 1 });
      await ask(connection, "STREAM.PURGE.taskferry", { filter: "taskferry.q.other.>" });
      const consumer = await broker.consume("q", options);
      const taken = await takeAll(consumer, 1, 80_000);
      expect(idsOf(taken)).toEqual(["late"]);
      expect(await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled"]);
      expect(await broker.admin?.depth("q")).toMatchObject({ ready: 0, delayed: 0, running: 0 });
    }, 100_000);

    /** The subjects under which a namespace's stream has something. */
    async function subjectsOf(namespace: string): Promise<readonly string[]> {
      const connection = await operator(server.current().url);
      const info = await ask<{ readonly state: { readonly subjects?: Readonly<Record<string, number>> } }>(
        connection,
        `STREAM.INFO.${namespace}`,
        { subjects_filter: ">" },
      );
      return Object.keys(info.state.subjects ?? {});
    }
  });
});
