import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeOutcome, type ErrorRecord, encodeOutcome, isTaskferryError, type StoredOutcome } from "../src/index.ts";

const anyText = fc.string({ unit: "binary" });
const base = {
  id: anyText,
  task: anyText,
  attempt: fc.nat(),
  run: fc.nat(),
  enqueuedAt: fc.nat(),
  finishedAt: fc.nat(),
  worker: anyText,
  ttl: fc.nat(),
};
const startedAt = fc.nat();
const flatRecord: fc.Arbitrary<ErrorRecord> = fc.record(
  { name: anyText, message: anyText, code: anyText, stack: anyText },
  { requiredKeys: ["name", "message"] },
);
const record = fc
  .array(flatRecord, { minLength: 1, maxLength: 17 })
  .map((records) => records.reduceRight((cause, error) => ({ ...error, cause })));
const baseKeys = Object.keys(base) as Array<keyof typeof base>;
const outcome: fc.Arbitrary<StoredOutcome> = fc.oneof(
  fc.record(
    {
      ...base,
      startedAt,
      status: fc.constant("succeeded" as const),
      result: fc.record({ contentType: anyText, body: fc.uint8Array() }),
    },
    { requiredKeys: [...baseKeys, "status", "result"] },
  ),
  fc.record(
    { ...base, startedAt, status: fc.constant("failed" as const), error: record },
    { requiredKeys: [...baseKeys, "status", "error"] },
  ),
  fc.record(
    {
      ...base,
      startedAt,
      status: fc.constant("cancelled" as const),
      reason: anyText,
      code: fc.constantFrom("TASK_CANCELLED" as const, "TASK_EXPIRED" as const),
    },
    { requiredKeys: [...baseKeys, "status", "reason", "code"] },
  ),
);

test("an outcome survives its bytes, whatever is in it", () => {
  fc.assert(
    fc.property(outcome, (original) => {
      const { result, ...fields } = decodeOutcome(encodeOutcome(original));
      const read =
        result === undefined ? fields : { ...fields, result: { ...result, body: new Uint8Array(result.body) } };
      expect(read).toEqual(original);
    }),
  );
});

test("a prefix stands in front of the same bytes", () => {
  fc.assert(
    fc.property(outcome, (original) => {
      const bytes = Buffer.from(encodeOutcome(original));
      expect(Buffer.from(encodeOutcome(original, "7\n")).equals(Buffer.concat([Buffer.from("7\n"), bytes]))).toBe(true);
    }),
  );
});

test("the commonest outcome has the line that JSON.stringify makes", () => {
  const plain = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,20}$/);
  const texts = { id: plain, task: plain, worker: fc.oneof(plain, anyText) };
  fc.assert(
    fc.property(fc.record({ ...base, ...texts }), startedAt, plain, (fields, started, contentType) => {
      const { id, run, task, attempt, enqueuedAt, finishedAt, worker, ttl } = fields;
      const bytes = encodeOutcome({
        ...fields,
        status: "succeeded",
        startedAt: started,
        result: { contentType, body: Buffer.from("1") },
      });
      const line = { v: 1, id, run, task, attempt, status: "succeeded", enqueuedAt, startedAt: started, finishedAt };
      expect(Buffer.from(bytes).toString()).toBe(`${JSON.stringify({ ...line, worker, ttl, contentType })}\n1`);
    }),
  );
});

describe("a reader refuses", () => {
  const good = {
    ...{ v: 1, id: "a", run: 0, task: "t", attempt: 0, status: "succeeded" },
    ...{ enqueuedAt: 1, finishedAt: 2, worker: "w", ttl: 3, contentType: "c" },
  };
  const codeOf = (bytes: string): string | undefined => {
    try {
      decodeOutcome(Buffer.from(bytes));
    } catch (error) {
      return isTaskferryError(error) ? error.code : String(error);
    }
    return undefined;
  };

  test("nothing that is good", () => expect(codeOf(`${JSON.stringify(good)}\nbody`)).toBeUndefined());
  test("a newer version", () =>
    expect(codeOf(`${JSON.stringify({ ...good, v: 2 })}\n`)).toBe("MESSAGE_VERSION_UNKNOWN"));
  test.each<[string, object]>([
    ["no version", { v: undefined }],
    ["version 0", { v: 0 }],
    ["no id", { id: undefined }],
    ["a run that is text", { run: "0" }],
    ["half an attempt", { attempt: 0.5 }],
    ["a time that is text", { finishedAt: "now" }],
    ["a start that is null", { startedAt: "now" }],
    ["no ttl", { ttl: undefined }],
    ["another status", { status: "unknown" }],
    ["a success without a content type", { contentType: undefined }],
    ["a failure without an error", { status: "failed" }],
    ["a failure with an error that is text", { status: "failed", error: "boo" }],
    ["a failure with an error null", { status: "failed", error: null }],
    ["a failure whose cause is text", { status: "failed", error: { name: "E", message: "m", cause: "boo" } }],
    ["a failure with causes without end", { status: "failed", error: nestCauses(2000) }],
    ["a cancellation without a reason", { status: "cancelled", code: "TASK_CANCELLED" }],
  ])("%s", (_, change) => {
    expect(codeOf(`${JSON.stringify({ ...good, ...change })}\nbody`)).toBe("MESSAGE_MALFORMED");
  });
  test.each(["", "\n", "x\n", "[]\n", "null\n", "7\n", JSON.stringify(good)])("bytes %j", (bytes) => {
    expect(codeOf(bytes)).toBe("MESSAGE_MALFORMED");
  });
});

function nestCauses(depth: number): ErrorRecord {
  let error: ErrorRecord = { name: "E", message: "m" };
  for (let count = 0; count < depth; count += 1) error = { name: "E", message: "m", cause: error };
  return error;
}
