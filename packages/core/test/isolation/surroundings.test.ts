import { describe, expect, test } from "vitest";
import { createClient, createWorker, type Middleware, memory, silentLogger } from "../../src/index.ts";
import { stage } from "../worker/setup.ts";
import { requestId, surroundings } from "./fixtures/request-id.ts";
import { askChild, askLoop, askThread } from "./fixtures/request-tasks.ts";

const handlers = [new URL("./fixtures/request-handlers.ts", import.meta.url)];
const isolation = { threads: 1, loop: "apart" } as const;

/** Carries a request id in a header, and has it surround handlers. */
const requests: Middleware = {
  name: "requests",
  surroundings,
  enqueue: (outgoing, next) => {
    const id = requestId.getStore();
    const { message } = outgoing;
    return next(id === undefined ? outgoing : { message: { ...message, headers: { "request-id": id } } });
  },
  execute: ({ message }, next) => requestId.run(message.headers?.["request-id"] ?? "none", next),
};

describe("what surrounds a handler", () => {
  test("goes along to where it runs, and comes back with what it enqueues", async () => {
    const broker = memory();
    const { client } = await stage(handlers, { broker, isolation, middlewares: [requests] });
    const from = await createClient({ broker, middlewares: [requests] });
    const seen = await requestId.run("r1", async () => {
      const asked = [await from.enqueue(askThread), await from.enqueue(askLoop)];
      return Promise.all(asked.map((handle) => handle.result({ timeout: "20s" })));
    });
    expect(seen).toEqual(["r1", "r1"]);
    expect(await client.handle(askChild, "r1-child").result({ timeout: "20s" })).toBe("r1 within");
    expect(await (await from.enqueue(askLoop)).result({ timeout: "20s" })).toBe("none");
    const broken = await requestId.run("broken", () => from.enqueue(askLoop));
    await expect(broken.result({ timeout: "20s" })).rejects.toThrow("cannot be restored");
    await from.close();
  });

  test("is refused at start where its module has none", async () => {
    const module = new URL("./fixtures/request-tasks.ts", import.meta.url);
    const worker = createWorker({
      ...{ broker: memory(), handlers, isolation, logger: silentLogger },
      middlewares: [{ ...requests, surroundings: { ...surroundings, module } }],
    });
    await expect(worker.start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      message: expect.stringContaining("requests") as unknown,
    });
  });
});
