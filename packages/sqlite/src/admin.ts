import {
  type BrokerAdmin,
  decodeMessage,
  type ErrorCode,
  isTaskferryError,
  type ListOptions,
  type Message,
  OptionError,
  type QueueEntry,
} from "@taskferry/core";
import type { FileUse } from "./file-use.ts";
import type { QueueRow, Section } from "./protocol.ts";

export function createAdmin(file: FileUse): BrokerAdmin {
  return {
    queues: () => file.call("queues", undefined),
    depth: (queue) => file.call("depth", { queue }),
    list: async (queue, options) => {
      checkLimit(options);
      const { rows, cursor } = await file.call("listQueue", { queue, ...options });
      return { entries: rows.map(toEntry), ...(cursor !== undefined && { cursor }) };
    },
    read: async (queue, section, key) => {
      const row = await file.call("readQueue", { queue, section, key });
      return row && toEntry(row);
    },
    remove: (queue, section, keys) => file.call("removeQueued", { queue, section, keys }),
    purge: (queue, section) => purge(file, queue, section),
  };
}

function checkLimit({ limit }: ListOptions): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return;
  throw new OptionError("OPTION_INVALID", `limit: expected a whole number from 1 to 1000, got ${limit}.`);
}

/** Removes in parts, so that nobody waits long for the file; what comes meanwhile stays. */
async function purge(file: FileUse, queue: string, section: Section): Promise<number> {
  const upTo = await file.call("newest", { section });
  let removed = 0;
  for (;;) {
    const part = await file.call("purgeQueue", { queue, section, upTo });
    if (part === 0) return removed;
    removed += part;
  }
}

function toEntry({ key, bytes, dueAt, reason }: QueueRow): QueueEntry {
  const message = readMessage(bytes);
  return {
    key,
    bytes,
    ...(message !== undefined && { message }),
    ...(dueAt !== undefined && { dueAt }),
    ...(reason !== undefined && { reason: { ...reason, code: reason.code as ErrorCode } }),
  };
}

/** Bytes that are no message have an entry all the same. */
function readMessage(bytes: Uint8Array): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (isTaskferryError(error)) return undefined;
    throw error;
  }
}
