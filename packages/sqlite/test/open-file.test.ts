import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BrokerEvent, Message } from "@taskferry/core";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sqlite, sqliteResults, sqliteState } from "../src/index.ts";
import { type TemporaryFile, temporaryFile } from "./temporary-file.ts";

let file: TemporaryFile;

beforeEach(() => {
  file = temporaryFile();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await file.remove();
});

function message(id: string): Message {
  const body = Buffer.from(id);
  return { id, run: 0, hop: 0, task: "t", queue: "q", attempt: 0, enqueuedAt: 0, contentType: "text/plain", body };
}

/** What `connect()` rejects with. */
async function refusal(path = file.path): Promise<{ code: string; message: string }> {
  const error: unknown = await sqlite({ path })
    .connect()
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  return error as { code: string; message: string };
}

test("the folder is made with the file, and the files beside it are gone when all is closed", async () => {
  const path = join(dirname(file.path), "some", "where", "queue.db");
  const broker = sqlite({ path });
  await broker.connect();
  expect(existsSync(path)).toBe(true);
  await broker.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
});

test("a path that cannot be made is refused with the path and what to do", async () => {
  await writeFile(file.path, "");
  const path = join(file.path, "below", "a-file.db");
  const { code, message } = await refusal(path);
  expect(code).toBe("BROKER_UNAVAILABLE");
  expect(message).toContain(path);
});

test("a layout of a newer version is refused, and left as it is", async () => {
  const broker = sqlite({ path: file.path });
  await broker.connect();
  await broker.close();
  const database = new Database(file.path);
  database.pragma("user_version = 999");
  const { code, message } = await refusal();
  expect(code).toBe("BROKER_UNAVAILABLE");
  expect(message).toMatch(/version 999.*Update @taskferry\/sqlite/);
  expect(database.pragma("user_version")).toEqual([{ user_version: 999 }]);
  database.close();
});

test("a database of another program is refused, and left as it is", async () => {
  const database = new Database(file.path);
  database.exec("CREATE TABLE invoices (id INTEGER PRIMARY KEY)");
  expect((await refusal()).message).toMatch(/another program.*Choose a path/);
  const tables = database.prepare("SELECT name FROM sqlite_schema").all([]);
  expect(tables).toMatchObject([{ name: "invoices" }]);
  expect(database.pragma("journal_mode")).toEqual([{ journal_mode: "delete" }]);
  database.close();
});

test("a file that is no database is refused, and left as it is", async () => {
  const text = "dear diary, this is not a database. ".repeat(100);
  await writeFile(file.path, text);
  const { code, message } = await refusal();
  expect(code).toBe("BROKER_UNAVAILABLE");
  expect(message).toContain(file.path);
  expect(message).toMatch(/not a database.*Choose a path/);
});

test("a file that is deleted while it is open is made anew, and the broker goes on", async () => {
  const broker = sqlite({ path: file.path });
  const events: BrokerEvent[] = [];
  await broker.connect();
  const again = new Promise<void>((resolve) => {
    broker.on((event) => {
      events.push(event);
      if (event.type === "connected") resolve();
    });
  });
  for (const end of ["", "-wal", "-shm"]) await rm(file.path + end);
  await again;
  expect(events).toMatchObject([
    { type: "disconnected", error: { code: "BROKER_UNAVAILABLE" } },
    { type: "connected" },
  ]);
  expect(await broker.publish([{ message: message("later") }], { timeout: 10_000 })).toEqual([{ status: "accepted" }]);
  expect(existsSync(file.path)).toBe(true);
  await broker.close();
});

describe("the thread", () => {
  test("is one for all values on a file, and ends with the last", async () => {
    const started: unknown[] = [];
    const onWorker = (worker: unknown): number => started.push(worker);
    process.on("worker", onWorker);
    const broker = sqlite({ path: file.path });
    const values = [broker, sqliteResults({ path: file.path }), sqliteState({ url: `sqlite:${file.path}` })];
    for (const value of values) await value.connect();
    const companion = broker.companions?.results?.();
    await companion?.connect();
    for (const value of values) await value.close();
    expect(await companion?.get(["unknown"])).toEqual([undefined]);
    await companion?.close();
    process.off("worker", onWorker);
    expect(started.length).toBe(1);
    expect(process.getActiveResourcesInfo()).not.toContain("MessagePort");
  });
});

describe("a warning at connect", () => {
  async function warnings(): Promise<string[]> {
    const broker = sqlite({ path: file.path });
    const heard: string[] = [];
    broker.on((event) => {
      if (event.type === "warning") heard.push(event.message);
    });
    await broker.connect();
    await broker.close();
    return heard;
  }

  test("says in production that the file is for one machine, in one line", async () => {
    vi.stubEnv("NODE_ENV", "production");
    const [line, ...others] = await warnings();
    expect(line).toMatch(/one machine/);
    expect(line).not.toContain("\n");
    expect(others).toEqual([]);
  });

  test("is not there in development", async () => {
    vi.stubEnv("NODE_ENV", "development");
    expect(await warnings()).toEqual([]);
  });
});
