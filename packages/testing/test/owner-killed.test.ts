import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { spawnProcess } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";
import { connectionFailure, listen } from "./fixtures/tcp.ts";

describe("the owner of a private Redis is killed by SIGKILL", () => {
  test.each(["run", "pause"])("while the server's state is: %s", async (state) => {
    await using owner = await spawnProcess<{ type: "started"; port: number; directory: string } | { type: "blocked" }>(
      new URL("./fixtures/server-owner.ts", import.meta.url),
    );
    const { port, directory } = await owner.waitFor("started");
    using client = await converseWithRedis({ host: "127.0.0.1", port });
    const cut = ended(client.socket);
    owner.send({ type: state });
    await owner.waitFor("blocked");
    expect(existsSync(directory)).toBe(true);

    await owner.kill();
    await cut;
    // A process that is killed closes its sockets one after the other.
    await expect.poll(() => connectionFailure(port), { timeout: 10_000 }).toBe("ECONNREFUSED");
    await expect.poll(() => existsSync(directory), { timeout: 10_000 }).toBe(false);
  });
});

test("a process that refuses SIGTERM ends with its owner, who was killed by SIGKILL", async () => {
  await using home = await listen();
  const connected = home.nextConnection();
  await using owner = await spawnProcess<{ type: "spawned" }>(new URL("./fixtures/process-owner.ts", import.meta.url), {
    args: [String(home.port)],
  });
  const cut = ended(await connected);
  await owner.waitFor("spawned");
  await owner.kill();
  await cut;
});

/** A process that is killed may say goodbye or reset what it had not read: either is an end. */
function ended(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
