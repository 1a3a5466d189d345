import { once } from "node:events";
import { createServer } from "node:net";
import { defineTask, type Logger, silentLogger, type WorkerEvent } from "@taskferry/core";
import { InvalidArgumentError } from "commander";
import { describe, expect, test } from "vitest";
import { durationArgument, queueList, wholeNumber } from "../src/arguments.ts";
import { chooseLogger } from "../src/worker/choose-logger.ts";
import { chooseQueues, findIdleChoices } from "../src/worker/choose-queues.ts";
import { startHealthServer } from "../src/worker/health-server.ts";
import { logConnection, logTasks } from "../src/worker/log-events.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

const mail = defineTask("mail.send", { queue: "mail" }).handler(() => undefined);
const image = defineTask("image.resize", { queue: "images" }).handler(() => undefined);
const tasks = [mail.task, image.task];

describe("arguments", () => {
  test("lists of queues", () => {
    expect(queueList("a, b=5,c")).toEqual([
      { name: "a", concurrency: undefined },
      { name: "b", concurrency: 5 },
      { name: "c", concurrency: undefined },
    ]);
    for (const wrong of ["", "a,", "a=0", "a=x", "a=1=2", "a b", "a,a"])
      expect(() => queueList(wrong), wrong).toThrow(InvalidArgumentError);
  });

  test("durations and numbers", () => {
    expect(durationArgument("1500")).toBe(1_500);
    expect(durationArgument("1m30s")).toBe(90_000);
    expect(() => durationArgument("-1")).toThrow(InvalidArgumentError);
    expect(wholeNumber(0, 9)("9")).toBe(9);
    for (const wrong of ["10", "-1", "1.5", "", "1e0", "0x1"])
      expect(() => wholeNumber(0, 9)(wrong), wrong).toThrow(InvalidArgumentError);
  });
});

describe("the queues of a worker", () => {
  test("are those of the tasks, then of the configuration, then of the command line", () => {
    const none = { concurrency: undefined, queues: undefined };
    const config = { queues: { images: { concurrency: 2 }, other: {} } };
    expect(chooseQueues({}, tasks, none)).toEqual({ mail: {}, images: {} });
    expect(chooseQueues(config, tasks, none)).toEqual(config.queues);
    expect(chooseQueues(config, tasks, { ...none, queues: queueList("images,mail=7,third") })).toEqual({
      images: { concurrency: 2 },
      mail: { concurrency: 7 },
      third: {},
    });
  });

  test("get the concurrency of the command line unless they have one there", () => {
    const config = { queues: { images: { concurrency: 2 } } };
    expect(chooseQueues({}, tasks, { concurrency: 50, queues: undefined })).toEqual({
      mail: { concurrency: 50 },
      images: { concurrency: 50 },
    });
    expect(chooseQueues(config, tasks, { concurrency: 50, queues: queueList("mail=3,images") })).toEqual({
      mail: { concurrency: 3 },
      images: { concurrency: 50 },
    });
  });

  test("are warned about where no task waits", () => {
    expect(findIdleChoices({ mail: {}, imagse: {} }, tasks)).toEqual([expect.stringContaining('"imagse"')]);
  });
});

describe("the logger of a worker", () => {
  const terminal = (isTTY: boolean) => createFakeTerminal({ cwd: "/", isTTY });

  test("is pretty on a terminal and JSON elsewhere, unless told otherwise", () => {
    const { terminal: tty, stderr } = terminal(true);
    chooseLogger({}, {}, tty).logger.info({ id: "1" }, "hello");
    expect(stderr()).toMatch(/info.*hello.*id=.*1\n$/);
    expect(chooseLogger({}, {}, tty).taskLines).toBe("info");
    expect(chooseLogger({}, {}, terminal(false).terminal).taskLines).toBeUndefined();
    expect(chooseLogger({ logFormat: "json" }, {}, tty).taskLines).toBeUndefined();
    expect(chooseLogger({ logFormat: "pretty" }, {}, terminal(false).terminal).taskLines).toBe("info");
    expect(chooseLogger({ logLevel: "debug" }, {}, terminal(false).terminal).taskLines).toBe("debug");
  });

  test("is that of the configuration unless the command line says how to log", () => {
    const logger = { ...silentLogger };
    expect(chooseLogger({}, { logger }, terminal(true).terminal).logger).toBe(logger);
    expect(chooseLogger({ logLevel: "info" }, { logger }, terminal(true).terminal).logger).not.toBe(logger);
    expect(chooseLogger({ logLevel: "silent" }, {}, terminal(true).terminal).logger).toBe(silentLogger);
  });
});

describe("lines about events", () => {
  const heard = (
    listen: (logger: Logger) => (event: WorkerEvent) => void,
    events: readonly WorkerEvent[],
  ): readonly unknown[] => {
    const lines: unknown[] = [];
    const log = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields]);
    const logger: Logger = {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
      child: () => logger,
    };
    events.forEach(listen(logger));
    return lines;
  };
  const task = { at: 0, id: "1", task: "t", queue: "q", attempt: 0, run: 0 };

  test("a task that succeeded, with the time it took", () => {
    const lines = heard(
      (logger) => logTasks(logger, "info"),
      [
        { type: "task.started", ...task, wait: 0 },
        { type: "task.executed", ...task, duration: 12.6 },
        { type: "task.succeeded", ...task },
        { type: "task.succeeded", ...task },
      ],
    );
    const fields = { id: "1", task: "t", queue: "q", attempt: 0 };
    expect(lines).toEqual([
      ["info", "the task succeeded", { ...fields, milliseconds: 13 }],
      ["info", "the task succeeded", fields],
    ]);
  });

  test("the connection, once when it goes and once when it is back", () => {
    const on = (event: Extract<WorkerEvent, { type: "broker" }>["event"]): WorkerEvent => ({
      type: "broker",
      at: 0,
      broker: "b",
      event,
    });
    const gone = on({ type: "disconnected", error: undefined });
    const lines = heard(logConnection, [
      on({ type: "connected" }),
      gone,
      gone,
      on({ type: "connected" }),
      on({ type: "connected" }),
    ]);
    expect(lines.map((line) => (line as string[])[0])).toEqual(["warn", "info"]);
  });
});

describe("the health server", () => {
  test("is live always, and ready only while tasks are taken", async () => {
    let health = { state: "starting", isReady: false };
    const server = await startHealthServer({ port: 0, host: "127.0.0.1", health: () => health });
    const get = async (path: string, init?: RequestInit) =>
      (await fetch(`http://127.0.0.1:${server.port}${path}`, init)).status;
    try {
      expect([await get("/livez"), await get("/readyz")]).toEqual([200, 503]);
      health = { state: "running", isReady: true };
      expect(await get("/readyz?verbose")).toBe(200);
      expect(await get("/readyz", { method: "HEAD" })).toBe(200);
      health = { state: "stopping", isReady: false };
      expect([
        await get("/livez"),
        await get("/readyz"),
        await get("/"),
        await get("/livez", { method: "POST" }),
      ]).toEqual([200, 503, 404, 405]);
    } finally {
      await server.close();
    }
  });

  test("says which port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const starting = startHealthServer({
      port,
      host: "127.0.0.1",
      health: () => ({ state: "idle", isReady: false }),
    });
    await expect(starting).rejects.toThrow(`The health port ${port} cannot be used`);
    other.close();
  });
});
