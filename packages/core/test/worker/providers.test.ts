import { describe, expect, test } from "vitest";
import {
  createProviderScope,
  createWorker,
  defineTask,
  type Handler,
  memory,
  type Provider,
  provide,
  provideValue,
  silentLogger,
} from "../../src/index.ts";
import { errorLog, witness } from "./provider-witness.ts";
import { gate, stage } from "./setup.ts";

const retry = { attempts: 2, backoff: { from: 0, to: 0 } };
const echo = defineTask<string, string>("echo", { retry });

describe("values for handlers", () => {
  test("one for each task, or one for the worker, and one provider may use another", async () => {
    const notes: string[] = [];
    const pool = witness("pool", notes, { scope: "worker" });
    const user = provide("user", ({ pool, context }) => `${context.id} over ${pool}`, {
      scope: "task",
      needs: { pool },
    });
    const handler = echo.handler({ pool, who: user }, (text, { pool, who, id, attempt }) =>
      [text, pool, who, id, attempt].join(", "),
    );
    const { client, worker } = await stage([handler]);
    expect(notes).toEqual([]);
    const results = await Promise.all(
      ["a", "b"].map(async (id) => (await client.enqueue(echo, "hi", { id })).result()),
    );
    expect(results).toEqual(["hi, pool 1, a over pool 1, a, 0", "hi, pool 1, b over pool 1, b, 0"]);
    expect(notes).toEqual(["pool 1 made"]);
    await worker.stop();
    expect(notes).toEqual(["pool 1 made", "pool ended"]);
  });

  test("what is eager is made when the worker starts, after what it needs, and no task waits for it", async () => {
    const notes: string[] = [];
    const settings = witness("settings", notes, { scope: "worker" });
    const pool = witness("pool", notes, { scope: "worker", eager: true, needs: { settings } });
    const { worker } = await stage([echo.handler({ pool }, (_, { pool }) => pool)]);
    expect(notes).toEqual(["settings 1 made", "pool 1 made"]);
    await worker.stop();
    expect(notes.slice(2)).toEqual(["pool ended", "settings ended"]);
  });

  test("what two need of one task is made once, and ends after both, before the outcome stands", async () => {
    const notes: string[] = [];
    const tx = witness("tx", notes, { scope: "task" });
    const orders = provide("orders", ({ tx }) => `orders of ${tx}`, { scope: "task", needs: { tx } });
    const users = provide(
      "users",
      function* ({ tx }) {
        yield `users of ${tx}`;
        notes.push("users ended");
      },
      { scope: "task", needs: { tx } },
    );
    const { client } = await stage([echo.handler({ orders, users }, (_, { orders, users }) => `${orders}, ${users}`)]);
    expect(await (await client.enqueue(echo, "")).result()).toBe("orders of tx 1, users of tx 1");
    expect(notes).toEqual(["tx 1 made", "users ended", "tx ended"]);
    expect(await (await client.enqueue(echo, "")).result()).toBe("orders of tx 2, users of tx 2");
  });

  test("tasks that run at once share one making of what lives as long as the worker", async () => {
    const { promise, open } = gate<string>();
    let made = 0;
    const slow = provide(
      "slow",
      async () => {
        made += 1;
        return promise;
      },
      { scope: "worker" },
    );
    const { client, seen } = await stage([echo.handler({ slow }, (text, { slow }) => text + slow)]);
    const handles = await Promise.all(["a", "b"].map((id) => client.enqueue(echo, id, { id })));
    await Promise.all(["a", "b"].map((id) => seen("task.started", (event) => event.id === id)));
    open("!");
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(["a!", "b!"]);
    expect(made).toBe(1);
  });

  test("a provider knows the task or the worker it works for", async () => {
    const place = provide("place", ({ context }) => context.worker, { scope: "worker" });
    const { client } = await stage([echo.handler({ place }, (_, { place }) => place)], { name: "w1" });
    expect(await (await client.enqueue(echo, "")).result()).toBe("w1");
  });
});

describe("at the start and stop of a worker", () => {
  const start = (...handlers: Handler[]): Promise<void> =>
    createWorker({ broker: memory(), handlers, logger: silentLogger }).start();

  test("an eager one that fails fails the start by name, and what was made ends", async () => {
    const notes: string[] = [];
    const first = witness("first", notes, { scope: "worker", eager: true });
    const broken = provide("broken", () => Promise.reject(new Error("no server")), { scope: "worker", eager: true });
    await expect(start(echo.handler({ first, broken }, () => ""))).rejects.toMatchObject({
      name: "ProviderError",
      code: "PROVIDER_FAILED",
      provider: "broken",
      message: 'The provider "broken" failed: no server.',
      cause: { message: "no server" },
    });
    expect(notes).toEqual(["first 1 made", "first ended"]);
  });

  test("a circle is reported by names", async () => {
    const a: Provider<unknown, "task"> = provide("a", () => 1, {
      scope: "task",
      needs: {
        get b() {
          return b;
        },
      },
    });
    const b: Provider<unknown, "task"> = provide("b", () => 1, {
      scope: "task",
      needs: { c: provideValue("c", 1), a },
    });
    await expect(start(echo.handler({ a }, () => ""))).rejects.toMatchObject({
      code: "PROVIDER_CYCLE",
      problems: ['providers: "a" needs "b" needs "a". Cut the circle: let one of them be given what it needs later.'],
    });
  });

  test("every fault is reported at once", async () => {
    const tx = provide("tx", () => 1, { scope: "task" });
    const wrong = provide("wrong", () => 1, { scope: "worker", needs: { tx } as never });
    const missing = provide("missing", () => 1, { scope: "task", needs: { later: undefined } as never });
    const foreign = echo.handler({ pool: { query: 1 } } as never, () => "");
    const other = defineTask("other").handler({ wrong, missing }, () => undefined);
    await expect(start(foreign, other)).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      problems: [
        expect.stringContaining('the handler of echo needs "pool"'),
        expect.stringContaining('"wrong" lives as long as the worker and needs "tx"'),
        expect.stringContaining(
          'the provider "missing" needs "later": expected a value made by provide(), got undefined',
        ),
      ],
    });
  });

  test("a clean-up that fails at the stop is logged, and the others end", async () => {
    const notes: string[] = [];
    const errors: object[] = [];
    const first = witness("first", notes, { scope: "worker", eager: true });
    const stuck = provide(
      "stuck",
      function* () {
        yield 1;
        throw new Error("stuck");
      },
      { scope: "worker", eager: true },
    );
    const { worker } = await stage([echo.handler({ first, stuck }, () => "")], { logger: errorLog(errors) });
    await worker.stop();
    expect(notes).toEqual(["first 1 made", "first ended"]);
    expect(errors).toMatchObject([{ provider: "stuck", error: { message: "stuck" } }]);
  });

  test("a worker can be stopped before it has made anything", async () => {
    const scope = createProviderScope({ context: { worker: "w", log: silentLogger } });
    await scope.close();
    await scope.close();
  });
});

describe("overrides", () => {
  test("a value stands in the place of what a provider makes, whoever needs it, and is not ended", async () => {
    const notes: string[] = [];
    const settings = witness("settings", notes, { scope: "worker", eager: true });
    const pool = witness("pool", notes, { scope: "worker", eager: true, needs: { settings } });
    const user = provide("user", ({ pool }) => `user of ${pool}`, { scope: "task", needs: { pool } });
    const { client, worker } = await stage([echo.handler({ pool, user }, (_, { pool, user }) => `${pool}, ${user}`)], {
      overrides: [pool.override("fake")],
    });
    expect(await (await client.enqueue(echo, "")).result()).toBe("fake, user of fake");
    await worker.stop();
    expect(notes).toEqual([]);
  });

  test("undefined is a value too", async () => {
    const pool = provide<"worker", string | undefined>("pool", () => "real", { scope: "worker" });
    const { client } = await stage([echo.handler({ pool }, (_, { pool }) => String(pool))], {
      overrides: [pool.override(undefined)],
    });
    expect(await (await client.enqueue(echo, "")).result()).toBe("undefined");
  });
});
