import * as valibot from "valibot";
import { z } from "zod";
import { defineTask, encodeMessage, type Message } from "../../src/index.ts";

export const job = defineTask<unknown, string>("job");
export const strict = defineTask("strict", { input: z.object({ count: z.number() }) });
export const slow = defineTask("slow", {
  input: valibot.objectAsync({
    name: valibot.pipeAsync(
      valibot.string(),
      valibot.checkAsync(async (name) => name !== "taken", "is taken"),
    ),
  }),
});

function message(fields: Partial<Message> = {}): Message {
  return {
    id: "bad",
    run: 0,
    hop: 0,
    task: "job",
    queue: "default",
    attempt: 0,
    enqueuedAt: Date.now(),
    contentType: "application/json",
    body: Buffer.from("null"),
    ...fields,
  };
}

/** A frame whose header line is changed before it is encoded. */
function frame(change: Record<string, unknown>, body = "null"): Uint8Array {
  const { body: _, ...headers } = message();
  return Buffer.from(`${JSON.stringify({ v: 1, ...headers, ...change })}\n${body}`);
}

/** A message with that text as its body. */
export function bodyOf(text: string, fields: Partial<Message> = {}): Uint8Array {
  return encodeMessage(message({ ...fields, body: Buffer.from(text) }));
}

function nested(levels: number): string {
  return `${"[".repeat(levels)}${"]".repeat(levels)}`;
}

interface BadMessage {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: string;
  /** What the reason says, so that its reader knows where to look. */
  readonly says: string;
  /** Whether those who wait for the task can be told. */
  readonly hasId: boolean;
}

/** What a worker may find in its queue, and why it refuses it. */
export const badMessages: readonly BadMessage[] = [
  {
    what: "bytes that are no message",
    bytes: Buffer.from("hello"),
    code: "MESSAGE_MALFORMED",
    says: "line of headers",
    hasId: false,
  },
  { what: "no bytes at all", bytes: Buffer.alloc(0), code: "MESSAGE_MALFORMED", says: "0 bytes", hasId: false },
  {
    what: "bytes that are no text",
    bytes: Buffer.from([0xff, 0xfe, 0x0a, 0x00]),
    code: "MESSAGE_MALFORMED",
    says: "not JSON",
    hasId: false,
  },
  {
    what: "headers that are no object",
    bytes: Buffer.from("[1]\nnull"),
    code: "MESSAGE_MALFORMED",
    says: "version",
    hasId: false,
  },
  {
    what: "headers nested 10,000 deep",
    bytes: Buffer.from(`${nested(10_000)}\nnull`),
    code: "MESSAGE_MALFORMED",
    says: "line of headers",
    hasId: false,
  },
  {
    what: "one header nested 7,000 deep",
    bytes: Buffer.from(frame({ extra: "nested" }).toString().replace('"nested"', nested(7_000))),
    code: "MESSAGE_MALFORMED",
    says: '"extra" that is nested more than 16 deep',
    hasId: true,
  },
  {
    what: "a policy nested 7,000 deep",
    bytes: Buffer.from(
      frame({ policy: { extra: "nested" } })
        .toString()
        .replace('"nested"', nested(7_000)),
    ),
    code: "MESSAGE_MALFORMED",
    says: "policy",
    hasId: true,
  },
  {
    what: "an unknown version",
    bytes: frame({ v: 2 }),
    code: "MESSAGE_VERSION_UNKNOWN",
    says: "got version 2",
    hasId: true,
  },
  {
    what: "no version",
    bytes: frame({ v: undefined }),
    code: "MESSAGE_MALFORMED",
    says: "version undefined",
    hasId: true,
  },
  {
    what: "an id of another grammar",
    bytes: frame({ id: "no spaces" }),
    code: "MESSAGE_MALFORMED",
    says: "no spaces",
    hasId: false,
  },
  {
    what: "a task name of another grammar",
    bytes: frame({ task: "../job" }),
    code: "MESSAGE_MALFORMED",
    says: "../job",
    hasId: true,
  },
  {
    what: "a counter that is none",
    bytes: frame({ attempt: -1 }),
    code: "MESSAGE_MALFORMED",
    says: "attempt -1",
    hasId: true,
  },
  {
    what: "a priority out of range",
    bytes: frame({ priority: 10 }),
    code: "MESSAGE_MALFORMED",
    says: "priority 10",
    hasId: true,
  },
  {
    what: "a user's header that is no string",
    bytes: frame({ "x-tenant": 1 }),
    code: "MESSAGE_MALFORMED",
    says: "x-tenant",
    hasId: true,
  },
  {
    what: "a header __proto__",
    bytes: Buffer.from(frame({}).toString().replace("{", '{"__proto__":{"polluted":true},')),
    code: "MESSAGE_MALFORMED",
    says: "__proto__",
    hasId: true,
  },
  {
    what: "an unknown task",
    bytes: bodyOf("null", { task: "nobody.knows" }),
    code: "TASK_UNKNOWN",
    says: "nobody.knows",
    hasId: true,
  },
  {
    what: "an unknown content type",
    bytes: bodyOf("null", { contentType: "application/x-other" }),
    code: "CONTENT_TYPE_UNKNOWN",
    says: "application/x-other",
    hasId: true,
  },
  {
    what: "a policy out of range",
    bytes: bodyOf("null", { policy: { attempts: 0 } }),
    code: "MESSAGE_MALFORMED",
    says: "retry.attempts",
    hasId: true,
  },
  {
    what: "a policy that is no policy",
    bytes: frame({ policy: { timeout: "soon" } }),
    code: "MESSAGE_MALFORMED",
    says: "timeout",
    hasId: true,
  },
  {
    what: "a body over the limit",
    bytes: bodyOf(JSON.stringify("x".repeat(2_000))),
    code: "MESSAGE_TOO_LARGE",
    says: "at most 1000 bytes",
    hasId: true,
  },
  { what: "an empty body", bytes: bodyOf(""), code: "NOT_DESERIALIZABLE", says: "no bytes", hasId: true },
  { what: "a torn body", bytes: bodyOf('{"a":'), code: "NOT_DESERIALIZABLE", says: "not JSON", hasId: true },
  {
    what: "a body that is no UTF-8",
    bytes: encodeMessage(message({ body: Buffer.from([0x22, 0xff, 0x22]) })),
    code: "NOT_DESERIALIZABLE",
    says: "UTF-8",
    hasId: true,
  },
  {
    what: "a body nested too deep",
    bytes: bodyOf(nested(400)),
    code: "NOT_DESERIALIZABLE",
    says: "nested more than 64 deep",
    hasId: true,
  },
  {
    what: "__proto__ in the body",
    bytes: bodyOf('{"a":{"__proto__":{"polluted":true}}}'),
    code: "NOT_DESERIALIZABLE",
    says: "$.a.__proto__",
    hasId: true,
  },
  {
    what: "constructor.prototype in the body",
    bytes: bodyOf('{"constructor":{"prototype":{"polluted":true}}}'),
    code: "NOT_DESERIALIZABLE",
    says: "$.constructor",
    hasId: true,
  },
  {
    what: "an unknown tag in the body",
    bytes: bodyOf('{"$tf":["Function","1"]}'),
    code: "NOT_DESERIALIZABLE",
    says: "Function",
    hasId: true,
  },
  {
    what: "an input that its schema refuses",
    bytes: bodyOf('{"count":"many"}', { task: "strict" }),
    code: "INPUT_INVALID",
    says: "$.count",
    hasId: true,
  },
  {
    what: "an input that its asynchronous schema refuses",
    bytes: bodyOf('{"name":"taken"}', { task: "slow" }),
    code: "INPUT_INVALID",
    says: "is taken",
    hasId: true,
  },
];
