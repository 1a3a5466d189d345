import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { showLogsOnFailure, startRabbitmq } from "../src/index.ts";
import { greetRabbitmq } from "../src/servers/amqp-conversation.ts";
import { connectionFailure } from "./fixtures/tcp.ts";

const limit = { timeout: 180_000 };
const guest = { user: "guest", password: "guest" };

function greet(server: { readonly host: string; readonly port: number }): Promise<Buffer> {
  return greetRabbitmq({ ...guest, host: server.host, port: server.port, signal: AbortSignal.timeout(5_000) });
}

describe("a private RabbitMQ", () => {
  test("is told what to do, killed, and back on the same port and data", limit, async (context) => {
    const server = await startRabbitmq({ config: ["vm_memory_high_watermark.relative = 0.35"] });
    onTestFinished(() => server[Symbol.asyncDispose]());
    showLogsOnFailure(context, server);
    const { port, pid } = server;
    expect(server.url).toBe(`amqp://guest:guest@127.0.0.1:${port}`);
    await greet(server);
    expect(await server.control("eval", "vm_memory_monitor:get_vm_memory_high_watermark().")).toContain("0.35");
    await server.control("add_user", "kept", "secret");

    const socket = connect(port, server.host);
    await once(socket, "connect");
    const cut = new Promise((resolve) => socket.on("error", resolve).once("close", resolve));
    await server.kill();
    await cut;
    expect(server.pid).toBeUndefined();
    expect(await connectionFailure(port)).toBe("ECONNREFUSED");

    await server.start();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.control("list_users")).toContain("kept");

    await server.stop();
    expect(server.logs()).toContain("Stopping");
    await server[Symbol.asyncDispose]();
    expect(existsSync(server.directory)).toBe(false);
  });

  test("runs beside another", limit, async () => {
    const [one, other] = await Promise.all([startRabbitmq(), startRabbitmq()]);
    onTestFinished(() => one[Symbol.asyncDispose]());
    onTestFinished(() => other[Symbol.asyncDispose]());
    expect(one.port).not.toBe(other.port);
    await Promise.all([greet(one), greet(other)]);
  });
});
