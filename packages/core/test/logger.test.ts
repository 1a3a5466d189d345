import { execFileSync } from "node:child_process";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { jsonLogger } from "../src/index.ts";

function watchStderr() {
  const writes: string[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => writes.push(String(text)) > 0);
  onTestFinished(() => spy.mockRestore());
  return writes;
}

const messages = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).message);

describe("jsonLogger", () => {
  test("writes the lines of one turn together, those of its children too", async () => {
    const writes = watchStderr();
    const logger = jsonLogger({ fields: { a: 1 } });
    const child = logger.child({ b: 2 });
    logger.info({}, "one");
    child.info({ c: 3n }, "two");
    logger.debug({}, "not from info up");
    expect(writes).toEqual([]);
    await new Promise(setImmediate);
    expect(writes).toHaveLength(1);
    expect(messages(writes[0] ?? "")).toEqual(["one", "two"]);
    expect(JSON.parse(writes[0]?.split("\n")[1] ?? "")).toMatchObject({ level: "info", a: 1, b: 2, c: "3" });
  });

  test("writes warnings and errors at once, after what waits", () => {
    const writes = watchStderr();
    const logger = jsonLogger();
    logger.info({}, "one");
    logger.error({ error: new RangeError("boom", { cause: new Error("deeper") }) }, "two");
    expect(messages(writes.join(""))).toEqual(["one", "two"]);
    expect(JSON.parse(writes.join("").split("\n")[1] ?? "").error).toMatchObject({
      name: "RangeError",
      message: "boom",
      cause: { message: "deeper" },
    });
  });

  test("leaves nothing behind when the process ends in the same turn, nor listeners when it does not", async () => {
    watchStderr();
    const before = process.listenerCount("exit");
    const logger = jsonLogger();
    for (let turn = 0; turn < 3; turn += 1) {
      logger.info({}, "a line");
      await new Promise(setImmediate);
    }
    expect(process.listenerCount("exit")).toBe(before);
    const program = `
      const { jsonLogger } = await import(${JSON.stringify(new URL("../src/logger.ts", import.meta.url).href)});
      jsonLogger().info({}, "the last words");
      process.exit(0);
    `;
    const node = `exec "$0" --import tsx --input-type=module --eval "$1" 2>&1`;
    const output = execFileSync("sh", ["-c", node, process.execPath, program], { encoding: "utf8" });
    expect(output).toContain("the last words");
  });
});
