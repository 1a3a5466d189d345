import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type ServerKind, spawnServer } from "../src/index.ts";
import { listen } from "./fixtures/tcp.ts";

describe("spawnServer", () => {
  const program = fileURLToPath(new URL("./fixtures/greeting-server.mjs", import.meta.url));
  const kind: ServerKind = {
    name: "greeter",
    command: process.execPath,
    args: ({ port }) => [program, String(port)],
    url: ({ host, port }) => `tcp://${host}:${port}`,
    ready: async ({ host, port, pid, signal }) => {
      const socket = connect({ host, port, signal });
      const [greeting] = await once(socket, "data");
      socket.destroy();
      if (String(greeting) !== String(pid)) throw new Error(`Expected the greeting of ${pid}, got ${greeting}.`);
    },
    portTaken: /EADDRINUSE/,
  };

  test("tries another port when one is taken between the search and the start", async () => {
    const tried: number[] = [];
    const squatters: AsyncDisposable[] = [];
    await using server = await spawnServer({
      ...kind,
      prepare: async ({ port }) => {
        tried.push(port);
        if (squatters.length < 2) squatters.push(await listen({ port }));
      },
    });
    expect(tried).toHaveLength(3);
    expect(server.port).toBe(tried[2]);
    for (const squatter of squatters) await squatter[Symbol.asyncDispose]();
  });

  test("gives up a server that never becomes ready, and says what it answered last", async () => {
    const failure = spawnServer({
      ...kind,
      startTimeout: 3_000,
      ready: async (place) => {
        await kind.ready(place);
        throw new Error("I am still looking for my glasses");
      },
    });
    await expect(failure).rejects.toMatchObject({
      code: "SERVER_NOT_READY",
      message: expect.stringMatching(
        /was not ready after 3000 ms: I am still looking for my glasses[\s\S]*ready to greet/,
      ),
    });
  });

  test("ends what a server started itself along with it", async () => {
    await using home = await listen();
    const connected = home.nextConnection();
    await using server = await spawnServer({ ...kind, args: ({ port }) => [program, String(port), String(home.port)] });
    const cut = once(await connected, "close");
    await server.stop();
    await cut;
    expect(server.pid).toBeUndefined();
  });

  test("notices that a server ended by itself, and starts it again", async () => {
    await using server = await spawnServer(kind);
    process.kill(server.pid ?? Number.NaN, "SIGKILL");
    await expect.poll(() => server.pid, { timeout: 10_000 }).toBeUndefined();
    await server.start();
    expect(server.pid).toBeDefined();
  });
});
