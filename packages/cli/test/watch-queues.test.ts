import type { PassThrough } from "node:stream";
import {
  type Client,
  createClient,
  createWorker,
  defineTask,
  memory,
  silentLogger,
  UnsupportedCapabilityError,
} from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { createSession } from "../src/session.ts";
import { formatFrame } from "../src/watch/frame.ts";
import { readSnapshot } from "../src/watch/snapshot.ts";
import { watchQueues } from "../src/watch/watch-queues.ts";
import { createApplication } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";
import { createFakeTerminal } from "./fake-terminal.ts";
import { withShell } from "./shell.ts";

/** Control sequences with `<` in place of their first two characters. */
const drawn = { start: "<?1049h<?25l<?7l<H", end: "<J<?7h<?25h<?1049l" };
const nap = defineTask<number, number>("nap", { queue: "naps" });
const onNap = nap.handler((n) => n);

/** A session of somebody who sees what is drawn. */
function watchedTerminal(rows?: number) {
  const { terminal } = createFakeTerminal({ cwd: import.meta.dirname, isTTY: true, env: { NO_COLOR: "1" } });
  Object.assign(terminal.stdout, { rows });
  let text = "";
  const looks = new Set<() => void>();
  (terminal.stdout as PassThrough).on("data", (chunk: Buffer) => {
    text += chunk.toString().replaceAll("\u001b[", "<").replaceAll("\r\n", "\n");
    for (const look of looks) look();
  });
  const shows = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      const look = (): void => {
        if (!pattern.test(text)) return;
        looks.delete(look);
        resolve();
      };
      looks.add(look);
      look();
    });
  return { session: createSession({ terminal, args: [], globals: () => ({}) }), shows, text: () => text };
}

/** As over a broker that tells of a queue no more than what is ready and what is dead. */
function withoutList(client: Client): Client {
  const queues = {
    ...client.queues,
    queues: () => Promise.reject(new UnsupportedCapabilityError("inspection", "no list")),
    depth: async (queue: string) => {
      const { ready, dead } = await client.queues.depth(queue);
      return { ready, dead, running: undefined, delayed: undefined };
    },
  };
  return { ...client, queues };
}

describe("taskferry watch", () => {
  test("prints one plain frame where nobody sees it change", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.add", '{"a":1,"b":2}');
      await shell.run("pause", "slow");
      const { code, stdout, stderr } = await shell.run("watch");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout.replace(/^.* UTC/, "TIME")).toBe(
        [
          "TIME  0 workers, 1 ready, 0 dead, 0 done/s, 0 failed/s",
          "",
          "queue          ready  running  delayed  dead  workers  done/s  failed/s",
          "slow (paused)      0        0        0     0        0       0         0",
          "sums               1        0        0     0        0       0         0",
          "",
          "No worker lives.",
          "",
        ].join("\n"),
      );
      const [line, ...rest] = (await shell.run("watch", "--once", "--json")).stdout.trimEnd().split("\n");
      expect(rest).toEqual([]);
      const depth = { ready: 0, running: 0, delayed: 0, dead: 0 };
      const idle = { ...depth, workers: 0, perSecond: 0, failedPerSecond: 0 };
      expect(JSON.parse(line ?? "")).toEqual({
        at: expect.any(Number),
        queues: [
          { ...idle, queue: "slow", isPaused: true },
          { ...idle, queue: "sums", isPaused: false, ready: 1 },
        ],
        workers: [],
      });
      expect((await shell.run("watch", "--interval", "5")).code).toBe(2);
    }));

  test("draws on a terminal what changes, and leaves it as it was", async () => {
    const broker = memory();
    await using client = await createClient({ broker });
    const { session, shows, text } = watchedTerminal();
    const stop = new AbortController();
    const watching = watchQueues(client, { session, flags: { interval: 100 }, signal: stop.signal });
    await shows(/No queue is known/);
    await client.enqueueMany(nap, [1, 2, 3]);
    await shows(/naps +3 /);
    await using worker = createWorker({ broker, handlers: [onNap], logger: silentLogger, presence: "100ms" });
    await worker.start();
    await shows(/1 worker, 0 ready/);
    await shows(/\nnaps .* 1 +[1-9][\d.]* +0<K/);
    stop.abort();
    await watching;
    expect(text().startsWith(drawn.start)).toBe(true);
    expect(text().endsWith(drawn.end)).toBe(true);
  });

  test.each([
    ["has", 6, 3],
    ["has, or 24 where it does not say how many", 0, 9],
  ])("shows no more lines than the terminal %s", async (_, rows, shown) => {
    await using client = await createClient({ broker: memory() });
    for (let index = 0; index < 9; index += 1) await client.enqueue(nap, 1, { queue: `q-${index}` });
    const { session, shows, text } = watchedTerminal(rows);
    const stop = new AbortController();
    const watching = watchQueues(client, { session, flags: { interval: 100 }, signal: stop.signal });
    await shows(/<J/);
    stop.abort();
    await watching;
    expect(new Set(text().match(/q-\d/g)).size).toBe(shown);
  });

  test("goes on while a server is away, and says so", async () => {
    const broker = memory();
    await using client = await createClient({ broker });
    const { session, shows } = watchedTerminal();
    const stop = new AbortController();
    let isAway = false;
    const queues = { ...client.queues, queues: async () => (isAway ? Promise.reject(new Error("away")) : []) };
    const watched = { ...client, queues };
    const watching = watchQueues(watched, { session, flags: { interval: 100 }, signal: stop.signal });
    await shows(/No queue is known/);
    isAway = true;
    await shows(/<Haway<K\n<K\n.*UTC/);
    stop.abort();
    await watching;
  });

  test("shows the queues alone without a state store", async () => {
    await using client = await createClient({ broker: memory(), state: false });
    await client.enqueue(nap, 1);
    expect(await readSnapshot(client as never)).toMatchObject({ queues: [{ queue: "naps", ready: 1 }], workers: null });
  });

  test("shows the queues that workers work on where the broker can list none, and says what else it needs", async () => {
    const broker = memory();
    await using client = await createClient({ broker });
    await client.enqueue(nap, 1, { delay: "1m" });
    await using worker = createWorker({ broker, handlers: [onNap], logger: silentLogger });
    await worker.start();
    const unlisted = withoutList(client);
    const snapshot = await readSnapshot(unlisted);
    expect(snapshot.queues).toMatchObject([{ queue: "naps", ready: 0, running: 0, workers: 1 }]);
    expect(formatFrame(snapshot, (_, text) => text)).toMatch(/\nnaps +0 +0 +\? +0 +1 /);

    await using stateless = await createClient({ broker: memory(), state: false });
    await expect(readSnapshot(withoutList(stateless as never))).rejects.toMatchObject({
      code: "UNSUPPORTED_CAPABILITY",
      message: expect.stringContaining("Set `state`"),
    });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("prints lines of JSON until %s, and ends with 0", async (signal) => {
    await using project = await createApplication();
    await taskferry(project, ["enqueue", "greet", '{"name":"you"}']);
    await using watch = await startTaskferry(project, ["watch", "--json", "--interval", "100ms"]);
    await watch.waitForOutput(/\n.*\n/);
    process.kill(watch.pid, signal);
    expect(await watch.exited).toEqual({ code: 0, signal: null });
    const lines = watch.logs().trimEnd().split("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ queues: [{ queue: "greetings", ready: 1 }], workers: [] });
  });
});
