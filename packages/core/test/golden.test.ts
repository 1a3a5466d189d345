import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  decodeMessage,
  decodeOutcome,
  dedupeId,
  encodeMessage,
  encodeOutcome,
  jsonSerializer,
  type Message,
  toHeaders,
} from "../src/index.ts";

const read = (name: string): Buffer => readFileSync(new URL(`golden/${name}`, import.meta.url));
const readFields = (name: string): Record<string, unknown> => JSON.parse(read(name).toString());
const fromBase64 = (text: unknown): Buffer => Buffer.from(String(text), "base64");

// These files never change: old clients and workers write and read them.
describe("messages of version 1", () => {
  test.each([
    "message-minimal",
    "message-full",
    "message-unknown-headers",
    "message-empty-body",
    "message-workflow",
    "message-unique",
    "message-reply",
  ])("%s", (name) => {
    const bytes = read(`${name}.bin`);
    const fields = readFields(`${name}.json`);
    const message = decodeMessage(bytes);
    expect({ ...message, body: Buffer.from(message.body) }).toEqual({ ...fields, body: fromBase64(fields.body) });
    expect(Buffer.from(encodeMessage(message)).toString("latin1")).toBe(bytes.toString("latin1"));
  });
});

describe("outcomes of version 1", () => {
  test.each(["outcome-succeeded", "outcome-failed", "outcome-cancelled"])("%s", (name) => {
    const bytes = read(`${name}.bin`);
    const { result, ...fields } = readFields(`${name}.json`) as { result?: { contentType: string; body: string } };
    const outcome = decodeOutcome(bytes);
    const body = result && { contentType: result.contentType, body: fromBase64(result.body) };
    expect(outcome).toEqual(body === undefined ? fields : { ...fields, result: body });
    expect(Buffer.from(encodeOutcome(outcome)).toString("latin1")).toBe(bytes.toString("latin1"));
  });
});

describe("values in the JSON serializer", () => {
  const golden = readFields("json-serializer.json") as Record<string, string>;
  const values: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    text: 'a"b\u0000✓',
    number: -1.5e-7,
    plain: { a: [1, true, null, "x", { b: [] }] },
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    "-Infinity": Number.NEGATIVE_INFINITY,
    "-0": -0,
    Date: new Date(1_700_000_000_000),
    "invalid Date": new Date(Number.NaN),
    BigInt: -123456789012345678901234567890n,
    bytes: new Uint8Array([0, 1, 255]),
    Buffer: Buffer.from("hi"),
    Set: new Set([1, new Set()]),
    Map: new Map<unknown, unknown>([
      ["a", 1],
      [{ k: 1 }, undefined],
    ]),
    Error: Object.assign(new TypeError("no", { cause: namedError("Custom", "why", "s") }), {
      code: "E_NO",
      stack: "TypeError: no\n    at x",
    }),
    escaped: { $tf: ["Date", 1], b: { $tf: 1 } },
    "undefined inside": { a: undefined, b: [undefined] },
  };
  const serializer = jsonSerializer();

  test("there is a value for each line, and a line for each value", () => {
    expect(Object.keys(values)).toEqual(Object.keys(golden));
  });
  test.each(Object.keys(values))("%s", (name) => {
    const text = golden[name] as string;
    expect(Buffer.from(serializer.serialize(values[name])).toString()).toBe(text);
    expect(serializer.deserialize(Buffer.from(text))).toStrictEqual(values[name]);
  });
});

function namedError(name: string, message: string, stack: string): Error {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, enumerable: false });
  error.stack = stack;
  return error;
}

describe("the worked example of docs/wire-format.md", () => {
  const docs = readFileSync(new URL("../../../docs/wire-format.md", import.meta.url), "utf8");
  const [dump = "", outcome = ""] = docs
    .slice(docs.indexOf("## A worked example"))
    .split("```")
    .filter((_, index) => index % 2 === 1);

  test("is the message that it says", () => {
    const hex = [...dump.matchAll(/^[0-9a-f]{4} {2}((?:[0-9a-f]{2} )+)/gm)].map(([, row]) => row).join("");
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const input = { path: "cat.png", at: new Date(1_763_866_500_000) };
    const message: Message = {
      ...{
        id: "cat-1",
        run: 0,
        hop: 0,
        task: "image.resize",
        queue: "images",
        attempt: 0,
        enqueuedAt: 1_763_866_500_123,
      },
      ...{ contentType: "application/json", headers: { tenant: "acme" }, body: jsonSerializer().serialize(input) },
    };
    expect(Buffer.from(encodeMessage(message)).toString()).toBe(bytes.toString());
    expect(decodeMessage(bytes)).toEqual(message);
    expect([bytes.indexOf(0x0a), message.body.length]).toEqual([165, 54]);
    expect(dedupeId(message)).toBe("cat-1:0:0");
  });
  test("is the outcome that it says", () => {
    const bytes = Buffer.from(outcome.trim());
    expect(Buffer.from(encodeOutcome(decodeOutcome(bytes))).toString()).toBe(bytes.toString());
  });
  test("its table of headers names all that are written", () => {
    const full = ["message-full.bin", "message-workflow.bin", "message-unique.bin", "message-reply.bin"].flatMap(
      (name) => Object.keys(toHeaders(decodeMessage(read(name)))),
    );
    const table = docs.slice(docs.indexOf("| header | type"), docs.indexOf("`policy` holds"));
    const documented = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    const written = full.filter((name) => !name.startsWith("x-"));
    expect(new Set(documented)).toEqual(new Set([...written, "x-…"]));
  });
});
