import { rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { HarnessRequest } from "@taskferry/testing";
import Database from "libsql";
import { createLink, type FileLink } from "../src/link.ts";
import { readOptions, type SqliteOptions } from "../src/options.ts";
import type { OperationName, ThreadOptions } from "../src/protocol.ts";
import { temporaryFile } from "./temporary-file.ts";
import { createThreadFaults, type ThreadFaults } from "./thread-faults.ts";

/** What a call may take: where a test interrupts, short, so that what cannot be answered fails within it. */
function callTimeout({ interrupts }: HarnessRequest): string {
  return interrupts ? "2s" : "10s";
}

/** How a suite calls what it wants to lose the reply of. */
const operations: Readonly<Record<string, OperationName>> = {
  publish: "publish",
  take: "take",
  extend: "extend",
  settle: "settle",
  store: "storeResults",
  get: "getResults",
  put: "putEntries",
  delete: "deleteEntries",
  increment: "increment",
  add: "addMembers",
  remove: "removeMembers",
};

/** One file; each value on it has a thread of its own, as those of several processes have. */
export function separateThreads<T>(request: HarnessRequest, make: (link: FileLink, options: ThreadOptions) => T) {
  const { path, remove } = temporaryFile();
  const options = readOptions({ path, timeout: callTimeout(request) });
  const threads = createThreadFaults();
  return {
    connect: () => make(createLink(options, threads.start), options),
    restart: threads.killAll,
    outage: absenceOf(path, threads),
    freeze: lockOf(path),
    cutNextReply: async (operation: string) => threads.cutNextAnswer(operations[operation] ?? "queues"),
    insertRaw: insertInto(path),
    dispose: remove,
  };
}

/** One file; all values on it share the thread of this process. */
export function sharedThread<T>(request: HarnessRequest, make: (file: SqliteOptions) => T) {
  const { path, remove } = temporaryFile();
  return {
    connect: () => make({ path, timeout: callTimeout(request) }),
    freeze: lockOf(path),
    insertRaw: insertInto(path),
    dispose: remove,
  };
}

const sameThread = "it is what the suite with a thread for each value tries";

export const cannotWithSharedThread = { restart: sameThread, outage: sameThread, cutNextReply: sameThread };

/** Somebody has the write lock, as a process has that hangs in a transaction. */
function lockOf(path: string) {
  let lock: Database.Database | undefined;
  return {
    begin: async () => {
      lock = new Database(path);
      lock.exec("BEGIN IMMEDIATE");
    },
    end: async () => {
      lock?.exec("ROLLBACK");
      lock?.close();
    },
  };
}

/** The folder is away, as that of a disk is which is unmounted. */
function absenceOf(path: string, threads: ThreadFaults) {
  const folder = dirname(path);
  return {
    begin: async () => {
      await rename(folder, `${folder}.away`);
      await writeFile(folder, "in the way");
      await threads.killAll();
    },
    end: async () => {
      await rm(folder);
      await rename(`${folder}.away`, folder);
    },
  };
}

export function insertInto(path: string) {
  return async (queue: string, bytes: Uint8Array): Promise<void> => {
    const database = new Database(path);
    database.pragma("busy_timeout = 5000");
    database.prepare("INSERT INTO inbox (queue, bytes) VALUES (?, ?)").run([queue, Buffer.from(bytes)]);
    database.close();
  };
}
