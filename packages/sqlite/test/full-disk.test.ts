import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Broker, Message, StoredOutcome } from "@taskferry/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqlite } from "../src/index.ts";

const never = new AbortController().signal;

let folder: string;
let isMounted: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "taskferry-full-"));
  isMounted = tryTo("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", folder]);
});

afterEach(() => {
  if (isMounted) tryTo("umount", [folder]);
  rmSync(folder, { recursive: true, force: true });
});

function tryTo(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function message(index: number): Message {
  const body = Buffer.alloc(20_000, index);
  return {
    id: `id-${index}`,
    run: 0,
    hop: 0,
    task: "t",
    queue: "q",
    attempt: 0,
    enqueuedAt: 0,
    contentType: "a/b",
    body,
  };
}

/** Publishes until one is refused, and gives the ids of those that were accepted, and the refusal. */
async function fill(broker: Broker) {
  for (let index = 0; index < 1_000; index += 1) {
    const [answer] = await broker.publish([{ message: message(index) }], { timeout: 10_000 });
    if (answer?.status !== "accepted") return { accepted: index, answer };
  }
  throw new Error("Expected the disk to be full after 20 MB.");
}

test("a full disk refuses publishes and outcomes with BROKER_FULL, and loses nothing", async ({ skip }) => {
  skip(!isMounted, "needs a small disk of its own, and this user may not mount one");
  const broker = sqlite({ path: join(folder, "queue.db") });
  const results = broker.companions?.results?.();
  await broker.connect();
  await results?.connect();
  const { accepted, answer } = await fill(broker);
  expect(answer).toMatchObject({ status: "refused", error: { code: "BROKER_FULL", retryable: true } });

  const times = { enqueuedAt: 0, finishedAt: 1, ttl: 60_000 };
  const result = { contentType: "a/b", body: Buffer.alloc(500_000) };
  const outcome: StoredOutcome = {
    id: "x",
    task: "t",
    attempt: 0,
    run: 0,
    worker: "w",
    status: "succeeded",
    result,
    ...times,
  };
  await expect(results?.store([outcome])).rejects.toMatchObject({ code: "BROKER_FULL" });
  await results?.close();
  await broker.close();

  // Another disk, with room.
  expect(tryTo("mount", ["-o", "remount,size=30m", folder])).toBe(true);
  await broker.connect();
  const consumer = await broker.consume("q", { window: 1_000, lease: 60_000 });
  const found: (string | undefined)[] = [];
  while (found.length < accepted) {
    for (const delivery of await consumer.take(1_000, never)) found.push(delivery.message?.id);
  }
  expect(found).toEqual(Array.from({ length: accepted }, (_, index) => `id-${index}`));
  await broker.close();
});
