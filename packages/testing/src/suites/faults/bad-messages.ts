import { type ErrorCode, encodeMessage, type Message } from "@taskferry/core";
import { work } from "./programs/tasks.ts";

/** Something that is put into a queue and cannot be run. */
export interface BadMessage {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: ErrorCode;
  /** The task's id, where it can be read. */
  readonly id?: string;
}

/** The largest body that the worker under test accepts. */
export const maxBodyBytes = 64 * 1024;

const deep = 10_000;

/** What other programs, other versions and attackers may leave in a queue. */
export function badMessages(queue: string): readonly BadMessage[] {
  const message = (id: string, fields: Partial<Message> = {}): Message => ({
    id,
    run: 0,
    hop: 0,
    task: work.name,
    queue,
    attempt: 0,
    enqueuedAt: Date.now(),
    contentType: "application/json",
    body: Buffer.from("1"),
    ...fields,
  });
  const headers = (id: string, change: (line: string) => string): Uint8Array => {
    const [line = "", body = ""] = Buffer.from(encodeMessage(message(id)))
      .toString()
      .split("\n");
    return Buffer.from(`${change(line)}\n${body}`);
  };
  const body = (id: string, text: string): Uint8Array => encodeMessage(message(id, { body: Buffer.from(text) }));
  return [
    { what: "bytes that are no message", bytes: Buffer.from("not a message"), code: "MESSAGE_MALFORMED" },
    { what: "bytes that are no text", bytes: Buffer.from([0, 255, 254, 10, 13, 0]), code: "MESSAGE_MALFORMED" },
    { what: "no bytes at all", bytes: Buffer.alloc(0), code: "MESSAGE_MALFORMED" },
    { what: "headers nested 10,000 deep", bytes: Buffer.from(`${nested(deep)}\n1`), code: "MESSAGE_MALFORMED" },
    {
      what: "an unknown version",
      bytes: headers("version", (line) => line.replace('"v":1', '"v":2')),
      code: "MESSAGE_VERSION_UNKNOWN",
      id: "version",
    },
    {
      what: "__proto__ in the headers",
      bytes: headers("proto-header", (line) => line.replace("{", '{"__proto__":{"polluted":true},')),
      code: "MESSAGE_MALFORMED",
      id: "proto-header",
    },
    {
      what: "__proto__ in the input",
      bytes: body("proto-input", '{"a":[{"__proto__":{"polluted":true}}]}'),
      code: "NOT_DESERIALIZABLE",
      id: "proto-input",
    },
    {
      what: "an input nested 10,000 deep",
      bytes: body("deep", nested(deep)),
      code: "NOT_DESERIALIZABLE",
      id: "deep",
    },
    { what: "an input that is torn", bytes: body("torn", '{"a":'), code: "NOT_DESERIALIZABLE", id: "torn" },
    {
      what: "an input over the size limit",
      bytes: body("large", JSON.stringify("x".repeat(maxBodyBytes))),
      code: "MESSAGE_TOO_LARGE",
      id: "large",
    },
    {
      what: "an unknown task",
      bytes: encodeMessage(message("task", { task: "nobody.knows.it" })),
      code: "TASK_UNKNOWN",
      id: "task",
    },
    {
      what: "an unknown content type",
      bytes: encodeMessage(message("type", { contentType: "application/x-unheard-of" })),
      code: "CONTENT_TYPE_UNKNOWN",
      id: "type",
    },
    {
      what: "options out of range",
      bytes: encodeMessage(message("policy", { policy: { attempts: -1 } })),
      code: "MESSAGE_MALFORMED",
      id: "policy",
    },
  ];
}

function nested(levels: number): string {
  return `${"[".repeat(levels)}${"]".repeat(levels)}`;
}
