import pino from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { CancelTask, createClient, createWorker, defineTask, logging, memory, silentLogger } from "../../src/index.ts";

const echo = defineTask<string, string>("echo");
const onEcho = echo.handler((text) => {
  if (text === "boom") throw new RangeError("boom");
  if (text === "no") throw new CancelTask("no");
  return text;
});

type Line = Readonly<Record<string, unknown>>;

/** A real pino logger, and the lines that it writes. */
function pinoWith(lines: Line[], level = "debug") {
  return pino({ level, base: null }, { write: (line) => void lines.push(JSON.parse(line) as Line) });
}

async function run(inputs: readonly string[], middleware = logging()): Promise<void> {
  const broker = memory();
  const worker = createWorker({ broker, handlers: [onEcho], middlewares: [middleware], logger: silentLogger });
  const client = await createClient({ broker, middlewares: [middleware] });
  onTestFinished(() => client.close());
  for (const input of inputs) await client.enqueue(echo, input, { id: input });
  await worker.start();
  for (const input of inputs) await client.handle(echo, input).outcome();
  await worker.stop();
}

describe("logging", () => {
  test("a pino logger goes in as it is, and its children carry the task", async () => {
    const lines: Line[] = [];
    await run(["fine", "boom", "no"], logging({ logger: pinoWith(lines) }));
    const told = lines.filter(({ msg }) => msg !== "enqueued");
    expect(lines.filter(({ msg }) => msg === "enqueued")).toMatchObject([
      { level: 30, task: "echo", id: "fine", queue: "default", status: "accepted" },
      { id: "boom" },
      { id: "no" },
    ]);
    expect(told.find(({ id }) => id === "fine")).toMatchObject({
      level: 30,
      task: "echo",
      attempt: 0,
      msg: "executed",
    });
    expect(told.find(({ id }) => id === "fine")?.["milliseconds"]).toBeTypeOf("number");
    expect(told.find(({ id }) => id === "boom")).toMatchObject({ level: 40, msg: "the task failed" });
    expect(told.find(({ id }) => id === "no")).toMatchObject({ level: 30, decision: "CancelTask" });
  });

  test("one child logger serves all executions of a task", async () => {
    const children: object[] = [];
    const child = (fields: object): typeof silentLogger => {
      children.push(fields);
      return silentLogger;
    };
    const logger = { ...silentLogger, child };
    await run(["a", "b", "c"], logging({ logger }));
    // One of the client, one of the worker.
    expect(children).toEqual([{ task: "echo" }, { task: "echo" }]);
  });

  test("level debug keeps what went well out of a log of level info", async () => {
    const lines: Line[] = [];
    await run(["fine", "boom"], logging({ logger: pinoWith(lines, "info"), level: "debug" }));
    expect(lines).toMatchObject([{ id: "boom", msg: "the task failed" }]);
  });

  test("without a logger of its own it logs through that of its client or worker", async () => {
    const lines: Line[] = [];
    const broker = memory();
    const client = await createClient({ broker, middlewares: [logging()], logger: pinoWith(lines) });
    onTestFinished(() => client.close());
    await client.enqueue(echo, "fine", { id: "fine" });
    expect(lines).toMatchObject([{ id: "fine", msg: "enqueued" }]);
  });

  test("an enqueue that fails is a warning", async () => {
    const lines: Line[] = [];
    const broker = memory({ maxMessages: 1 });
    const client = await createClient({ broker, middlewares: [logging()], logger: pinoWith(lines) });
    onTestFinished(() => client.close());
    await client.enqueue(echo, "a");
    await expect(client.enqueue(echo, "b", { id: "b" })).rejects.toMatchObject({ code: "BROKER_FULL" });
    expect(lines.at(-1)).toMatchObject({ level: 40, id: "b", msg: "the task could not be enqueued" });
  });
});
