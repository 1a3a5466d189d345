import { describe, expect, test } from "vitest";
import { isTestingError, showLogsOnFailure, spawnProcess } from "../src/index.ts";

type Said =
  | { readonly type: "ready"; readonly pid: number }
  | { readonly type: "echo"; readonly message: { readonly type: string } }
  | { readonly type: "refused" };

const talker = new URL("./fixtures/talker.ts", import.meta.url);

describe("a spawned process", () => {
  test("runs TypeScript with arguments and environment, and is heard", async (context) => {
    await using child = await spawnProcess<Said>(talker, { args: ["world"], env: { TALKER: "the test" } });
    showLogsOnFailure(context, child);
    expect(child.name).toBe("talker.ts");
    expect((await child.waitFor("ready")).pid).toBe(child.pid);
    expect((await child.waitForOutput(/hello (\w+) from (.*)/)).slice(1)).toEqual(["world", "the test"]);
    await child.waitForOutput(/and this is an error/);
  });

  test("keeps messages until somebody asks, and hands each out once, in order", async () => {
    await using child = await spawnProcess<Said>(talker);
    child.send({ type: "one" });
    child.send({ type: "two" });
    child.send({ type: "three" });
    expect((await child.waitFor("echo")).message.type).toBe("one");
    await child.waitFor("ready");
    expect((await child.waitFor("echo")).message.type).toBe("two");
    expect((await child.waitFor("echo")).message.type).toBe("three");
    await expect(child.waitFor("echo", { timeout: 1 })).rejects.toMatchObject({
      code: "WAIT_TIMED_OUT",
      message: 'Waited 1 ms for the message "echo" of talker.ts.',
    });
    const reason = new Error("enough");
    await expect(child.waitFor("echo", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("tells how it ended, and fails the waits for what will not come", async () => {
    await using child = await spawnProcess<Said>(talker);
    await child.waitFor("ready");
    const never = child.waitFor("refused");
    const neverWritten = child.waitForOutput(/goodbye/);
    child.send({ type: "exit" });
    await expect(never).rejects.toMatchObject({
      code: "PROCESS_ENDED",
      message: expect.stringContaining("ended with code 7"),
    });
    await expect(neverWritten).rejects.toSatisfy((error) => isTestingError(error, "PROCESS_ENDED"));
    expect(await child.exited).toEqual({ code: 7, signal: null });
    await expect(child.waitFor("refused")).rejects.toThrow("hello");
    expect(() => child.send({ type: "more" })).toThrow("ended with code 7");
    expect(await child.kill()).toEqual({ code: 7, signal: null });
  });

  test("ends by SIGTERM when stopped, by SIGKILL when killed", async () => {
    await using stopped = await spawnProcess<Said>(talker);
    await stopped.waitFor("ready");
    expect(await stopped.stop()).toEqual({ code: null, signal: "SIGTERM" });
    await using killed = await spawnProcess<Said>(talker);
    expect(await killed.kill()).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("is killed when it does not stop in time", async () => {
    await using child = await spawnProcess<Said>(talker);
    child.send({ type: "stubborn" });
    await child.waitFor("echo");
    await expect(child.stop("50ms")).rejects.toMatchObject({ code: "PROCESS_NOT_STOPPED" });
    expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("stands still while paused", async () => {
    await using child = await spawnProcess<Said>(talker);
    await child.waitFor("ready");
    await child.pause();
    child.send({ type: "hello" });
    await expect(child.waitFor("echo", { timeout: 50 })).rejects.toMatchObject({ code: "WAIT_TIMED_OUT" });
    child.resume();
    expect((await child.waitFor("echo")).message.type).toBe("hello");
  });

  test("says what is wrong with a file that is not there", async () => {
    await using child = await spawnProcess<Said>("/nowhere/at-all.mjs");
    await expect(child.waitFor("ready")).rejects.toThrow("/nowhere/at-all.mjs");
  });
});
