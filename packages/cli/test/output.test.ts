import { PassThrough } from "node:stream";
import type { TaskStage } from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { textOf } from "../src/output/bytes.ts";
import { cleanLine, cleanText } from "../src/output/clean-text.ts";
import { describeError } from "../src/output/describe-error.ts";
import { toJson } from "../src/output/json.ts";
import { formatStatus } from "../src/output/outcome.ts";
import { createPaint } from "../src/output/paint.ts";
import { prettyLogger } from "../src/output/pretty-logger.ts";
import { createRedact } from "../src/output/redact.ts";
import { formatTable } from "../src/output/table.ts";
import { formatSpan, formatTime } from "../src/output/time.ts";

const plain = createPaint(new PassThrough(), {});
const terminal = () => Object.assign(new PassThrough(), { isTTY: true });

describe("text from strangers", () => {
  test("cannot steer the terminal", () => {
    expect(cleanText("a\u001b[2Jb\rc\u009bd\n\te")).toBe("a\\x1b[2Jb\\x0dc\\x9bd\n\te");
  });

  test("fits into one line of a table", () => {
    expect(cleanLine("one\n  two\tthree", 9)).toBe("one two …");
    expect(cleanLine("one\ntwo", 7)).toBe("one two");
  });
});

describe("colours", () => {
  test("are for terminals", () => {
    expect(createPaint(terminal(), {})("red", "x")).toBe("\u001b[31mx\u001b[39m");
    expect(plain("red", "x")).toBe("x");
  });

  test("are not there when NO_COLOR says so, or the terminal has none", () => {
    expect(createPaint(terminal(), { NO_COLOR: "1" })("red", "x")).toBe("x");
    expect(createPaint(terminal(), { NO_COLOR: "" })("red", "x")).toBe("\u001b[31mx\u001b[39m");
    expect(createPaint(terminal(), { TERM: "dumb" })("red", "x")).toBe("x");
  });
});

test("a task without an outcome is described by its stage, where that is known", () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5);
  const describeAs = (stage?: TaskStage) =>
    formatStatus({ status: "pending", id: "x", ...(stage && { stage }) }, plain);
  expect(describeAs()).toBe("Task x has no outcome yet: it waits, is delayed or runs.");
  expect(describeAs({ name: "running", at, attempt: 1, worker: "w" })).toBe(
    "Task x has no outcome yet: it runs since 2026-01-02 03:04:05 UTC in w, attempt 1.",
  );
  expect(describeAs({ name: "retrying", at, attempt: 1, worker: "w", dueAt: at + 1_000 })).toBe(
    "Task x has no outcome yet: it comes again at 2026-01-02 03:04:06 UTC, attempt 1; it ran in w.",
  );
});

test("a table sets texts to the left and numbers to the right", () => {
  const items = [
    { name: "short", size: 5 },
    { name: "rather long", size: 12345 },
  ];
  const columns = [
    { heading: "name", cell: ({ name }: (typeof items)[0]) => name, width: 8 },
    { heading: "size", cell: ({ size }: (typeof items)[0]) => size },
  ];
  expect(formatTable(items, columns, plain)).toBe("name       size\nshort         5\nrather …  12345");
});

test("JSON takes every value that a task may return", () => {
  const value = {
    date: new Date(0),
    wrong: new Date(Number.NaN),
    big: 12n,
    set: new Set([1, 2n]),
    map: new Map([["key", new Map()]]),
    bytes: Buffer.from("hello"),
    nothing: undefined,
    error: new TypeError("no", { cause: new Error("because") }),
    list: [undefined, null],
  };
  expect(JSON.parse(toJson(value))).toEqual({
    date: "1970-01-01T00:00:00.000Z",
    wrong: null,
    big: "12",
    set: [1, "2"],
    map: [["key", []]],
    bytes: "aGVsbG8=",
    error: { name: "TypeError", message: "no", cause: { name: "Error", message: "because" } },
    list: [null, null],
  });
  expect(toJson(undefined)).toBe("null");
  expect(JSON.parse(toJson(JSON.parse('{"__proto__": {"a": 1}}')))).toEqual(JSON.parse('{"__proto__": {"a": 1}}'));
});

describe("passwords", () => {
  const redact = createRedact(["redis://user:s3cr%20et@host:6379/1?token=tokentoken", "not a url"]);

  test("are taken out of URLs, wherever these come from", () => {
    expect(redact("cannot reach amqp://me:a/b@c@other/vhost now")).toBe("cannot reach amqp://***@other/vhost now");
    expect(redact("see redis://host:6379 or a@b")).toBe("see redis://host:6379 or a@b");
  });

  test("are taken out of texts that hold them alone", () => {
    const text = redact(
      "sent AUTH s3cr et and s3cr%20et to redis://user:s3cr%20et@host:6379/1?token=tokentoken: tokentoken",
    );
    expect(text).toBe("sent AUTH *** and *** to redis://***@host:6379/1: ***");
  });
});

describe("an error", () => {
  const redact = createRedact([]);
  const cause = new Error("connect ECONNREFUSED", { cause: new Error("connect ECONNREFUSED") });
  const error = Object.assign(new Error("No broker at redis://me:canary@host.", { cause }), {
    code: "BROKER_UNAVAILABLE",
  });

  test("says what and why, without a stack and without a password", () => {
    expect(describeError(error, { stack: false, redact })).toBe(
      "No broker at redis://***@host. (BROKER_UNAVAILABLE)\n  because: connect ECONNREFUSED",
    );
  });

  test("shows its stack when asked to", () => {
    const text = describeError(error, { stack: true, redact });
    expect(text).toMatch(/at .*output\.test\.ts/);
    expect(text).not.toContain("canary");
  });

  test("may be anything", () => {
    expect(describeError(undefined, { stack: false, redact })).toBe("something that is no Error was thrown: undefined");
    const many = new AggregateError([new Error("one"), new Error("two")]);
    expect(describeError(many, { stack: false, redact })).toBe("one; two");
  });
});

describe("the pretty log", () => {
  const log = (write: (logger: ReturnType<typeof prettyLogger>) => void, level: "debug" | "warn" = "debug"): string => {
    const stream = new PassThrough();
    write(prettyLogger({ stream, level, paint: plain }));
    return ((stream.read() as Buffer | null) ?? "").toString().replace(/^\d\d:\d\d:\d\d\.\d{3} /gm, "");
  };

  test("has a line with level, message and fields, and those of its parents", () => {
    const text = log((logger) =>
      logger.child({ worker: "w", hidden: undefined }).info({ id: "1", list: [1] }, "done\nindeed"),
    );
    expect(text).toBe("info  done indeed worker=w id=1 list=[ 1 ]\n");
  });

  test("leaves out what is below its level", () => {
    expect(log((logger) => logger.info({}, "no"), "warn")).toBe("");
    expect(log((logger) => logger.error({}, "yes"), "warn")).toBe("error yes\n");
  });

  test("shows stacks of errors and of their records below", () => {
    const record = { name: "TypeError", message: "broken", stack: "TypeError: broken\n    at somewhere" };
    const text = log((logger) => logger.error({ error: record, id: "1" }, "failed"));
    expect(text).toBe("error failed error=broken id=1\n    TypeError: broken\n        at somewhere\n");
    expect(log((logger) => logger.warn({ error: new Error("x") }, "y"))).toMatch(
      /^warn {2}y error=x\n {4}Error: x\n {8}at /,
    );
    expect(log((logger) => logger.warn({ error: { name: "E", message: "x" } }, "y"))).toBe("warn  y error=x\n");
  });
});

test("times are in UTC, spans in the unit that suits them", () => {
  expect(formatTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).toBe("2026-01-02 03:04:05 UTC");
  expect([0.04, 1.26, 250.4, 1_500, 90_000, 7_200_000, 86_400_000].map(formatSpan)).toEqual([
    "0 ms",
    "1.3 ms",
    "250 ms",
    "1.5 s",
    "1.5 min",
    "2 h",
    "1 d",
  ]);
});

test("bytes are text where they are", () => {
  expect(textOf(Buffer.from("grün"))).toEqual({ text: "grün" });
  expect(textOf(Buffer.from([0xff, 0xfe]))).toEqual({ base64: "//4=" });
});
