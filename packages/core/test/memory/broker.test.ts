import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Delivery,
  decodeMessage,
  encodeMessage,
  type MemoryOptions,
  type Message,
  memory,
} from "../../src/index.ts";

const signal = new AbortController().signal;
const publishOptions = { timeout: 1000 };
const cleanUps: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function openBroker(options?: MemoryOptions) {
  const broker = memory(options);
  await broker.connect();
  cleanUps.push(() => broker.close());
  return broker;
}

function message(id: string, parts: Partial<Message> = {}): Message {
  const base = {
    id,
    run: 0,
    hop: 0,
    task: "t",
    queue: "q",
    attempt: 0,
    enqueuedAt: 1,
    contentType: "application/json",
  };
  return { ...base, body: Buffer.from("[]"), ...parts };
}

const idsOf = (deliveries: readonly Delivery[]): Array<string | undefined> =>
  deliveries.map(({ message: read }) => read?.id);

describe("nobody changes what another sees", () => {
  test("neither who published, nor who took it first", async () => {
    const broker = await openBroker();
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    const headers = { tenant: "acme" };
    const policy = { backoff: { from: 1, to: 2 } };
    const original = message("a", { headers, policy, body: Buffer.from("body") });
    await broker.publish([{ message: original }], publishOptions);
    const untouched = structuredClone({ headers, policy });
    const vandalise = ({ body, headers, policy }: Message): void => {
      body.fill(0);
      Object.assign(headers as object, { tenant: "evil" });
      Object.assign(policy?.backoff as object, { from: 99 });
    };
    vandalise(original);
    for (let round = 0; round < 3; round += 1) {
      const [delivery] = await consumer.take(1, signal);
      const read = delivery?.message as Message;
      expect(read).toMatchObject(untouched);
      expect(Buffer.from(read.body).toString()).toBe("body");
      vandalise(read);
      const [entry] = (await broker.admin.list("q", { section: "running", limit: 1 })).entries;
      expect(entry?.message).toMatchObject(untouched);
      vandalise(entry?.message as Message);
      entry?.bytes.fill(0);
      await consumer.settle([{ kind: "release", delivery: delivery as Delivery }]);
    }
  });

  test("nor of outcomes and state", async () => {
    const { companions } = await openBroker();
    const [results, state] = [companions.results(), companions.state()];
    await Promise.all([results.connect(), state.connect()]);
    cleanUps.push(
      () => results.close(),
      () => state.close(),
    );
    const body = Buffer.from("result");
    const outcome = { id: "a", task: "t", attempt: 0, run: 0, enqueuedAt: 0, finishedAt: 0, worker: "w", ttl: 60_000 };
    await results.store([{ ...outcome, status: "succeeded", result: { contentType: "c", body } }]);
    body.fill(0);
    (await results.get(["a"]))[0]?.result?.body.fill(1);
    (await results.wait("a", { signal })).result?.body.fill(2);
    expect(Buffer.from((await results.get(["a"]))[0]?.result?.body ?? []).toString()).toBe("result");

    const value = Buffer.from("value");
    const key = ["k"];
    await state.put([{ key, value }]);
    value.fill(0);
    key[0] = "other";
    (await state.get([["k"]]))[0]?.value.fill(1);
    expect(Buffer.from((await state.get([["k"]]))[0]?.value ?? []).toString()).toBe("value");
  });
});

describe("limits", () => {
  test("a queue that is full refuses, and takes again when there is room; retries always find room", async () => {
    const broker = await openBroker({ maxMessages: 2 });
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    const publish = (id: string, delay = 0) => broker.publish([{ message: message(id), delay }], publishOptions);
    await publish("a");
    await publish("b", 60_000);
    const full = { status: "refused", error: { code: "BROKER_FULL", retryable: true } };
    expect(await publish("c")).toMatchObject([full]);
    expect(await publish("a")).toEqual([{ status: "duplicate" }]);
    const [delivery] = await consumer.take(1, signal);
    expect(await publish("c")).toMatchObject([full]);
    const next = message("a", { hop: 1, attempt: 1 });
    await consumer.settle([{ kind: "retry", delivery: delivery as Delivery, next, delay: 0 }]);
    expect(await publish("c")).toMatchObject([full]);
    const [again] = await consumer.take(1, signal);
    expect(again?.message).toMatchObject({ id: "a", hop: 1 });
    await consumer.settle([{ kind: "ack", delivery: again as Delivery }]);
    expect(await publish("c")).toEqual([{ status: "accepted" }]);
  });

  test("a message that is too large is refused, to the byte", async () => {
    const maxMessageBytes = 20_000;
    const broker = await openBroker({ maxMessageBytes });
    const room = maxMessageBytes - encodeMessage(message("a", { body: Buffer.alloc(0) })).length;
    const publish = (id: string, length: number) =>
      broker.publish([{ message: message(id, { body: Buffer.alloc(length) }) }], publishOptions);
    expect(await publish("a", room)).toEqual([{ status: "accepted" }]);
    expect(await publish("b", room + 1)).toMatchObject([{ status: "refused", error: { code: "MESSAGE_TOO_LARGE" } }]);
    expect(broker.capabilities.maxMessageBytes).toBe(maxMessageBytes);
  });

  test.each([{ maxMessages: 0 }, { maxMessages: Number.NaN }, { maxMessageBytes: "1" }, { dedupeWindow: "soon" }])(
    "options %o are refused",
    (options) => {
      expect(() => memory(options as MemoryOptions)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(OPTION|DURATION)_INVALID$/) }),
      );
    },
  );

  test("a queue with a name that is none is refused before anything is published", async () => {
    const broker = await openBroker();
    const outgoing = [{ message: message("a") }, { message: message("b", { queue: "no name" }) }];
    await expect(broker.publish(outgoing, publishOptions)).rejects.toMatchObject({ code: "NAME_INVALID" });
    expect(await broker.admin.depth("q")).toMatchObject({ ready: 0 });
  });
});

describe("sharing", () => {
  test("consumers that wait share what arrives", async () => {
    const broker = await openBroker();
    const consumers = await Promise.all([1, 2, 3].map(() => broker.consume("q", { window: 100, lease: 60_000 })));
    const takes = consumers.map((consumer) => consumer.take(100, signal));
    const outgoing = Array.from({ length: 9 }, (_, index) => ({ message: message(`m${index}`) }));
    // One call, so that all arrive at one moment however busy the machine is.
    await broker.publish(outgoing, publishOptions);
    const taken = await Promise.all(takes);
    expect(taken.map(({ length }) => length)).toEqual([3, 3, 3]);
    expect(taken.flatMap(idsOf)).toEqual(outgoing.map(({ message: { id } }) => id));
  });

  test("messages outlive the last close; unsettled deliveries go back", async () => {
    const broker = memory();
    await broker.connect();
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    await broker.publish([{ message: message("a") }, { message: message("b") }], publishOptions);
    const [delivery] = await consumer.take(1, signal);
    await broker.close();
    await expect(broker.publish([{ message: message("c") }], publishOptions)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(consumer.take(1, signal)).rejects.toMatchObject({ code: "CLOSED" });
    expect(await consumer.settle([{ kind: "ack", delivery: delivery as Delivery }])).toEqual(["lost"]);
    await broker.connect();
    cleanUps.push(() => broker.close());
    const other = await broker.consume("q", { window: 10, lease: 60_000 });
    const taken = await other.take(10, signal);
    expect(idsOf(taken)).toEqual(["a", "b"]);
    expect(taken.map(({ deliveryCount }) => deliveryCount)).toEqual([2, 1]);
  });

  test("companions are the same at each call, and results and broker offer one state", async () => {
    const { companions } = await openBroker();
    expect(companions.results()).toBe(companions.results());
    expect(companions.state()).toBe(companions.results().state());
    expect(memory().companions.results()).not.toBe(companions.results());
  });

  test("a busy loop of publishes and takes lets timers have their turn", async () => {
    const broker = await openBroker();
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    let isFired = false;
    setTimeout(() => {
      isFired = true;
    }, 1);
    const until = performance.now() + 20_000;
    for (let index = 0; !isFired && performance.now() < until; index += 1) {
      await broker.publish([{ message: message(`m${index}`) }], publishOptions);
      const deliveries = await consumer.take(10, signal);
      await consumer.settle(deliveries.map((delivery) => ({ kind: "ack", delivery })));
    }
    expect(isFired).toBe(true);
  });
});

describe("insertRaw", () => {
  test("puts in bytes of a message, which keep their form", async () => {
    const broker = await openBroker();
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    const bytes = Buffer.from(
      '{ "task":"t","v":1, "id":"a","run":0,"hop":0,"queue":"elsewhere","attempt":0,"enqueuedAt":1,"priority":9,"contentType":"c"}\nbody',
    );
    broker.insertRaw("q", bytes);
    bytes.fill(0);
    const [delivery] = await consumer.take(1, signal);
    expect(delivery?.message).toMatchObject({ id: "a", priority: 9 });
    const reason = { code: "TASK_UNKNOWN", message: "x", at: 1 } as const;
    await consumer.settle([{ kind: "reject", delivery: delivery as Delivery, reason }]);
    const entry = await broker.admin.read("q", "dead", "a");
    expect(Buffer.from(entry?.bytes ?? []).toString()).toMatch(/^\{ "task".*\nbody$/);
    expect(entry?.reason).toEqual(reason);
  });

  test("puts in bytes that are none, found by their id where it can be read", async () => {
    const broker = await openBroker();
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    broker.insertRaw("q", Buffer.from("garbage"));
    broker.insertRaw("q", Buffer.from('{"v":2,"id":"b"}\n'));
    const deliveries = await consumer.take(10, signal);
    expect(deliveries.map(({ malformed }) => [malformed?.error.code, malformed?.id])).toEqual([
      ["MESSAGE_MALFORMED", undefined],
      ["MESSAGE_VERSION_UNKNOWN", "b"],
    ]);
    expect((await broker.admin.read("q", "running", "b"))?.message).toBeUndefined();
  });
});

describe("admin", () => {
  test("pages stay whole while others take and add", async () => {
    const broker = await openBroker();
    const consumer = await broker.consume("q", { window: 100, lease: 60_000 });
    const outgoing = (from: number) =>
      Array.from({ length: 10 }, (_, index) => ({
        message: message(`m${from + index}`, { priority: (from + index) % 10 }),
      }));
    await broker.publish(outgoing(0), publishOptions);
    const first = await broker.admin.list("q", { section: "ready", limit: 4 });
    await consumer.take(5, signal);
    await broker.publish(outgoing(10), publishOptions);
    const rest = await broker.admin.list("q", { section: "ready", limit: 100, cursor: first.cursor as string });
    const ids = [...first.entries, ...rest.entries].map((entry) => entry.message?.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, 4)).toEqual(["m0", "m1", "m2", "m3"]);
    expect(ids).toEqual(expect.arrayContaining(outgoing(10).map(({ message: { id } }) => id)));
    expect(rest.cursor).toBeUndefined();
  });

  test("a key is never taken for the id of a task", async () => {
    const broker = await openBroker();
    await broker.publish([{ message: message("1") }, { message: message("2") }], publishOptions);
    const { entries } = await broker.admin.list("q", { section: "ready", limit: 10 });
    expect(await broker.admin.remove("q", "ready", ["1", entries[0]?.key ?? ""])).toBe(1);
    expect(await broker.admin.read("q", "ready", "2")).toMatchObject({ key: entries[1]?.key });
    expect(await broker.admin.read("q", "ready", "1")).toBeUndefined();
  });

  test("of several hops of a task, the newest is found", async () => {
    const broker = await openBroker();
    await broker.publish(
      [0, 1, 2].map((hop) => ({ message: message("a", { hop }) })),
      publishOptions,
    );
    expect((await broker.admin.read("q", "ready", "a"))?.message?.hop).toBe(2);
    expect(await broker.admin.remove("q", "ready", ["a"])).toBe(1);
    expect((await broker.admin.read("q", "ready", "a"))?.message?.hop).toBe(1);
    const consumer = await broker.consume("q", { window: 10, lease: 60_000 });
    const deliveries = await consumer.take(10, signal);
    await consumer.settle([{ kind: "ack", delivery: deliveries[0] as Delivery }]);
    expect((await broker.admin.read("q", "running", "a"))?.message?.hop).toBe(1);
    await consumer.settle([{ kind: "ack", delivery: deliveries[1] as Delivery }]);
    expect(await broker.admin.queues()).toEqual([]);
  });

  test("the bytes of an entry are those of the wire", async () => {
    const broker = await openBroker();
    await broker.publish([{ message: message("a", { headers: { tenant: "acme" } }) }], publishOptions);
    const [entry] = (await broker.admin.list("q", { section: "ready", limit: 1 })).entries;
    expect(decodeMessage(entry?.bytes ?? Buffer.alloc(0))).toMatchObject({ id: "a", headers: { tenant: "acme" } });
  });

  test.each([0, 1001, 1.5, Number.NaN])("a page of %d is refused", async (limit) => {
    const broker = await openBroker();
    await broker.publish([{ message: message("a") }], publishOptions);
    await expect(broker.admin.list("q", { section: "ready", limit })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("a process", () => {
  const fixture = fileURLToPath(new URL("../fixtures/memory-waits.ts", import.meta.url));
  const run = async (scene: string): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", fixture, scene], {
      timeout: 25_000,
    });
    return stdout.trim();
  };
  test.each([
    ["take", "took 1\ntook 1"],
    ["wait", "got succeeded"],
    ["watch", "saw snapshot\nsaw put"],
  ])("stays alive in a %s", async (scene, output) => expect(await run(scene)).toBe(output));
  test("ends by itself when nothing waits", async () => expect(await run("idle")).toBe("idle"));
});
