import {
  maxStateValueBytes,
  OptionError,
  type StateKey,
  type StatePage,
  type StatePut,
  type StatePutResult,
  type StateStore,
} from "@taskferry/core";
import { createFileUse, type FileUse } from "./file-use.ts";
import type { FileLink } from "./link.ts";
import type { EntryPut, EntryPutAnswer, ThreadOptions } from "./protocol.ts";
import { toEntry } from "./state-entry.ts";
import { decodeKey, encodeKey, keyRange } from "./state-key.ts";
import { watchEntries } from "./watch-entries.ts";

/** A state store on a file that `link` leads to. */
export function createState(link: FileLink, options: ThreadOptions): StateStore {
  const file = createFileUse({ link, options, what: "The sqlite state store" });
  return {
    name: "sqlite",
    contract: 1,
    connect: file.connect,
    close: file.close,
    [Symbol.asyncDispose]: file.close,
    get: async (keys) => (await file.call("getEntries", keys.map(toBytes))).map((row) => row && toEntry(row)),
    put: async (entries) => {
      const answers = await file.call("putEntries", entries.map(toPut));
      return answers.map(toPutResult);
    },
    delete: (entries) =>
      file.call(
        "deleteEntries",
        entries.map(({ key, expect }) => ({ key: toBytes(key), expect: expect && readRevision(expect.revision) })),
      ),
    list: (prefix, page) => list(file, prefix, page),
    watch: (prefix, signal) => watchEntries(file, prefix, signal),
    increment: (key, by, { ttl, ceiling }) =>
      file.call("increment", { key: toBytes(key), by, ttl: Math.ceil(ttl), ceiling }),
    add: async (set, members, { ttl, max }) => {
      const request = { set: toBytes(set), members: members.map(toMember), ttl: Math.ceil(ttl), max };
      const { added, size } = await file.call("addMembers", request);
      return { added: added.map((index) => members[index] ?? ""), size };
    },
    remove: (set, members) => file.call("removeMembers", { set: toBytes(set), members: members.map(toMember) }),
    members: async (set) => {
      const members = await file.call("listMembers", { set: toBytes(set) });
      return members.map((member) => decodeKey(member)[0] ?? "");
    },
  };
}

function toBytes(key: StateKey): Uint8Array {
  if (key.length > 0 && key.every((segment) => typeof segment === "string" && segment !== "")) return encodeKey(key);
  throw new OptionError(
    "OPTION_INVALID",
    `Expected a key of one or more non-empty strings, got ${JSON.stringify(key)}.`,
  );
}

function toMember(member: string): Uint8Array {
  return encodeKey([member]);
}

function toPut({ key, value, ttl, expect }: StatePut): EntryPut {
  if (value.byteLength > maxStateValueBytes) {
    throw new OptionError(
      "STATE_VALUE_TOO_LARGE",
      `Expected a value of at most ${maxStateValueBytes} bytes, got ${value.byteLength} for the key ${JSON.stringify(key)}.`,
    );
  }
  return {
    key: toBytes(key),
    // A copy: the value may be part of a large buffer, the whole of which would go along.
    value: new Uint8Array(value),
    ttl: ttl === undefined ? undefined : Math.ceil(ttl),
    expect: expect === "absent" ? 0 : expect && readRevision(expect.revision),
  };
}

/** A revision of another store matches nothing here. */
function readRevision(revision: string): number {
  return /^[1-9]\d*$/.test(revision) ? Number(revision) : -1;
}

function toPutResult(answer: EntryPutAnswer): StatePutResult {
  if ("revision" in answer) return { status: "written", revision: String(answer.revision) };
  return { status: "conflict", current: answer.current && toEntry(answer.current) };
}

async function list(file: FileUse, prefix: StateKey, { limit, cursor }: ListOptions): Promise<StatePage> {
  const { from, to } = keyRange(prefix);
  // The shortest bytes after those of the last key.
  const after = cursor === undefined ? from : Uint8Array.of(...Buffer.from(cursor, "base64url"), 0);
  const rows = await file.call("listEntries", { from: after, to, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { entries: page.map(toEntry), ...(last && { cursor: Buffer.from(last.key).toString("base64url") }) };
}

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
}
