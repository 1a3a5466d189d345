import { once } from "node:events";
import { describe, expect, test } from "vitest";
import {
  createClient,
  createWorker,
  defineTask,
  ed25519Key,
  encodeMessage,
  hmacKey,
  type Message,
  memory,
  memoryFanout,
  type StoredOutcome,
  signatures,
  silentLogger,
  type WorkerEvent,
} from "../../src/index.ts";
import { gate } from "../worker/setup.ts";
import { inject, oneSecret, pair, scene } from "./setup.ts";

const pay = defineTask<{ amount: number }, string>("pay", { retry: { attempts: 3, backoff: { from: 0, to: 0 } } });
const runs = () => {
  const ran: number[] = [];
  return { ran, onPay: pay.handler(async ({ amount }) => `paid ${ran.push(amount)}`) };
};

describe("a signed task", () => {
  test("runs, and its outcome is believed", async () => {
    const { client, worker } = await scene({ signatures: oneSecret() });
    const { onPay } = runs();
    await worker([onPay]);
    const handle = await (await client()).enqueue(pay, { amount: 1 }, { headers: { tenant: "a" }, delay: 5 });
    expect(await handle.result({ timeout: "10s" })).toBe("paid 1");
  });

  test("is retried with the signature it came with, by a worker that has no key for tasks", async () => {
    const [web, runner] = [pair(), pair()];
    const uses = ["result", "control"] as const;
    const forClient = signatures({
      keys: [
        ed25519Key("web", { privateKey: web.privateKey, uses: ["task"] }),
        ed25519Key("worker", { publicKey: runner.publicKey, uses }),
      ],
    });
    const forWorker = signatures({
      keys: [
        ed25519Key("web", { publicKey: web.publicKey, uses: ["task"] }),
        ed25519Key("worker", { privateKey: runner.privateKey, uses }),
      ],
    });
    const { client, worker } = await scene();
    const flaky = pay.handler(async (_, { attempt }) => {
      if (attempt < 2) throw new Error("not yet");
      return `paid at attempt ${attempt}`;
    });
    await worker([flaky], { signatures: forWorker });
    const enqueued = await (await client({ signatures: forClient })).enqueue(pay, { amount: 1 });
    expect(await enqueued.result({ timeout: "10s" })).toBe("paid at attempt 2");
  });

  test.each<[string, string, (message: Message) => Message]>([
    ["without a signature", "SIGNATURE_MISSING", ({ signature: _, ...rest }) => rest],
    ["with another body", "SIGNATURE_INVALID", (message) => ({ ...message, body: Buffer.from('{"amount":9}') })],
    ["of another task", "SIGNATURE_INVALID", (message) => ({ ...message, task: "other" })],
    ["of another queue", "SIGNATURE_INVALID", (message) => ({ ...message, queue: "other" })],
    ["of a later run", "SIGNATURE_INVALID", (message) => ({ ...message, run: 1, hop: 1 })],
    ["that may fail more often", "SIGNATURE_INVALID", (message) => ({ ...message, policy: { attempts: 999 } })],
  ])("%s goes to the dead letters and runs nothing", async (_, code, change) => {
    const { broker, client, worker, captured } = await scene({ signatures: oneSecret() });
    const { ran, onPay } = runs();
    const from = await client();
    const handle = await from.enqueue(pay, { amount: 1 }, { id: "victim" });
    const message = await captured(from, async () => undefined);
    const forged = { ...change(message), hop: 1 };
    const queue = forged.queue;
    const running = await worker([onPay], { queues: { default: {}, other: {} } });
    await inject(broker, forged);
    const { reason } = await running.next("task.rejected");
    expect(reason.code).toBe(code);
    const [letter] = (await from.deadLetters.list(queue)).entries;
    expect(letter?.bytes).toEqual(Buffer.from(encodeMessage(forged)));
    expect(ran).toEqual([]);
    // Whoever waits for the task of that id is not told a lie.
    expect((await handle.get()).status).toBe("pending");
    // Nor does a replay sign what was not signed.
    const { left } = await from.deadLetters.replay(queue, "all");
    expect(left).toHaveLength(1);
    expect(ran).toEqual([]);
  });

  test("moved to another queue, bytes as they are, is refused", async () => {
    const { broker, state, results, worker, client, captured } = await scene({ signatures: oneSecret() });
    const { ran, onPay } = runs();
    const from = await client();
    const message = await captured(from, () => from.enqueue(pay, { amount: 1 }));
    // A broker that hands out what lies in "default" as if it lay in "elsewhere".
    const moved = { ...broker, consume: (_: string, options: never) => broker.consume("default", options) };
    const running = await worker([onPay], { broker: moved as never, state, results, queues: { elsewhere: {} } });
    await inject(broker, { ...message, hop: 1 });
    expect((await running.next("task.rejected")).reason.code).toBe("MESSAGE_MOVED");
    expect(ran).toEqual([]);
  });

  test("copied after it has ended is refused, whatever its counters say", async () => {
    const { broker, client, worker, captured } = await scene({ signatures: oneSecret() });
    const { ran, onPay } = runs();
    const from = await client();
    const message = await captured(from, () => from.enqueue(pay, { amount: 1 }));
    const running = await worker([onPay]);
    await inject(broker, { ...message, hop: 1 });
    await running.next("task.succeeded");
    await inject(broker, { ...message, hop: 2, attempt: 1 });
    expect((await running.next("task.rejected")).reason.code).toBe("MESSAGE_REPLAYED");
    expect(ran).toEqual([1]);
    // The outcome that stands is that of the true one.
    expect(await from.handle(pay, message.id).result({ timeout: "10s" })).toBe("paid 1");
  });

  test("copied after it has ended is refused without results too, also by a worker that came later", async () => {
    const { broker, client, worker, captured } = await scene({ signatures: oneSecret(), results: false });
    const { ran, onPay } = runs();
    const from = await client();
    const message = await captured(from, () => from.enqueue(pay, { amount: 1 }));
    const first = await worker([onPay]);
    await inject(broker, { ...message, hop: 1 });
    await first.next("task.succeeded");
    await first.close();
    const second = await worker([onPay]);
    await inject(broker, { ...message, hop: 2 });
    expect((await second.next("task.rejected")).reason.code).toBe("MESSAGE_REPLAYED");
    expect(ran).toEqual([1]);
  });

  test("too old is refused, and a replay from the dead letters signs it anew", async () => {
    const { broker, client, worker, captured } = await scene({ signatures: oneSecret({ validFor: "1h" }) });
    const { ran, onPay } = runs();
    const old = await client({ signatures: oneSecret({ validFor: 0 }) });
    const message = await captured(old, () => old.enqueue(pay, { amount: 1 }));
    const running = await worker([onPay]);
    await inject(broker, { ...message, hop: 1 });
    expect((await running.next("task.rejected")).reason.code).toBe("SIGNATURE_EXPIRED");
    expect(ran).toEqual([]);
    const { replayed } = await (await client()).deadLetters.replay("default", "all");
    expect(replayed).toHaveLength(1);
    expect((await running.next("task.succeeded")).run).toBe(1);
    expect(ran).toEqual([1]);
  });
});

describe("a forged outcome", () => {
  const forged = (id: string): StoredOutcome => ({
    ...{ id, run: 0, task: "pay", attempt: 0, enqueuedAt: 1, finishedAt: 2, worker: "mallory", ttl: 60_000 },
    status: "succeeded",
    result: { contentType: "application/json", body: Buffer.from('"paid twice"') },
  });

  test("is not told to who waits", async () => {
    const { client, results } = await scene({ signatures: oneSecret() });
    const handle = await (await client()).enqueue(pay, { amount: 1 });
    await results.store([forged(handle.id)]);
    await expect(handle.result({ timeout: "10s" })).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    expect((await handle.get()).status).toBe("pending");
  });

  test("keeps no redelivered task from running", async () => {
    const { broker, client, worker, results } = await scene({ signatures: oneSecret() });
    const { ran, onPay } = runs();
    const from = await client();
    const handle = await from.enqueue(pay, { amount: 1 });
    // Handed out once, and not settled: the next delivery counts two.
    const consumer = await broker.consume("default", { window: 1, lease: 100 });
    await consumer.take(1, AbortSignal.timeout(10_000));
    await consumer.stop();
    await results.store([forged(handle.id)]);
    const running = await worker([onPay]);
    await running.next("task.succeeded");
    expect(ran).toEqual([1]);
    await consumer.close();
  });
});

describe("a cancellation", () => {
  const forgedRecord = Buffer.from(JSON.stringify({ run: 0, reason: "forged", mode: "force", at: 1 }));

  test("that is not signed is ignored, one that is ends the task", async () => {
    const { client, worker, state } = await scene({ signatures: oneSecret() });
    const started = gate();
    const waiting = pay.handler(async (_, { signal }) => {
      started.open();
      await once(signal, "abort");
      return String((signal.reason as Error).message);
    });
    const from = await client();
    await state.put([{ key: ["cancel", "victim"], value: forgedRecord }]);
    await worker([waiting], { lease: 300 });
    const handle = await from.enqueue(pay, { amount: 1 }, { id: "victim" });
    await started.promise;
    await state.put([{ key: ["cancel", "victim"], value: forgedRecord }]);
    await handle.cancel("wanted no longer");
    expect(await handle.outcome({ timeout: "10s" })).toMatchObject({ status: "cancelled", reason: "wanted no longer" });
  });

  test("of what still waits leaves an outcome that is believed", async () => {
    const { client } = await scene({ signatures: oneSecret() });
    const handle = await (await client()).enqueue(pay, { amount: 1 });
    expect(await handle.cancel("no")).toBe("finished");
    expect(await handle.outcome({ timeout: "10s" })).toMatchObject({ status: "cancelled", reason: "no" });
  });

  test("by a client that has no key for it is refused before anything is changed", async () => {
    const web = ed25519Key("web", { privateKey: pair().privateKey, uses: ["task"] });
    const { client } = await scene({ signatures: signatures({ keys: [web] }) });
    const from = await client();
    const handle = await from.enqueue(pay, { amount: 1 });
    await expect(handle.cancel()).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    expect((await handle.get()).status).toBe("pending");
  });
});

describe("a configuration", () => {
  const { publicKey, privateKey } = pair();
  const { onPay } = runs();

  test("of a worker that cannot sign its results is refused at start", async () => {
    const ring = signatures({ keys: [ed25519Key("web", { publicKey })] });
    const worker = createWorker({ broker: memory(), handlers: [onPay], signatures: ring, logger: silentLogger });
    await expect(worker.start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      message: expect.stringContaining("result and control") as unknown,
    });
    const accepting = signatures({
      keys: [ed25519Key("web", { publicKey })],
      acceptUnsigned: ["result", "control"],
    });
    const other = createWorker({ broker: memory(), handlers: [onPay], signatures: accepting, logger: silentLogger });
    await other.start();
    await other.close();
  });

  test("without a state store is refused, unless replays are allowed", async () => {
    const make = (replays: "refused" | "allowed") =>
      createWorker({
        ...{ broker: memory(), state: false, results: false, handlers: [onPay], logger: silentLogger },
        signatures: oneSecret({ replays }),
      });
    await expect(make("refused").start()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    const worker = make("allowed");
    await worker.start();
    await worker.close();
  });

  test("of a client that cannot sign is refused at enqueue", async () => {
    const client = await createClient({
      broker: memory(),
      signatures: signatures({ keys: [ed25519Key("web", { publicKey })] }),
    });
    await expect(client.enqueue(pay, { amount: 1 })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    await client.close();
  });

  test("a fleet begins to sign step by step", async () => {
    const key = ed25519Key("web", { privateKey });
    const begun = signatures({ keys: [key], acceptUnsigned: ["task", "result", "control"] });
    const { client, worker } = await scene();
    const { onPay: handler } = runs();
    await worker([handler], { signatures: begun });
    for (const options of [{}, { signatures: begun }]) {
      const handle = await (await client(options)).enqueue(pay, { amount: 1 });
      expect(await handle.result({ timeout: "10s" })).toContain("paid");
    }
  });
});

test("a broadcast runs once in every worker, and a copy of it in none", async () => {
  const broker = memoryFanout();
  const forget = defineTask<{ key: string }>("forget", { broadcast: true });
  const ring = signatures({ keys: [hmacKey("k", Buffer.alloc(32, 1))] });
  const ran: string[] = [];
  const rejected: string[] = [];
  const options = { broker, results: false, signatures: ring, logger: silentLogger } as const;
  const workers = ["a", "b"].map((name) =>
    createWorker({ ...options, name, handlers: [forget.handler(({ key }) => void ran.push(`${name} ${key}`))] }),
  );
  const each = (type: WorkerEvent["type"]): Promise<unknown> =>
    Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve) => {
            worker.on((event) => {
              if (event.type === "task.rejected" && type === event.type) rejected.push(event.reason.code);
              if (event.type === type) resolve();
            });
          }),
      ),
    );
  const [ended, refused] = [each("task.succeeded"), each("task.rejected")];
  for (const worker of workers) await worker.start();
  const sent: Message[] = [];
  const client = await createClient({
    ...options,
    broker: {
      ...broker,
      publish: (messages, limits) => {
        sent.push(...messages.map(({ message }) => message));
        return broker.publish(messages, limits);
      },
    },
  });
  await client.enqueue(forget, { key: "x" });
  await ended;
  await broker.publish([{ message: { ...(sent[0] as Message), hop: 1 } }], { timeout: 1_000 });
  await refused;
  expect(ran.sort()).toEqual(["a x", "b x"]);
  expect(rejected).toEqual(["MESSAGE_REPLAYED", "MESSAGE_REPLAYED"]);
  await client.close();
  for (const worker of workers) await worker.close();
});
