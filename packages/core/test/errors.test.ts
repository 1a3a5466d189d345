import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { describe, expect, test, vi } from "vitest";
import * as core from "../src/index.ts";
import {
  AbortedError,
  BrokerError,
  CancelTask,
  ClosedError,
  ConfigurationError,
  CrashError,
  type ErrorCode,
  FailTask,
  isTaskferryError,
  MessageError,
  MiddlewareError,
  OptionError,
  ProviderError,
  ResultMissingError,
  ResultTimeoutError,
  RetryLater,
  SerializationError,
  TaskCancelledError,
  TaskFailedError,
  type TaskferryError,
  TaskNotUniqueError,
  UnsupportedCapabilityError,
  ValidationError,
} from "../src/index.ts";

const cause = new Error("underneath");
const failure = { id: "a", task: "t", attempt: 2 };

/** One of each class, with the codes it may carry. */
const samples: ReadonlyArray<{ make: (code: never) => TaskferryError; codes: ErrorCode[]; keepsCause?: false }> = [
  {
    make: (code) => new ConfigurationError(code, ["one", "two"], { cause }),
    codes: [
      "BROKER_NOT_SET",
      "CONFIGURATION_INVALID",
      "CONTRACT_MISMATCH",
      "HANDLER_DUPLICATE",
      "ISOLATION_NEEDS_MODULE",
      "PACKAGE_MISSING",
      "PROVIDER_CYCLE",
      "RESULTS_UNAVAILABLE",
      "STATE_REQUIRED",
      "URL_INVALID",
    ],
  },
  {
    make: (code) => new OptionError(code, "text", { cause }),
    codes: [
      "DURATION_INVALID",
      "NAME_INVALID",
      "OPTION_INVALID",
      "SCHEDULE_EXISTS",
      "SCHEDULE_UNKNOWN",
      "STATE_VALUE_TOO_LARGE",
    ],
  },
  { make: () => new UnsupportedCapabilityError("delay", "text"), codes: ["UNSUPPORTED_CAPABILITY"], keepsCause: false },
  {
    make: (code) => new ValidationError(code, "text", []),
    codes: ["INPUT_INVALID", "OUTPUT_INVALID"],
    keepsCause: false,
  },
  {
    make: (code) => new MessageError(code, "text", { cause, id: "a" }),
    codes: [
      "BODY_MISSING",
      "CONTENT_TYPE_UNKNOWN",
      "DECRYPTION_FAILED",
      "ENCRYPTION_MISSING",
      "HEADERS_TOO_LARGE",
      "KEY_UNKNOWN",
      "MESSAGE_MALFORMED",
      "MESSAGE_MOVED",
      "MESSAGE_REPLAYED",
      "MESSAGE_TOO_LARGE",
      "MESSAGE_VERSION_UNKNOWN",
      "PLAN_EXPIRED",
      "SIGNATURE_EXPIRED",
      "SIGNATURE_INVALID",
      "SIGNATURE_MISSING",
      "TASK_UNKNOWN",
      "TOO_MANY_DELIVERIES",
    ],
  },
  {
    make: (code) => new SerializationError(code, "text", { path: "$.a", cause }),
    codes: ["NOT_DESERIALIZABLE", "NOT_SERIALIZABLE"],
  },
  {
    make: (code) => new BrokerError(code, "text", { cause }),
    codes: ["BROKER_FULL", "BROKER_UNAVAILABLE", "NO_RECEIVERS"],
  },
  { make: () => new ClosedError("The client"), codes: ["CLOSED"], keepsCause: false },
  { make: () => new TaskNotUniqueError("resize", "a"), codes: ["TASK_NOT_UNIQUE"], keepsCause: false },
  {
    make: (code) => new MiddlewareError("text", { code, cause }),
    codes: ["MIDDLEWARE_FAILED", "MIDDLEWARE_MISUSED"],
  },
  { make: () => new ProviderError("db", "text", { cause }), codes: ["PROVIDER_FAILED"] },
  { make: () => new TaskFailedError(failure, "text", cause), codes: ["TASK_FAILED"] },
  {
    make: (code) => new TaskCancelledError(code, "a", "unwanted"),
    codes: ["TASK_CANCELLED", "TASK_EXPIRED"],
    keepsCause: false,
  },
  { make: () => new ResultTimeoutError("a", 5), codes: ["RESULT_TIMEOUT"], keepsCause: false },
  {
    make: (code) => new ResultMissingError(code, "a", "text"),
    codes: ["RESULT_EXPIRED", "RESULT_UNKNOWN"],
    keepsCause: false,
  },
  {
    make: (code) => new AbortedError(code, "text"),
    codes: ["LEASE_LOST", "TASK_CANCELLED", "TASK_TIMED_OUT", "WORKER_STOPPING"],
    keepsCause: false,
  },
  { make: () => new CrashError("gone", { cause }), codes: ["TASK_CRASHED"] },
  { make: () => new CancelTask("unwanted"), codes: ["TASK_CANCELLED"], keepsCause: false },
  { make: () => new FailTask("hopeless", { cause }), codes: ["TASK_FAILED"] },
  { make: () => new RetryLater("30s"), codes: ["RETRY_LATER"], keepsCause: false },
];
const cases = samples.flatMap(({ codes, make, keepsCause = true }) =>
  codes.map((code) => ({ code, error: make(code as never), keepsCause })),
);
const caseTitles = cases.map((sample) => [`${sample.error.constructor.name} ${sample.code}`, sample] as const);

test("every class is public and has its sample here", () => {
  const classes = Object.entries(core).filter(
    ([name, value]) =>
      typeof value === "function" && value.prototype instanceof core.TaskferryError && name !== "TaskferryError",
  );
  expect(classes.map(([name]) => name).sort()).toEqual([...new Set(cases.map(({ error }) => error.name))].sort());
});

describe("each error", () => {
  test.each(caseTitles)("%s", (_, { code, error, keepsCause }) => {
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(error.constructor.name);
    expect(error.code).toBe(code);
    expect(error.message).not.toBe("");
    expect(error.stack).toContain("errors.test.ts");
    expect(error.cause).toBe(keepsCause ? cause : undefined);
    const retryable = ["BROKER_FULL", "BROKER_UNAVAILABLE", "NO_RECEIVERS", "RESULT_TIMEOUT"];
    expect(error.retryable).toBe(retryable.includes(code));
    expect(isTaskferryError(error)).toBe(true);
    expect(isTaskferryError(error, code)).toBe(true);
    expect(isTaskferryError(error, code === "CLOSED" ? "TASK_FAILED" : "CLOSED")).toBe(false);
  });

  test.each(caseTitles)("%s is recognised by another copy of the package", async (_, { code, error }) => {
    vi.resetModules();
    const copy = await import("../src/errors.ts");
    expect(copy.isTaskferryError).not.toBe(isTaskferryError);
    expect(error).not.toBeInstanceOf(copy.TaskferryError);
    expect(copy.isTaskferryError(error, code)).toBe(true);
  });

  test("of another realm is recognised", () => {
    const source =
      'const error = new Error("text"); error[Symbol.for("taskferry.error")] = true; error.code = "CLOSED"; error';
    const error: unknown = runInNewContext(source);
    expect(error).not.toBeInstanceOf(Error);
    expect(isTaskferryError(error, "CLOSED")).toBe(true);
  });

  test("of configuration lists every problem", () => {
    const error = new ConfigurationError("CONFIGURATION_INVALID", ["one", "two"]);
    expect(error).toMatchObject({ problems: ["one", "two"], message: "one\ntwo" });
  });
});

test.each([undefined, null, 0, "", "CLOSED", {}, new Error("x"), { code: "CLOSED" }, () => undefined])(
  "%o is no error of taskferry",
  (value) => expect(isTaskferryError(value)).toBe(false),
);

describe("docs/errors.md", () => {
  const union = /export type ErrorCode =([^;]*);/.exec(readText("../src/errors.ts"))?.[1] ?? "";
  const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code as string);
  const rows = readText("../../../docs/errors.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  const documented = rows.map(([code = ""]) => code.replaceAll("`", ""));

  test("knows the codes", () => expect(codes.length).toBeGreaterThan(30));
  test("lists every code, and lists it once", () => expect([...documented].sort()).toEqual([...codes].sort()));
  test("lists only codes that there are", () => expect(documented.filter((code) => !codes.includes(code))).toEqual([]));
  test("names the classes that carry each code", () => {
    const carriers = (code: string): string[] => [
      ...new Set(cases.filter((sample) => sample.code === code).map(({ error }) => error.name)),
    ];
    for (const [code = "", classes = ""] of rows) {
      const named = [...classes.matchAll(/`(\w+)`/g)].map(([, name]) => name as string);
      expect({ code, classes: named.sort() }).toEqual({ code, classes: carriers(code.replaceAll("`", "")).sort() });
    }
  });
  test("says when it comes", () => {
    expect(rows.filter(([, , when = ""]) => when.length < 20)).toEqual([]);
  });
});

function readText(path: string): string {
  return readFileSync(new URL(path, import.meta.url), "utf8");
}
