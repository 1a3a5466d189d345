import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  type Broker,
  createClient,
  createWorker,
  defineTask,
  type Handler,
  memory,
  memoryFanout,
  silentLogger,
  type WorkerOptions,
} from "../src/index.ts";

const clear = defineTask<{ key: string }>("cache.clear", { broadcast: true });
const work = defineTask<number, number>("work");

async function startWorker(options: Partial<WorkerOptions> & { readonly broker: Broker }) {
  const worker = createWorker({ logger: silentLogger, ...options });
  onTestFinished(() => worker.close());
  await worker.start();
  return worker;
}

async function openClient(broker: Broker) {
  const client = await createClient({ broker });
  onTestFinished(() => client.close());
  return client;
}

/** Handlers that record what they ran, and a wait for so many runs. */
function recorder(): {
  readonly ran: string[];
  readonly handler: (name: string) => Handler;
  readonly count: (n: number) => Promise<void>;
} {
  const ran: string[] = [];
  let wake: () => void = () => undefined;
  return {
    ran,
    handler: (name) =>
      clear.handler(({ key }) => {
        ran.push(`${name} ${key}`);
        wake();
      }),
    count: async (n) => {
      while (ran.length < n) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

describe("a task with broadcast: true", () => {
  test("runs in every worker that has its handler, whatever queues it works on", async () => {
    const broker = memory();
    const { ran, handler, count } = recorder();
    await startWorker({ broker, handlers: [handler("one")] });
    await startWorker({ broker, handlers: [handler("two"), work.handler((n) => n)], queues: { other: {} } });
    const stranger = await startWorker({ broker, handlers: [work.handler((n) => n)] });
    const heard: string[] = [];
    stranger.on(({ type }) => heard.push(type));
    const client = await openClient(broker);

    const handle = await client.enqueue(clear, { key: "a" });
    await count(2);

    expect(handle).toEqual({ id: expect.any(String), task: "cache.clear" });
    expect(ran.toSorted()).toEqual(["one a", "two a"]);
    expect(heard).toEqual([]);
  });

  test("keeps no outcome, so that no worker takes another's for its own", async () => {
    const broker = memory();
    const { handler, count } = recorder();
    await startWorker({ broker, handlers: [handler("one")] });
    await startWorker({ broker, handlers: [handler("two")] });
    const client = await openClient(broker);
    const { id } = await client.enqueue(clear, { key: "a" }, { id: "same" });
    await client.enqueue(clear, { key: "b" }, { id: "same" });
    await count(4);
    expect(await broker.companions.results().get([id])).toEqual([undefined]);
  });

  test("is refused with NO_RECEIVERS where nobody listens", async () => {
    const client = await openClient(memory());
    await expect(client.enqueue(clear, { key: "a" })).rejects.toMatchObject({ code: "NO_RECEIVERS" });
  });

  test("goes through the middlewares, and ordinary tasks go on beside it", async () => {
    const broker = memory();
    const { handler, count } = recorder();
    await startWorker({ broker, handlers: [handler("one"), work.handler((n) => n + 1)] });
    const passed: string[] = [];
    const client = await createClient({
      broker,
      middlewares: [
        {
          name: "watch",
          enqueue: (outgoing, next) => {
            passed.push(outgoing.message.task);
            return next(outgoing);
          },
        },
      ],
    });
    onTestFinished(() => client.close());
    await client.enqueue(clear, { key: "a" });
    await count(1);
    expect(await (await client.enqueue(work, 1)).result()).toBe(2);
    expect(passed).toEqual(["cache.clear", "work"]);
  });

  test("is enqueued by a client whose broker delivers to every worker anyway", async () => {
    const broker = memoryFanout();
    const { ran, handler, count } = recorder();
    await startWorker({ broker, handlers: [handler("one")] });
    const client = await createClient({ broker, results: false });
    onTestFinished(() => client.close());
    await client.enqueue(clear, { key: "a" });
    await count(1);
    expect(ran).toEqual(["one a"]);
  });
});

describe("where no broadcast can be had", () => {
  const { companions: _, ...ordinary } = memory();

  test("the worker refuses it at start", async () => {
    const worker = createWorker({ broker: ordinary, handlers: [recorder().handler("one")], logger: silentLogger });
    await expect(worker.start()).rejects.toMatchObject({
      code: "UNSUPPORTED_CAPABILITY",
      message: expect.stringContaining("cache.clear"),
    });
  });

  test("the client refuses it at enqueue", async () => {
    const client = await createClient({ broker: ordinary, results: false });
    onTestFinished(() => client.close());
    await expect(client.enqueue(clear, { key: "a" })).rejects.toMatchObject({ code: "UNSUPPORTED_CAPABILITY" });
  });

  test("a broker for one worker is not taken for broadcasts", async () => {
    await expect(createClient({ broker: memory(), broadcast: memory() })).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
    });
  });
});

describe("what a broadcast cannot keep is refused", () => {
  test.each([[{ retry: { attempts: 2 } }], [{ acknowledge: "stored" }], [{ priority: 9 }]] as const)(
    "in its definition: %j",
    (options) => {
      expect(() => defineTask("x", { broadcast: true, ...options })).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    },
  );

  test("at enqueue: a delay", async () => {
    const broker = memory();
    await startWorker({ broker, handlers: [recorder().handler("one")] });
    const client = await openClient(broker);
    await expect(client.enqueue(clear, { key: "a" }, { delay: "1s" })).rejects.toMatchObject({
      code: "UNSUPPORTED_CAPABILITY",
    });
  });

  test("results of a broker that delivers every task to every worker", async () => {
    await expect(
      createClient({ broker: memoryFanout(), results: memory().companions.results() }),
    ).rejects.toMatchObject({ code: "UNSUPPORTED_CAPABILITY" });
  });
});

test("its input is checked by its schema like any other's", async () => {
  const broker = memory();
  const checked = defineTask("checked", { broadcast: true, input: z.object({ n: z.number() }) });
  const client = await openClient(broker);
  await expect(client.enqueue(checked, { n: "1" } as never)).rejects.toMatchObject({ code: "INPUT_INVALID" });
});
