import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerBytes } from "../src/frame.ts";
import {
  checkId,
  checkName,
  decodeMessage,
  dedupeId,
  encodeMessage,
  fromHeaders,
  isTaskferryError,
  type Message,
  MessageError,
  maxHeaderBytes,
  toHeaders,
} from "../src/index.ts";

const letters = [..."ABCXYZabcxyz0189"];
const name = text({ first: letters, later: [...letters, ..."_.-"], maxLength: 100 });
const id = text({ first: letters, later: [...letters, ..."_.-:"], maxLength: 200 });
const count = fc.nat();
const time = fc.oneof(
  fc.nat(),
  fc.double({ min: 0, max: 8.64e15, noNaN: true }).filter((value) => !Object.is(value, -0)),
);
const anyText = fc.string({ unit: "binary" });

const message: fc.Arbitrary<Message> = fc.record(
  {
    id,
    run: count,
    hop: count,
    task: name,
    queue: name,
    attempt: count,
    enqueuedAt: time,
    notBefore: time,
    expiresAt: time,
    priority: fc.integer({ min: 0, max: 9 }),
    contentType: anyText.filter((value) => value !== ""),
    traceparent: anyText,
    tracestate: anyText,
    signature: anyText,
    policy: fc.record({ attempts: fc.nat(), timeout: fc.nat() }, { requiredKeys: [] }),
    headers: fc.dictionary(name, anyText, { minKeys: 1 }),
    body: fc.uint8Array(),
  },
  { requiredKeys: ["id", "run", "hop", "task", "queue", "attempt", "enqueuedAt", "contentType", "body"] },
);

describe("a message survives", () => {
  test("its bytes, whatever is in it", () => {
    fc.assert(
      fc.property(message, (original) => {
        const read = decodeMessage(encodeMessage(original));
        expect({ ...read, body: new Uint8Array(read.body) }).toEqual(original);
      }),
    );
  });

  test("its headers, whatever is in it", () => {
    fc.assert(
      fc.property(message, (original) => {
        expect(fromHeaders(toHeaders(original), original.body)).toEqual(original);
      }),
    );
  });

  test("in the same bytes, in whatever order its fields were set", () => {
    fc.assert(
      fc.property(message, (original) => {
        const reversed = Object.fromEntries(Object.entries(original).reverse()) as unknown as Message;
        expect(Buffer.compare(encodeMessage(reversed), encodeMessage(original))).toBe(0);
        expect(headerBytes(original)).toBe(encodeMessage(original).indexOf(0x0a));
        expect(JSON.parse(lineOf(encodeMessage(original)))).toEqual(toHeaders(original));
      }),
    );
  });

  test("bytes in the middle of a larger buffer", () => {
    const bytes = encodeMessage(ordinary);
    const buffer = Buffer.concat([Buffer.from("before\n"), bytes, Buffer.from("after")]);
    const read = decodeMessage(buffer.subarray(7, 7 + bytes.length));
    expect(Buffer.from(read.body).toString()).toBe("[1]\n[2]");
  });

  test("unknown headers of ours, which travel on and pollute nothing", () => {
    const line =
      '{"v":1,"id":"a","run":0,"hop":0,"task":"t","queue":"q","attempt":0,"enqueuedAt":1,"contentType":"c","constructor":{"prototype":{"polluted":1}}}';
    const read = decodeMessage(Buffer.from(`${line}\n`));
    expect(lineOf(encodeMessage(read))).toBe(line);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

const ordinary: Message = {
  id: "a-1",
  run: 0,
  hop: 0,
  task: "t",
  queue: "q",
  attempt: 0,
  enqueuedAt: 1,
  contentType: "application/json",
  body: Buffer.from("[1]\n[2]"),
};
const fields = toHeaders(ordinary);

describe("a reader refuses", () => {
  test.each<[string, object, string]>([
    ["no version", { v: undefined }, "the version undefined"],
    ["version 0", { v: 0 }, "the version 0"],
    ["a version that is no number", { v: "1" }, 'the version "1"'],
    ["half a version", { v: 1.5 }, "the version 1.5"],
    ["no task", { task: undefined }, "the task name undefined"],
    ["a task name with a space", { task: "a b" }, 'the task name "a b"'],
    ["a task name too long", { task: "a".repeat(101) }, "the task name"],
    ["a queue name that climbs", { queue: "../etc" }, 'the queue name "../etc"'],
    ["a negative run", { run: -1 }, "run -1"],
    ["half a hop", { hop: 0.5 }, "hop 0.5"],
    ["an attempt beyond counting", { attempt: 1e300 }, "attempt 1e+300"],
    ["a counter that is text", { run: "0" }, 'run "0"'],
    ["no time", { enqueuedAt: undefined }, "enqueuedAt undefined"],
    ["a negative time", { enqueuedAt: -1 }, "enqueuedAt -1"],
    ["a time after the last", { notBefore: 9e15 }, "notBefore 9000000000000000"],
    ["an expiry that is text", { expiresAt: "tomorrow" }, 'expiresAt "tomorrow"'],
    ["priority 10", { priority: 10 }, "priority 10"],
    ["priority null", { priority: null }, "priority null"],
    ["no content type", { contentType: undefined }, "content type undefined"],
    ["an empty content type", { contentType: "" }, 'content type ""'],
    ["a traceparent that is no text", { traceparent: 1 }, "traceparent 1"],
    ["a tracestate that is no text", { tracestate: {} }, "tracestate {}"],
    ["a signature that is no text", { signature: [] }, "signature []"],
    ["a policy that is a list", { policy: [] }, "policy []"],
    ["a policy that is text", { policy: "fast" }, 'policy "fast"'],
    ["a policy null", { policy: null }, "policy null"],
    ["a header in the place of the body", { body: "x" }, 'the header "body"'],
    ["a header in the place of the user's", { headers: {} }, 'the header "headers"'],
    ["a header named __proto__", JSON.parse('{"__proto__":{"polluted":1}}'), 'the header "__proto__"'],
    ["a header of the user's named __proto__", { "x-__proto__": "1" }, '"x-__proto__"'],
    ["a header of the user's without a name", { "x-": "1" }, '"x-"'],
    ["a header of the user's that is no text", { "x-a": 1 }, '"x-a" that is no string'],
    ["a header with a line feed in its name", { "a\nb": 1 }, '"a\\nb"'],
  ])("%s", (_, change, shown) => {
    const record = JSON.parse(JSON.stringify(fields));
    for (const [key, value] of Object.entries(change)) Object.defineProperty(record, key, { value, enumerable: true });
    const error = refusal(() => fromHeaders(record, Buffer.alloc(0)));
    expect(error.code).toBe("MESSAGE_MALFORMED");
    expect(error.message).toContain(shown);
    expect(error.id).toBe("a-1");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ["an id with a space", "a b"],
    ["an empty id", ""],
    ["an id too long", "a".repeat(201)],
    ["an id that begins with a colon", ":a"],
    ["an id that is no text", 7],
    ["no id", undefined],
  ])("%s, and then tells none", (_, bad) => {
    const error = refusal(() => fromHeaders({ ...fields, id: bad }, Buffer.alloc(0)));
    expect(error).toMatchObject({ code: "MESSAGE_MALFORMED", id: undefined });
  });

  test.each([null, undefined, 7, "text"])("headers that are %j", (record) => {
    expect(refusal(() => fromHeaders(record, Buffer.alloc(0))).code).toBe("MESSAGE_MALFORMED");
  });

  test("a newer version, with its id and advice", () => {
    const error = refusal(() => decodeMessage(Buffer.from('{"v":2,"id":"a-1","anything":[]}\nbody')));
    expect(error).toMatchObject({ code: "MESSAGE_VERSION_UNKNOWN", id: "a-1" });
    expect(error.message).toContain("version 2");
  });

  test.each<[string, string | Buffer]>([
    ["no bytes", ""],
    ["a line without an end", '{"v":1}'],
    ["an empty line", "\nbody"],
    ["a line that is no JSON", "hello\nbody"],
    ["a list", "[]\nbody"],
    ["a line too long", `{"v":1,"x-a":"${"a".repeat(2 * maxHeaderBytes)}"}\n`],
    ["a line nested 2,000 deep", `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}\n`],
    ["random bytes", Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x80])],
  ])("%s", (_, bytes) => {
    expect(refusal(() => decodeMessage(Buffer.from(bytes as string))).code).toBe("MESSAGE_MALFORMED");
  });

  test("whatever bytes come, with an error of ours and nothing else", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.json().map((json) => `{"v":1,"id":"a","task":${json}}`),
    );
    fc.assert(
      fc.property(line, fc.uint8Array(), (first, body) => {
        expect(refusal(() => decodeMessage(Buffer.concat([Buffer.from(`${first}\n`), body])))).toBeInstanceOf(
          MessageError,
        );
      }),
    );
  });

  test("without showing all of a hostile value", () => {
    const error = refusal(() => fromHeaders({ ...fields, task: "a ".repeat(8000) }, Buffer.alloc(0)));
    expect(error.message.length).toBeLessThan(300);
  });
});

describe("names and ids", () => {
  test.each(["a", "0", "A_b.c-d", "a".repeat(100)])("%s is a name", (good) =>
    expect(checkName("task", good)).toBe(good),
  );
  test.each(["", "_a", ".a", "-a", "a b", "a/b", "ä", "a\n", "a".repeat(101), 5, 5n, null, {}, Symbol("s")])(
    "%s is none",
    (bad) => {
      expect(() => checkName("queue", bad as string)).toThrow(
        expect.objectContaining({
          code: "NAME_INVALID",
          message: expect.stringMatching(/^Expected a queue name of 1 to 100/),
        }),
      );
    },
  );
  test.each(["a", "order:17", "g:0:1", "a".repeat(200)])("%s is an id", (good) => expect(checkId(good)).toBe(good));
  test.each(["", ":a", "a b", "a\n", "a".repeat(201), 5n, undefined])("%s is none", (bad) => {
    expect(() => checkId(bad as string)).toThrow(expect.objectContaining({ code: "NAME_INVALID" }));
  });

  test("no two messages share a dedupe id by chance", () => {
    fc.assert(
      fc.property(message, message, (one, other) => {
        const isSame = one.id === other.id && one.run === other.run && one.hop === other.hop;
        expect(dedupeId(one) === dedupeId(other)).toBe(isSame);
      }),
    );
    expect(dedupeId({ id: "a:0", run: 0, hop: 1 })).not.toBe(dedupeId({ id: "a", run: 0, hop: 0 }));
  });
});

function text({
  first,
  later,
  maxLength,
}: {
  first: string[];
  later: string[];
  maxLength: number;
}): fc.Arbitrary<string> {
  const rest = fc.array(fc.constantFrom(...later), { maxLength: maxLength - 1 });
  return fc.tuple(fc.constantFrom(...first), rest).map(([head, tail]) => head + tail.join(""));
}

function lineOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8", 0, bytes.indexOf(0x0a));
}

function refusal(action: () => unknown): MessageError {
  try {
    action();
  } catch (error) {
    if (isTaskferryError(error) && error instanceof MessageError) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}
