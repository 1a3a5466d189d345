import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  createClient,
  createWorker,
  defineTask,
  type Handler,
  type Logger,
  type Middleware,
  memory,
  provide,
  shortCircuit,
  silentLogger,
} from "../../src/index.ts";

const echo = defineTask<string, string>("echo", { retry: { attempts: 2, backoff: { from: 0, to: 0 } } });
const echoes = echo.handler((text) => `${text}!`);

/** A middleware that writes down each of its turns. */
function witness(name: string, notes: string[]): Middleware {
  return {
    name,
    enqueue: async (outgoing, next) => {
      notes.push(`${name} enqueues`);
      const result = await next(outgoing);
      notes.push(`${name} has enqueued`);
      return result;
    },
    execute: async (_, next) => {
      notes.push(`${name} executes`);
      const value = await next();
      notes.push(`${name} has executed`);
      return value;
    },
    start: async (role) => void notes.push(`${name} starts in the ${role}`),
    stop: async (role) => void notes.push(`${name} stops in the ${role}`),
  };
}

interface LiveOptions {
  readonly middlewares: readonly Middleware[];
  readonly handlers?: readonly Handler[];
  readonly logger?: Logger;
}

/** A client and a worker with the same middlewares. */
async function live({ middlewares, handlers = [echoes], logger = silentLogger }: LiveOptions) {
  const broker = memory();
  const worker = createWorker({ broker, handlers, middlewares, logger });
  onTestFinished(() => worker.stop({ timeout: 0 }));
  await worker.start();
  const client = await createClient({ broker, middlewares, logger });
  onTestFinished(() => client.close());
  return { broker, client, worker };
}

describe("middlewares in a live client and worker", () => {
  test("the first listed is the outermost, and stops last", async () => {
    const notes: string[] = [];
    const { client, worker } = await live({ middlewares: [witness("outer", notes), witness("inner", notes)] });
    expect(notes.splice(0)).toEqual([
      "outer starts in the worker",
      "inner starts in the worker",
      "outer starts in the client",
      "inner starts in the client",
    ]);
    const handle = await client.enqueue(echo, "a");
    expect(await handle.result()).toBe("a!");
    expect(notes.splice(0).filter((note) => note.includes("enqueue"))).toEqual([
      "outer enqueues",
      "inner enqueues",
      "inner has enqueued",
      "outer has enqueued",
    ]);
    await worker.stop();
    await client.close();
    expect(notes).toEqual([
      "inner stops in the worker",
      "outer stops in the worker",
      "inner stops in the client",
      "outer stops in the client",
    ]);
  });

  test("execution goes through all of them, out and back", async () => {
    const notes: string[] = [];
    const { client, worker } = await live({ middlewares: [witness("outer", notes), witness("inner", notes)] });
    await (await client.enqueue(echo, "a")).result();
    await worker.stop();
    expect(notes.filter((note) => note.includes("execute"))).toEqual([
      "outer executes",
      "inner executes",
      "inner has executed",
      "outer has executed",
    ]);
  });

  test("an enqueue may pass on other headers, which the handler gets", async () => {
    const peek = defineTask<void, unknown>("peek");
    const stamp: Middleware = {
      name: "stamp",
      enqueue: (outgoing, next) =>
        next({
          ...outgoing,
          message: { ...outgoing.message, headers: { ...outgoing.message.headers, tenant: "blue" } },
        }),
    };
    const { client } = await live({
      middlewares: [stamp],
      handlers: [peek.handler((_, { headers }) => ({ ...headers }))],
    });
    const handle = await client.enqueue(peek, undefined, { headers: { own: "yes" } });
    expect(await handle.result()).toEqual({ own: "yes", tenant: "blue" });
  });

  test("an enqueue that throws rejects that enqueue alone, and nothing is published", async () => {
    const picky: Middleware = {
      name: "picky",
      enqueue: (outgoing, next) => {
        if (outgoing.message.headers?.["bad"] !== undefined) throw new RangeError("not this one");
        return next(outgoing);
      },
    };
    const { client, broker } = await live({ middlewares: [picky] });
    const bad = client.enqueue(echo, "bad", { headers: { bad: "yes" } });
    const good = client.enqueue(echo, "good");
    await expect(bad).rejects.toThrow("not this one");
    expect(await (await good).result()).toBe("good!");
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 0, delayed: 0, dead: 0 });
  });

  test("an execute sees the decoded input and may answer in the place of the handler", async () => {
    const cached: Middleware = {
      name: "cache",
      execute: async ({ input }, next) => (input === "known" ? shortCircuit("from the cache") : next()),
    };
    const { client } = await live({ middlewares: [cached] });
    const answers = await Promise.all(
      ["known", "new"].map(async (text) => (await client.enqueue(echo, text)).result()),
    );
    expect(answers).toEqual(["from the cache", "new!"]);
  });

  test("an execute may wrap the handler, and what it needs, in a context of its own", async () => {
    const storage = new AsyncLocalStorage<string>();
    const scope: Middleware = { name: "scope", execute: ({ message }, next) => storage.run(message.id, next) };
    const tenant = provide("tenant", async () => storage.getStore(), { scope: "task" });
    const handler = echo.handler({ tenant }, async (_, context) => {
      await setImmediate();
      return `${context.tenant} ${storage.getStore()}`;
    });
    const { client } = await live({ middlewares: [scope], handlers: [handler] });
    const answers = await Promise.all(["a", "b"].map(async (id) => (await client.enqueue(echo, "", { id })).result()));
    expect(answers).toEqual(["a a", "b b"]);
  });

  test("an execute may put another error in the place of the handler's", async () => {
    const mapper: Middleware = {
      name: "mapper",
      execute: (_, next) =>
        next().catch((cause: unknown) => {
          throw new RangeError("mapped", { cause });
        }),
    };
    const { client } = await live({
      middlewares: [mapper],
      handlers: [
        echo.handler(() => {
          throw new Error("boom");
        }),
      ],
    });
    expect(await (await client.enqueue(echo, "a")).outcome()).toMatchObject({
      error: { name: "RangeError", message: "mapped", cause: { message: "boom" } },
    });
  });

  test("an execute may change what the handler returned", async () => {
    const loud: Middleware = { name: "loud", execute: async (_, next) => String(await next()).toUpperCase() };
    const { client } = await live({ middlewares: [loud] });
    expect(await (await client.enqueue(echo, "a")).result()).toBe("A!");
  });

  test.each([
    ["throws before the handler", true],
    ["throws after the handler", false],
  ] as const)("an execute that %s is a failure of the task, under its retry policy", async (_, isBefore) => {
    let failures = 0;
    const broken: Middleware = {
      name: "broken",
      execute: async (_execution, next) => {
        if (!isBefore) await next();
        failures += 1;
        throw new Error(`failure ${failures}`);
      },
    };
    const { client } = await live({ middlewares: [broken] });
    const handle = await client.enqueue(echo, "a");
    expect(await handle.outcome()).toMatchObject({
      status: "failed",
      attempt: 2,
      error: {
        code: "MIDDLEWARE_FAILED",
        message: 'The middleware "broken" failed: failure 2',
        cause: { name: "Error", message: "failure 2" },
      },
    });
    expect(failures).toBe(2);
  });

  test("an execute may save a task whose handler failed", async () => {
    const saviour: Middleware = { name: "saviour", execute: async (_, next) => next().catch(() => "saved") };
    const { client } = await live({
      middlewares: [saviour],
      handlers: [
        echo.handler(() => {
          throw new Error("boom");
        }),
      ],
    });
    expect(await (await client.enqueue(echo, "a")).outcome()).toMatchObject({ result: "saved", attempt: 0 });
  });

  test.each<readonly [string, Middleware]>([
    ["forgets next", { name: "forgetful", execute: async () => undefined }],
    ["calls next twice", { name: "eager", execute: async (_, next) => [await next(), await next()] }],
    [
      "calls next twice and waits for the first",
      {
        name: "sly",
        execute: async (_, next) => {
          void next();
          return next().catch(() => "sly");
        },
      },
    ],
    ["does not wait for next", { name: "hasty", execute: async (_, next) => void next() }],
  ])("an execute that %s fails the task with MIDDLEWARE_MISUSED and its name", async (_, middleware) => {
    const handlers = [echo.handler(async () => setImmediate("late"))];
    const { client } = await live({ middlewares: [middleware], handlers });
    expect(await (await client.enqueue(echo, "a")).outcome()).toMatchObject({
      status: "failed",
      error: { code: "MIDDLEWARE_MISUSED", message: expect.stringContaining(`"${middleware.name}"`) },
    });
  });

  test.each<readonly [string, Middleware]>([
    ["forgets next", { name: "forgetful", enqueue: async () => ({ status: "accepted" }) }],
    [
      "calls next twice",
      {
        name: "eager",
        enqueue: async (outgoing, next) => {
          await next(outgoing);
          return next(outgoing);
        },
      },
    ],
  ])("an enqueue that %s is refused with MIDDLEWARE_MISUSED and its name", async (_, middleware) => {
    const { client } = await live({ middlewares: [middleware] });
    await expect(client.enqueue(echo, "a")).rejects.toMatchObject({
      code: "MIDDLEWARE_MISUSED",
      message: expect.stringContaining(`"${middleware.name}"`),
    });
  });

  test("a signal of the execution aborts with that of the handler", async () => {
    const slow = defineTask("slow", { timeout: "10ms" });
    const reasons: unknown[] = [];
    const watcher: Middleware = {
      name: "watcher",
      execute: (execution, next) => {
        execution.signal.addEventListener("abort", () => reasons.push(execution.signal.reason));
        return next();
      },
    };
    const { client } = await live({
      middlewares: [watcher],
      handlers: [
        slow.handler(
          (_, { signal }) =>
            new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        ),
      ],
    });
    await expect((await client.enqueue(slow)).result()).rejects.toMatchObject({ code: "TASK_FAILED" });
    expect(reasons).toMatchObject([{ code: "TASK_TIMED_OUT" }]);
  });
});

describe("start and stop of middlewares", () => {
  test("a start that fails fails the start; those that had started stop, and the broker is closed", async () => {
    const notes: string[] = [];
    const broken: Middleware = { name: "broken", start: async () => Promise.reject(new Error("no licence")) };
    const broker = memory();
    const middlewares = [witness("first", notes), broken, witness("last", notes)];
    await expect(createClient({ broker, middlewares })).rejects.toThrow("no licence");
    expect(notes).toEqual(["first starts in the client", "first stops in the client"]);
    const worker = createWorker({ broker, handlers: [echoes], middlewares, logger: silentLogger });
    await expect(worker.start()).rejects.toThrow("no licence");
    expect(worker.status().state).toBe("stopped");
    await expect(broker.publish([], { timeout: 1_000 })).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("a stop that fails is logged, and the others stop", async () => {
    const notes: string[] = [];
    const errors: unknown[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields), child: () => logger };
    const broken: Middleware = { name: "broken", stop: async () => Promise.reject(new Error("stuck")) };
    const { worker } = await live({ middlewares: [witness("first", notes), broken], logger });
    await worker.stop();
    expect(notes).toContain("first stops in the worker");
    expect(errors).toMatchObject([{ middleware: "broken", error: { message: "stuck" } }]);
  });
});
