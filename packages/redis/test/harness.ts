import { createHash } from "node:crypto";
import {
  createFaultProxy,
  type FaultProxy,
  type HarnessRequest,
  type PrivateServer,
  startRedis,
} from "@taskferry/testing";
import { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { listStorage } from "../src/list/storage.ts";
import { queueKeys } from "../src/queue/keys.ts";
import type { QueueScripts } from "../src/queue/scripts.ts";
import type { Script } from "../src/script.ts";
import { streamStorage } from "../src/stream/storage.ts";

/** A private Redis that keeps what it acknowledged, for a file of tests. */
export function privateRedis(): { readonly current: () => PrivateServer } {
  let server: PrivateServer | undefined;
  beforeAll(async () => {
    server = await startRedis({ appendOnly: "always" });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  return {
    current: () => {
      if (server === undefined) throw new Error("Redis has not been started");
      return server;
    },
  };
}

/** What a suite may do to an empty Redis behind a proxy. `scripts` says by which scripts an operation is known. */
export async function createRedisHarness<TValue, TOperation extends string>(
  server: PrivateServer,
  { interrupts }: HarnessRequest,
  parts: {
    readonly make: (place: { readonly url: string; readonly commandTimeout: string }) => TValue;
    readonly scripts: Readonly<Record<TOperation, readonly (Script | string)[]>>;
  },
) {
  await emptied(server);
  const proxy = await createFaultProxy(server);
  return {
    proxy,
    connect: () => parts.make({ url: proxy.url, commandTimeout: interrupts ? "1s" : "10s" }),
    dispose: () => proxy[Symbol.asyncDispose](),
    restart: () => server.kill().then(() => server.start()),
    outage: { begin: async () => refuse(proxy), end: async () => proxy.use("pass") },
    freeze: { begin: async () => proxy.use("freeze"), end: async () => proxy.use("pass") },
    cutNextReply: async (operation: TOperation) => cutReplyTo(proxy, parts.scripts[operation]),
  };
}

/** Has the proxy swallow the next reply to one of the scripts. */
export function cutReplyTo(proxy: FaultProxy, scripts: readonly (Script | string)[]): void {
  const marks = scripts.flatMap(marksOf);
  // A server that does not know the script yet says so, and has done nothing.
  proxy.cutAfterRequest({
    request: (bytes) => marks.some((mark) => bytes.includes(mark)),
    reply: (bytes) => !bytes.includes("NOSCRIPT"),
  });
}

/** Puts bytes into a queue as another program would: at its end, with the marker that wakes consumers. */
export async function insertRaw(url: string, queue: string, bytes: Uint8Array): Promise<void> {
  const client = new Redis(url);
  const { own, marker } = queueKeys(listStorage, "taskferry", queue);
  await client.multi().rpush(own.ready_middle, Buffer.from(bytes)).zadd(marker, 0, "1").exec();
  client.disconnect();
}

/** The same for a queue in streams. */
export async function insertRawEntry(url: string, queue: string, bytes: Uint8Array): Promise<void> {
  const client = new Redis(url);
  const { own, marker } = queueKeys(streamStorage, "taskferry", queue);
  await client.multi().xadd(own.stream_middle, "*", "m", Buffer.from(bytes)).zadd(marker, 0, "1").exec();
  client.disconnect();
}

/** By which scripts the operations of a suite are known. */
export function operationsOf({ publish, take, extend, acknowledge, settle }: QueueScripts) {
  return { publish: [publish], take: [take], extend: [extend], settle: [acknowledge, settle] };
}

function refuse(proxy: FaultProxy): void {
  proxy.use("refuse");
  proxy.reset();
}

function marksOf(script: Script | string): readonly string[] {
  if (typeof script === "string") return [script];
  return [createHash("sha1").update(script.lua).digest("hex"), script.lua.slice(-300)];
}

async function emptied(server: PrivateServer): Promise<void> {
  const redis = new Redis(server.url);
  await redis.flushall();
  redis.disconnect();
}
