import { startRedis } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { launch } from "./demo.ts";
import { draw, folderOf } from "./pictures.ts";

async function check(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const process = await launch({ args: ["--check", ...args], env });
  const { code } = await process.exited;
  return { code, output: process.logs() };
}

const latency = /Cheap endpoint while the work ran in the worker: p99 \d+\.\d ms, p50 \d+\.\d ms/;

describe("npm run demo -- --check", () => {
  test("draws samples, sends each of them and ends with 0", { timeout: 120_000 }, async () => {
    const { code, output } = await check([]);
    expect(output).toMatch(/12 of 12 pictures came out, in \d+\.\d s\./);
    expect(output).toMatch(
      /dunes\.jpg +4000x3000 +[\d,]+ KiB +160x120 480x360 1200x900 +[\d,]+ ms +[\d,]+ ms +[\d,]+ ms/,
    );
    expect(output).toMatch(latency);
    expect(code).toBe(0);
  });

  test("a file that is no picture fails with its reason, the others come out, and it ends with 1", async () => {
    await using folder = await folderOf({
      "good.png": await draw(300, 200).png().toBuffer(),
      "letter.jpg": "Dear Ada, this is no picture.",
      ".hidden": "left out",
    });
    const { code, output } = await check([folder.path]);
    expect(output).toMatch(/letter\.jpg +- +1 KiB +FAILED: This file is no picture that can be read\./);
    expect(output).toMatch(/good\.png +300x200 +\d+ KiB +160x107 300x200 300x200/);
    expect(output).toMatch(/1 of 2 pictures came out/);
    expect(output).not.toMatch(/hidden/);
    expect(code).toBe(1);
  });

  test("a relative folder begins where npm was called; --mode inline does the work in the web process", async () => {
    await using folder = await folderOf({ "one.webp": await draw(400, 300).webp().toBuffer() });
    const { code, output } = await check([".", "--mode", "inline"], { INIT_CWD: folder.path });
    expect(output).toMatch(/one\.webp +400x300/);
    expect(output).toMatch(/while the work ran inside the requests/);
    expect(code).toBe(0);
  });

  test("a folder that is not there, or empty, is a fault of usage", async () => {
    await using empty = await folderOf({});
    expect(await check([empty.path])).toMatchObject({ code: 2, output: expect.stringMatching(/holds no file/) });
    expect(await check(["/no/such/folder"])).toMatchObject({ code: 2, output: expect.stringMatching(/cannot read/) });
  });

  test.skipIf(process.env.TASKFERRY_SKIP_SERVERS === "1")("on Redis, with nothing changed but the URL", async () => {
    await using redis = await startRedis();
    await using folder = await folderOf({ "one.jpg": await draw(400, 300).jpeg().toBuffer(), "two.txt": "text" });
    const { code, output } = await check([folder.path], { TASKFERRY_BROKER: redis.url });
    expect(output).toMatch(/one\.jpg +400x300/);
    expect(output).toMatch(/two\.txt .*FAILED: This file is no picture/);
    expect(output).toMatch(latency);
    expect(code).toBe(1);
  });
});
