import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findServers, requireServer, startRedis } from "../src/index.ts";

describe("the search for servers", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "taskferry-path-"));
    vi.stubEnv("PATH", `${folder}:/nowhere`);
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  test("finds programs on the PATH, and only programs", async () => {
    await writeFile(join(folder, "redis-server"), "");
    expect((await findServers()).redis).toBeUndefined();
    await chmod(join(folder, "redis-server"), 0o755);
    await writeFile(join(folder, "nats-server"), "", { mode: 0o755 });
    expect(await findServers()).toMatchObject({
      redis: join(folder, "redis-server"),
      nats: join(folder, "nats-server"),
    });
    expect(await requireServer("redis")).toBe(join(folder, "redis-server"));
  });

  test("says what to install when there is none", async () => {
    expect((await findServers()).nats).toBeUndefined();
    await expect(startRedis()).rejects.toMatchObject({
      code: "SERVER_MISSING",
      message: expect.stringContaining("apt-get install --no-install-recommends redis-server"),
    });
  });
});
