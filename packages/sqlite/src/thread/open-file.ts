import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { ThreadStart } from "../protocol.ts";
import { checkFileSystem } from "./network-file-systems.ts";
import { migrate, UnusableFile } from "./schema.ts";
import { isBusy, openSession, type Session } from "./session.ts";

/** The connections to a file. */
export interface OpenFile {
  readonly writer: Session;
  /** For short reads, so that they need not wait for a transaction of the writer. */
  readonly reader: Session;
  /** For long reads, which hold a transaction open. */
  readonly inspector: Session;
  readonly warnings: readonly string[];
}

/** Milliseconds for which SQLite itself waits to write. The thread does nothing else meanwhile. */
const writerPatience = 5;
/** The same for reads, which wait only while another process mends what a killed one left. */
const readerPatience = 1_000;
/** Pages of the write-ahead log after which its contents go to the main file. */
const checkpointPages = 4_000;
/** Bytes that the write-ahead log keeps after that. */
const logSize = 64 * 1024 * 1024;
/** KiB that each connection may keep in memory. */
const writerCache = 32 * 1024;
const readerCache = 8 * 1024;

/** Opens the file, creates it where it is not there, and brings its layout up to date. */
export async function openFile({ path, synchronous, timeout, gate }: ThreadStart): Promise<OpenFile> {
  mkdirSync(dirname(path), { recursive: true });
  const warning = checkFileSystem(dirname(path));
  const open = (patience: number, cache: number): Session => {
    const session = openSession(path, gate);
    try {
      session.execute(`PRAGMA busy_timeout = ${patience}`);
      // It reads the file, which another process may hold just now, to lay it out or to close it as the last.
      session.execute(`PRAGMA cache_size = -${cache}`);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  };
  const writer = await whileBusy(timeout, () => open(writerPatience, writerCache));
  await whileBusy(timeout, () => {
    migrate(writer);
    useLog(writer);
  });
  writer.execute(`PRAGMA synchronous = ${synchronous}`);
  writer.execute(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  writer.execute(`PRAGMA journal_size_limit = ${logSize}`);
  const openReader = (): Promise<Session> => whileBusy(timeout, () => open(readerPatience, readerCache));
  const readers = [await openReader(), await openReader()] as const;
  for (const session of readers) session.execute("PRAGMA query_only = ON");
  return { writer, reader: readers[0], inspector: readers[1], warnings: warning === undefined ? [] : [warning] };
}

/** Several processes read and write at once only with a write-ahead log. Turning to it needs the file alone, the first time. */
function useLog(writer: Session): void {
  const mode = writer.row<[string]>("PRAGMA journal_mode = WAL")?.[0];
  if (mode === "wal") return;
  throw new UnusableFile(`its file system allows no write-ahead log (journal mode ${mode}). Choose a local disk.`);
}

/** Tries again after a random pause for as long as another process has the file. */
async function whileBusy<T>(timeout: number, step: () => T): Promise<T> {
  for (const end = performance.now() + timeout; ; ) {
    try {
      return step();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
      await pause(5 + Math.random() * 20);
    }
  }
}
