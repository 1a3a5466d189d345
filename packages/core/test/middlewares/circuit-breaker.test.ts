import { describe, expect, test } from "vitest";
import {
  CancelTask,
  type CircuitBreakerOptions,
  circuitBreaker,
  defineTask,
  type Logger,
  silentLogger,
} from "../../src/index.ts";
import { gate, type Stage, stage } from "../worker/setup.ts";

const retry = { attempts: 10, backoff: { from: 0, to: 0 } };
const mail = defineTask<string, string>("mail", { retry });
const other = defineTask<void, string>("other", { queue: "others" });

/** Resolves once a circuit has opened. */
async function opened(scene: {
  readonly seen: Stage["seen"];
  readonly breaker: { readonly state: string };
}): Promise<void> {
  await scene.seen("task.retrying", () => scene.breaker.state === "open");
}

/** A worker whose mails fail while the mail server is down, and a breaker of its own. */
async function mailing(options: Partial<CircuitBreakerOptions> = {}) {
  const server = { isDown: true, calls: 0 };
  const lines: string[] = [];
  const note = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, warn: note, info: note, child: () => logger };
  const breaker = circuitBreaker({ name: "smtp", failures: 3, pause: "200ms", ...options });
  const onMail = mail.handler((text) => {
    server.calls += 1;
    if (text === "unwanted") throw new CancelTask("unwanted");
    if (server.isDown) throw new Error("connection refused");
    return `sent ${text}`;
  });
  const handlers = [onMail, other.handler(() => "done")];
  const scene: Stage = await stage(handlers, { middlewares: [breaker], logger });
  return { ...scene, breaker, server, lines };
}

describe("circuitBreaker", () => {
  test("opens after so many failures, spares the server, and closes once it is back", async () => {
    const { client, breaker, server, lines, events, seen } = await mailing();
    const handles = await Promise.all(Array.from({ length: 20 }, (_, index) => client.enqueue(mail, String(index))));
    await opened({ seen, breaker });
    expect(server.calls).toBeLessThan(14);
    // What runs at this moment may still fail; nothing new starts before the pause is over.
    server.isDown = false;
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results).toEqual(handles.map((_, index) => `sent ${index}`));
    expect(breaker.state).toBe("closed");
    expect(lines.find((line) => line.startsWith("a circuit has opened"))).toContain('"queues":["default"]');
    expect(lines.some((line) => line.startsWith("a circuit has closed"))).toBe(true);
    // Failures counted an attempt; waiting counted none.
    const failures = events.filter((event) => event.type === "task.retrying" && event.error !== undefined);
    expect(failures).toHaveLength(server.calls - 20);
  });

  test("while it is open nothing is taken from its queue, and other queues go on", async () => {
    const { client, breaker, server, seen, broker } = await mailing({ failures: 1, pause: "1h", tasks: ["mail"] });
    await client.enqueue(mail, "a", { id: "a" });
    await seen("task.retrying");
    expect(breaker.state).toBe("open");
    await client.enqueue(mail, "b", { id: "b" });
    expect(await (await client.enqueue(other)).result()).toBe("done");
    expect(server.calls).toBe(1);
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 2, running: 0 });
  });

  test("a probe that fails opens it again, and one task at a time probes", async () => {
    const { client, breaker, server, seen, lines } = await mailing({ failures: 1, pause: "20ms" });
    const handle = await client.enqueue(mail, "a", { id: "a" });
    await seen("task.retrying", ({ attempt }) => attempt === 3);
    expect(server.calls).toBeGreaterThanOrEqual(4);
    expect(lines.filter((line) => line.startsWith("a circuit has opened")).length).toBeGreaterThanOrEqual(4);
    server.isDown = false;
    expect(await handle.result()).toBe("sent a");
    expect(breaker.state).toBe("closed");
  });

  test("a decision of a handler is no failure", async () => {
    const { client, breaker } = await mailing({ failures: 1 });
    await (await client.enqueue(mail, "unwanted")).outcome();
    expect(breaker.state).toBe("closed");
  });

  test("errors that it is not told of, and tasks that it is not told of, do not count", async () => {
    const { client, breaker, seen } = await mailing({ failures: 1, on: ["TypeError"] });
    await client.enqueue(mail, "a");
    await seen("task.retrying");
    expect(breaker.state).toBe("closed");
    const second = await mailing({ failures: 1, tasks: ["other"] });
    await second.client.enqueue(mail, "a");
    await second.seen("task.retrying");
    expect(second.breaker.state).toBe("closed");
  });

  test("a task that cannot come again runs, whatever the state", async () => {
    const { client, breaker, server, seen } = await mailing({ failures: 1, pause: "1h", tasks: ["mail"] });
    const quick = defineTask<string, string>("mail", { queue: "others", acknowledge: "received" });
    await client.enqueue(mail, "a");
    await seen("task.retrying");
    expect(breaker.state).toBe("open");
    server.isDown = false;
    expect(await (await client.enqueue(quick, "b", { acknowledge: "received" })).result()).toBe("sent b");
  });

  test("a probe that ignores its timeout holds nothing up", async () => {
    const { promise, open } = gate<void>();
    let calls = 0;
    const stuck = defineTask<string, string>("stuck", { retry, timeout: "20ms" });
    const handler = stuck.handler(async () => {
      calls += 1;
      if (calls === 1) throw new Error("down");
      if (calls === 2) await promise;
      return "done";
    });
    const breaker = circuitBreaker({ name: "slow", failures: 1, pause: "10ms" });
    const { client } = await stage([handler], { middlewares: [breaker] });
    expect(await (await client.enqueue(stuck, "")).result()).toBe("done");
    expect(breaker.state).toBe("closed");
    open();
  });

  test("a worker that stops while it is open hands everything back", async () => {
    const { client, worker, seen, broker } = await mailing({ failures: 1, pause: "1h" });
    await client.enqueue(mail, "a");
    await seen("task.retrying");
    await worker.stop();
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0 });
  });

  test("options out of range are refused", () => {
    expect(() => circuitBreaker({ name: "x", failures: 0 })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(() => circuitBreaker({ name: "x", pause: "long" })).toThrow(
      expect.objectContaining({ code: "DURATION_INVALID" }),
    );
  });
});
